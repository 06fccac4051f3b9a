"""A circuit breaker, as a table; pure: time and randomness are arguments.

Closed: attempts are made. Open: none until the cooldown is over. Half-open: one trial is under
way. Failures in a row open it; a failed trial doubles the cooldown; a success closes it and
forgets everything. What must never fail (appends) does not pass through it.
"""

import enum
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from yjs_store.limits import (
    BREAKER_COOLDOWN_FIRST_S,
    BREAKER_COOLDOWN_MAX_S,
    BREAKER_FAILURES_TO_OPEN,
    BREAKER_JITTER,
)


class BreakerState(enum.Enum):
    """Whether attempts are made."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


class BreakerEvent(enum.Enum):
    """What can happen to a breaker."""

    ATTEMPT = "attempt"
    """An attempt begins."""
    SUCCESS = "success"
    FAILURE = "failure"
    RESET = "reset"
    """A person wants it closed."""


@dataclass(frozen=True, slots=True)
class Breaker:
    """One breaker; times in seconds of one monotonic clock.

    ``reason`` is that of the last failure; ``since_s`` when it was opened; ``trial_s`` when the
    next attempt may be made. Both are 0 while it is closed.
    """

    state: BreakerState = BreakerState.CLOSED
    failures_in_row: int = 0
    cooldown_s: float = 0.0
    since_s: float = 0.0
    trial_s: float = 0.0
    reason: str | None = None

    def allows(self, now_s: float) -> bool:
        """Say whether an attempt may begin now."""
        if self.state is BreakerState.OPEN:
            return now_s >= self.trial_s
        return self.state is BreakerState.CLOSED

    def after(
        self, event: BreakerEvent, now_s: float, *, chance: float = 0.0, reason: str = ""
    ) -> "Breaker":
        """Return the breaker after an event.

        ``chance``, in [0, 1), spreads the trials of many breakers; ``reason`` is kept with a
        failure.
        """
        return _TRANSITIONS[self.state, event](self, now_s, chance, reason)


def _stay(breaker: Breaker, _now_s: float, _chance: float, _reason: str) -> Breaker:
    return breaker


def _close(_breaker: Breaker, _now_s: float, _chance: float, _reason: str) -> Breaker:
    return Breaker()


def _try(breaker: Breaker, _now_s: float, _chance: float, _reason: str) -> Breaker:
    return replace(breaker, state=BreakerState.HALF_OPEN)


def _count(breaker: Breaker, now_s: float, chance: float, reason: str) -> Breaker:
    counted = replace(breaker, failures_in_row=breaker.failures_in_row + 1, reason=reason)
    if counted.failures_in_row < BREAKER_FAILURES_TO_OPEN:
        return counted
    opened = replace(counted, since_s=now_s)
    return _wait(opened, now_s, BREAKER_COOLDOWN_FIRST_S, chance)


def _fail_trial(breaker: Breaker, now_s: float, chance: float, reason: str) -> Breaker:
    counted = replace(breaker, failures_in_row=breaker.failures_in_row + 1, reason=reason)
    cooldown_s = min(breaker.cooldown_s * 2, BREAKER_COOLDOWN_MAX_S)
    return _wait(counted, now_s, cooldown_s, chance)


def _wait(breaker: Breaker, now_s: float, cooldown_s: float, chance: float) -> Breaker:
    trial_s = now_s + cooldown_s * (1 + BREAKER_JITTER * chance)
    return replace(breaker, state=BreakerState.OPEN, cooldown_s=cooldown_s, trial_s=trial_s)


_Transition = Callable[[Breaker, float, float, str], Breaker]

_TRANSITIONS: Final[dict[tuple[BreakerState, BreakerEvent], _Transition]] = {
    (BreakerState.CLOSED, BreakerEvent.ATTEMPT): _stay,
    (BreakerState.CLOSED, BreakerEvent.SUCCESS): _close,
    (BreakerState.CLOSED, BreakerEvent.FAILURE): _count,
    (BreakerState.CLOSED, BreakerEvent.RESET): _close,
    (BreakerState.OPEN, BreakerEvent.ATTEMPT): _try,
    # Results that come in while it is open belong to attempts that a person forced.
    (BreakerState.OPEN, BreakerEvent.SUCCESS): _close,
    (BreakerState.OPEN, BreakerEvent.FAILURE): _fail_trial,
    (BreakerState.OPEN, BreakerEvent.RESET): _close,
    (BreakerState.HALF_OPEN, BreakerEvent.ATTEMPT): _stay,
    (BreakerState.HALF_OPEN, BreakerEvent.SUCCESS): _close,
    (BreakerState.HALF_OPEN, BreakerEvent.FAILURE): _fail_trial,
    (BreakerState.HALF_OPEN, BreakerEvent.RESET): _close,
}
