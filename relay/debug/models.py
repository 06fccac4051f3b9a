"""The JSON of the debug endpoint, field by field; its documentation is made from here.

Keys are stable: one may be added, none changes its meaning. Times are milliseconds since 1970
(``_ms`` at the end of an ``at``-like name) or durations in milliseconds (``_duration_ms``);
lengths are bytes; what does not apply is null.
"""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


def _said(description: str) -> "object":
    return Field(description=description)


class Breaker(_Model):
    """A circuit breaker of checkpoints."""

    state: Annotated[
        Literal["closed", "open", "half_open"],
        _said("closed: attempts are made; open: none until trial_ms; half_open: one is under way"),
    ]
    failures_in_row: Annotated[int, _said("failures since the last success")]
    reason: Annotated[str | None, _said("why the last attempt failed")]
    since_ms: Annotated[int | None, _said("when it opened")]
    trial_ms: Annotated[int | None, _said("when the next attempt is made by itself")]


class Journal(_Model):
    """The rows that a load reads after the snapshot."""

    rows: Annotated[int, _said("rows cut_seq+1 … last_seq")]
    bytes: Annotated[int, _said("their bytes")]
    is_alarming: Annotated[bool, _said("far beyond where a checkpoint was due")]


class Snapshot(_Model):
    """The published snapshot."""

    id: Annotated[int, _said("its key")]
    cut_seq: Annotated[int, _said("the last row that it holds")]
    raw_bytes: Annotated[int, _said("as one Yjs update")]
    stored_bytes: Annotated[int, _said("its chunks as stored")]
    chunks: Annotated[int, _said("how many")]
    codecs: Annotated[list[str], _said("how its chunks are compressed")]
    checksum: Annotated[str, _said("of the whole raw update, hexadecimal")]
    created_ms: Annotated[int, _said("when it was made")]
    age_ms: Annotated[int, _said("how long ago that was")]


class Content(_Model):
    """What was found of the content when it was last folded or loaded."""

    seq: Annotated[int, _said("the row up to which this holds")]
    clients: Annotated[int, _said("clients of whom there is anything, also only what waits")]
    clocks: Annotated[int, _said("clocks of all clients together, with what waits")]
    deleted_clocks: Annotated[int, _said("of these, deleted")]
    deleted_share: Annotated[float, _said("deleted_clocks of clocks, 0 to 1")]
    pending_bytes: Annotated[int, _said("what waits for predecessors that have not come")]


class Checkpoint(_Model):
    """One attempt at a checkpoint; the newest come first."""

    number: Annotated[int, _said("grows with each attempt in the store")]
    reason: Annotated[str, _said("why it was made")]
    started_ms: Annotated[int, _said("when")]
    duration_ms: Annotated[float, _said("how long it took")]
    result: Annotated[Literal["published", "failed"], _said("what came of it")]
    error: Annotated[str | None, _said("why it failed")]
    cut_seq: Annotated[int, _said("the last row that it folded")]
    journal_rows_before: Annotated[int, _said("rows of the journal when it began")]
    journal_rows_after: Annotated[int, _said("rows that came meanwhile")]
    journal_bytes_before: Annotated[int, _said("bytes of the journal when it began")]
    journal_bytes_after: Annotated[int, _said("bytes that came meanwhile")]
    snapshot_bytes_before: Annotated[int, _said("raw length of the snapshot it replaced")]
    snapshot_bytes_after: Annotated[int, _said("raw length of the snapshot it made")]
    stored_bytes_after: Annotated[int, _said("stored length of the snapshot it made")]


class Saving(_Model):
    """How saving goes, for a document in memory."""

    last_durable_seq: Annotated[int, _said("the last row that is durable")]
    last_saved_ms: Annotated[int | None, _said("when the last row became durable")]
    last_save_duration_ms: Annotated[float | None, _said("how long that save took")]
    saves: Annotated[int, _said("saves since the document was loaded")]
    failures_in_row: Annotated[int, _said("saves that storage refused since the last it took")]
    error: Annotated[str | None, _said("why the last one was refused")]
    waiting_updates: Annotated[int, _said("updates that are not on their way to the disk yet")]
    waiting_bytes: Annotated[int, _said("their bytes")]
    in_flight_updates: Annotated[int, _said("updates on their way to the disk")]
    on_trial_updates: Annotated[int, _said("updates that wait for or are on their trial")]


