"""Tries updates that nobody has looked at yet on a copy of their document. Pure.

It runs in the trial process, for what it finds out may be that its process dies. What passes has
been through all that will be done with it: inspected in full, merged, integrated into what is
durable, encoded, decoded again as other clients do, and deleted.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from yjs_store import crdt
from yjs_store.errors import UpdateRefused
from yjs_store.fold_pace import build_s_max
from yjs_store.inspection import Findings, inspect
from yjs_store.limits import (
    DELETES_INLINE_MAX,
    JOURNAL_ROW_BYTES_MAX,
    ROW_STRUCTS_MAX,
    TRIAL_DELETING_S,
    TRIAL_TOGETHER_TYPES_MAX,
    TYPE_NESTING_MAX,
    TYPE_NESTING_POSSIBLE_MAX,
)
from yjs_store.mending import mend
from yjs_store.nesting import Nesting, measure_nesting, nesting

# What has been cleared may be as deep as anything may.
_NOT_MEASURED: Final = Nesting(TYPE_NESTING_MAX, TYPE_NESTING_MAX)


@dataclass(frozen=True, slots=True)
class Order:
    """What a job for the trial process consists of, beside the stored document.

    With ``is_check`` the document itself is tried in full, and not only read. With
    ``is_recovery`` the suspects have been cleared before, and are only integrated. With
    ``is_mending`` nothing is tried: what is stored and assumed is returned mended. With
    ``is_together`` the suspects are tried with one look at the document, as long as all pass.
    One that ``is_quick`` is given little time.
    """

    assumed_count: int
    suspect_count: int
    is_check: bool = False
    is_recovery: bool = False
    is_mending: bool = False
    is_together: bool = False
    is_quick: bool = False


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
    ``nesting`` is how deep the types of its document may be nested with it. ``is_news`` is False
    when it only repeats what was known. ``built_s`` is the processor time that it takes to build
    the document with it.
    """

    merged: bytes | None
    pieces: tuple[bytes, ...]
    needs_mending: bool
    is_large: bool
    is_news: bool
    nesting: int
    structs: int
    built_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Failed:
    """Why an update may not be integrated, for its sender."""

    reason: str


Verdict = Passed | Failed


@dataclass(frozen=True, slots=True)
class Ready:
    """Word that the document is read, and that the first update is begun.

    Where there is none to be tried: ``nesting``, how deep the types of the document may be nested.
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
        began_s = cpu_s()
        self._replica = crdt.Replica(self._updates)
        self._replica.content()
        # How long it takes to build the document, with what has been entered.
        self._built_s = cpu_s() - began_s

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
        """Return how deep types are nested in the document, or come to be when nothing is missing.

        Raises:
            IntegrationFailed, UpdateRefused: the decoder failed on it.
        """
        return measure_nesting(self._replica.diff(crdt.EMPTY_STATE_VECTOR)).possible

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
        before_s = self._built_s
        try:
            entered = self._enter(suspect, inspect(suspect.update), is_cleared=is_cleared)
            found = _NOT_MEASURED if is_cleared else self._handle_as_clients_do()
            if entered.findings.types:
                _check_nesting(found)
        except (UpdateRefused, crdt.IntegrationFailed) as error:
            self._built_s = before_s
            self._begin_anew()
            return Failed(str(error))
        self._updates += entered.pieces
        return entered.passed(found, self._built_s)

    def judge_together(
        self, suspects: Sequence[Suspect], is_enough: Callable[[], bool] = lambda: False
    ) -> list[Verdict]:
        """Try the first of several with one look at the document, which is what takes time.

        No more are begun when it ``is_enough``, or when there are types enough to nest deeper
        between two of them than is seen at the end. They all pass, or nothing is said of any, and
        each must be tried alone.
        """
        before = list(self._updates), self.is_mended, self._built_s
        entered: list[_Entered] = []
        types = 0
        try:
            for suspect in suspects:
                findings = inspect(suspect.update)
                types += findings.types
                if entered and types > TRIAL_TOGETHER_TYPES_MAX:
                    break
                entered.append(self._enter(suspect, findings, is_cleared=False))
                self._updates += entered[-1].pieces
                if is_enough():
                    break
            found = self._handle_as_clients_do()
            if types:
                _check_nesting(found)
        except (UpdateRefused, crdt.IntegrationFailed, MemoryError):
            self._updates, self.is_mended, self._built_s = before
            self._begin_anew()
            return []
        return [each.passed(found, self._built_s) for each in entered]

    def _enter(self, suspect: Suspect, findings: Findings, *, is_cleared: bool) -> "_Entered":
        """Integrate an update; how it was before is what ``_begin_anew`` begins with.

        Raises:
            UpdateRefused, IntegrationFailed: it may not be integrated.
        """
        merged = crdt.merge([suspect.update])
        if not is_cleared:
            _check_depth(nesting(merged))
        pieces = crdt.cut(merged)
        is_news = self._integrate_mending(pieces) or not suspect.repeats
        if findings.structs and not is_cleared:
            self._check_time(len(merged))
        return _Entered(suspect, findings, merged, pieces, is_news, self.is_mended)

    def _check_time(self, byte_length: int) -> None:
        # What only deletes is let through: it may be what makes the document smaller.
        bound_s = build_s_max(sum(map(len, self._updates)) + byte_length)
        if self._built_s > bound_s:
            raise UpdateRefused(
                f"with it the document takes {self._built_s:.1f} s to build; it may take"
                f" {bound_s:.1f}"
            )

    def _integrate(self, pieces: Sequence[bytes]) -> bool:
        began_s = self._cpu_s()
        # All of them, also after the first that is news.
        is_news = [self._replica.integrate_news(piece) for piece in pieces]
        self._built_s += self._cpu_s() - began_s
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

    def _handle_as_clients_do(self) -> Nesting:
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
        return measure_nesting(whole)

    def _begin_anew(self) -> None:
        self._replica = crdt.Replica(self._updates)


@dataclass(frozen=True, slots=True)
class _Entered:
    """A suspect that has been integrated, and what there is to say of it."""

    suspect: Suspect
    findings: Findings
    merged: bytes
    pieces: Sequence[bytes]
    is_news: bool
    needs_mending: bool

    def passed(self, found: Nesting, built_s: float) -> Passed:
        """Return the verdict, in a document of this nesting that takes so long to build."""
        return Passed(
            merged=None if self.merged == self.suspect.update else self.merged,
            needs_mending=self.needs_mending,
            pieces=() if len(self.pieces) == 1 else tuple(self.pieces),
            is_large=len(self.merged) > JOURNAL_ROW_BYTES_MAX
            or self.findings.structs > ROW_STRUCTS_MAX
            or self.findings.deletes > DELETES_INLINE_MAX,
            is_news=self.is_news,
            nesting=found.possible,
            structs=self.findings.structs + self.findings.deletes,
            built_s=built_s,
        )


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


def _check_nesting(found: Nesting) -> None:
    _check_depth(found.depth)
    if found.possible > TYPE_NESTING_POSSIBLE_MAX:
        raise UpdateRefused(
            f"types may come to be nested {found.possible} deep when what they wait for arrives;"
            f" the bound is {TYPE_NESTING_POSSIBLE_MAX}"
        )


def _check_depth(depth: int) -> None:
    if depth > TYPE_NESTING_MAX:
        raise UpdateRefused(f"types are nested {depth} deep; the bound is {TYPE_NESTING_MAX}")
