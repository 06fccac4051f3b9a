"""Looks after the sessions in use: ends what is over, asks again about what may be."""

import asyncio
from collections.abc import Callable

import structlog

from relay.auth.grants import AdmissionRefused, Authority, DeciderUnavailable, Unauthorized
from relay.auth.live_sessions import Judged, LiveSession, LiveSessions
from relay.background import Background
from relay.granted_sessions import OVER, GrantedSessions
from relay.limits import ASK_AGAIN_AHEAD_S, ASK_AGAIN_CONCURRENT_MAX
from yjs_store import StoreError

log = structlog.get_logger("relay.admission")

_AHEAD_MS = int(ASK_AGAIN_AHEAD_S * 1000)


class Upkeep:
    """What is done about the sessions of connections at each tick."""

    def __init__(
        self,
        authority: Authority,
        live: LiveSessions,
        granted: GrantedSessions,
        background: Background,
        clock_ms: Callable[[], int],
    ) -> None:
        self._authority = authority
        self._live = live
        self._granted = granted
        self._background = background
        self._clock_ms = clock_ms
        self._asking = asyncio.Semaphore(ASK_AGAIN_CONCURRENT_MAX)

    def tick(self) -> None:
        """Close what has expired, and ask again about what soon will or may have changed."""
        self._authority.refresh()
        now_ms = self._clock_ms()
        for live in self._live.all():
            is_stale = live.judged.version != self._authority.version
            is_unknown = live.judged.token is None
            if live.session.expires_ms <= now_ms:
                self._close(live, live.unavailable or Unauthorized("the session has expired"))
            elif is_stale and is_unknown:
                # It cannot be asked whether what is behind the ticket still counts.
                self._close(live, Unauthorized(OVER))
                self._background.spawn(self._granted.end(live.session.session_id))
            elif not is_unknown and (is_stale or live.session.expires_ms - now_ms <= _AHEAD_MS):
                self._ask_again(live)

    def _close(self, live: LiveSession, refusal: AdmissionRefused) -> None:
        self._live.end([live.session.session_id], refusal)

    def _ask_again(self, live: LiveSession) -> None:
        if not live.is_asked_about:
            live.is_asked_about = True
            self._background.spawn(self._judge_again(live))

    async def _judge_again(self, live: LiveSession) -> None:
        session, before = live.session, live.judged
        token, version = before.token, self._authority.version
        assert token is not None, "there is something to ask about"
        try:
            async with self._asking:
                grant = await self._authority.judge(token, session.document)
            if grant.user != session.user:
                raise Unauthorized("the credential is of another user now")
            if live.judged is before:  # else it was renewed meanwhile, and that counts
                renewed = await self._granted.bring_up_to_date(live.session, grant)
                self._live.update(renewed, Judged(token, version))
        except DeciderUnavailable as refusal:
            # It may stay until its end, and is asked about again at each tick.
            live.unavailable = refusal
        except AdmissionRefused as refusal:
            if live.judged is before:
                self._close(live, refusal)
                await self._granted.end(session.session_id)
        except StoreError as error:
            # It was not extended, so it ends at its expiry (P8).
            log.warning("session not extended", session=session.session_id, error=str(error))
        finally:
            live.is_asked_about = False
