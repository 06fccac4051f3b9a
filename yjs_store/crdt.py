"""The only importer of pycrdt here: merge, diff, inspect and compare Yjs updates.

What is measured and known of pycrdt stands in engineering/crdt.md; the two facts that shape
this module: a `Doc` leaves pending structs and deletes out of everything it says, and the
functions on bytes keep them.
"""

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import pycrdt

from yjs_store.errors import UpdateRefused
from yjs_store.halves import heal, heal_all, heal_overlaps, hide, look, may_have_pairs, show
from yjs_store.letters import fingerprint
from yjs_store.limits import (
    MERGE_SLICE,
    PENDING_SCAN_BYTES,
    PENDING_SCAN_UPDATES,
    SLICE_STRUCTS,
)
from yjs_store.mending import mend
from yjs_store.pairs import Clocks, Pairs
from yjs_store.plain_updates import is_plain
from yjs_store.slicing import slices
from yjs_store.update_v1 import (
    Ranges,
    beyond,
    covers,
    joined,
    read_ranges,
    united,
    write_deletes,
    write_state_vector,
)

EMPTY_UPDATE = b"\x00\x00"
EMPTY_STATE_VECTOR = b"\x00"

DeleteSet = Ranges


@dataclass(frozen=True, slots=True)
class Content:
    """What two replicas must agree in to hold the same: the clocks of structs and of deletes.

    ``waits`` says that something waits for a predecessor. Then the clocks are read from the
    updates themselves: how far a Doc gets beyond a gap depends on what it was given first.

    ``letters`` stands for what is there and not deleted, letter by letter, read from the updates
    and not from a Doc. Only where there are characters of two units, for there a Doc can lose one.
    """

    structs: Ranges
    deletes: Ranges
    waits: bool
    letters: bytes | None = None


class IntegrationFailed(Exception):
    """The decoder panicked while it integrated an update; its document is not usable any more."""


def merge(updates: Sequence[bytes]) -> bytes:
    """Return one update with the content of all, pending structs and deletes included.

    Raises:
        UpdateRefused: at least one does not decode.
    """
    if not updates:
        return EMPTY_UPDATE
    # One byte tells for all but the largest that there is no number to look at.
    if max(updates)[:1] >= b"\x80":
        for update in updates:
            _check_count(update)
    # The decoder loses what is left of a character when a struct ends within it.
    updates = heal_overlaps(updates)
    with _refusing("not a Yjs update"):
        while len(updates) > MERGE_SLICE:
            updates = [
                pycrdt.merge_updates(*updates[start : start + MERGE_SLICE])
                for start in range(0, len(updates), MERGE_SLICE)
            ]
        # A single update goes through as well: it must decode like any other.
        return pycrdt.merge_updates(*updates)


def check_update(update: bytes) -> None:
    """Return when the bytes decode as an update; costs half of a ``merge``.

    Raises:
        UpdateRefused: they do not.
    """
    _check_count(update)
    with _refusing("not a Yjs update"):
        pycrdt.get_state(update)


def diff(update: bytes, state_vector: bytes) -> bytes:
    """Return what ``update`` has and a replica at ``state_vector`` lacks, pending included.

    Raises:
        UpdateRefused: one of the two does not decode.
    """
    _check_count(state_vector)
    with _refusing("not an update or not a state vector"):
        return pycrdt.get_update(update, state_vector)


def cut(update: bytes) -> list[bytes]:
    """Return the content of an update in pieces, in an order that integrates each in a moment.

    A Doc joins the structs of one update in time quadratic to their number; what an update
    deletes takes its time, too, and a few bytes delete everything.
    """
    if is_plain(update):
        return [update]
    try:
        return slices(update, SLICE_STRUCTS)
    except UpdateRefused:
        # Stored by a version that took what this one refuses: as slow as it was then.
        return [update]


def delete_everything(state_vector: bytes) -> bytes:
    """Return the update that deletes all that a replica at ``state_vector`` has."""
    clocks = parse_state_vector(state_vector)
    return write_deletes({client: [(0, clock)] for client, clock in clocks.items() if clock})


def parse_delete_set(update_without_structs: bytes) -> DeleteSet:
    """Return the delete set of an update that has no structs (``diff`` against its own state).

    Raises:
        UpdateRefused: there are structs, or the bytes do not decode.
    """
    numbers = _var_uints(update_without_structs)
    try:
        if next(numbers) != 0:
            raise UpdateRefused("the update has structs")
        deletes: DeleteSet = {}
        for _ in range(next(numbers)):
            client = next(numbers)
            ranges = deletes.setdefault(client, [])
            for _ in range(next(numbers)):
                start = next(numbers)
                ranges.append((start, start + next(numbers)))
    except StopIteration:
        raise UpdateRefused("the delete set ends early") from None
    return {client: joined(ranges) for client, ranges in deletes.items() if ranges}


