"""Verifies one stored document and says what is wrong with it; changes nothing. Pure.

A document is sound when every checksum, length, order and number holds (P4), and its updates
decode. An independent check integrates them with a second implementation and compares.
"""

import enum
from dataclasses import dataclass
from typing import TypeVar

from yjs_store import crdt, format
from yjs_store.errors import Damaged, UpdateRefused
from yjs_store.halves import heal_all, may_have_pairs
from yjs_store.records import StoredDocument
from yjs_store.trial import Bench

_Value = TypeVar("_Value")


class CheckDepth(enum.Enum):
    """How much is looked at; each has what the one before has."""

    CHECKSUMS = "checksums"
    DECODED = "decoded"
    """Every update is decoded with pycrdt, and the document tried as before its first use."""
    INDEPENDENT = "independent"
    """Every document is integrated with pycrdt and with y-py, and the two are compared."""


@dataclass(frozen=True, slots=True)
class DocumentReport:
    """What a check found; ``problem`` is None for a sound document.

    ``document`` is its name, or its key when that is all that is known. ``byte_length`` is what
    was read and verified, as stored. ``note`` says what could not be looked at.
    """

    document: str
    is_deleted: bool
    rows: int
    chunks: int
    byte_length: int
    problem: str | None
    note: str | None = None


def check_stored(stored: StoredDocument, depth: CheckDepth) -> DocumentReport:
    """Check one document."""
    head = stored.sealed_head.head
    problem = note = None
    try:
        if depth is CheckDepth.CHECKSUMS:
            format.verify(stored)
        else:
            updates = format.assemble(stored)[1]
            for update in updates:
                crdt.check_update(update)
            Bench(updates).check()
            if depth is CheckDepth.INDEPENDENT:
                problem, note = _compare_decoders(updates)
    except Damaged as error:
        problem = error.problem
    except (UpdateRefused, crdt.IntegrationFailed) as error:
        problem = f"content: {error}"
    return DocumentReport(
        document=str(head.name),
        is_deleted=head.deleted_ms is not None,
        rows=len(stored.rows),
        chunks=len(stored.chunks),
        byte_length=sum(len(row.data) for row in stored.rows)
        + sum(len(chunk.data) for chunk in stored.chunks),
        problem=problem,
        note=note,
    )


def _compare_decoders(updates: list[bytes]) -> tuple[str | None, str | None]:
    """Integrate with pycrdt and with y-py; return how they differ, or why that was not asked."""
    # Imported here: y-py is an extra that only this check needs.
    import y_py  # noqa: PLC0415

    ours = crdt.Replica(updates).content()
    if ours.waits:
        return None, "not compared with y-py: it waits for predecessors, where decoders may differ"
    doc = y_py.YDoc()
    if any(map(may_have_pairs, updates)):
        # y-py loses the halves of characters that are cut, as a Doc does.
        updates = heal_all(updates)[0]
    y_py.apply_update(doc, crdt.merge(updates))
    clocks = crdt.parse_state_vector(y_py.encode_state_vector(doc))
    expected = {client: ranges[-1][1] for client, ranges in ours.structs.items()}
    if clocks != _as_y_py(expected):
        return "content: pycrdt and y-py come to different state vectors", None
    deletes = crdt.parse_delete_set(y_py.encode_state_as_update(doc, y_py.encode_state_vector(doc)))
    if deletes != _as_y_py(ours.deletes):
        return "content: pycrdt and y-py come to different delete sets", None
    return None, None


def _as_y_py(by_client: dict[int, _Value]) -> dict[int, _Value]:
    """Return it with client ids as y-py 0.6 reads them.

    Its ids have 32 bits, where Yjs allows 53: each group of seven bits is shifted by its place
    modulo 32 and the groups are laid over each other. What browsers generate has 32 bits.
    """
    return {_wrapped(client): value for client, value in by_client.items()}


def _wrapped(client: int) -> int:
    wrapped = shift = 0
    while client:
        wrapped |= (client & 0x7F) << shift % 32
        client >>= 7
        shift += 7
    return wrapped & 0xFFFF_FFFF
