"""Makes the JSON of documents of what is known of them. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from relay.debug import models
from relay.debug.judging import health_of, mode_of
from relay.debug.seam import Known, Listed
from relay.facts import ConnectionFacts, RoomFacts
from yjs_store import (
    BreakerFacts,
    CheckpointRecord,
    ContentFacts,
    DocumentFacts,
    LiveFacts,
    SnapshotFacts,
    Switch,
    Traces,
)


@dataclass(frozen=True, slots=True)
class Moment:
    """When something was read: the wall clock and, for what the hub noted, the loop's."""

    now_ms: int
    now_s: float

    def wall_ms(self, noted_s: float) -> int:
        """Return a time of the loop's clock as one of the wall's."""
        return self.now_ms - round((self.now_s - noted_s) * 1000)


# ---- one in a list -------------------------------------------------------------------------------


def summary(listed: Listed, room_size: int | None) -> models.DocumentSummary:
    """Return a document as it stands in a list; ``room_size`` is None when it has no room."""
    return models.DocumentSummary(**_summary_fields(listed, room_size, listed.writes))


def _summary_fields(facts: Known, room_size: int | None, writes: tuple[int, ...]) -> dict[str, Any]:
    head = facts.head
    health, because = health_of(facts)
    return {
        "name": facts.name,
        "mode": mode_of(head),
        "health": health,
        "because": because,
        "last_seq": 0 if head is None else head.last_seq,
        "cut_seq": 0 if head is None else head.cut_seq,
        "journal": models.Journal(
            rows=0 if head is None else head.journal_rows,
            bytes=0 if head is None else head.journal_bytes,
            is_alarming=facts.is_alarming,
        ),
        "snapshot_bytes": 0 if head is None else head.snapshot_bytes,
        "created_ms": None if head is None else head.created_ms,
        "updated_ms": None if head is None else head.updated_ms,
        "deleted_ms": None if head is None else head.deleted_ms,
        "is_live": facts.live is not None,
        "connection_count": room_size or 0,
        "writes": list(writes),
    }


# ---- everything about one ------------------------------------------------------------------------


def document(
    facts: DocumentFacts,
    traces: Traces,
    writes: tuple[int, ...],
    room: RoomFacts | None,
    at: Moment,
) -> models.Document:
    """Return everything about one document."""
    room_size = None if room is None else room.connection_count
    return models.Document(
        **_summary_fields(facts, room_size, writes),
        oversized_count=0 if facts.head is None else facts.head.oversized_count,
        snapshot=_snapshot(facts, at.now_ms),
        content=_content(facts.content),
        checkpoints=[_checkpoint(each) for each in _newest_first(facts.checkpoints)],
        breaker=breaker(facts.breaker),
        quarantined=facts.quarantined,
        is_unvouched=facts.is_unvouched,
        read_only=read_only(facts.read_only),
        migration=models.Migration(status="fresh", source=None),
        live=None if facts.live is None else _live(facts.live, room, at),
        traces=[
            models.Trace(at_ms=each.at_ms, event=each.event, facts=each.facts)
            for each in traces.events
        ],
        traces_dropped=traces.dropped,
        unreadable=list(facts.unreadable),
    )


def _newest_first(checkpoints: Sequence[CheckpointRecord]) -> list[CheckpointRecord]:
    return sorted(checkpoints, key=lambda each: -each.number)


def _snapshot(facts: DocumentFacts, now_ms: int) -> models.Snapshot | None:
    found: SnapshotFacts | None = facts.snapshot
    if found is None:
        return None
    manifest = found.manifest
    return models.Snapshot(
        id=manifest.snapshot_id,
        cut_seq=manifest.cut_seq,
        raw_bytes=manifest.byte_length,
        stored_bytes=manifest.stored_length,
        chunks=manifest.chunk_count,
        codecs=list(found.codecs),
        checksum=manifest.checksum.hex(),
        created_ms=manifest.created_ms,
        # Clocks step back.
        age_ms=max(0, now_ms - manifest.created_ms),
    )


def _content(facts: ContentFacts | None) -> models.Content | None:
    if facts is None:
        return None
    return models.Content(
        seq=facts.seq,
        clients=facts.clients,
        clocks=facts.clocks,
        deleted_clocks=facts.deleted_clocks,
        deleted_share=facts.deleted_clocks / facts.clocks if facts.clocks else 0.0,
        pending_bytes=facts.pending_bytes,
    )


def _checkpoint(record: CheckpointRecord) -> models.Checkpoint:
    return models.Checkpoint(
        number=record.number,
        reason=record.reason,
        started_ms=record.started_ms,
        duration_ms=record.duration_ms,
        result="published" if record.error is None else "failed",
        error=record.error,
        cut_seq=record.cut_seq,
        journal_rows_before=record.journal_rows_before,
        journal_rows_after=record.journal_rows_after,
        journal_bytes_before=record.journal_bytes_before,
        journal_bytes_after=record.journal_bytes_after,
        snapshot_bytes_before=record.snapshot_bytes_before,
        snapshot_bytes_after=record.snapshot_bytes_after,
        stored_bytes_after=record.stored_bytes_after,
    )


def _live(facts: LiveFacts, room: RoomFacts | None, at: Moment) -> models.Live:
    return models.Live(
        loaded_ms=facts.loaded_ms,
        load_duration_ms=facts.load_ms,
        users=facts.users,
        saving=models.Saving(
            last_durable_seq=facts.durable_seq,
            last_saved_ms=facts.saved_ms,
            last_save_duration_ms=facts.save_ms,
            saves=facts.saves,
            failures_in_row=facts.failures_in_row,
            error=facts.error,
            waiting_updates=facts.gathered,
            waiting_bytes=facts.gathered_bytes,
            in_flight_updates=facts.in_flight,
            on_trial_updates=facts.suspects,
        ),
        awareness_clients=0 if room is None else room.awareness_clients,
        connections=[] if room is None else [_connection(each, at) for each in room.connections],
        connection_count=0 if room is None else room.connection_count,
    )


def _connection(facts: ConnectionFacts, at: Moment) -> models.Connection:
    return models.Connection(
        id=facts.connection_id,
        user=facts.user,
        session=facts.session_id,
        peer=facts.peer,
        permission=facts.permission.value,
        joined_ms=at.wall_ms(facts.joined_s),
        queued_frames=facts.queued_frames,
        queued_bytes=facts.queued_bytes,
        lag_ms=facts.lag_s * 1000,
        is_collapsed=facts.is_collapsed,
        unsaved_updates=facts.unsaved_updates,
        awareness_clients=facts.awareness_clients,
    )


def breaker(facts: BreakerFacts) -> models.Breaker:
    """Return a circuit breaker."""
    return models.Breaker(
        state=facts.state.value,
        failures_in_row=facts.failures_in_row,
        reason=facts.reason,
        since_ms=facts.since_ms,
        trial_ms=facts.trial_ms,
    )


def read_only(switch: Switch | None) -> models.ReadOnly | None:
    """Return an operator's word that nothing is to be written; None without it."""
    if switch is None:
        return None
    return models.ReadOnly(reason=switch.reason, by=switch.by, since_ms=switch.since_ms)
