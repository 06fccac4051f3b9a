"""What people see of facts: lines and columns; pure. Every text is made printable.

A column of numbers has its unit in its heading or at the number.
"""

from collections.abc import Iterable, Sequence
from typing import Final

from relay.commands.facts_source import StoredStorage
from relay.debug import models
from relay.terminal import printable, shown_time, table

DOCUMENT_HEADINGS: Final = (
    *("DOCUMENT", "HEALTH"),
    *("ROWS", "JOURNAL", "SNAPSHOT", "UPDATED", "CONNECTIONS"),
)
_UNITS: Final = ("B", "KiB", "MiB", "GiB", "TiB")


def shown_bytes(byte_length: int) -> str:
    """Return a length as people read it: three figures and a unit."""
    value, unit = float(byte_length), 0
    while value >= 1000 and unit < len(_UNITS) - 1:
        value, unit = value / 1024, unit + 1
    return f"{byte_length} B" if unit == 0 else f"{value:.3g} {_UNITS[unit]}"


def shown_duration(ms: float) -> str:
    """Return a duration as people read it."""
    if ms < 1000:
        return f"{ms:.3g} ms"
    seconds = round(ms / 1000)
    if seconds < 120:
        return f"{ms / 1000:.3g} s"
    hours, minutes = seconds // 3600, seconds % 3600 // 60
    return f"{hours} h {minutes} min" if hours < 48 else f"{hours // 24} d {hours % 24} h"


def document_row(document: models.DocumentSummary) -> tuple[str, ...]:
    """Return the cells of a document in a list, below DOCUMENT_HEADINGS."""
    return (
        document.name,
        ": ".join([document.health, *(["; ".join(document.because)] if document.because else [])]),
        str(document.journal.rows),
        shown_bytes(document.journal.bytes),
        shown_bytes(document.snapshot_bytes),
        "" if document.updated_ms is None else shown_time(document.updated_ms),
        str(document.connection_count) if document.is_live else "",
    )


def documents_table(documents: Iterable[models.DocumentSummary]) -> list[str]:
    """Return the lines of a list of documents."""
    return table([DOCUMENT_HEADINGS, *map(document_row, documents)])


def storage_lines(storage: StoredStorage | models.Storage) -> list[str]:
    """Return everything about a store that fits on a screen."""
    sizes = storage.sizes
    rows = [
        ("documents", f"{sizes.documents}, and {sizes.deleted_documents} deleted"),
        ("journals", f"{sizes.journal_rows} rows, {shown_bytes(sizes.journal_bytes)}"),
        ("snapshots", shown_bytes(sizes.snapshot_bytes)),
        (
            "file",
            f"{shown_bytes(sizes.file_bytes)}, of it free {shown_bytes(sizes.free_bytes)};"
            f" WAL {shown_bytes(sizes.wal_bytes)}",
        ),
        ("quarantine", f"{storage.quarantined} updates"),
        ("sessions", f"{storage.sessions} active"),
        ("schema", f"version {storage.schema_version} ({storage.backend})"),
    ]
    if storage.unvouched:
        rows.append(("unvouched", f"{storage.unvouched} documents are tried at their first use"))
    if storage.set_aside:
        rows.append(("set aside", f"{storage.set_aside}; see `yjs-relay set-aside list`"))
    if storage.read_only is not None:
        rows.insert(0, ("READ ONLY", _shown_switch(storage.read_only)))
    if isinstance(storage, StoredStorage):
        rows += _file_rows(storage)
    else:
        rows = [*_process_rows(storage), *rows, *_work_rows(storage)]
    return table(rows)


def _file_rows(storage: StoredStorage) -> list[tuple[str, str]]:
    return [("disk", f"{shown_bytes(storage.disk_free_bytes)} free")]


def _process_rows(storage: models.Storage) -> list[tuple[str, str]]:
    process = storage.process
    up = shown_duration(process.uptime_ms)
    rows = [
        ("server", f"{process.state}; version {process.version}, process {process.pid}, up {up}"),
        ("connections", f"{process.connections} in {process.rooms} rooms"),
    ]
    if process.memory_bytes is not None:
        rows.append(("memory", shown_bytes(process.memory_bytes)))
    for each in storage.degradations:
        what = each.trouble if each.document is None else f"{each.trouble} ({each.document})"
        rows.append(("TROUBLE", f"{what}: {each.reason}"))
    return rows


def _work_rows(storage: models.Storage) -> list[tuple[str, str]]:
    commits, checkpoints = storage.commits, storage.checkpoints
    speed = "" if commits.updates_per_s is None else f", {commits.updates_per_s:.3g} updates/s"
    rows = [
        ("commits", f"{commits.commits} of {commits.updates} updates{speed}"),
        ("commit time", _shown_percentiles(commits.duration_ms)),
        ("fsync", _shown_percentiles(commits.fsync_ms)),
        (
            "checkpoints",
            f"{checkpoints.published} published, {checkpoints.failed} failed,"
            f" {checkpoints.due} due; breaker {checkpoints.breaker.state}",
        ),
    ]
    if commits.failing_because is not None:
        rows.append(("FAILING", f"storage takes no writes: {commits.failing_because}"))
    return rows