def parse_state_vector(state_vector: bytes) -> dict[int, int]:
    """Return the next clock per client.

    Raises:
        UpdateRefused: the bytes do not decode.
    """
    numbers = _var_uints(state_vector)
    try:
        return {next(numbers): next(numbers) for _ in range(next(numbers))}
    except (StopIteration, RuntimeError):
        raise UpdateRefused("the state vector ends early") from None


def _var_uints(data: bytes) -> Iterator[int]:
    value = shift = 0
    for byte in data:
        value |= (byte & 0x7F) << shift
        if byte & 0x80:
            shift += 7
            if shift > 63:
                raise UpdateRefused("a number is longer than 64 bits")
        else:
            yield value
            value = shift = 0


def _check_count(data: bytes) -> None:
    """Refuse a first number, of clients, that the bytes cannot hold.

    The decoder reserves memory for whatever number it is told.
    """
    if next(_var_uints(data), 0) > len(data):
        raise UpdateRefused("it says that it has more clients than bytes")


@contextlib.contextmanager
def _refusing(what: str) -> Iterator[None]:
    """Translate the decoder's errors, its panics too, into UpdateRefused."""
    try:
        yield
    except ValueError as error:
        raise UpdateRefused(f"{what}: {error}") from error
    except BaseException as error:
        # A panic is no Exception; everything else is passed on.
        if not _is_panic(error):
            raise
        raise UpdateRefused(f"{what}: the decoder failed on it") from error


def _is_panic(error: BaseException) -> bool:
    """Recognise a Rust panic: pyo3 derives it from BaseException and exports no name for it."""
    return type(error).__name__ == "PanicException"


class StartUnreadable(IntegrationFailed):
    """It was among the updates that the replica started from."""


class MendingNeeded(StartUnreadable):
    """It can be read once it is mended, which takes too long to be done here."""


