"""Tries updates that nobody has looked at yet on a copy of their document. Pure.

It runs in the trial process, for what it finds out may be that its process dies. What passes has
been through all that will be done with it: inspected in full, merged, integrated into what is
durable, encoded, decoded again as other clients do, and deleted.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from yjs_store import crdt
from yjs_store.errors import UpdateRefused
from yjs_store.inspection import inspect
from yjs_store.limits import (
    DELETES_INLINE_MAX,
    JOURNAL_ROW_BYTES_MAX,
    ROW_STRUCTS_MAX,
    TRIAL_DELETING_S,
    TYPE_NESTING_MAX,
)
from yjs_store.mending import mend
from yjs_store.nesting import nesting


@dataclass(frozen=True, slots=True)
class Order:
    """What a job for the trial process consists of, beside the stored document.

    With ``is_check`` the document itself is tried in full, and not only read. With
    ``is_recovery`` the suspects have been cleared before, and are only integrated. With
    ``is_mending`` nothing is tried: what is stored and assumed is returned mended.
    """

    assumed_count: int
    suspect_count: int
    is_check: bool = False
    is_recovery: bool = False
    is_mending: bool = False


@dataclass(frozen=True, slots=True)
class Suspect:
    """An update to be tried; ``repeats`` as in ``Document.submit``."""

    update: bytes
    repeats: bool = False


@dataclass(frozen=True, slots=True)
class Passed:
    """What a document needs to know of an update that may be integrated.

    ``merged`` is what is stored of it, None when that is the very bytes that were sent. ``pieces``
    are the content cut so that each is integrated in a moment, empty when it is one such piece.
    One that ``is_large`` must not become a row: reading it would take too long at each load.
    ``needs_mending`` says that the decoder takes it only when what is durable is mended beside it.
    ``nesting`` is how deep the types of its document are nested with it. ``is_news`` is False
    when it only repeats what was known.
    """

    merged: bytes | None
    pieces: tuple[bytes, ...]
    needs_mending: bool
    is_large: bool
    is_news: bool
    nesting: int
    structs: int


@dataclass(frozen=True, slots=True)
class Failed:
    """Why an update may not be integrated, for its sender."""

    reason: str


Verdict = Passed | Failed


@dataclass(frozen=True, slots=True)
class Ready:
    """Word that the document is read, and that the first update is begun.

    Where there is none to be tried: ``nesting``, how deep the types of the document are nested.
    """

    nesting: int | None = None


class Bench:
    """A copy of a document on which one update after the other is tried."""

    def __init__(self, updates: Sequence[bytes], cpu_s: Callable[[], float] = lambda: 0.0) -> None:
        """Start from what is durable; ``cpu_s`` says how much time the process has worked.

        Raises:
            IntegrationFailed: the decoder failed on that.
        """
        self._updates = [piece for update in updates for piece in crdt.cut(update)]
        self.is_mended = False
        self._cpu_s = cpu_s
        self._replica = crdt.Replica(self._updates)
        self._replica.content()

    def assume(self, update: bytes) -> None:
        """Add an update that is on its way into the document; one that fails is left out."""
        try:
            pieces = crdt.cut(crdt.merge([update]))
            self._integrate(pieces)
        except (UpdateRefused, crdt.IntegrationFailed):
            self._begin_anew()
        else:
            self._updates += pieces

    def nesting(self) -> int:
        """Return how deep types are nested in the document.

        Raises:
            IntegrationFailed, UpdateRefused: the decoder failed on it.
        """
        return nesting(self._replica.diff(crdt.EMPTY_STATE_VECTOR))

    def check(self) -> None:
        """Do with the document as it is all that is done with documents.

        Raises:
            IntegrationFailed, UpdateRefused: the decoder failed on it.
        """
        self._handle_as_clients_do()

    def judge(self, suspect: Suspect, *, is_cleared: bool = False) -> Verdict:
        """Try an update; one that passes counts for those that come after it.

        One that ``is_cleared`` was inspected before, or tried: it is integrated, no more, for a
        round may have thousands.
        """
        try:
            findings = inspect(suspect.update)
            merged = crdt.merge([suspect.update])
            if not is_cleared:
                _check_nesting(nesting(merged))
            pieces = crdt.cut(merged)
            is_news = self._integrate_mending(pieces)
            depth = TYPE_NESTING_MAX if is_cleared else self._handle_as_clients_do()
            if findings.types:
                _check_nesting(depth)
        except (UpdateRefused, crdt.IntegrationFailed) as error:
            self._begin_anew()
            return Failed(str(error))
        self._updates += pieces
        return Passed(
            merged=None if merged == suspect.update else merged,
            needs_mending=self.is_mended,
            pieces=() if len(pieces) == 1 else tuple(pieces),
            is_large=len(merged) > JOURNAL_ROW_BYTES_MAX
            or findings.structs > ROW_STRUCTS_MAX
            or findings.deletes > DELETES_INLINE_MAX,
            is_news=is_news or not suspect.repeats,
            nesting=depth,
            structs=findings.structs + findings.deletes,
        )

    def _integrate(self, pieces: Sequence[bytes]) -> bool:
        # All of them, also after the first that is news.
        is_news = [self._replica.integrate_news(piece) for piece in pieces]
        return any(is_news)

    def _integrate_mending(self, pieces: Sequence[bytes]) -> bool:
        """Integrate; where what is durable is to blame for a failure, mend that first."""
        try:
            return self._integrate(pieces)
        except crdt.IntegrationFailed:
            waiting = crdt.Replica(self._updates).pending()
            mended = mend_beside(self._updates, pieces, waiting)
            if mended == self._updates:
                raise
            self._replica = crdt.Replica(mended)
            is_news = self._integrate(pieces)
            self._updates = mended
            self.is_mended = True
            return is_news

    def _handle_as_clients_do(self) -> int:
        """Encode, decode and delete everything; return how deep types are nested.

        Deleting takes time quadratic to a document: of a large one TRIAL_DELETING_S must do, from
        its beginning on, with what is within. How deep that goes is bounded elsewhere.

        Raises:
            UpdateRefused, IntegrationFailed: the decoder failed on the way.
        """
        whole = self._replica.diff(crdt.EMPTY_STATE_VECTOR)
        other = crdt.Replica([whole])
        other.content()
        began_s = self._cpu_s()
        for piece in reversed(crdt.cut(crdt.delete_everything(other.state_vector()))):
            other.integrate(piece)
            if self._cpu_s() - began_s > TRIAL_DELETING_S:
                break
        other.content()
        return nesting(whole)

    def _begin_anew(self) -> None:
        self._replica = crdt.Replica(self._updates)


def mend_beside(durable: Sequence[bytes], updates: Sequence[bytes], waiting: bytes) -> list[bytes]:
    """Return what is durable as it must be read now that these updates come to it; see ``mend``.

    ``waiting`` is what of it has waited: nothing else is to blame that what is durable alone
    could be read, so nothing else is looked at.

    Raises:
        IntegrationFailed: one of these is to blame itself.
    """
    both = [*durable, *updates]
    mended = mend(both, [waiting, *updates])
    if mended[len(durable) :] != both[len(durable) :]:
        raise crdt.IntegrationFailed("it stands within what is no type")
    return mended[: len(durable)]


def _check_nesting(depth: int) -> None:
    if depth > TYPE_NESTING_MAX:
        raise UpdateRefused(f"types are nested {depth} deep; the bound is {TYPE_NESTING_MAX}")
