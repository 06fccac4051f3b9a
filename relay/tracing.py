"""Where it is said what is traced; without `--otel` nobody hears it, and it costs nothing."""

import contextlib
from typing import Final, Protocol

from yjs_store import Work

Fact = str | int | float | bool | None


class Span(Protocol):
    """What is being traced."""

    def say(self, **facts: Fact) -> None:
        """Add what is known by now; no content, no person, and the name of a document alone as
        ``document``.
        """

    def fail(self, kind: str) -> None:
        """Say that it came to nothing, and of which kind that was."""


class Tracing(Protocol):
    """Who hears of it. Nothing here raises or waits but ``close``."""

    def during(self, name: str, **facts: Fact) -> contextlib.AbstractContextManager[Span]:
        """Trace a ``with`` block; what is worked in it, in this task, belongs to it."""

    @property
    def heard(self) -> "Hear | None":
        """Who hears of the store's work; None for nobody. See Telemetry.on_work."""

    async def close(self) -> None:
        """Send what is left, within a bound."""


class Hear(Protocol):
    """See yjs_store.work.HearWork."""

    def __call__(self, work: Work, /) -> None:
        """Hear of work that is over."""


class _Nothing(contextlib.AbstractContextManager["_Nothing"]):
    """Everything that is traced when nothing is."""

    def say(self, **facts: Fact) -> None:
        pass

    def fail(self, kind: str) -> None:
        pass

    def __exit__(self, *_: object) -> None:
        pass


_NOTHING: Final = _Nothing()


class _NoTracing:
    heard = None

    def during(self, name: str, **facts: Fact) -> _Nothing:
        return _NOTHING

    async def close(self) -> None:
        pass


NO_TRACING: Final[Tracing] = _NoTracing()