class Replica:
    """A document in memory, answering as the sum of all updates integrated into it.

    The `Doc` is built when something is asked that bytes alone cannot answer cheaply; until then
    a document costs its bytes. Not safe for threads.
    """

    __slots__ = (
        "_clean_rest",
        "_doc",
        "_is_hiding",
        "_mend_bytes_max",
        "_pairs",
        "_pending",
        "_unscanned",
        "_unscanned_bytes",
        "_updates",
        "had_pairs",
        "is_mended",
    )

    def __init__(self, updates: Sequence[bytes] = (), *, mend_bytes_max: int | None = None) -> None:
        """Start from updates that have passed ``merge``, oldest first.

        Where they must be mended and have more bytes than ``mend_bytes_max``, all raises
        MendingNeeded.
        """
        self._mend_bytes_max = mend_bytes_max
        # Whether they had to be mended.
        self.is_mended = False
        self._updates = [update for update in updates if update != EMPTY_UPDATE]
        self._doc: _Doc | None = None
        # Of the Doc and of what is pending; none of them is cut. While hiding, the Doc has two
        # U+FFFD for each.
        self._pairs = Pairs()
        self._is_hiding = False
        # Whether there was any, cut or not, in what it was built from.
        self.had_pairs = False
        self._pending = EMPTY_UPDATE
        self._unscanned: list[bytes] = []
        self._unscanned_bytes = 0
        self._clean_rest = EMPTY_UPDATE

    def integrate(self, update: bytes) -> None:
        """Add an update that has passed ``merge``.

        Raises:
            IntegrationFailed: the decoder failed; build a new Replica from what is durable.
        """
        doc = self._build()
        if self._pairs or may_have_pairs(update):
            update, _ = self._heal(update)
            doc = self._build()
        self._take_in(doc, update)

    def _take_in(self, doc: "_Doc", update: bytes) -> None:
        _apply(doc, update)
        self._unscanned.append(update)
        self._unscanned_bytes += len(update)
        if (
            len(self._unscanned) >= PENDING_SCAN_UPDATES
            or self._unscanned_bytes >= PENDING_SCAN_BYTES
        ):
            self._scan_pending(doc)

    def integrate_news(self, update: bytes) -> bool:
        """Integrate; say whether that changed anything or left anything pending.

        For the updates that repeat what is known, as each client's SyncStep2 does.

        Raises:
            UpdateRefused: it does not decode.
            IntegrationFailed: as ``integrate``.
        """
        doc = self._build()
        if self._pairs or may_have_pairs(update):
            update, cuts_known = self._heal(update)
            if cuts_known:
                # Nobody did so before, or the character would not be there any more. What is
                # replaced here must be so after the next load, whatever else is new.
                self._take_in(self._build(), update)
                return True
        # What waited before: read only where it is needed, for it may be large.
        waited = [self._pending, *self._unscanned]
        changed: list[object] = []
        subscription = doc.observe(changed.append)
        try:
            self._take_in(doc, update)
        finally:
            doc.unobserve(subscription)
        if changed:
            return True
        state_vector = doc.get_state()
        rest = diff(update, state_vector)
        if rest in (EMPTY_UPDATE, self._clean_rest):
            return False
        # As nothing changed, both are seen from where the Doc was before.
        waiting = _waiting(rest, state_vector)
        known = map(united, zip(*map(read_ranges, waited), strict=True))
        if all(map(covers, known, waiting)):
            self._clean_rest = rest
            return False
        return True

    def diff(self, state_vector: bytes) -> bytes:
        """Return what a replica at ``state_vector`` lacks, pending structs and deletes included.

        Raises:
            UpdateRefused: ``state_vector`` does not decode.
            StartUnreadable: the decoder failed on the updates it started from.
        """
        if self._doc is None and len(self._updates) <= 1:
            update = self._updates[0] if self._updates else EMPTY_UPDATE
            if state_vector == EMPTY_STATE_VECTOR:
                return update
            if not may_have_pairs(update):
                return diff(update, state_vector)
        doc = self._build()
        self._scan_pending(doc)
        _check_count(state_vector)
        if self._pairs:
            return self._diff_with_pairs(doc, state_vector)
        return self._diff_of_doc(doc, state_vector)

    def _diff_with_pairs(self, doc: "_Doc", state_vector: bytes) -> bytes:
        if self._is_hiding:
            return show(self._diff_of_doc(doc, state_vector), self._pairs)
        clocks = parse_state_vector(state_vector)
        cuts = self._pairs.cut_at({client: (clock,) for client, clock in clocks.items()})
        if not cuts:
            return self._diff_of_doc(doc, state_vector)
        # Both halves are asked for, replaced, and then the first is left out.
        clocks.update((client, clocks[client] - 1) for client in cuts)
        whole = self._diff_of_doc(doc, write_state_vector(clocks))
        return diff(heal(whole, cuts), state_vector)

    def _diff_of_doc(self, doc: "_Doc", state_vector: bytes) -> bytes:
        with _refusing("not a state vector"):
            update = doc.get_update(state_vector)
        if self._pending == EMPTY_UPDATE:
            return update
        return merge([update, diff(self._pending, state_vector)])

    def state_vector(self) -> bytes:
        """Return the next clock of each client, up to its first missing struct.

        Before the Doc is built this may count structs whose origin by another client is still
        missing; they are kept as pending all the same.
        """
        if self._doc is None and len(self._updates) == 1:
            with _refusing("not a Yjs update"):
                return pycrdt.get_state(self._updates[0])
        doc = self._build()
        self._scan_pending(doc)
        return doc.get_state()

    def content(self) -> Content:
        """Return what is integrated."""
        doc = self._build()
        self._scan_pending(doc)
        state_vector = doc.get_state()
        clocks = parse_state_vector(state_vector)
        return Content(
            # A client of whom everything is pending may be in it with clock 0, or not at all.
            {client: [(0, clock)] for client, clock in clocks.items() if clock},
            parse_delete_set(doc.get_update(state_vector)),
            waits=self._pending != EMPTY_UPDATE,
        )

    def pending(self) -> bytes:
        """Return what waits for its predecessors, as an update; EMPTY_UPDATE when nothing does."""
        self._scan_pending(self._build())
        return show(self._pending, self._pairs) if self._is_hiding else self._pending

    def _build(self) -> "_Doc":
        if self._doc is None:
            try:
                self._doc = self._build_from(self._updates)
            except IntegrationFailed as error:
                self._doc = self._build_mended(error)
            self._updates = []
        return self._doc

    def _build_from(self, updates: Sequence[bytes]) -> "_Doc":
        self.had_pairs = any(map(may_have_pairs, updates))
        if self.had_pairs:
            updates, self._pairs = heal_all(updates)
        return self._build_healed(updates)

    def _build_healed(self, updates: Sequence[bytes]) -> "_Doc":
        doc: _Doc = pycrdt.Doc()
        # One by one: a Doc joins the structs of a transaction in time quadratic to their
        # number, so that a merged journal would take minutes.
        for update in updates:
            _apply(doc, update)
        self._pending = _integrate_waiting(doc, updates)
        return doc

    def _build_mended(self, failure: IntegrationFailed) -> "_Doc":
        """Build it as stock Yjs would."""
        bound = self._mend_bytes_max
        if bound is not None and sum(map(len, self._updates)) > bound:
            raise MendingNeeded("it must be mended before it is used") from failure
        try:
            mended = mend(self._updates)
            self.is_mended = True
            if mended != self._updates:
                return self._build_from(mended)
        except (IntegrationFailed, UpdateRefused) as error:
            raise StartUnreadable(str(error)) from error
        raise StartUnreadable(str(failure)) from failure

    def _heal(self, update: bytes) -> tuple[bytes, bool]:
        """Return what a Doc may be given of it, and whether it cuts what is known.

        A Doc must not see a cut. At the first that cuts what it has already it is built anew,
        with all its characters of two units hidden: so nobody can make us do so again.
        """
        try:
            edges, own = look([update])
            known_cuts = self._pairs.cut_at(edges)
            if known_cuts and not self._is_hiding:
                self._doc = self._build_healed([hide(self.diff(EMPTY_STATE_VECTOR))])
                self._is_hiding = True
            self._pairs.remove(known_cuts)
            if own:
                update = self._heal_own(update, edges, own)
        except UpdateRefused:
            # Of a form that only older versions took.
            return update, False
        return update, bool(known_cuts)

    def _heal_own(self, update: bytes, edges: Clocks, own: Pairs) -> bytes:
        """Replace what is cut of an update's own characters; remember the others."""
        doc = self._build()
        self._scan_pending(doc)
        reached = parse_state_vector(doc.get_state())
        ends = {client: (clock,) for client, clock in reached.items()}
        for known in (edges, look([self._pending])[0], ends):
            cuts = own.cut_at(known)
            if cuts:
                update = heal(update, cuts)
                own.remove(cuts)
        # What the Doc has it does not take again.
        self._pairs.add_all(own, reached)
        return hide(update) if self._is_hiding else update

    def _scan_pending(self, doc: "_Doc") -> None:
        """Separate what is pending from the updates seen since the last scan."""
        if self._unscanned:
            if self._pending != EMPTY_UPDATE:
                _apply(doc, self._pending)
            self._pending = _integrate_waiting(doc, [self._pending, *self._unscanned])
            self._unscanned = []
            self._unscanned_bytes = 0


