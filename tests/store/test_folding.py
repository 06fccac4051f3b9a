"""yjs_store.folding: a candidate is proven equal to its source before it leaves."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
from pycrdt import Doc, Text

from yjs_store import Damaged, Head, crdt, folding, format
from yjs_store.folding import Folded, check_staged, fold_stored
from yjs_store.limits import SNAPSHOT_CHUNK_BYTES
from yjs_store.records import StoredDocument

from .editing import Editor

NOW_MS = 1_700_000_000_000


def stored(updates: Sequence[bytes]) -> StoredDocument:
    head = Head(
        document_id=1,
        name="n",
        uid=bytes(16),
        last_seq=len(updates),
        cut_seq=0,
        journal_bytes=sum(map(len, updates)),
        snapshot_id=None,
        snapshot_bytes=0,
        created_ms=NOW_MS,
        updated_ms=NOW_MS,
        deleted_ms=None,
        oversized_count=0,
    )
    rows = [format.seal_row(head.uid, seq, NOW_MS, row) for seq, row in enumerate(updates, 1)]
    return StoredDocument(format.seal_head(head), None, (), tuple(rows))


def typed(letters: str, client_id: int = 7) -> list[bytes]:
    editor = Editor(client_id)
    editor.write_letters(letters)
    return editor.updates


def erased() -> list[bytes]:
    editor = Editor(7)
    editor.write_letters("abcd")
    editor.erase(0, 1)
    return editor.updates


OTHER_CONTENT = {
    "an update is lost": (typed("abcd"), typed("abc")),
    "everything is lost": (typed("abcd"), []),
    "something is there that was not": (typed("abcd"), [*typed("abcd"), *typed("x", 8)]),
    "a delete is lost": (erased(), erased()[:-1]),
    "what is pending is lost": (typed("ab") + typed("xyz", 9)[2:], typed("ab")),
}


@pytest.mark.parametrize(("source", "candidate"), OTHER_CONTENT.values(), ids=OTHER_CONTENT)
def test_a_candidate_with_other_content_is_refused(
    source: list[bytes], candidate: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    """P3; field notes 1, 2 and 4: checksums alone would find it in order."""
    content = crdt.fold(source)[1]
    monkeypatch.setattr(folding.crdt, "fold", lambda _: (crdt.merge(candidate), content))
    with pytest.raises(Damaged, match="candidate: expected the content of its source"):
        fold_stored(stored(source), None, NOW_MS)


def test_what_is_proven_is_what_the_chunks_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    """P3: a fault between the fold and its chunks is found, too."""
    cut = format.cut_chunks
    monkeypatch.setattr(format, "cut_chunks", lambda uid, _: cut(uid, crdt.merge(typed("x"))))
    with pytest.raises(Damaged, match="snapshot"):
        fold_stored(stored(typed("abcd")), None, NOW_MS)


def folded_in_two_chunks() -> tuple[Head, Folded]:
    doc: Doc[Text] = Doc(client_id=5)
    doc.get("text", type=Text).insert(0, "long " * (SNAPSHOT_CHUNK_BYTES // 4))
    document = stored([doc.get_update()])
    return document.sealed_head.head, fold_stored(document, None, NOW_MS)


def test_what_reads_back_as_it_was_staged_passes() -> None:
    head, folded = folded_in_two_chunks()
    assert len(folded.chunks) > 1
    check_staged(head, replace(folded.snapshot, snapshot_id=3), folded.chunks, folded)


def test_what_reads_back_otherwise_is_refused() -> None:
    head, folded = folded_in_two_chunks()
    snapshot, chunks = folded.snapshot, folded.chunks
    flipped = replace(chunks[0], data=bytes([chunks[0].data[0] ^ 1]) + chunks[0].data[1:])
    for other_snapshot, other_chunks in (
        (snapshot, chunks[1:]),
        (snapshot, (flipped, *chunks[1:])),
        (snapshot, chunks[::-1]),
        (replace(snapshot, cut_seq=snapshot.cut_seq + 1), chunks),
        (replace(snapshot, checksum=bytes(16)), chunks),
    ):
        with pytest.raises(Damaged, match="staged snapshot"):
            check_staged(head, other_snapshot, other_chunks, folded)
