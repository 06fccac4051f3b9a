"""What moves each field of the debug JSON: the table, and the world that its entries change.

An entry says in words what happens, does that to the facts, and says what the field is then. The
facts themselves are moved by real acts in test_debug_moved.py.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from observing import CHECKPOINT, DOCUMENT, LIVE, SNAPSHOT, STORE, TRACES, Listing, head, made

from relay.debug import models
from relay.debug.assembling import Moment, document, summary
from relay.debug.assembling_storage import storage
from relay.debug.rates import UNKNOWN, Rates
from relay.facts import ConnectionFacts, HubFacts, ProcessFacts, RoomFacts
from yjs_store import (
    BreakerFacts,
    Degradation,
    Distribution,
    DocumentFacts,
    Permission,
    StoreFacts,
    Switch,
    TraceEvent,
    Traces,
    Trouble,
)
from yjs_store.breaker import BreakerState

NOW_MS = 10_000
SWITCH = Switch("notes", "audit", "ann", 9_000)
OPEN = BreakerFacts(BreakerState.OPEN, 3, "no proof", 8_000, 20_000)
# A hundred values, most of at most a second.
SEEN = Distribution((1.0, 2.0, 3.0), (97, 2, 1, 0), 150.0)
CONNECTION = made(
    ConnectionFacts,
    connection_id=5,
    user="ann",
    session_id="s1",
    peer="192.0.2.1:5",
    permission=Permission.WRITE,
    joined_s=90.0,
    lag_s=0.0,
    is_collapsed=False,
)
NOTHING = Distribution((1.0,), (0, 0), 0.0)
HUB = made(
    HubFacts,
    is_draining=False,
    closed={},
    broadcast_s=NOTHING,
    tick_late_s=0.0,
)


@dataclass
class World:
    """Everything that the endpoint is told, at one moment."""

    document: DocumentFacts = DOCUMENT
    traces: Traces = TRACES
    room: RoomFacts = field(default_factory=lambda: RoomFacts((CONNECTION,), 1, 0))
    writes: tuple[int, ...] = (0,) * 30
    store: StoreFacts = STORE
    hub: HubFacts = HUB
    process: ProcessFacts = field(
        default_factory=lambda: ProcessFacts("1.0", 42, 9_000, 1_000, 0.5)
    )
    rates: Rates = UNKNOWN
    degradations: tuple[Degradation, ...] = ()
    configuration: dict[str, Any] = field(default_factory=dict)
    now_ms: int = NOW_MS
    now_s: float = 100.0

    def document_json(self) -> dict[str, Any]:
        at = Moment(self.now_ms, self.now_s)
        made = document(self.document, self.traces, self.writes, self.room, at)
        return made.model_dump(mode="json")

    def summary_json(self) -> dict[str, Any]:
        listed = Listing(self.document, self.writes)
        return summary(listed, self.room.connection_count).model_dump(mode="json")

    def storage_json(self) -> dict[str, Any]:
        made = storage(
            self.store,
            self.hub,
            self.process,
            self.rates,
            self.degradations,
            self.configuration,
            self.now_ms,
        )
        return made.model_dump(mode="json")


Change = Callable[[World], None]
Entry = tuple[str, Change, Any]


# ---- changes -------------------------------------------------------------------------------------


def stored(**facts: Any) -> Change:
    def change(world: World) -> None:
        world.document = replace(world.document, head=head(**facts))

    return change


def known(**facts: Any) -> Change:
    def change(world: World) -> None:
        world.document = replace(world.document, **facts)

    return change


def live(**facts: Any) -> Change:
    return known(live=replace(LIVE, **facts))


def tried(**facts: Any) -> Change:
    return known(checkpoints=(replace(CHECKPOINT, **facts),))


def folded(**facts: Any) -> Change:
    assert DOCUMENT.content is not None
    return known(content=replace(DOCUMENT.content, **facts))


def snapped(**facts: Any) -> Change:
    return known(snapshot=replace(SNAPSHOT, manifest=replace(SNAPSHOT.manifest, **facts)))


def connected(**facts: Any) -> Change:
    def change(world: World) -> None:
        world.room = RoomFacts((replace(CONNECTION, **facts),), 1, 0)

    return change


def written(world: World) -> None:
    world.writes = (0,) * 29 + (4,)


def engine(**facts: Any) -> Change:
    def change(world: World) -> None:
        world.store = replace(world.store, **facts)

    return change


def sized(**facts: Any) -> Change:
    return engine(sizes=replace(STORE.sizes, **facts))


def scrubbed(**facts: Any) -> Change:
    assert STORE.scrub is not None
    return engine(scrub=replace(STORE.scrub, **facts))


def served(**facts: Any) -> Change:
    def change(world: World) -> None:
        world.hub = replace(world.hub, **facts)

    return change


def process(**facts: Any) -> Change:
    def change(world: World) -> None:
        world.process = replace(world.process, **facts)

    return change


def later(passed_ms: int) -> Change:
    def change(world: World) -> None:
        world.now_ms += passed_ms

    return change


def degraded(world: World) -> None:
    world.degradations = (Degradation(Trouble.DAMAGE, "notes", "a chunk", 9_100, 9_900),)


def rated(world: World) -> None:
    world.rates = Rates(12.5, 250.0)


def configured(world: World) -> None:
    world.configuration = {"port": 1234}


def traced(world: World) -> None:
    world.traces = Traces((TraceEvent(9_999, "saved", {"rows": 2}),), 4)


def emptied(world: World) -> None:
    world.room = RoomFacts((), 0, 0)


def unloaded(world: World) -> None:
    world.document = replace(world.document, live=None)


def crowded(world: World) -> None:
    world.room = RoomFacts((CONNECTION,) * 3, 3, 7)


# ---- the table -----------------------------------------------------------------------------------


def of_percentiles(
    path: str, words: str, change: Change, scale: float = 1000.0
) -> dict[str, Entry]:
    """Return the entries of ``models.Percentiles``, once ``SEEN`` was counted."""
    return {
        f"{path}.p50": (words, change, 1.0 * scale),
        f"{path}.p90": (words, change, 1.0 * scale),
        f"{path}.p99": (words, change, 2.0 * scale),
        f"{path}.count": (words, change, 100),
        f"{path}.mean": (words, change, 1.5 * scale),
    }


def of_breaker(path: str, change: Change) -> dict[str, Entry]:
    """Return the entries of ``models.Breaker``, once it is OPEN."""
    words = "three checkpoints fail"
    return {
        f"{path}.state": (words, change, "open"),
        f"{path}.failures_in_row": (words, change, 3),
        f"{path}.reason": (words, change, "no proof"),
        f"{path}.since_ms": (words, change, 8_000),
        f"{path}.trial_ms": (words, change, 20_000),
    }


def of_read_only(change: Change) -> dict[str, Entry]:
    """Return the entries of ``models.ReadOnly``, once SWITCH was set."""
    words = "an operator makes it read-only"
    return {
        "read_only.reason": (words, change, "audit"),
        "read_only.by": (words, change, "ann"),
        "read_only.since_ms": (words, change, 9_000),
    }


DOCUMENT_FIELDS: dict[str, Entry] = {
    "name": ("another document", lambda w: (known(name="b")(w), stored(name="b")(w))[0], "b"),
    "mode": ("nothing was stored yet", stored(last_seq=0, cut_seq=0), "fresh"),
    "health": ("its head is found damaged", known(damage="a row"), "unavailable"),
    "because": (
        "its journal grows far beyond its bound",
        known(is_alarming=True),
        ["a journal has grown far beyond its bound"],
    ),
    "last_seq": ("an append", stored(last_seq=11), 11),
    "cut_seq": ("a checkpoint", stored(cut_seq=10), 10),
    "journal.rows": ("two appends", stored(last_seq=12), 8),
    "journal.bytes": ("an append", stored(journal_bytes=700), 700),
    "journal.is_alarming": ("checkpoints fail for long", known(is_alarming=True), True),
    "snapshot_bytes": ("a checkpoint", stored(snapshot_bytes=900), 900),
    "created_ms": ("a new life", stored(created_ms=5_000), 5_000),
    "updated_ms": ("an append", stored(updated_ms=9_000), 9_000),
    "deleted_ms": ("a delete", stored(deleted_ms=9_000), 9_000),
    "is_live": ("its room is left and let go", unloaded, False),
    "connection_count": ("two more connect", crowded, 3),
    "writes": ("rows in the last window", written, [0] * 29 + [4]),
    "oversized_count": ("an update goes round the journal", stored(oversized_count=2), 2),
    "snapshot.id": ("a checkpoint", snapped(snapshot_id=8), 8),
    "snapshot.cut_seq": ("a checkpoint", snapped(cut_seq=10), 10),
    "snapshot.raw_bytes": ("a checkpoint", snapped(byte_length=900), 900),
    "snapshot.stored_bytes": ("a checkpoint", snapped(stored_length=800), 800),
    "snapshot.chunks": ("a checkpoint", snapped(chunk_count=3), 3),
    "snapshot.codecs": (
        "a snapshot that does not compress",
        known(snapshot=replace(SNAPSHOT, codecs=("raw", "zstd"))),
        ["raw", "zstd"],
    ),
    "snapshot.checksum": ("a checkpoint", snapped(checksum=b"\x01\x02"), "0102"),
    "snapshot.created_ms": ("a checkpoint", snapped(created_ms=9_000), 9_000),
    "snapshot.age_ms": ("time passes", later(500), NOW_MS + 500 - 1_500),
    "content.seq": ("a fold", folded(seq=12), 12),
    "content.clients": ("somebody new writes", folded(clients=3), 3),
    "content.clocks": ("somebody types", folded(clocks=200), 200),
    "content.deleted_clocks": ("somebody deletes", folded(deleted_clocks=50), 50),
    "content.deleted_share": ("somebody deletes", folded(deleted_clocks=50), 0.5),
    "content.pending_bytes": ("an update comes before its predecessor", folded(pending_bytes=9), 9),
    "checkpoints[].number": ("a checkpoint", tried(number=4), 4),
    "checkpoints[].reason": ("an operator asks for one", tried(reason="request"), "request"),
    "checkpoints[].started_ms": ("a checkpoint", tried(started_ms=9_000), 9_000),
    "checkpoints[].duration_ms": ("a checkpoint", tried(duration_ms=8.5), 8.5),
    "checkpoints[].result": ("a checkpoint fails", tried(error="no proof"), "failed"),
    "checkpoints[].error": ("a checkpoint fails", tried(error="no proof"), "no proof"),
    "checkpoints[].cut_seq": ("a checkpoint", tried(cut_seq=10), 10),
    "checkpoints[].journal_rows_before": ("a checkpoint", tried(journal_rows_before=9), 9),
    "checkpoints[].journal_rows_after": ("rows come meanwhile", tried(journal_rows_after=2), 2),
    "checkpoints[].journal_bytes_before": ("a checkpoint", tried(journal_bytes_before=9), 9),
    "checkpoints[].journal_bytes_after": ("rows come meanwhile", tried(journal_bytes_after=2), 2),
    "checkpoints[].snapshot_bytes_before": ("a second one", tried(snapshot_bytes_before=4), 4),
    "checkpoints[].snapshot_bytes_after": ("a checkpoint", tried(snapshot_bytes_after=5), 5),
    "checkpoints[].stored_bytes_after": ("a checkpoint", tried(stored_bytes_after=6), 6),
    **of_breaker("breaker", known(breaker=OPEN)),
    "quarantined": ("an update is refused", known(quarantined=2), 2),
    "is_unvouched": ("a store from before the guard", known(is_unvouched=True), True),
    **of_read_only(known(read_only=SWITCH)),
    "live.loaded_ms": ("it is loaded again", live(loaded_ms=9_000), 9_000),
    "live.load_duration_ms": ("it is loaded again", live(load_ms=7.5), 7.5),
    "live.users": ("an import beside its room", live(users=2), 2),
    "live.saving.last_durable_seq": ("a save", live(durable_seq=11), 11),
    "live.saving.last_saved_ms": ("a save", live(saved_ms=9_000), 9_000),
    "live.saving.last_save_duration_ms": ("a save", live(save_ms=1.5), 1.5),
    "live.saving.saves": ("a save", live(saves=1), 1),
    "live.saving.failures_in_row": ("storage refuses", live(failures_in_row=2), 2),
    "live.saving.error": ("storage refuses", live(error="disk full"), "disk full"),
    "live.saving.waiting_updates": ("updates gather", live(gathered=3), 3),
    "live.saving.waiting_bytes": ("updates gather", live(gathered_bytes=30), 30),
    "live.saving.in_flight_updates": ("a commit is under way", live(in_flight=2), 2),
    "live.saving.on_trial_updates": ("a suspect comes", live(suspects=1), 1),
    "live.awareness_clients": ("cursors appear", crowded, 7),
    "live.connection_count": ("two more connect", crowded, 3),
    "live.connections[].id": ("another connects", connected(connection_id=6), 6),
    "live.connections[].user": ("bob connects", connected(user="bob"), "bob"),
    "live.connections[].session": ("bob connects", connected(session_id="s2"), "s2"),
    "live.connections[].peer": ("from elsewhere", connected(peer="[::1]:2"), "[::1]:2"),
    "live.connections[].permission": (
        "it may only read from now on",
        connected(permission=Permission.READ),
        "read",
    ),
    "live.connections[].joined_ms": ("it joins later", connected(joined_s=99.0), NOW_MS - 1_000),
    "live.connections[].queued_frames": ("it reads slowly", connected(queued_frames=4), 4),
    "live.connections[].queued_bytes": ("it reads slowly", connected(queued_bytes=400), 400),
    "live.connections[].lag_ms": ("it reads slowly", connected(lag_s=0.25), 250.0),
    "live.connections[].is_collapsed": ("it hardly reads", connected(is_collapsed=True), True),
    "live.connections[].unsaved_updates": ("it types", connected(unsaved_updates=5), 5),
    "live.connections[].awareness_clients": ("a cursor", connected(awareness_clients=1), 1),
    "traces[].at_ms": ("an event", traced, 9_999),
    "traces[].event": ("an event", traced, "saved"),
    "traces[].facts": ("an event", traced, {"rows": 2}),
    "traces_dropped": ("too many events", traced, 4),
    "unreadable": ("its history is damaged", known(unreadable=("a record",)), ["a record"]),
}

# Nothing moves these yet: there is nothing to migrate from. A test says so where they are made.
CONSTANT_FIELDS = {"migration.status": "fresh", "migration.source": None}

STORAGE_FIELDS: dict[str, Entry] = {
    "at_ms": ("time passes", later(1), NOW_MS + 1),
    "backend": ("another backend", engine(backend="memory"), "memory"),
    "schema_version": ("a migration", engine(schema_version=6), 6),
    "process.version": ("an upgrade", process(version="1.1"), "1.1"),
    "process.pid": ("a restart", process(pid=43), 43),
    "process.started_ms": ("a restart", process(started_ms=9_500), 9_500),
    "process.uptime_ms": ("time passes", later(500), 1_500),
    "process.state": ("something is damaged", degraded, "degraded"),
    "process.memory_bytes": ("documents are loaded", process(memory_bytes=2_000), 2_000),
    "process.connections": ("a client connects", served(connections=1), 1),
    "process.rooms": ("a client connects", served(rooms=1), 1),
    "process.open_documents": ("a document is loaded", engine(open_documents=2), 2),
    "process.frames_received": ("a client types", served(frames_received=3), 3),
    **of_percentiles("process.broadcast_lag_ms", "broadcasts", served(broadcast_s=SEEN)),
    "process.event_loop_lag_ms": ("a long calculation", served(tick_late_s=0.5), 500.0),
    "sizes.documents": ("a document is written", sized(documents=3), 3),
    "sizes.deleted_documents": ("one is deleted", sized(deleted_documents=2), 2),
    "sizes.journal_rows": ("an append", sized(journal_rows=31), 31),
    "sizes.journal_bytes": ("an append", sized(journal_bytes=4_100), 4_100),
    "sizes.snapshot_bytes": ("a checkpoint", sized(snapshot_bytes=5_100), 5_100),
    "sizes.file_bytes": ("the file grows", sized(file_bytes=61_000), 61_000),
    "sizes.wal_bytes": ("a commit", sized(wal_bytes=800), 800),
    "sizes.free_bytes": ("rows are trimmed", sized(free_bytes=90), 90),
    "commits.commits": ("a commit", engine(commits=1), 1),
    "commits.rows": ("a commit", engine(rows=2), 2),
    "commits.updates": ("a commit", engine(updates=9), 9),
    "commits.update_bytes": ("a commit", engine(update_bytes=90), 90),
    "commits.refused": ("an update is refused", engine(refused=1), 1),
    "commits.per_s": ("commits", rated, 12.5),
    "commits.updates_per_s": ("commits", rated, 250.0),
    **of_percentiles("commits.batch_rows", "commits", engine(batch_rows=SEEN), 1.0),
    **of_percentiles("commits.duration_ms", "commits", engine(commit_s=SEEN)),
    **of_percentiles("commits.fsync_ms", "commits", engine(fsync_s=SEEN)),
    "commits.queue": ("documents gather updates", engine(waiting_documents=2), 2),
    "commits.failures_in_row": ("storage refuses", engine(failures_in_row=3), 3),
    "commits.failing_since_ms": ("storage refuses", engine(failing_since_ms=9_000), 9_000),
    "commits.failing_because": ("storage refuses", engine(failing_because="full"), "full"),
    **of_percentiles("load_ms", "documents are loaded", engine(load_s=SEEN)),
    "checkpoints.published": ("a checkpoint", engine(checkpoints=1), 1),
    "checkpoints.failed": ("a checkpoint fails", engine(checkpoints_failed=1), 1),
    "checkpoints.due": ("a journal grows", engine(checkpoints_due=1), 1),
    **of_percentiles("checkpoints.duration_ms", "checkpoints", engine(checkpoint_s=SEEN)),
    **of_breaker("checkpoints.breaker", engine(breaker=OPEN)),
    "scrubber.passes": ("everything was read", scrubbed(passes=1), 1),
    "scrubber.documents": ("a document is read", scrubbed(documents=1), 1),
    "scrubber.bytes": ("a document is read", scrubbed(byte_length=10), 10),
    "scrubber.started_ms": ("a pass begins", scrubbed(started_ms=9_000), 9_000),
    "scrubber.finished_ms": ("a pass is done", scrubbed(finished_ms=9_500), 9_500),
    "scrubber.damaged": ("something is damaged", scrubbed(damaged=1), 1),
    "trials.waiting_bytes": ("a suspect comes", engine(trials_waiting=100), 100),
    "trials.done": ("a suspect is tried", engine(trials_done=1), 1),
    "trials.refused": ("a suspect is refused", engine(trials_refused=1), 1),
    "trials.processes_died": ("a poison is tried", engine(trial_processes_died=1), 1),
    "quarantined": ("an update is refused", engine(quarantined=1), 1),
    "sessions": ("a client connects", engine(sessions=1), 1),
    "unvouched": ("an import", engine(unvouched=2), 2),
    "set_aside": ("a salvage", engine(set_aside=3), 3),
    **of_read_only(engine(read_only=SWITCH)),
    "read_only_documents": ("an operator switches", engine(read_only_documents=4), 4),
    "traces_dropped": ("too many events", engine(traces_dropped=5), 5),
    "degradations[].trouble": ("something is damaged", degraded, "stored documents are damaged"),
    "degradations[].document": ("something is damaged", degraded, "notes"),
    "degradations[].reason": ("something is damaged", degraded, "a chunk"),
    "degradations[].since_ms": ("something is damaged", degraded, 9_100),
    "degradations[].trial_ms": ("something is damaged", degraded, 9_900),
    "configuration": ("another setting", configured, {"port": 1234}),
}

SUMMARY_FIELDS = {
    path: entry
    for path, entry in DOCUMENT_FIELDS.items()
    if path.partition(".")[0] in models.DocumentSummary.model_fields
}