def _apply(doc: "_Doc", update: bytes) -> None:
    try:
        doc.apply_update(update)
    except (ValueError, RuntimeError) as error:
        raise IntegrationFailed(str(error)) from error
    except BaseException as error:
        if not _is_panic(error):
            raise
        raise IntegrationFailed(str(error)) from error


def _integrate_waiting(doc: "_Doc", updates: Sequence[bytes]) -> bytes:
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
        _apply(doc, again)
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


def _waiting(pending: bytes, state_vector: bytes) -> tuple[Ranges, Ranges]:
    """Return the clocks of structs and of deletes that wait; equal however they are encoded."""
    if pending == EMPTY_UPDATE:
        return {}, {}
    clocks = parse_state_vector(state_vector)
    structs, deletes = read_ranges(pending)
    return beyond(structs, clocks), beyond(deletes, clocks)


def fold(updates: Sequence[bytes]) -> tuple[bytes, Content]:
    """Return one compact update with the content of all, and what that content is (P3).

    Through a Doc for its size; what the Doc leaves out, pending, is merged in from the bytes.

    Raises:
        UpdateRefused: an update does not decode.
        IntegrationFailed: the decoder failed.
    """
    pieces = [piece for update in updates for piece in cut(update)]
    replica = Replica(pieces)
    content = replica.content()
    if content.waits:
        # Of two values of one key a Doc deletes the loser by itself, so its deletes count too.
        read = [*map(read_ranges, updates), ({}, content.deletes)]
        structs, deletes = (united(ranges) for ranges in zip(*read, strict=True))
        content = Content(structs, deletes, waits=True)
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


def _letters(updates: Sequence[bytes], deletes: DeleteSet) -> bytes | None:
    return fingerprint(heal_all(updates)[0], deletes)


if TYPE_CHECKING:
    _Doc = pycrdt.Doc[Any]