class Connection(_Model):
    """One live websocket of the document."""

    id: Annotated[int, _said("as in the log")]
    user: Annotated[str, _said("who it is; empty without a credential")]
    session: Annotated[str, _said("its session")]
    peer: Annotated[str, _said("address and port, or what a trusted proxy says")]
    permission: Annotated[Literal["read", "write", "admin"], _said("what it may do")]
    joined_ms: Annotated[int, _said("when it entered the room")]
    queued_frames: Annotated[int, _said("frames that wait to be sent to it")]
    queued_bytes: Annotated[int, _said("their bytes, and what the socket has not taken")]
    lag_ms: Annotated[float, _said("for how long the oldest unsent frame has waited")]
    is_collapsed: Annotated[bool, _said("a slow reader: gets one diff instead of what it missed")]
    unsaved_updates: Annotated[int, _said("its updates that are not durable yet")]
    awareness_clients: Annotated[int, _said("cursors that it speaks for")]


class Live(_Model):
    """A document that is in memory."""

    loaded_ms: Annotated[int, _said("when it was loaded")]
    load_duration_ms: Annotated[float, _said("how long loading it cold took")]
    users: Annotated[int, _said("parts of this process that use it, its room among them")]
    saving: Annotated[Saving, _said("how saving goes")]
    awareness_clients: Annotated[int, _said("cursors in the room")]
    connections: Annotated[list[Connection], _said("at most 500 of connection_count")]
    connection_count: Annotated[int, _said("live websockets")]


class ReadOnly(_Model):
    """Word of an operator that nothing is to be written."""

    reason: Annotated[str, _said("why")]
    by: Annotated[str, _said("who said so")]
    since_ms: Annotated[int, _said("when")]


class Migration(_Model):
    """Where the content came from."""

    status: Annotated[
        Literal["fresh", "migrated", "interrupted"], _said("fresh: written here from the start")
    ]
    source: Annotated[str | None, _said("the format it was read from")]


class Trace(_Model):
    """One thing that happened to the document."""

    at_ms: Annotated[int, _said("when")]
    event: Annotated[str, _said("what")]
    facts: Annotated[
        dict[str, str | int | float | bool | None],
        _said("the particulars; long values are shortened, content is never among them"),
    ]


Mode = Literal["sql", "fresh", "kv-migrated", "kv-fallback"]
Health = Literal["ok", "degraded", "failing", "unavailable", "deleted"]


class DocumentSummary(_Model):
    """A document in a list."""

    name: Annotated[str, _said("its name")]
    mode: Annotated[Mode, _said("fresh: nothing is stored yet; sql: stored here")]
    health: Annotated[
        Health,
        _said(
            "ok; degraded: safe, somebody should look; failing: edits are not becoming durable;"
            " unavailable: it cannot be opened; deleted: a tombstone"
        ),
    ]
    because: Annotated[list[str], _said("why it is not ok")]
    last_seq: Annotated[int, _said("the newest row")]
    cut_seq: Annotated[int, _said("the last row in the snapshot")]
    journal: Annotated[Journal, _said("the rows that a load reads after the snapshot")]
    snapshot_bytes: Annotated[int, _said("the snapshot, raw")]
    created_ms: Annotated[int | None, _said("when it was first written; null if that is unknown")]
    updated_ms: Annotated[int | None, _said("when it was last written; null if that is unknown")]
    deleted_ms: Annotated[int | None, _said("when it was deleted")]
    is_live: Annotated[bool, _said("whether it is in memory")]
    connection_count: Annotated[int, _said("live websockets")]
    writes: Annotated[
        list[int], _said("rows in each of the last 30 ten-second windows, the oldest first")
    ]


