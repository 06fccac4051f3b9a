"""A document in memory, that takes in updates and answers from their sum."""

from collections.abc import Callable, Sequence

from yjs_store.answering import Answer
from yjs_store.clocks import (
    EMPTY_STATE_VECTOR,
    EMPTY_UPDATE,
    check_count,
    parse_delete_set,
    parse_state_vector,
)
from yjs_store.content import Content
from yjs_store.decoder import (
    Doc,
    IntegrationFailed,
    apply,
    collected,
    diff,
    new_doc,
    said_by,
    state_of,
)
from yjs_store.errors import UpdateRefused
from yjs_store.halves import heal, heal_all, hide, look, may_have_pairs, show
from yjs_store.kept import kept_items
from yjs_store.limits import (
    COLLECT_BYTES_MAX,
    KEPT_BYTES_MIN,
    KEPT_ITEMS_MAX,
    KEPT_PUT_OFF,
    PENDING_SCAN_BYTES,
    PENDING_SCAN_UPDATES,
)
from yjs_store.mending import mend
from yjs_store.pairs import Clocks, Pairs
from yjs_store.subdocuments import has_subdocuments
from yjs_store.update_v1 import covers, read_ranges, united
from yjs_store.waiting import integrate_waiting, waiting_clocks


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
        "_cpu_s",
        "_doc",
        "_is_hiding",
        "_kept_bytes",
        "_kept_bytes_max",
        "_mend_bytes_max",
        "_pairs",
        "_pending",
        "_small_bytes",
        "_unscanned",
        "_unscanned_bytes",
        "_updates",
        "applied_bytes",
        "applied_s",
        "built_s",
        "had_pairs",
        "is_mended",
    )

    def __init__(
        self,
        updates: Sequence[bytes] = (),
        *,
        mend_bytes_max: int | None = None,
        cpu_s: Callable[[], float] = lambda: 0.0,
    ) -> None:
        """Start from updates that have passed ``merge``, oldest first.

        Where they must be mended and have more bytes than ``mend_bytes_max``, all raises
        MendingNeeded. ``cpu_s`` says how much time the thread has worked.
        """
        self._cpu_s = cpu_s
        # How long the decoder has taken to begin, how long for what came then, and the bytes of
        # all that.
        self.built_s = self.applied_s = 0.0
        self.applied_bytes = 0
        self._mend_bytes_max = mend_bytes_max
        # Whether they had to be mended.
        self.is_mended = False
        self._updates = [update for update in updates if update != EMPTY_UPDATE]
        self._doc: Doc | None = None
        # Of the Doc and of what is pending; none of them is cut. While hiding, the Doc has two
        # U+FFFD for each.
        self._pairs = Pairs()
        self._is_hiding = False
        # What came since the Doc let go of what is deleted, and how much may come before it does.
        self._kept_bytes = 0
        self._small_bytes = self._kept_bytes_max = KEPT_BYTES_MIN
        # Whether there was any, cut or not, in what it was built from.
        self.had_pairs = False
        self._pending = EMPTY_UPDATE
        self._unscanned: list[bytes] = []
        self._unscanned_bytes = 0
        self._clean_rest = EMPTY_UPDATE

    def integrate(self, update: bytes, *, is_plain: bool = False) -> None:
        """Add an update that has passed ``merge``; ``is_plain`` as there.

        Raises:
            IntegrationFailed: the decoder failed; build a new Replica from what is durable.
        """
        doc = self._build()
        if self._pairs or may_have_pairs(update):
            update, _ = self._heal(update)
            doc = self._build()
        self._take_in(doc, update, is_plain=is_plain)

    def _take_in(self, doc: Doc, update: bytes, *, is_plain: bool = False) -> None:
        began_s = self._cpu_s()
        apply(doc, update, is_plain=is_plain)
        self.applied_s += self._cpu_s() - began_s
        self.applied_bytes += len(update)
        self._kept_bytes += len(update)
        self._unscanned.append(update)
        self._unscanned_bytes += len(update)
        if self._kept_bytes > self._kept_bytes_max:
            self._collect_or_put_off()
        elif (
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
        waiting = waiting_clocks(rest, state_vector)
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
            if not may_have_pairs(update) and not has_subdocuments(update):
                return diff(update, state_vector)
        doc = self._build()
        self._scan_pending(doc)
        check_count(state_vector)
        answer = Answer(doc, self._pending, self._pairs, is_hiding=self._is_hiding)
        return answer.diff(state_vector)

    def state_vector(self) -> bytes:
        """Return the next clock of each client, up to its first missing struct.

        Before the Doc is built this may count structs whose origin by another client is still
        missing; they are kept as pending all the same.
        """
        if self._doc is None and len(self._updates) == 1:
            return state_of(self._updates[0])
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
            pending_bytes=len(self._pending) if self._pending != EMPTY_UPDATE else 0,
        )

    @property
    def is_built(self) -> bool:
        """Whether asking for the content builds nothing."""
        return self._doc is not None

    def collect(self) -> bytes:
        """Let go of what is deleted, and delete what a later value of its key made out of date.

        Return what was integrated before, as an update.

        Raises:
            IntegrationFailed: the decoder failed; build a new Replica from what is durable.
        """
        self._scan_pending(self._build())
        whole = said_by(self._build(), EMPTY_STATE_VECTOR)
        # Large ones need not be there at the same time.
        self._doc = None
        small = collected(whole)
        self._doc = self._build_healed([small, self._pending])
        self._kept_bytes = 0
        self._small_bytes = self._kept_bytes_max = max(KEPT_BYTES_MIN, len(small))
        return whole

    def _collect_or_put_off(self) -> None:
        """Collect; where that takes long, only when what has come since has taken longer."""
        is_put_off = self._kept_bytes_max > self._small_bytes
        if not is_put_off and self._is_slow_to_collect():
            self._kept_bytes_max *= KEPT_PUT_OFF
        else:
            self.collect()

    def _is_slow_to_collect(self) -> bool:
        whole = said_by(self._build(), EMPTY_STATE_VECTOR)
        try:
            return len(whole) > COLLECT_BYTES_MAX + self._kept_bytes or (
                kept_items(whole) > KEPT_ITEMS_MAX
            )
        except UpdateRefused:
            # Of a form that only older versions took.
            return True

    def pending(self) -> bytes:
        """Return what waits for its predecessors, as an update; EMPTY_UPDATE when nothing does."""
        self._scan_pending(self._build())
        return show(self._pending, self._pairs) if self._is_hiding else self._pending

    def _build(self) -> Doc:
        if self._doc is None:
            began_s = self._cpu_s()
            try:
                self._doc = self._build_from(self._updates)
            except IntegrationFailed as error:
                self._doc = self._build_mended(error)
            started_with = sum(map(len, self._updates))
            self._small_bytes = self._kept_bytes_max = max(KEPT_BYTES_MIN, started_with)
            self._updates = []
            self.built_s = self._cpu_s() - began_s
            self.applied_bytes += started_with
        return self._doc

    def _build_from(self, updates: Sequence[bytes]) -> Doc:
        self.had_pairs = any(map(may_have_pairs, updates))
        if self.had_pairs:
            updates, self._pairs = heal_all(updates)
        return self._build_healed(updates)

    def _build_healed(self, updates: Sequence[bytes]) -> Doc:
        doc = new_doc()
        # One by one: a Doc joins the structs of a transaction in time quadratic to their
        # number, so that a merged journal would take minutes.
        for update in updates:
            apply(doc, update)
        self._pending = integrate_waiting(doc, updates)
        return doc

    def _build_mended(self, failure: IntegrationFailed) -> Doc:
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

    def _scan_pending(self, doc: Doc) -> None:
        """Separate what is pending from the updates seen since the last scan."""
        if self._unscanned:
            if self._pending != EMPTY_UPDATE:
                apply(doc, self._pending)
            self._pending = integrate_waiting(doc, [self._pending, *self._unscanned])
            self._unscanned = []
            self._unscanned_bytes = 0
