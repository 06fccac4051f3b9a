"""Finds out which of the updates that a Doc has been given wait for a predecessor."""

from collections.abc import Sequence

from yjs_store.clocks import EMPTY_UPDATE, parse_delete_set, parse_state_vector
from yjs_store.decoder import Doc, apply, diff
from yjs_store.merging import merge
from yjs_store.update_v1 import Ranges, beyond, read_ranges


def integrate_waiting(doc: Doc, updates: Sequence[bytes]) -> bytes:
    """Return what of ``updates``, which the Doc has got, really waits for something missing.

    A Doc does not always look again at what it holds back when its predecessor arrives, not even
    at deletes; so it is given once more whatever cannot be seen to be done, until nothing moves.
    """
    while True:
        state_vector = doc.get_state()
        rests = [diff(update, state_vector) for update in updates]
        again = merge([rest for rest in rests if rest != EMPTY_UPDATE])
        if again == EMPTY_UPDATE:
            return EMPTY_UPDATE
        apply(doc, again)
        if doc.get_state() == state_vector:
            return merge([rest for rest in rests if _is_left_out(rest, state_vector)])
        updates = [again]


def _is_left_out(rest: bytes, state_vector: bytes) -> bool:
    """Say whether ``rest``, already cut at ``state_vector``, still has anything not carried out.

    Structs beyond the state vector wait for a predecessor. A delete of clocks below it was
    carried out; one that reaches beyond it waits too.
    """
    if rest[:1] != b"\x00":
        return True
    if rest == EMPTY_UPDATE:
        return False
    return bool(beyond(parse_delete_set(rest), parse_state_vector(state_vector)))


def waiting_clocks(pending: bytes, state_vector: bytes) -> tuple[Ranges, Ranges]:
    """Return the clocks of structs and of deletes that wait; equal however they are encoded."""
    if pending == EMPTY_UPDATE:
        return {}, {}
    clocks = parse_state_vector(state_vector)
    structs, deletes = read_ranges(pending)
    return beyond(structs, clocks), beyond(deletes, clocks)
