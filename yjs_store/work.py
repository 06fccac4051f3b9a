"""Work of an open store that took time and is over, for whoever draws it. Pure."""

import enum
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from yjs_store.trace_book import Fact


class WorkKind(enum.Enum):
    """What was worked on."""

    LOAD = "load"
    COMMIT = "commit"
    CHECKPOINT = "checkpoint"
    TRIAL = "trial"


@dataclass(frozen=True, slots=True)
class Work:
    """One piece of work; it has just ended.

    ``document`` is None for what is done for several. ``error`` is the kind of what it failed
    with, and never its text, which may quote a client; None when it did not fail. ``facts`` hold
    lengths, counts and words of the code: neither content nor a name.
    """

    kind: WorkKind
    document: str | None
    duration_s: float
    error: str | None
    facts: Mapping[str, Fact]


HearWork: TypeAlias = Callable[[Work], None]
"""Hears of work in the task that did it; must neither raise nor wait."""
