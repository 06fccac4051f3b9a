"""Who may look at the debug endpoint and the metrics.

Everybody who reaches a server that asks nobody for a credential, unless there is a token for
observers; otherwise who is an administrator, whether or not the admin routes are on, or holds the
token for observers, which is good for nothing else.
"""

import functools
import ipaddress
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple
from urllib.parse import urlsplit

from starlette.requests import Request

from relay.admin_gate import READABLE as ADMIN_READABLE
from relay.auth.credentials import credential_hash, http_credential
from relay.auth.grants import Authority, Forbidden, Unauthorized
from relay.auth.origins import is_loopback
from relay.auth.strangers import Strangers
from relay.http_answers import requester
from relay.limits import OBSERVER_REMEMBERED_S, OBSERVERS_REMEMBERED_MAX
from relay.token_file import TokenFile
from yjs_store import Permission

ANYBODY: Final = "anybody"


@dataclass(frozen=True, slots=True)
class Observer:
    """Who looks; ``is_admin`` when the admin routes would take their credential."""

    by: str
    is_admin: bool


class _Judged(NamedTuple):
    """``observer`` is None when the credential counts, but not for this."""

    until_s: float
    version: int
    observer: Observer | None


class ObserverGate:
    """Knows who may look from who may not."""

    def __init__(
        self,
        authority: Authority,
        admin_token_file: Path | None,
        observer_token_file: Path | None,
        clock_s: Callable[[], float],
        *,
        is_for_everybody: bool = False,
        strangers: Strangers | None = None,
    ) -> None:
        """Read the files; ``is_for_everybody`` when that was said aloud, for any name of ours.

        ``strangers`` are those of Admission.

        Raises:
            ConfigError: a file cannot be used.
        """
        self._authority = authority
        self._strangers = strangers or Strangers(authority, clock_s)
        self._clock_s = clock_s
        self._is_for_everybody = is_for_everybody
        self._admin = (
            None if admin_token_file is None else TokenFile(admin_token_file, ADMIN_READABLE)
        )
        self._observer = (
            None
            if observer_token_file is None
            else TokenFile(
                observer_token_file, "whoever reads it may look at every document's state"
            )
        )
        self._is_open = self._observer is None and not authority.needs_credential
        # A poller is judged once in a while, not each time; by the hash of what it shows.
        self._judged: OrderedDict[bytes, _Judged] = OrderedDict()

    def refresh(self) -> None:
        """Look whether the files have changed; called every few seconds."""
        for file in (self._admin, self._observer):
            if file is not None:
                file.refresh()

    async def check(self, request: Request) -> str:
        """Return who looks.

        Raises:
            AdmissionRefused: they may not.
        """
        return (await self.recognise(request)).by

    async def recognise(self, request: Request) -> Observer:
        """Return who looks, and whether they are an administrator.

        Raises:
            AdmissionRefused: they may not.
        """
        is_guarded = self._is_open and not self._is_for_everybody
        if is_guarded and not _is_our_host(request.headers.get("host", "")):
            raise Forbidden("ask by address or as localhost, or let a token be asked for")
        credential = http_credential(request.headers.raw)
        if credential is None:
            if self._is_open:
                return Observer(ANYBODY, is_admin=False)
            raise Unauthorized("a credential is needed")
        shown = credential_hash(credential.text)
        if self._admin is not None and self._admin.holds(shown):
            return Observer("the holder of the admin token", is_admin=True)
        if self._observer is not None and self._observer.holds(shown):
            return Observer("the holder of the observer token", is_admin=False)
        if self._authority.needs_credential:
            return await self._judge(request, credential.text, shown)
        if self._is_open:
            return Observer(ANYBODY, is_admin=False)
        raise Unauthorized("the token is not valid")

    async def _judge(self, request: Request, text: str, shown: bytes) -> Observer:
        known = self._judged.get(shown)
        version = self._authority.version
        if known is None or known.until_s <= self._clock_s() or known.version != version:
            grant = await self._strangers.judge(text, None, requester(request))
            is_admin = grant.permission.allows(Permission.ADMIN)
            observer = Observer(grant.user, is_admin=True) if is_admin else None
            known = _Judged(self._clock_s() + OBSERVER_REMEMBERED_S, version, observer)
            self._judged[shown] = known
            self._judged.move_to_end(shown)
            if len(self._judged) > OBSERVERS_REMEMBERED_MAX:
                self._judged.popitem(last=False)
        if known.observer is None:
            raise Forbidden("this needs the permission admin for every document")
        return known.observer


@functools.lru_cache(maxsize=64)
def _is_our_host(host: str) -> bool:
    """Say whether a Host header names this computer, or an address.

    Any other name may have been bound to our address by a web page, which would then be of our own
    origin: a browser sends no Origin with what such a page asks for. An address cannot be rebound.
    """
    try:
        name = urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return False
    if is_loopback(name):
        return True
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
