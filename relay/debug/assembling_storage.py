"""Makes the JSON of the store as a whole of what is known of it. Pure."""

from collections.abc import Sequence

from relay.debug import models
from relay.debug.assembling import breaker, read_only
from relay.debug.judging import process_state
from relay.debug.rates import Rates
from relay.facts import HubFacts, ProcessFacts
from yjs_store import Degradation, Distribution, ScrubFacts, StoreFacts

_MS_PER_S = 1000.0

Shown = dict[str, str | int | float | bool | None]


def storage(
    facts: StoreFacts,
    hub: HubFacts,
    process: ProcessFacts,
    rates: Rates,
    degradations: Sequence[Degradation],
    configuration: Shown,
    now_ms: int,
) -> models.Storage:
    """Return everything about the store and this process."""
    return models.Storage(
        at_ms=now_ms,
        backend=facts.backend,
        schema_version=facts.schema_version,
        process=_process(facts, hub, process, degradations, now_ms),
        sizes=_sizes(facts),
        commits=_commits(facts, rates),
        load_ms=percentiles(facts.load_s, _MS_PER_S),
        checkpoints=models.Checkpoints(
            published=facts.checkpoints,
            failed=facts.checkpoints_failed,
            due=facts.checkpoints_due,
            duration_ms=percentiles(facts.checkpoint_s, _MS_PER_S),
            breaker=breaker(facts.breaker),
        ),
        scrubber=_scrubber(facts.scrub),
        trials=models.Trials(
            waiting_bytes=facts.trials_waiting,
            done=facts.trials_done,
            refused=facts.trials_refused,
            processes_died=facts.trial_processes_died,
        ),
        quarantined=facts.quarantined,
        sessions=facts.sessions,
        unvouched=facts.unvouched,
        set_aside=facts.set_aside,
        read_only=read_only(facts.read_only),
        read_only_documents=facts.read_only_documents,
        traces_dropped=facts.traces_dropped,
        degradations=[
            models.Degradation(
                trouble=each.trouble.value,
                document=each.document,
                reason=each.reason,
                since_ms=each.since_ms,
                trial_ms=each.trial_ms,
            )
            for each in degradations
        ],
        configuration=configuration,
    )


def percentiles(values: Distribution, scale: float = 1.0) -> models.Percentiles:
    """Return the percentiles of a distribution, each value times ``scale``."""

    def scaled(value: float | None) -> float | None:
        return None if value is None else value * scale

    count = values.count
    return models.Percentiles(
        p50=scaled(values.quantile(0.5)),
        p90=scaled(values.quantile(0.9)),
        p99=scaled(values.quantile(0.99)),
        count=count,
        mean=scaled(values.total / count) if count else None,
    )


def _process(
    facts: StoreFacts,
    hub: HubFacts,
    process: ProcessFacts,
    degradations: Sequence[Degradation],
    now_ms: int,
) -> models.Process:
    return models.Process(
        version=process.version,
        pid=process.pid,
        started_ms=process.started_ms,
        uptime_ms=max(0, now_ms - process.started_ms),
        state=process_state(degradations, is_draining=hub.is_draining),
        memory_bytes=process.memory_bytes,
        connections=hub.connections,
        rooms=hub.rooms,
        open_documents=facts.open_documents,
        frames_received=hub.frames_received,
        broadcast_lag_ms=percentiles(hub.broadcast_s, _MS_PER_S),
        event_loop_lag_ms=hub.tick_late_s * _MS_PER_S,
    )


def _sizes(facts: StoreFacts) -> models.Sizes:
    sizes = facts.sizes
    return models.Sizes(
        documents=sizes.documents,
        deleted_documents=sizes.deleted_documents,
        journal_rows=sizes.journal_rows,
        journal_bytes=sizes.journal_bytes,
        snapshot_bytes=sizes.snapshot_bytes,
        file_bytes=sizes.file_bytes,
        wal_bytes=sizes.wal_bytes,
        free_bytes=sizes.free_bytes,
    )


def _commits(facts: StoreFacts, rates: Rates) -> models.Commits:
    return models.Commits(
        commits=facts.commits,
        rows=facts.rows,
        updates=facts.updates,
        update_bytes=facts.update_bytes,
        refused=facts.refused,
        per_s=rates.commits_per_s,
        updates_per_s=rates.updates_per_s,
        batch_rows=percentiles(facts.batch_rows),
        duration_ms=percentiles(facts.commit_s, _MS_PER_S),
        fsync_ms=percentiles(facts.fsync_s, _MS_PER_S),
        queue=facts.waiting_documents,
        failures_in_row=facts.failures_in_row,
        failing_since_ms=facts.failing_since_ms,
        failing_because=facts.failing_because,
    )


def _scrubber(facts: ScrubFacts | None) -> models.Scrubber | None:
    if facts is None:
        return None
    return models.Scrubber(
        passes=facts.passes,
        documents=facts.documents,
        bytes=facts.byte_length,
        started_ms=facts.started_ms,
        finished_ms=facts.finished_ms,
        damaged=facts.damaged,
    )
