"""How a write that must not fail is tried again while storage does not take it (P8)."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

import structlog
import tenacity

from yjs_store.errors import StoreError, StoreUnavailable
from yjs_store.limits import RETRY_ATTEMPTS_WHEN_CLOSING, RETRY_FIRST_S, RETRY_MAX_S

_Result = TypeVar("_Result")

log = structlog.get_logger("yjs_store.retrying")


@dataclass(slots=True)
class StorageState:
    """Whether storage takes writes; times in seconds of the event loop's clock.

    ``changes`` rises with every change of the others.
    """

    failing_since_s: float | None = None
    failing_because: str | None = None
    failures_in_row: int = 0
    changes: int = 0


class Retrier:
    """Tries until storage takes a write, and keeps the state that an operator sees."""

    def __init__(self, what: str, state: StorageState) -> None:
        self.state = state
        self.is_closing = False
        self._what = what

    async def run(self, write: Callable[[], Awaitable[_Result]]) -> _Result:
        """Return what ``write`` returns, trying again with backoff after StoreUnavailable.

        Raises:
            StoreUnavailable: the store is being closed and the last attempts failed too.
        """
        try:
            # The way of every good day, without the price of the machinery below.
            return await write()
        except StoreUnavailable as error:
            self._note_failure(error, 1)
        async for attempt in tenacity.AsyncRetrying(
            retry=tenacity.retry_if_exception_type(StoreUnavailable),
            wait=tenacity.wait_exponential_jitter(
                multiplier=RETRY_FIRST_S, max=RETRY_MAX_S, jitter=RETRY_FIRST_S
            ),
            stop=self._stop_when_closing,
            after=self._note_attempt,
            reraise=True,
        ):
            with attempt:
                try:
                    result = await write()
                except StoreUnavailable:
                    raise
                except StoreError:
                    # Storage has answered, if only with a refusal.
                    self._note_success()
                    raise
                self._note_success()
                return result
        raise AssertionError("the retrying ends by returning or raising")

    def _stop_when_closing(self, state: tenacity.RetryCallState) -> bool:
        # A store that is closed while its disk fails gives up aloud: nobody had a receipt.
        return self.is_closing and state.attempt_number >= RETRY_ATTEMPTS_WHEN_CLOSING

    def _note_attempt(self, state: tenacity.RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome else None
        self._note_failure(error, state.attempt_number + 1)

    def _note_failure(self, error: BaseException | None, failures: int) -> None:
        if self.state.failing_since_s is None:
            self.state.failing_since_s = asyncio.get_running_loop().time()
            log.error("storage is failing; edits wait", what=self._what, error=str(error))
        self.state.failing_because = str(error)
        self.state.failures_in_row = failures
        self.state.changes += 1

    def _note_success(self) -> None:
        log.info("storage works again", what=self._what, failures=self.state.failures_in_row)
        self.state.failing_since_s = None
        self.state.failing_because = None
        self.state.failures_in_row = 0
        self.state.changes += 1