def _shown_percentiles(values: models.Percentiles) -> str:
    found = [
        f"{name} {shown_duration(value)}"
        for name, value in (("p50", values.p50), ("p90", values.p90), ("p99", values.p99))
        if value is not None
    ]
    return ", ".join(found) or "none yet"


def _shown_switch(switch: models.ReadOnly) -> str:
    return f"since {shown_time(switch.since_ms)} by {switch.by}: {switch.reason}"


def document_lines(document: models.Document) -> list[str]:
    """Return everything about a document but what it holds."""
    rows = [("document", document.name), ("health", document_row(document)[1])]
    if document.read_only is not None:
        rows.append(("READ ONLY", _shown_switch(document.read_only)))
    if document.deleted_ms is not None:
        rows.append(("deleted", shown_time(document.deleted_ms)))
    for name, time_ms in (("created", document.created_ms), ("updated", document.updated_ms)):
        if time_ms is not None:
            rows.append((name, shown_time(time_ms)))
    rows.append(("head", f"row {document.last_seq}, snapshot up to row {document.cut_seq}"))
    journal = f"{document.journal.rows} rows, {shown_bytes(document.journal.bytes)}"
    alarm = "; FAR TOO LONG" if document.journal.is_alarming else ""
    rows.append(("journal", journal + alarm))
    lines = table([*rows, *_snapshot_rows(document), *_content_rows(document)])
    for heading, found in (
        ("Connections", _connection_rows(document)),
        ("Checkpoints", _checkpoint_rows(document)),
        ("Events", _trace_rows(document)),
    ):
        if found:
            lines += ["", heading, *(f"  {line}" for line in table(found))]
    return lines


def _snapshot_rows(document: models.Document) -> list[tuple[str, str]]:
    found = document.snapshot
    rows = [("snapshot", "none")]
    if found is not None:
        codecs = ", ".join(found.codecs)
        rows = [
            (
                "snapshot",
                f"{shown_bytes(found.raw_bytes)}, stored as {shown_bytes(found.stored_bytes)} in"
                f" {found.chunks} chunks ({codecs}); {shown_duration(found.age_ms)} old",
            )
        ]
    if document.breaker.state != "closed":
        rows.append(("BREAKER", f"{document.breaker.state}: {document.breaker.reason or ''}"))
    if document.oversized_count:
        rows.append(("oversized", f"{document.oversized_count} updates went round the journal"))
    if document.quarantined:
        rows.append(("quarantine", f"{document.quarantined} refused updates"))
    if document.is_unvouched:
        rows.append(("unvouched", "it is tried at its first use"))
    rows += [("UNREADABLE", each) for each in document.unreadable]
    return rows


def _content_rows(document: models.Document) -> list[tuple[str, str]]:
    rows = []
    content, live = document.content, document.live
    if content is not None:
        share = f"{content.deleted_share:.0%}"
        pending = f"; {shown_bytes(content.pending_bytes)} pending" if content.pending_bytes else ""
        rows.append(("content", f"{content.clients} clients, {share} deleted{pending}"))
    if live is not None:
        saving = live.saving
        waiting = saving.waiting_updates + saving.in_flight_updates + saving.on_trial_updates
        loaded = f"since {shown_time(live.loaded_ms)}, in {shown_duration(live.load_duration_ms)}"
        rows += [("loaded", loaded), ("saving", f"{saving.saves} saves, {waiting} updates wait")]
        if saving.error is not None:
            rows.append(("FAILING", saving.error))
    return rows


def _connection_rows(document: models.Document) -> list[Sequence[str]]:
    if document.live is None or not document.live.connections:
        return []
    return [
        ("ID", "USER", "PEER", "PERMISSION", "LAG", "QUEUED", "UNSAVED"),
        *(
            (
                str(each.id),
                each.user,
                each.peer,
                each.permission,
                "resync" if each.is_collapsed else shown_duration(each.lag_ms),
                shown_bytes(each.queued_bytes),
                str(each.unsaved_updates),
            )
            for each in document.live.connections
        ),
    ]


def _checkpoint_rows(document: models.Document) -> list[Sequence[str]]:
    if not document.checkpoints:
        return []
    return [
        ("NUMBER", "STARTED", "REASON", "TOOK", "ROWS", "SNAPSHOT", "RESULT"),
        *(
            (
                str(each.number),
                shown_time(each.started_ms),
                each.reason,
                shown_duration(each.duration_ms),
                str(each.journal_rows_before),
                shown_bytes(each.snapshot_bytes_after),
                each.result if each.error is None else f"{each.result}: {each.error}",
            )
            for each in document.checkpoints
        ),
    ]


def _trace_rows(document: models.Document) -> list[Sequence[str]]:
    rows = [
        (
            shown_time(each.at_ms),
            each.event,
            "  ".join(f"{name}={value}" for name, value in each.facts.items()),
        )
        for each in document.traces
    ]
    if document.traces_dropped:
        rows.insert(0, ("", f"({document.traces_dropped} more were not kept)", ""))
    return list(rows)


def shown_text(text: str) -> str:
    """Return a text of several lines for a terminal: lines stay, whatever else acts is escaped."""
    return "\n".join("\t".join(map(printable, line.split("\t"))) for line in text.split("\n"))
