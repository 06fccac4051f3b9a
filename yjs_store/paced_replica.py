"""The replica of a live document, its decoder's work on it, and what follows from that. Pure."""

from collections.abc import Callable, Iterator, Sequence

from yjs_store import crdt
from yjs_store.fold_pace import FoldPace, build_s_max
from yjs_store.limits import (
    BUILD_FOLD_SHARE,
    BUILD_S_MIN,
    KIB,
    MEND_INLINE_BYTES,
    PACE_SLOW_S,
    SLICE_SLOW_S,
    SLICE_STRUCTS,
    SLOW_SLICE_STRUCTS,
)
from yjs_store.rounds import Round, integrate
from yjs_store.slicing import slices

# Below this nothing that is asked of the costs of a document is true.
_COST_S_MIN = BUILD_S_MIN * BUILD_FOLD_SHARE


class PacedReplica:
    """A replica that keeps to a pace.

    ``is_costly`` says that the decoder has worked so much on the document that all that is new
    must be tried first.
    """

    __slots__ = (
        "_cpu_s",
        "_folded_at_s",
        "_is_mended",
        "_is_slow_to_load",
        "_now_s",
        "is_costly",
        "pace",
        "replica",
    )

    def __init__(
        self, updates: Sequence[bytes], cpu_s: Callable[[], float], now_s: Callable[[], float]
    ) -> None:
        """Start from updates that have passed ``merge``, oldest first.

        ``cpu_s`` says how much time the thread has worked, ``now_s`` is a clock that does not stop
        when it rests.
        """
        self._cpu_s = cpu_s
        self._now_s = now_s
        self.pace = FoldPace()
        self.is_costly = False
        # Whether a load of what is stored would have to mend it, and a checkpoint would help.
        self._is_mended = False
        # Whether it takes long to load it from its rows, and a checkpoint would help.
        self._is_slow_to_load = False
        self._begin(updates)

    def _begin(self, updates: Sequence[bytes]) -> None:
        self.replica = crdt.Replica(updates, mend_bytes_max=MEND_INLINE_BYTES, cpu_s=self._cpu_s)
        # What it had taken when a checkpoint was last asked for.
        self._folded_at_s = 0.0

    def begin_anew(self, durable: Sequence[bytes], *, is_mended: bool) -> None:
        """Go on from what is durable after the decoder failed.

        The pace stays: what made it slow is still there, and nobody shall win a larger round by
        what the decoder fails on (P5). Whether it is costly is found when it is built, with
        the next round that has anything new.
        """
        self._begin(durable)
        self._is_mended |= is_mended

    @property
    def rest_s(self) -> float:
        """For how long nothing is integrated; 0 when something may be."""
        return self.pace.rest_s(self._now_s())

    def take_wishes(self) -> list[str]:
        """Return why a checkpoint would help, each reason once."""
        wishes: list[str] = []
        if self._is_mended:
            # So that no load has to do it again.
            self._is_mended = False
            wishes.append("mending")
        if self._is_slow_to_load:
            self._is_slow_to_load = False
            wishes.append("slow to load")
        return wishes

    def integrate(self, current: Round) -> bytes | None:
        """Integrate a round, see ``rounds.integrate``, and keep to a pace."""
        replica, pace = self.replica, self.pace
        before_s = replica.applied_s
        update = integrate(current, replica, pace.structs_max, self._cpu_s)
        took_s = replica.applied_s - before_s
        if took_s > PACE_SLOW_S or pace.is_slowed:
            pace.note(took_s, current.structs + current.byte_length // KIB, self._now_s())
        if current.put_back:
            pace.rest(current.repeats_s, self._now_s())
        is_known_again = self.is_costly and replica.is_built
        if replica.built_s + replica.applied_s > _COST_S_MIN or is_known_again:
            self._note_cost()
        self._is_mended |= replica.is_mended
        replica.is_mended = False
        return update

    def integrate_large(self, pieces: Sequence[bytes]) -> Iterator[float]:
        """Integrate what must not become a row; yield after each part for how long to rest.

        So nobody waits for more than one part. When it is not asked for the next part, nothing
        more is integrated.

        Raises:
            IntegrationFailed: the decoder failed.
        """
        is_slow = self.pace.is_slowed
        for piece in pieces:
            # What many put at one place takes longer the more there are.
            is_cut = is_slow
            for part in slices(piece, SLOW_SLICE_STRUCTS) if is_cut else (piece,):
                before_s = self.replica.applied_s
                self.replica.integrate(part)
                took_s = self.replica.applied_s - before_s
                if took_s > SLICE_SLOW_S:
                    is_slow = True
                    structs = SLOW_SLICE_STRUCTS if is_cut else SLICE_STRUCTS
                    self.pace.note(took_s, structs, self._now_s())
                # So that others have their half.
                yield took_s if is_slow else 0.0
        self._note_cost()

    def note_built(self, built_s: float) -> None:
        """Hear of a trial how long it takes to build the document, with what has passed."""
        if self.is_costly:
            self.replica.built_s, self.replica.applied_s = built_s, 0.0
            self._folded_at_s = 0.0
            self._note_cost()

    def _note_cost(self) -> None:
        """See how long it would take to load the document; something must be done if long."""
        cost_s = self.replica.built_s + self.replica.applied_s
        bound_s = build_s_max(self.replica.applied_bytes)
        if cost_s - self._folded_at_s > bound_s * BUILD_FOLD_SHARE:
            self._is_slow_to_load = True
            self._folded_at_s = cost_s
        self.is_costly = cost_s > bound_s
