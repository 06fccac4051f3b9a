"""Does what an operator wants to a store that no server has, by the acts of the admin routes."""

import asyncio
import contextlib
from collections.abc import Iterator
from typing import Any, Final, cast

import click

from relay.admin import people_acts
from relay.admin.act import FAILED, Act, Outcome
from relay.admin.answering import outcome_facts
from relay.admin.performing import Performer, Wish
from relay.admin.seam import ActableStore, AuditBook, NoRooms
from relay.admin.table import document_act, store_act
from relay.clock import now_ms
from relay.terminal import printable
from yjs_store import (
    AuditRecord,
    Breaker,
    CheckpointPolicy,
    Head,
    Order,
    Store,
    StoredObservation,
    Switch,
    checkpoint_due,
    observe_stored,
    open_store,
)

_PAGE: Final = 1000
_ENTRY_ACTS: Final = {"release": people_acts.release, "discard": people_acts.discard}


async def perform_or_end(act: Act, book: AuditBook, by: str) -> Outcome:
    """Carry an act out and keep it, for a command that tells of it in its own words.

    Raises:
        ClickException: it was tried, and failed; that is kept.
        StoreError: as ``Performer.perform``.
    """
    outcome = await Performer(book, now_ms).perform(act, Wish(by))
    if outcome.result == FAILED:
        raise click.ClickException(printable(str(outcome.facts.get("because"))))
    return outcome


@contextlib.contextmanager
def file_operator(url: str, policy: CheckpointPolicy, by: str) -> Iterator["FileOperator"]:
    """Act on a store by its file; it is only opened, and kept open, for what changes something."""
    with asyncio.Runner() as runner:
        opened = contextlib.AsyncExitStack()
        try:
            yield FileOperator(runner, opened, url, policy, by)
        finally:
            runner.run(opened.aclose())


class FileOperator:
    """Acts on a store that no server has. A dry run only reads, also beside a server."""

    def __init__(
        self,
        runner: asyncio.Runner,
        opened: contextlib.AsyncExitStack,
        url: str,
        policy: CheckpointPolicy,
        by: str,
    ) -> None:
        self._runner = runner
        self._opened = opened
        self._url = url
        self._policy = policy
        self._by = by
        self._store: Store | None = None

    def act(
        self, action: str, document: str | None, *, is_dry_run: bool, reason: str | None = None
    ) -> dict[str, Any]:
        """See Operator.act."""
        wish = Wish(self._by, is_dry_run, reason)
        return self._runner.run(
            self._look(action, document, wish) if is_dry_run else self._do(action, document, wish)
        )

    def act_on_entry(self, action: str, number: int) -> dict[str, Any]:
        """See Operator.act_on_entry."""
        return self._runner.run(self._do_to_entry(action, number))

    def due(self) -> list[str]:
        """See Operator.due."""
        return self._runner.run(self._due())

    async def _look(self, action: str, document: str | None, wish: Wish) -> dict[str, Any]:
        async with observe_stored(self._url, now_ms) as observation:
            switch = (await observation.store_facts()).read_only
            # Of an act that is only looked at, nothing but what this has is asked.
            store = cast("ActableStore", _Looked(observation, switch))
            return await _performed(store, Performer(_NoBook(), now_ms), action, document, wish)

    async def _do(self, action: str, document: str | None, wish: Wish) -> dict[str, Any]:
        store = await self._open()
        return await _performed(store, Performer(store, now_ms), action, document, wish)

    async def _do_to_entry(self, action: str, number: int) -> dict[str, Any]:
        store = await self._open()
        act = await _ENTRY_ACTS[action](store.quarantine, number)
        wish = Wish(self._by)
        return outcome_facts(act, wish, await Performer(store, now_ms).perform(act, wish))

    async def _open(self) -> Store:
        if self._store is None:
            async with observe_stored(self._url, now_ms):
                # Opening would make one where there is none.
                pass
            opening = open_store(self._url, policy=self._policy, scrub_bytes_per_s=0)
            self._store = await self._opened.enter_async_context(opening)
        return self._store

    async def _due(self) -> list[str]:
        found: list[str] = []
        after: str | None = None
        async with observe_stored(self._url, now_ms) as observation:
            while True:
                page = await observation.documents("", after, _PAGE, Order.NAME, trouble_only=False)
                # Of what is damaged `check` tells.
                heads = [entry.head for entry in page.documents if entry.head is not None]
                found += [head.name for head in heads if self._is_due(head)]
                after = page.following
                if after is None:
                    return found

    def _is_due(self, head: Head) -> bool:
        return head.deleted_ms is None and checkpoint_due(head, self._policy) is not None


async def _performed(
    store: ActableStore, performer: Performer, action: str, document: str | None, wish: Wish
) -> dict[str, Any]:
    if document is None:
        act = store_act(action, store, wish)
    else:
        act = document_act(action, store, NoRooms(), document, wish)
    return outcome_facts(act, wish, await performer.perform(act, wish))


class _Looked:
    """What acts look at of a store that is not opened here; see ActableStore."""

    def __init__(self, observation: StoredObservation, switch: Switch | None) -> None:
        self.observation = observation
        self._switch = switch

    async def head(self, name: str) -> Head | None:
        return await self.observation.head(name)

    def breaker(self, _: str) -> Breaker:
        # Breakers are a process's, and whoever opens the store begins with closed ones.
        return Breaker()

    def read_only(self, _: None) -> Switch | None:
        return self._switch


class _NoBook:
    """A dry run on a store that is not opened cannot be kept in it."""

    async def audit(self, _: AuditRecord) -> int:
        return 0
