"""Asks an authority about credentials of strangers, so that no network of them takes its time.

Whoever decides may be a program of somebody else's (a hook), with a bounded number of places. A
network has a share of them, and one that shows bad credentials all the time is not asked about for
a while. Who was granted something lately is asked about all the same: behind one address there may
be others.
"""

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import NamedTuple, TypeVar

from relay.allowance import Allowance
from relay.auth.credentials import credential_hash
from relay.auth.grants import Authority, Forbidden, Grant, TooManyAsking, Unauthorized
from relay.limits import (
    ASKING_PER_NETWORK_MAX,
    ASKING_WAIT_S,
    ASKING_WAITING_PER_NETWORK_MAX,
    GRANTED_REMEMBERED_MAX,
    NETWORKS_REMEMBERED_MAX,
    REFUSAL_KEPT_S,
    REFUSALS_BURST,
    REFUSALS_PER_S,
    REFUSALS_REMEMBERED_MAX,
)

_Key = TypeVar("_Key")
_Value = TypeVar("_Value")


class _Refused(NamedTuple):
    until_s: float
    version: int
    error: Unauthorized | Forbidden


@dataclass(slots=True)
class _Desk:
    """Where the strangers of one network ask; there is one while somebody does."""

    places: asyncio.Semaphore = field(
        default_factory=lambda: asyncio.Semaphore(ASKING_PER_NETWORK_MAX)
    )
    asking: int = 0


class Strangers:
    """Judges credentials by an authority; ``clock_s`` only moves forward."""

    def __init__(self, authority: Authority, clock_s: Callable[[], float]) -> None:
        self._authority = authority
        self._clock_s = clock_s
        self._desks: dict[str, _Desk] = {}
        self._refusals: OrderedDict[str, Allowance] = OrderedDict()
        self._refused: OrderedDict[tuple[bytes, str | None], _Refused] = OrderedDict()
        self._granted: OrderedDict[bytes, None] = OrderedDict()

    async def judge(self, credential: str, document: str | None, network: str) -> Grant:
        """See Authority.judge; ``network`` is whom the one who asks is counted for.

        A refusal counts for REFUSAL_KEPT_S without being asked for again, unless what the
        authority decides by has changed.

        Raises:
            TooManyAsking: the authority was not asked; it may be later.
        """
        shown = credential_hash(credential)
        self._check(shown, document, network)
        async with self._place(network):
            # While this waited, others were told.
            self._check(shown, document, network)
            version = self._authority.version
            try:
                grant = await self._authority.judge(credential, document)
            except (Unauthorized, Forbidden) as error:
                self._note_refusal(shown, document, network, version, error)
                raise
        _remember(self._granted, shown, None, GRANTED_REMEMBERED_MAX)
        return grant

    def _check(self, shown: bytes, document: str | None, network: str) -> None:
        self._check_refused(shown, document)
        if shown not in self._granted:
            self._check_network(network)

    def _check_refused(self, shown: bytes, document: str | None) -> None:
        refused = self._refused.get((shown, document))
        if refused is None:
            return
        if self._clock_s() < refused.until_s and refused.version == self._authority.version:
            raise type(refused.error)(str(refused.error))
        del self._refused[shown, document]

    def _check_network(self, network: str) -> None:
        allowance = self._refusals.get(network)
        if allowance is not None and allowance.take(0.0, self._clock_s()) > 0:
            raise TooManyAsking("too many bad credentials from this address")

    def _note_refusal(
        self,
        shown: bytes,
        document: str | None,
        network: str,
        version: int,
        error: Unauthorized | Forbidden,
    ) -> None:
        # Who is let into one document may ask for thousands of others.
        self._granted.pop(shown, None)
        now_s = self._clock_s()
        refused = _Refused(now_s + REFUSAL_KEPT_S, version, error)
        _remember(self._refused, (shown, document), refused, REFUSALS_REMEMBERED_MAX)
        allowance = self._refusals.get(network)
        if allowance is None:
            allowance = Allowance(REFUSALS_PER_S, REFUSALS_BURST, now_s)
        allowance.take(1.0, now_s)
        _remember(self._refusals, network, allowance, NETWORKS_REMEMBERED_MAX)

    @asynccontextmanager
    async def _place(self, network: str) -> AsyncIterator[None]:
        """Have one of the places of a network for the length of a block."""
        desk = self._desks.setdefault(network, _Desk())
        if desk.asking >= ASKING_WAITING_PER_NETWORK_MAX:
            raise TooManyAsking("too many from this address are asking to be let in")
        desk.asking += 1
        try:
            await _take_place(desk.places)
            try:
                yield
            finally:
                desk.places.release()
        finally:
            desk.asking -= 1
            if not desk.asking:
                del self._desks[network]


async def _take_place(places: asyncio.Semaphore) -> None:
    try:
        async with asyncio.timeout(ASKING_WAIT_S):
            await places.acquire()
    except TimeoutError:
        raise TooManyAsking("others from this address are still asking to be let in") from None


def _remember(table: OrderedDict[_Key, _Value], key: _Key, value: _Value, bound: int) -> None:
    """Put in what is newest; what was put in or used longest ago goes."""
    table[key] = value
    table.move_to_end(key)
    if len(table) > bound:
        table.popitem(last=False)
