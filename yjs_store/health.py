"""What an operator is told when not all is well."""

import enum
from dataclasses import dataclass


class Trouble(enum.Enum):
    """What is wrong; the value is said to people."""

    STORAGE = "storage does not take writes"
    CHECKPOINTS = "checkpoints have paused after failures"
    JOURNAL = "a journal has grown far beyond its bound"
    REVOCATIONS = "sessions that other processes revoke are not closed"
    DAMAGE = "stored documents are damaged"


@dataclass(frozen=True, slots=True)
class Degradation:
    """One thing that is wrong; nothing accepted is lost by it.

    ``document`` is None for the whole store. Times are milliseconds since 1970, None where they
    mean nothing; ``trial_ms`` is when a paused checkpoint is tried again by itself.
    """

    trouble: Trouble
    document: str | None
    reason: str
    since_ms: int | None = None
    trial_ms: int | None = None
