"""What an act is, and what comes of one."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from relay.limits import ACT_FACTS_LISTED_MAX, ACT_FACTS_TEXT_MAX
from yjs_store import StoreError

Facts = dict[str, object]

NOOP: Final = "noop"
FAILED: Final = "failed"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of an act, or would: the result is one word, the facts are JSON.

    ``noop``: it is so already, nothing was changed. ``failed``: it was tried, and nothing was
    changed; ``because`` among the facts says why. ``would_…``: what a dry run found to do.
    """

    result: str
    facts: Facts = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Act:
    """One act. ``look`` only looks and says what ``do`` would do; ``do`` may be repeated.

    ``document`` is None for the store as a whole. ``given`` is what was asked for beside that.
    Both raise StoreError or NotSensible when it cannot be.
    """

    action: str
    document: str | None
    look: Callable[[], Awaitable[Outcome]]
    do: Callable[[], Awaitable[Outcome]]
    given: Facts = field(default_factory=dict)


class NotSensible(StoreError):
    """The act would do harm as things are; nothing was changed. The text says what to do."""

    def __init__(self, message: str, facts: Facts) -> None:
        super().__init__(message)
        self.facts = facts


class NotFound(StoreError):
    """What was to be acted upon is not there; the text says what."""


def listed(texts: Sequence[str]) -> list[str]:
    """Return the first of these, each of bounded length, for facts."""
    return [text[:ACT_FACTS_TEXT_MAX] for text in texts[:ACT_FACTS_LISTED_MAX]]
