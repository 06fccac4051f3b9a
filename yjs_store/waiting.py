"""Finds out which of the updates that a Doc has been given wait for a predecessor."""

from collections.abc import Sequence
from functools import cached_property

from yjs_store.clocks import EMPTY_UPDATE, parse_delete_set, parse_state_vector
from yjs_store.decoder import Doc, apply, diff
from yjs_store.errors import UpdateRefused
from yjs_store.limits import LONG_STATE_BYTES, LONG_STATE_UPDATE_BYTES, LONG_STATE_UPDATES
from yjs_store.merging import merge
from yjs_store.update_v1 import Ranges, beyond, read_ranges, write_state_vector


def integrate_waiting(doc: Doc, updates: Sequence[bytes]) -> bytes:
    """Return what of ``updates``, which the Doc has got, really waits for something missing.

    A Doc does not always look again at what it holds back when its predecessor arrives, not even
    at deletes; so it is given once more whatever cannot be seen to be done, until nothing moves.
    """
    while True:
        reached = _Reached(doc.get_state())
        rests = reached.rests(updates)
        again = merge([rest for rest in rests if rest != EMPTY_UPDATE])
        if again == EMPTY_UPDATE:
            return EMPTY_UPDATE
        apply(doc, again)
        if doc.get_state() == reached.state_vector:
            return merge([rest for rest in rests if reached.is_left_out(rest)])
        updates = [again]


class _Reached:
    """How far a Doc has got. With very many clients, reading that once takes a while."""

    def __init__(self, state_vector: bytes) -> None:
        self.state_vector = state_vector

    @cached_property
    def _clocks(self) -> dict[int, int]:
        return parse_state_vector(self.state_vector)

    def rests(self, updates: Sequence[bytes]) -> list[bytes]:
        """Return of each update what the Doc may not have; of deletes all."""
        if len(self.state_vector) < LONG_STATE_BYTES or len(updates) < LONG_STATE_UPDATES:
            return [diff(update, self.state_vector) for update in updates]
        return [self._rest(update) for update in updates]

    def _rest(self, update: bytes) -> bytes:
        """Return the same without the decoder's reading of all clients for each update."""
        if update[:1] == b"\x00":
            return update
        if len(update) > LONG_STATE_UPDATE_BYTES:
            return diff(update, self.state_vector)
        return diff(update, self._own_part(update))

    def _own_part(self, update: bytes) -> bytes:
        """Return the part of the state vector that is of an update's clients; or all of it."""
        try:
            structs, _ = read_ranges(update)
        except UpdateRefused:
            # Of a form that only older versions took.
            return self.state_vector
        if update[0] != len(structs):
            # There are clients of which it has nothing but gaps.
            return self.state_vector
        return write_state_vector({each: self._clocks.get(each, 0) for each in structs})

    def is_left_out(self, rest: bytes) -> bool:
        """Say whether one of the rests still has anything not carried out.

        Structs beyond the state vector wait for a predecessor. A delete of clocks below it was
        carried out; one that reaches beyond it waits too.
        """
        if rest[:1] != b"\x00":
            return True
        if rest == EMPTY_UPDATE:
            return False
        return bool(beyond(parse_delete_set(rest), self._clocks))


def waiting_clocks(pending: bytes, state_vector: bytes) -> tuple[Ranges, Ranges]:
    """Return the clocks of structs and of deletes that wait; equal however they are encoded."""
    if pending == EMPTY_UPDATE:
        return {}, {}
    clocks = parse_state_vector(state_vector)
    structs, deletes = read_ranges(pending)
    return beyond(structs, clocks), beyond(deletes, clocks)