class DocumentPage(_Model):
    """Part of the list of documents."""

    documents: Annotated[list[DocumentSummary], _said("in the order that was asked for")]
    next: Annotated[str | None, _said("give this as `after` for what follows; null at the end")]
    total: Annotated[int, _said("documents in the store, tombstones among them")]


class Document(DocumentSummary):
    """Everything about one document."""

    oversized_count: Annotated[int, _said("updates that went round the journal for their size")]
    snapshot: Annotated[Snapshot | None, _said("null when there is none")]
    content: Annotated[Content | None, _said("null when nobody has looked")]
    checkpoints: Annotated[list[Checkpoint], _said("the newest 50")]
    breaker: Annotated[Breaker, _said("before its checkpoints")]
    quarantined: Annotated[int, _said("refused updates in quarantine")]
    is_unvouched: Annotated[bool, _said("stored unguarded, and not tried since")]
    read_only: Annotated[ReadOnly | None, _said("null when it may be written")]
    migration: Annotated[Migration, _said("where the content came from")]
    live: Annotated[Live | None, _said("null when it is not in memory")]
    traces: Annotated[list[Trace], _said("at most 200, the oldest first")]
    traces_dropped: Annotated[int, _said("events that were not kept")]
    unreadable: Annotated[list[str], _said("what of all this could not be read, and why")]


class Percentiles(_Model):
    """Of a duration or a size; null without values."""

    p50: Annotated[float | None, _said("half of all values are at most this")]
    p90: Annotated[float | None, _said("nine of ten values are at most this")]
    p99: Annotated[float | None, _said("99 of 100 values are at most this")]
    count: Annotated[int, _said("how many values, since the start of the process")]
    mean: Annotated[float | None, _said("their mean")]


class Sizes(_Model):
    """Of the store."""

    documents: Annotated[int, _said("documents that were not deleted")]
    deleted_documents: Annotated[int, _said("tombstones")]
    journal_rows: Annotated[int, _said("rows of all journals")]
    journal_bytes: Annotated[int, _said("their bytes")]
    snapshot_bytes: Annotated[int, _said("all snapshots, raw")]
    file_bytes: Annotated[int, _said("the database file")]
    wal_bytes: Annotated[int, _said("SQLite's WAL")]
    free_bytes: Annotated[int, _said("pages that can be used again")]


class Commits(_Model):
    """Group commits since the start of the process."""

    commits: Annotated[int, _said("transactions")]
    rows: Annotated[int, _said("journal rows in them")]
    updates: Annotated[int, _said("updates that became durable")]
    update_bytes: Annotated[
        int, _said("bytes of the rows, and of what went round the journal, that they became")
    ]
    refused: Annotated[int, _said("updates that were refused")]
    per_s: Annotated[
        float | None,
        _said("commits a second, over some 10 s or since the last look; null at the first one"),
    ]
    updates_per_s: Annotated[float | None, _said("updates a second, likewise")]
    batch_rows: Annotated[Percentiles, _said("rows in a commit")]
    duration_ms: Annotated[Percentiles, _said("a commit, as documents wait for it")]
    fsync_ms: Annotated[Percentiles, _said("the COMMIT statement alone, nearly all of it fsync")]
    queue: Annotated[int, _said("documents that wait for the next commit")]
    failures_in_row: Annotated[int, _said("refusals of storage since it last took a write")]
    failing_since_ms: Annotated[int | None, _said("since when it takes none; null when it does")]
    failing_because: Annotated[str | None, _said("why it takes none")]


class Checkpoints(_Model):
    """Checkpoints of all documents since the start of the process."""

    published: Annotated[int, _said("those that succeeded")]
    failed: Annotated[int, _said("those that did not; nothing is lost by that")]
    due: Annotated[int, _said("documents that wait for one")]
    duration_ms: Annotated[Percentiles, _said("how long they took")]
    breaker: Annotated[Breaker, _said("for what is no document's fault")]


