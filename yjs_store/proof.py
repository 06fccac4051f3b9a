"""Folds updates, and proves of a candidate that it has the content of its source (P3)."""

from collections.abc import Sequence
from dataclasses import replace

from yjs_store.clocks import EMPTY_STATE_VECTOR, DeleteSet
from yjs_store.content import Content
from yjs_store.halves import heal_all
from yjs_store.keys import are_outdated
from yjs_store.letters import fingerprint
from yjs_store.merging import cut
from yjs_store.replica import Replica
from yjs_store.update_v1 import covers, minus, read_ranges, united


def fold(updates: Sequence[bytes]) -> tuple[bytes, Content]:
    """Return one compact update with the content of all, and what that content is (P3).

    Through a Doc for its size; what the Doc leaves out, pending, is merged in from the bytes.

    Raises:
        UpdateRefused: an update does not decode.
        IntegrationFailed: the decoder failed.
    """
    pieces = [piece for update in updates for piece in cut(update)]
    replica = Replica(pieces)
    content = _collect(replica)
    if content.waits:
        # Of two values of one key a Doc deletes the loser by itself, so its deletes count too.
        read = [*map(read_ranges, updates), ({}, content.deletes)]
        structs, deletes = (united(ranges) for ranges in zip(*read, strict=True))
        content = Content(structs, deletes, waits=True, pending_bytes=content.pending_bytes)
    if replica.had_pairs:
        # What is mended is collected, and so among the deletes.
        content = replace(content, letters=_letters(pieces, content.deletes))
    return replica.diff(EMPTY_STATE_VECTOR), content


def difference(source: Content, candidate: bytes) -> str | None:
    """Say how an update differs from a content it shall have; None when it is equal (P3).

    Raises:
        UpdateRefused: the candidate does not decode.
        IntegrationFailed: the decoder failed.
    """
    found = Replica([candidate]).content()
    if source.waits:
        found = Content(*read_ranges(candidate), waits=True)
    if found.waits != source.waits:
        return "one of them waits for predecessors"
    if found.structs != source.structs:
        return "the structs differ"
    if found.deletes != source.deletes:
        return "the deletes differ"
    letters = _letters([candidate], source.deletes) if source.letters is not None else None
    if letters != source.letters:
        return "the letters differ"
    return None


def covers_all(document: bytes, update: bytes) -> bool:
    """Say whether a document, as one update, has everything that ``update`` has, by clocks.

    Raises:
        UpdateRefused: one of them does not decode.
    """
    return all(map(covers, read_ranges(document), read_ranges(update)))


def _collect(replica: Replica) -> Content:
    """Let a replica go of what is deleted; return what it must have afterwards.

    That is what it had before, and deleted besides what is out of date: nobody sees that, and
    whoever loads it deletes it.
    """
    before = replica.content()
    whole = replica.collect()
    after = replica.content()
    more = minus(after.deletes, before.deletes)
    if more and are_outdated(whole, more):
        return replace(before, deletes=united([before.deletes, more]))
    return before


def _letters(updates: Sequence[bytes], deletes: DeleteSet) -> bytes | None:
    return fingerprint(heal_all(updates)[0], deletes)
