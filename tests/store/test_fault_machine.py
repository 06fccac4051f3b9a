"""A real store whose storage fails now and then, against a plain model of what was acknowledged.

Updates of any size come, storage refuses a few calls of any kind, checkpoints are asked for or
come by themselves, breakers open and close, and the store is reopened or crashes. Whatever was
acknowledged is there; what was not is there as a whole or not at all; and once storage works
again everything goes on without a restart.
"""

import asyncio
import shutil
import tempfile
from collections.abc import Awaitable
from contextlib import AsyncExitStack
from pathlib import Path
from unittest import mock

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from yjs_store import (
    CheckpointPolicy,
    Damaged,
    Store,
    StoreBusy,
    StoreError,
    StoreFailing,
    StoreFull,
    StoreUnavailable,
    document,
    retrying,
)
from yjs_store.breaker import Breaker, BreakerState

from .crashes import Model, check_gapless, copy_files, load_all, shows
from .editing import Editor
from .stores import Failing, WatchedBackend, store_over

NAMES = ("a", "b")
ROW_BYTES_MAX = 600
POLICY = CheckpointPolicy(rows_max=4, rows_per_snapshot_mib=0, bytes_min=1 << 20)
WRITES = ("append", "stage", "load_staged", "publish", "discard", "trim")
ERRORS = (StoreFull("no room"), StoreBusy("locked"), StoreFailing("I/O error"))


class FaultMachine(RuleBasedStateMachine):
    """One store, two documents."""

    def __init__(self) -> None:
        super().__init__()
        self.patches = AsyncExitStack()
        self.directory = Path(tempfile.mkdtemp())
        self.runner = asyncio.Runner()
        for module, name, value in (
            (document, "JOURNAL_ROW_BYTES_MAX", ROW_BYTES_MAX),
            (retrying, "RETRY_FIRST_S", 0.0),
            (retrying, "RETRY_MAX_S", 0.0),
        ):
            self.patches.enter_context(mock.patch.object(module, name, value))
        self.editors = {name: Editor(7) for name in NAMES}
        self.acknowledged: dict[str, list[bytes]] = {name: [] for name in NAMES}
        self.oversized = dict.fromkeys(NAMES, 0)
        self.copies = 0
        self.path = self.directory / "0.db"
        self.exits: AsyncExitStack
        self.backend: WatchedBackend
        self.store: Store
        self.run(self.open())

    def run(self, work: Awaitable[None]) -> None:
        async def wait() -> None:
            await work

        self.runner.run(wait())

    async def open(self) -> None:
        self.exits = AsyncExitStack()
        self.backend = WatchedBackend(self.path)
        self.store = await self.exits.enter_async_context(store_over(self.backend, POLICY))

    def model(self) -> Model:
        return {name: list(updates) for name, updates in self.acknowledged.items() if updates}

    def mend(self) -> None:
        for hook in self.backend.before.values():
            assert isinstance(hook, Failing)
            hook.mend()

    # ---- what happens -----------------------------------------------------------------------

    @rule(
        name=st.sampled_from(NAMES),
        length=st.sampled_from([1, 1, 1, 50, ROW_BYTES_MAX, 3 * ROW_BYTES_MAX]),
    )
    def append(self, name: str, length: int) -> None:
        update = self.editors[name].write("x" * length)
        self.run(self.hand_in(name, update))
        self.oversized[name] += len(update) > ROW_BYTES_MAX

    async def hand_in(self, name: str, update: bytes) -> None:
        """However storage fails, an update is stored in the end or refused aloud (P8)."""
        async with asyncio.timeout(20):
            while True:
                try:
                    await self.store.append(name, update)
                except Damaged:
                    # A large one whose candidate was damaged: its sender comes back with it.
                    assert self.is_failing
                else:
                    break
        self.acknowledged[name].append(update)

    @property
    def is_failing(self) -> bool:
        hooks = self.backend.before.values()
        return any(isinstance(hook, Failing) and hook.count for hook in hooks)

    @rule(name=st.sampled_from(NAMES), erased=st.integers(1, 5))
    def erase(self, name: str, erased: int) -> None:
        editor = self.editors[name]
        if len(editor.text) >= erased:
            self.run(self.hand_in(name, editor.erase(0, erased)))

    @rule(
        intent=st.sampled_from(WRITES),
        error=st.sampled_from(ERRORS),
        times=st.integers(1, 5),
    )
    def storage_fails_for_a_while(self, intent: str, error: StoreError, times: int) -> None:
        self.backend.before[intent] = Failing(error, times)

    @rule(times=st.integers(1, 4))
    def candidates_are_damaged_for_a_while(self, times: int) -> None:
        """Not storage's fault but the document's: its own breaker has to open."""
        self.backend.before["load_staged"] = Failing(Damaged("?", "chunk 0", "this", "that"), times)

    @rule()
    def storage_works_again(self) -> None:
        self.mend()

    @rule(name=st.sampled_from(NAMES))
    def checkpoint(self, name: str) -> None:
        if self.acknowledged[name]:
            self.run(self.ask_for_checkpoint(name))

    async def ask_for_checkpoint(self, name: str) -> None:
        try:
            await self.store.checkpoint(name)
        except (StoreUnavailable, Damaged):
            assert self.is_failing
        else:
            assert self.store.breaker(name) == Breaker()
            assert self.store.store_breaker == Breaker()

    @rule()
    def reopen(self) -> None:
        async def reopen() -> None:
            self.mend()
            await self.exits.aclose()
            check_gapless(self.path)
            await self.open()

        self.run(reopen())

    @rule()
    def crash(self) -> None:
        async def crash() -> None:
            self.copies += 1
            copy = self.directory / f"{self.copies}.db"
            copy_files(self.path, copy)
            self.mend()
            await self.exits.aclose()
            self.path = copy
            await self.open()

        self.run(crash())

    # ---- what holds -------------------------------------------------------------------------

    @invariant()
    def everything_acknowledged_is_there(self) -> None:
        async def look() -> None:
            assert shows(await load_all(self.store), self.model())
            for name in NAMES:
                head = await self.store.head(name)
                if head is not None:
                    assert head.oversized_count == self.oversized[name]

        self.run(look())

    @invariant()
    def a_breaker_that_is_not_closed_says_why(self) -> None:
        async def look() -> None:
            degraded = {each.document for each in self.store.degradations()}
            for name, breaker in (
                (None, self.store.store_breaker),
                *((name, self.store.breaker(name)) for name in NAMES),
            ):
                if breaker.state is not BreakerState.CLOSED:
                    assert name in degraded
                    assert breaker.reason
                assert breaker.failures_in_row < 3 or breaker.state is not BreakerState.CLOSED

        self.run(look())

    def teardown(self) -> None:
        try:
            self.run(self.finish())
        finally:
            self.runner.run(self.patches.aclose())
            self.runner.close()
            shutil.rmtree(self.directory)

    async def finish(self) -> None:
        """Storage works; everything is folded, and nothing is degraded any more."""
        self.mend()
        try:
            for name, updates in self.acknowledged.items():
                if updates:
                    await self.store.checkpoint(name)
            assert self.store.degradations() == []
            assert shows(await load_all(self.store), self.model())
        finally:
            await self.exits.aclose()
        check_gapless(self.path)


TestFaults = FaultMachine.TestCase
TestFaults.settings = settings(max_examples=40, stateful_step_count=25)
