"""Puts together what somebody lacks, of what a Doc has and what is pending."""

from dataclasses import dataclass

from yjs_store.clocks import EMPTY_UPDATE, parse_state_vector
from yjs_store.decoder import Doc, diff, merge_uncut, said_by
from yjs_store.halves import heal, show
from yjs_store.pairs import Pairs
from yjs_store.update_v1 import write_state_vector


@dataclass(frozen=True, slots=True)
class Answer:
    """What there is to answer from, at one moment.

    ``pairs`` are the characters of two units in both, none of them cut. With ``is_hiding`` there
    are two U+FFFD for each.
    """

    doc: Doc
    pending: bytes
    pairs: Pairs
    is_hiding: bool

    def diff(self, state_vector: bytes) -> bytes:
        """Return what a replica at ``state_vector`` lacks, pending structs and deletes included.

        Raises:
            UpdateRefused: ``state_vector`` does not decode.
        """
        if not self.pairs:
            return self._diff_as_held(state_vector)
        if self.is_hiding:
            return show(self._diff_as_held(state_vector), self.pairs)
        clocks = parse_state_vector(state_vector)
        cuts = self.pairs.cut_at({client: (clock,) for client, clock in clocks.items()})
        if not cuts:
            return self._diff_as_held(state_vector)
        # Both halves are asked for, replaced, and then the first is left out.
        clocks.update((client, clocks[client] - 1) for client in cuts)
        whole = self._diff_as_held(write_state_vector(clocks))
        return diff(heal(whole, cuts), state_vector)

    def _diff_as_held(self, state_vector: bytes) -> bytes:
        update = said_by(self.doc, state_vector)
        if self.pending == EMPTY_UPDATE:
            return update
        # Neither is cut, so nobody has to look for it: that would take longer than all the rest.
        return merge_uncut([update, diff(self.pending, state_vector)])
