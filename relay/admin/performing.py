"""Carries acts out, one at a time for each document, and keeps that in the store.

The order: the intent first, then the act, then its result; each is durable before the next. So an
act whose intent cannot be kept is not done, and a crash leaves an intent without a result: it is
not known what came of that act. A dry run, which changes nothing, has one record.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from weakref import WeakValueDictionary

import structlog

from relay.admin.act import FAILED, NOOP, Act, Facts, NotFound, NotSensible, Outcome
from relay.admin.seam import AuditBook
from relay.tracing import NO_TRACING, Tracing
from yjs_store import (
    AuditRecord,
    DocumentDeleted,
    DocumentMissing,
    EntryMissing,
    NameRefused,
    NoRoom,
    StoreClosed,
    StoreError,
    StoreUnavailable,
    UpdateRefused,
)

log = structlog.get_logger("relay.admin")

INTENT = "intent"
REFUSED = "refused"

# Nothing was tried, or the same call may be made again: the answer is a no, and not an outcome.
_REFUSALS = (
    DocumentDeleted,
    DocumentMissing,
    EntryMissing,
    NameRefused,
    NoRoom,
    NotFound,
    NotSensible,
    UpdateRefused,
)
_UNAVAILABLE = (StoreUnavailable, StoreClosed)


@dataclass(frozen=True, slots=True)
class Wish:
    """Who wants an act, and how."""

    by: str
    is_dry_run: bool = False
    reason: str | None = None


class Unrecorded(StoreError):
    """The act was done, and its result could not be kept: its intent stands alone."""

    def __init__(self, number: int, outcome: Outcome) -> None:
        super().__init__(
            f"it was done ({outcome.result}), but the result could not be kept: act {number}"
        )
        self.number = number
        self.outcome = outcome


class Performer:
    """Carries acts out for the operators of one store."""

    def __init__(
        self, book: AuditBook, clock_ms: Callable[[], int], tracing: Tracing = NO_TRACING
    ) -> None:
        self._book = book
        self._tracing = tracing
        self._clock_ms = clock_ms
        self._locks: WeakValueDictionary[str | None, asyncio.Lock] = WeakValueDictionary()

    async def perform(self, act: Act, wish: Wish) -> Outcome:
        """Do an act, or say what it would do; what came of it is durable before the return.

        Raises:
            Unrecorded: it was done, and only its intent is kept.
            StoreUnavailable, StoreClosed: storage does not answer. Where that is said of the
                intent, nothing was done.
            StoreError: it cannot be; that is kept, and nothing was changed.
        """
        facts = {"action": act.action, "document": act.document, "dry_run": wish.is_dry_run}
        with self._tracing.during("act", **facts) as span:
            # The dict lets go of a lock when nobody holds or awaits it any more.
            async with self._locks.setdefault(act.document, asyncio.Lock()):
                outcome = await (self._look if wish.is_dry_run else self._do)(act, wish)
            span.say(result=outcome.result)
            return outcome

    async def _look(self, act: Act, wish: Wish) -> Outcome:
        outcome, error = await _tried(act.look)
        await self._keep(act, wish, outcome.result, outcome.facts)
        if error is not None:
            raise error
        return outcome

    async def _do(self, act: Act, wish: Wish) -> Outcome:
        number = await self._keep(act, wish, INTENT, {})
        outcome, error = await _tried(act.do)
        try:
            await self._keep(act, wish, outcome.result, {"intent": number, **outcome.facts})
        except StoreError as unkept:
            log.error("the result of an act is not kept", act=number, result=outcome.result)  # noqa: TRY400
            if error is not None or outcome.result in (NOOP, FAILED):
                # Nothing was changed: to be told that storage fails is enough.
                raise error or unkept from unkept
            raise Unrecorded(number, outcome) from unkept
        if error is not None:
            raise error
        return outcome

    async def _keep(self, act: Act, wish: Wish, result: str, facts: Facts) -> int:
        reason = {} if wish.reason is None else {"reason": wish.reason}
        number = await self._book.audit(
            AuditRecord(
                number=0,
                at_ms=self._clock_ms(),
                by=wish.by,
                action=act.action,
                document=act.document,
                is_dry_run=wish.is_dry_run,
                result=result,
                facts={**facts, **({"asked": act.given | reason} if act.given or reason else {})},
            )
        )
        log.info(
            "act of an operator",
            act=number,
            action=act.action,
            document=act.document,
            by=wish.by,
            dry_run=wish.is_dry_run,
            result=result,
        )
        return number


async def _tried(work: Callable[[], Awaitable[Outcome]]) -> tuple[Outcome, StoreError | None]:
    """Return what is to be kept of an attempt, and what is to be raised after that."""
    try:
        outcome = await work()
    except _REFUSALS as error:
        return Outcome(REFUSED, {"because": str(error)}), error
    except _UNAVAILABLE as error:
        return Outcome(FAILED, {"because": str(error)}), error
    except StoreError as error:
        # It was tried, and this document cannot: an outcome like others.
        return Outcome(FAILED, {"because": str(error)}), None
    return outcome, None
