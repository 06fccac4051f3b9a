"""The mode `hook`: somebody else decides, by HTTP or by a Python function; no answer is a no."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, Protocol

import structlog

from relay.auth.grants import (
    AdmissionRefused,
    DeciderUnavailable,
    Grant,
    check_user,
    parse_permission,
)
from relay.auth.outage import Outage
from relay.limits import (
    HOOK_CONCURRENT_MAX,
    HOOK_OUTAGE_LEAST_S,
    HOOK_TTL_S_MAX,
    HOOK_WAITING_MAX,
)

log = structlog.get_logger("relay.auth")


class Decider(Protocol):
    """Whom a hook asks."""

    async def ask(self, credential: str, document: str | None) -> Mapping[str, Any]:
        """Return the answer: user, permission and, if it has an end, ttl_s.

        Raises:
            Unauthorized, Forbidden: the answer is no.
        """

    async def close(self) -> None:
        """Let go of what it holds."""


class HookFailed(Exception):
    """The decider's answer is not one; the text is for the operator, without any secret."""


class Hook:
    """An Authority that asks a decider, a bounded number of times at once.

    That there are no decisions is logged when it begins and when it is over, not for each question.
    """

    needs_credential = True
    version = 0

    def __init__(self, decider: Decider, timeout_s: float, clock_ms: Callable[[], int]) -> None:
        self._decider = decider
        self._timeout_s = timeout_s
        self._clock_ms = clock_ms
        self._slots = asyncio.Semaphore(HOOK_CONCURRENT_MAX)
        self._waiting = 0
        self._outage = Outage(int(HOOK_OUTAGE_LEAST_S * 1000))

    async def judge(self, credential: str, document: str | None) -> Grant:
        """See Authority."""
        if self._waiting >= HOOK_WAITING_MAX:
            raise self._unavailable("too many wait", "too many are asking to be let in")
        self._waiting += 1
        try:
            async with asyncio.timeout(self._timeout_s), self._slots:
                answer = await self._decider.ask(credential, document)
            grant = read_answer(answer, self._clock_ms())
        except AdmissionRefused:
            self._note_decision()
            raise
        except TimeoutError:
            raise self._unavailable("no answer in time") from None
        except HookFailed as error:
            raise self._unavailable(str(error)) from None
        except (Exception, SystemExit) as error:  # noqa: BLE001
            # Whatever a decider raises, nobody is let in by it, and sys.exit() does not end the
            # server. Its text is not logged: it may hold the credential.
            raise self._unavailable(f"it raised {type(error).__name__}") from None
        finally:
            self._waiting -= 1
        self._note_decision()
        return grant

    def _note_decision(self) -> None:
        refused = self._outage.note_success(self._clock_ms())
        if refused is not None:
            log.info("the hook decides again", refused=refused)

    def _unavailable(
        self, because: str, told: str = "who decides about admission does not answer"
    ) -> DeciderUnavailable:
        is_first = self._outage.note_failure(self._clock_ms())
        say = log.error if is_first else log.debug
        say("no decisions from the hook, so nobody is let in", because=because)
        return DeciderUnavailable(told)

    def refresh(self) -> None:
        """See Authority."""

    async def close(self) -> None:
        """See Authority."""
        await self._decider.close()


def read_answer(answer: Mapping[str, Any], now_ms: int) -> Grant:
    """Return the grant that a decider's answer stands for.

    Raises:
        HookFailed: it is not understood.
    """
    try:
        ttl_s = answer.get("ttl_s")
        return Grant(
            check_user(answer.get("user")),
            parse_permission(answer.get("permission")),
            None if ttl_s is None else now_ms + _milliseconds(ttl_s),
        )
    except ValueError as error:
        raise HookFailed(f"its answer is not understood: {error}") from None


def _milliseconds(ttl_s: Any) -> int:
    # A bool is an int in Python, and in no answer that was meant.
    is_number = isinstance(ttl_s, int | float) and not isinstance(ttl_s, bool)
    if is_number and 0 < ttl_s <= HOOK_TTL_S_MAX:
        return int(ttl_s * 1000)
    raise ValueError(f"ttl_s is a number of seconds, above 0 and up to {HOOK_TTL_S_MAX}")
