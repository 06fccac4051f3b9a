"""How a document and the process are, and why: the rules behind ``health``. Pure."""

from collections.abc import Iterable
from typing import Literal

from relay.debug.models import Health, Mode
from relay.debug.seam import Known
from yjs_store import Degradation, Head, Trouble

ProcessState = Literal["ready", "degraded", "failing", "draining"]


def health_of(facts: Known) -> tuple[Health, list[str]]:
    """Return how a document is and every reason for it, the worst first."""
    if facts.head is not None and facts.head.deleted_ms is not None:
        return "deleted", ["it was deleted"]
    unavailable = _unavailable(facts)
    failing = _failing(facts)
    degraded = _degraded(facts)
    because = [*unavailable, *failing, *degraded]
    if unavailable:
        return "unavailable", because
    if failing:
        return "failing", because
    return ("degraded", because) if degraded else ("ok", [])


def _unavailable(facts: Known) -> list[str]:
    found = []
    if facts.damage is not None:
        found.append(f"damaged: {facts.damage}")
    if facts.poisoned is not None:
        found.append(f"it cannot be decoded safely: {facts.poisoned}")
    return found


def _failing(facts: Known) -> list[str]:
    live = facts.live
    if live is None or (live.failures_in_row == 0 and live.error is None):
        return []
    return [f"edits are not becoming durable: {live.error or 'storage refuses them'}"]


def _degraded(facts: Known) -> list[str]:
    found = []
    if facts.breaker.trial_ms is not None:
        found.append(f"{Trouble.CHECKPOINTS.value}: {facts.breaker.reason or 'no reason is known'}")
    if facts.is_alarming:
        found.append(Trouble.JOURNAL.value)
    return found


def mode_of(head: Head | None) -> Mode:
    """Return where a document's content is; the modes of a migration are not in use yet."""
    return "fresh" if head is None or head.last_seq == 0 else "sql"


def process_state(degradations: Iterable[Degradation], *, is_draining: bool) -> ProcessState:
    """Return how the process is, as ``/health/ready`` says it."""
    if is_draining:
        return "draining"
    troubles = {each.trouble for each in degradations}
    if Trouble.STORAGE in troubles:
        return "failing"
    return "degraded" if troubles else "ready"
