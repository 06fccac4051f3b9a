"""`/metrics` for Prometheus, of the same facts as the debug endpoint.

Names by its conventions. No label takes more values than there are words for it in the code: never
a document, a user or an address. Nothing is registered anywhere: what is not in the table is not
there.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final, Literal

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

from relay.debug.judging import process_state
from relay.facts import HubFacts, ProcessFacts, QueueFacts
from yjs_store import Degradation, Distribution, Permission, StoreFacts, Trouble


@dataclass(frozen=True, slots=True)
class Measured:
    """Everything that metrics are made of, read at one moment."""

    store: StoreFacts
    hub: HubFacts
    queues: QueueFacts
    process: ProcessFacts
    degradations: tuple[Degradation, ...]


Value = float | Mapping[str, float] | Distribution
"""One number, one for each value of the label, or a distribution."""


@dataclass(frozen=True, slots=True)
class MetricRow:
    """A metric: ``name`` without the ``_total`` that counters get; ``label`` is None for one."""

    kind: Literal["counter", "gauge", "histogram"]
    name: str
    text: str
    value: Callable[[Measured], Value]
    label: str | None = None

    @property
    def exposed_name(self) -> str:
        """The name as it stands in a query, without the suffixes of a histogram."""
        return f"{self.name}_total" if self.kind == "counter" else self.name


def metrics_text(accept: str) -> tuple[Callable[[Measured], bytes], str]:
    """Return what writes metrics as an ``Accept`` header wants them, and its content type."""
    try:
        encode, content_type = choose_encoder(accept)
    except (TypeError, ValueError):
        # The library compares a version that is none with numbers.
        encode, content_type = choose_encoder("")
    return lambda measured: encode(_Measurement(measured)), content_type


class _Measurement(Collector):
    """One measurement as the library wants it."""

    def __init__(self, measured: Measured) -> None:
        self._measured = measured

    def collect(self) -> Iterator[Metric]:
        """Yield every metric."""
        return (family(row, self._measured) for row in METRICS)


def family(row: MetricRow, measured: Measured) -> Metric:
    """Return a metric with its value."""
    value = row.value(measured)
    if isinstance(value, Distribution):
        return HistogramMetricFamily(row.name, row.text, _buckets(value), value.total)
    make = CounterMetricFamily if row.kind == "counter" else GaugeMetricFamily
    if not isinstance(value, Mapping):
        return make(row.name, row.text, value)
    assert row.label is not None, "what has several values has a label"
    found = make(row.name, row.text, labels=[row.label])
    for label, number in value.items():
        found.add_metric([label], number)
    return found


def _buckets(values: Distribution) -> list[tuple[str, float]]:
    buckets, seen = [], 0
    for bound, count in zip([*values.bounds, float("inf")], values.counts, strict=True):
        seen += count
        label: str = floatToGoString(bound)  # type: ignore[no-untyped-call]
        buckets.append((label, float(seen)))
    return buckets


# ---- the values that are more than one fact ------------------------------------------------------


def _permissions(measured: Measured) -> Mapping[str, float]:
    counts = measured.queues.by_permission
    return {each.value: counts.get(each, 0) for each in Permission}


def _troubles(measured: Measured) -> Mapping[str, float]:
    counts = dict.fromkeys(Trouble, 0)
    for each in measured.degradations:
        counts[each.trouble] += 1
    return {trouble.name.lower(): count for trouble, count in counts.items()}


def _states(measured: Measured) -> Mapping[str, float]:
    state = process_state(measured.degradations, is_draining=measured.hub.is_draining)
    return {word: float(word == state) for word in ("ready", "degraded", "failing", "draining")}


def _trial_results(measured: Measured) -> Mapping[str, float]:
    store = measured.store
    return {"passed": store.trials_done - store.trials_refused, "refused": store.trials_refused}


def _checkpoint_results(measured: Measured) -> Mapping[str, float]:
    store = measured.store
    return {"published": store.checkpoints, "failed": store.checkpoints_failed}


def _documents(measured: Measured) -> Mapping[str, float]:
    sizes = measured.store.sizes
    return {"present": sizes.documents, "deleted": sizes.deleted_documents}


def _closed(measured: Measured) -> Mapping[str, float]:
    return {str(code): count for code, count in sorted(measured.hub.closed.items())}


def _scrub(name: str) -> Callable[[Measured], float]:
    def value(measured: Measured) -> float:
        return 0 if measured.store.scrub is None else getattr(measured.store.scrub, name) or 0

    return value


def _scrub_finished_s(measured: Measured) -> float:
    return _scrub("finished_ms")(measured) / 1000


def _of_store(name: str) -> Callable[[Measured], Value]:
    return lambda measured: getattr(measured.store, name)


def _of_sizes(name: str) -> Callable[[Measured], float]:
    return lambda measured: getattr(measured.store.sizes, name)


def _of_hub(name: str) -> Callable[[Measured], Value]:
    return lambda measured: getattr(measured.hub, name)


def _of_queues(name: str) -> Callable[[Measured], float]:
    return lambda measured: getattr(measured.queues, name)


# ---- the table -----------------------------------------------------------------------------------

_Rows = Iterable[tuple[str, str, Callable[[Measured], Value]]]


def _rows(kind: Literal["counter", "gauge", "histogram"], rows: _Rows) -> Iterator[MetricRow]:
    return (MetricRow(kind, f"yjs_relay_{name}", text, value) for name, text, value in rows)


_COUNTERS: Final = _rows(
    "counter",
    (
        ("commits", "Transactions that brought updates to disk.", _of_store("commits")),
        ("journal_rows_written", "Journal rows in them.", _of_store("rows")),
        ("updates", "Updates that became durable.", _of_store("updates")),
        (
            "update_bytes",
            "Bytes of the rows, and of what went round the journal, that updates became.",
            _of_store("update_bytes"),
        ),
        (
            "traces_dropped",
            "Events of documents that were not kept.",
            _of_store("traces_dropped"),
        ),
        ("updates_refused", "Updates that were refused.", _of_store("refused")),
        (
            "trial_processes_died",
            "How often the trial process died of an update.",
            _of_store("trial_processes_died"),
        ),
        ("frames_received", "Websocket messages from clients.", _of_hub("frames_received")),
        (
            "outbox_collapses",
            "Queues of slow readers that were replaced by one diff.",
            _of_queues("collapses"),
        ),
        ("scrub_passes", "How often everything stored was verified.", _scrub("passes")),
    ),
)
_GAUGES: Final = _rows(
    "gauge",
    (
        ("rooms", "Documents with a room.", _of_hub("rooms")),
        ("open_documents", "Documents in memory.", _of_store("open_documents")),
        (
            "waiting_documents",
            "Documents that wait for the next commit.",
            _of_store("waiting_documents"),
        ),
        ("journal_rows", "Rows of all journals.", _of_sizes("journal_rows")),
        ("journal_bytes", "Bytes of all journals.", _of_sizes("journal_bytes")),
        ("snapshot_bytes", "Bytes of all snapshots, raw.", _of_sizes("snapshot_bytes")),
        ("database_bytes", "The database file.", _of_sizes("file_bytes")),
        ("database_wal_bytes", "SQLite's WAL.", _of_sizes("wal_bytes")),
        ("database_free_bytes", "Pages that can be used again.", _of_sizes("free_bytes")),
        ("outbox_frames", "Messages that wait to be sent.", _of_queues("queued_frames")),
        (
            "outbox_bytes",
            "What waits to be sent, and what sockets have not taken.",
            _of_queues("queued_bytes"),
        ),
        (
            "collapsed_connections",
            "Slow readers that are to get one diff instead of what they missed.",
            _of_queues("collapsed"),
        ),
        ("unsaved_updates", "Updates on their way to the disk.", _of_queues("unsaved_updates")),
        (
            "storage_failures_in_row",
            "Refusals of storage since it last took a write.",
            _of_store("failures_in_row"),
        ),
        ("checkpoints_due", "Documents that wait for a checkpoint.", _of_store("checkpoints_due")),
        ("trial_waiting_bytes", "What waits for its trial.", _of_store("trials_waiting")),
        ("quarantined_updates", "Refused updates in quarantine.", _of_store("quarantined")),
        ("sessions", "Active sessions.", _of_store("sessions")),
        (
            "unvouched_documents",
            "Documents that were stored unguarded, and not tried since.",
            _of_store("unvouched"),
        ),
        (
            "set_aside_documents",
            "Damaged documents whose place others have taken.",
            _of_store("set_aside"),
        ),
        (
            "read_only_documents",
            "Documents that have a switch to read-only of their own.",
            _of_store("read_only_documents"),
        ),
        (
            "read_only",
            "1 when an operator has said that nothing is to be written.",
            lambda measured: float(measured.store.read_only is not None),
        ),
        (
            "scrub_damaged_documents",
            "Documents that verification has found damaged.",
            _scrub("damaged"),
        ),
        (
            "scrub_finished_timestamp_seconds",
            "When everything was last verified; 0 for never.",
            _scrub_finished_s,
        ),
        ("event_loop_lag_seconds", "How late the last tick was.", _of_hub("tick_late_s")),
        ("schema_version", "Of the tables.", _of_store("schema_version")),
    ),
)
_HISTOGRAMS: Final = _rows(
    "histogram",
    (
        (
            "commit_duration_seconds",
            "A commit, as documents wait for it.",
            _of_store("commit_s"),
        ),
        ("fsync_duration_seconds", "The COMMIT statement alone.", _of_store("fsync_s")),
        ("load_duration_seconds", "Loading a document cold.", _of_store("load_s")),
        ("checkpoint_duration_seconds", "A checkpoint.", _of_store("checkpoint_s")),
        (
            "broadcast_lag_seconds",
            "From durable to handed to every socket of the room; one of each room at a time.",
            _of_hub("broadcast_s"),
        ),
        ("commit_rows", "Rows in a commit.", _of_store("batch_rows")),
    ),
)
_LABELLED: Final = (
    MetricRow(
        "gauge",
        "yjs_relay_connections",
        "Open websockets, by what they may do.",
        _permissions,
        "permission",
    ),
    MetricRow("gauge", "yjs_relay_documents", "Documents in the store.", _documents, "state"),
    MetricRow(
        "gauge",
        "yjs_relay_degradations",
        "How much is not well, by kind; 0 of each on a good day.",
        _troubles,
        "trouble",
    ),
    MetricRow("gauge", "yjs_relay_state", "1 for the state it is in.", _states, "state"),
    MetricRow(
        "gauge",
        "yjs_relay_build_info",
        "Always 1.",
        lambda measured: {measured.process.version: 1},
        "version",
    ),
    MetricRow(
        "counter",
        "yjs_relay_checkpoints",
        "Attempts at checkpoints.",
        _checkpoint_results,
        "result",
    ),
    MetricRow(
        "counter",
        "yjs_relay_trials",
        "Updates tried in a process of their own.",
        _trial_results,
        "result",
    ),
    MetricRow(
        "counter",
        "yjs_relay_connections_closed",
        "Closed websockets, by the code that we closed them with.",
        _closed,
        "code",
    ),
)
# Names that every client library of Prometheus gives to these.
_PROCESS: Final = (
    MetricRow(
        "gauge",
        "process_resident_memory_bytes",
        "Resident memory size in bytes.",
        lambda measured: measured.process.memory_bytes or 0,
    ),
    MetricRow(
        "counter",
        "process_cpu_seconds",
        "Total user and system CPU time spent in seconds.",
        lambda measured: measured.process.cpu_s,
    ),
    MetricRow(
        "gauge",
        "process_start_time_seconds",
        "Start time of the process since unix epoch in seconds.",
        lambda measured: measured.process.started_ms / 1000,
    ),
)

METRICS: Final = (*_COUNTERS, *_GAUGES, *_HISTOGRAMS, *_LABELLED, *_PROCESS)
"""Every metric that there is."""