class Scrubber(_Model):
    """Re-reading of everything in the background."""

    passes: Annotated[int, _said("how often everything was read")]
    documents: Annotated[int, _said("in the pass under way or just done")]
    bytes: Annotated[int, _said("read in that pass")]
    started_ms: Annotated[int | None, _said("when that pass began")]
    finished_ms: Annotated[int | None, _said("when the last pass was done")]
    damaged: Annotated[int, _said("documents found damaged")]


class Trials(_Model):
    """Updates tried in a process of their own."""

    waiting_bytes: Annotated[int, _said("what waits for its trial")]
    done: Annotated[int, _said("updates that were tried")]
    refused: Annotated[int, _said("of these, refused")]
    processes_died: Annotated[int, _said("how often the process died of one")]


class Degradation(_Model):
    """One thing that is not well."""

    trouble: Annotated[str, _said("what kind of trouble")]
    document: Annotated[str | None, _said("of which document; null for the whole store")]
    reason: Annotated[str, _said("the particulars")]
    since_ms: Annotated[int | None, _said("since when, where that means something")]
    trial_ms: Annotated[int | None, _said("when what has paused is tried again by itself")]


class Process(_Model):
    """This process."""

    version: Annotated[str, _said("of yjs-relay")]
    pid: Annotated[int, _said("the process id")]
    started_ms: Annotated[int, _said("when it was started")]
    uptime_ms: Annotated[int, _said("how long ago that was")]
    state: Annotated[
        Literal["starting", "ready", "degraded", "failing", "draining"],
        _said(
            "ready; degraded: it serves, and somebody should look; failing: storage takes no"
            " writes; draining: it is stopping"
        ),
    ]
    memory_bytes: Annotated[int | None, _said("resident; null where the system does not say")]
    connections: Annotated[int, _said("open websockets")]
    rooms: Annotated[int, _said("documents with a room")]
    open_documents: Annotated[int, _said("documents in memory")]
    frames_received: Annotated[int, _said("websocket messages since the start")]
    broadcast_lag_ms: Annotated[Percentiles, _said("from durable to handed to every socket")]
    event_loop_lag_ms: Annotated[float, _said("how late the last tick was")]


class Storage(_Model):
    """The store as a whole."""

    at_ms: Annotated[int, _said("when this was read")]
    backend: Annotated[str, _said("what the documents are kept in")]
    schema_version: Annotated[int, _said("of the tables")]
    process: Annotated[Process, _said("this process")]
    sizes: Annotated[Sizes, _said("of the store")]
    commits: Annotated[Commits, _said("group commits")]
    load_ms: Annotated[Percentiles, _said("loading a document cold")]
    checkpoints: Annotated[Checkpoints, _said("checkpoints of all documents")]
    scrubber: Annotated[Scrubber | None, _said("null when it is off")]
    trials: Annotated[Trials, _said("updates tried in a process of their own")]
    quarantined: Annotated[int, _said("refused updates in quarantine")]
    sessions: Annotated[int, _said("active ones")]
    unvouched: Annotated[int, _said("documents stored unguarded, and not tried since")]
    set_aside: Annotated[int, _said("damaged documents whose place others have taken")]
    read_only: Annotated[ReadOnly | None, _said("null when documents may be written")]
    read_only_documents: Annotated[int, _said("documents that have a switch of their own")]
    traces_dropped: Annotated[int, _said("events of documents that were not kept")]
    degradations: Annotated[list[Degradation], _said("everything that is not well")]
    configuration: Annotated[
        dict[str, str | int | float | bool | None], _said("each setting; secrets are hidden")
    ]


class Me(_Model):
    """Who looks, and what they may do."""

    by: Annotated[str, _said("who it is")]
    may_act: Annotated[bool, _said("whether the admin routes are on, and are theirs to use")]


class Refusal(_Model):
    """An answer that is none."""

    error: Annotated[str, _said("a word for programs")]
    message: Annotated[str, _said("a text for people")]
