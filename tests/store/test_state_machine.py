"""A real store against a plain model: the updates that were acknowledged, document by document.

Updates arrive in order or not, once or twice, alone or in rounds; documents are folded, trimmed,
deleted and forgotten; the store is reopened, and crashes at any statement of any of this. Then
what was acknowledged is there, what was under way is there as a whole or not at all, and the
journal has no gaps.
"""

import asyncio
import shutil
import tempfile
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

from yjs_store import DocumentDeleted, DocumentMissing, Store
from yjs_store.backends.sqlite import SqliteBackend
from yjs_store.format import check_head
from yjs_store.records import Head, SealedHead

from .crashes import Model, check_gapless, check_tidy, copy_files, load_all, shows
from .editing import Editor, has_y_py, read, read_with_y_py
from .histories import CLIENT_IDS, EDITS
from .stores import Recorder, store_over

NAMES = ("a", "b")


@dataclass
class Life:
    """One life of a document: who edits it, what has yet to arrive, what was acknowledged."""

    editors: list[Editor] = field(
        default_factory=lambda: [Editor(client_id) for client_id in CLIENT_IDS[1:]]
    )
    to_come: list[bytes] = field(default_factory=list)
    acknowledged: list[bytes] = field(default_factory=list)
    is_deleted: bool = False

    @property
    def is_there(self) -> bool:
        return bool(self.acknowledged) and not self.is_deleted


@dataclass
class Step:
    """One act on the store, and what it does to the model when it is done."""

    act: Callable[[Store], Awaitable[object]]
    apply: Callable[[], object] = lambda: None
    undo: Callable[[], object] = lambda: None


async def hand_in(
    store: Store, deleted: set[str], arriving: list[tuple[str, bytes]], *, repeats: bool
) -> None:
    """Submit within one turn of the loop; all is answered, and what can be stored is stored."""
    recorder = Recorder()
    async with AsyncExitStack() as stack:
        documents = {}
        for name, _ in arriving:
            if name in deleted:
                with pytest.raises(DocumentDeleted):
                    await store.open_document(name)
            else:
                documents[name] = await stack.enter_async_context(store.document(name))
        submitted = [(name, update) for name, update in arriving if name in documents]
        for name, update in submitted:
            documents[name].submit(update, recorder, repeats=repeats)
        await store.wait_settled()
    assert recorder.refusals == []
    assert len(recorder.receipts) == len(submitted)


is_asked_for: ContextVar[bool] = ContextVar("is_asked_for", default=False)


class RepeatableBackend(SqliteBackend):
    """Trims when a step asks, never beside it, so that the same steps are the same statements."""

    async def trim(self, check: Callable[[SealedHead], Head]) -> bool:
        return is_asked_for.get() and await super().trim(check)


async def asked_for(act: Awaitable[object]) -> None:
    token = is_asked_for.set(True)
    try:
        await act
    finally:
        is_asked_for.reset(token)


class OrderedStoreMachine(RuleBasedStateMachine):
    """Each update arrives after what it builds on."""

    arrives_in_order = True

    def __init__(self) -> None:
        super().__init__()
        self.directory = Path(tempfile.mkdtemp())
        self.runner = asyncio.Runner()
        self.lives = {name: Life() for name in NAMES}
        self.path = self.directory / "0.db"
        self.crashes = 0
        self.countdown: int | None = None
        self.exits: AsyncExitStack
        self.backend: SqliteBackend
        self.store: Store
        self.run(self.open())

    def run(self, work: Awaitable[object]) -> None:
        async def wait() -> None:
            await work

        self.runner.run(wait())

    async def open(self) -> None:
        self.exits = AsyncExitStack()
        self.backend = RepeatableBackend(self.path, on_statement=self.note_statement)
        self.store = await self.exits.enter_async_context(store_over(self.backend))

    async def close(self) -> None:
        await self.exits.aclose()
        check_gapless(self.path)

    def note_statement(self, _: str) -> None:
        """Called in the writer's thread before each statement."""
        if self.countdown is None:
            return
        if self.countdown == 0:
            copy_files(self.path, self.next_path)
        self.countdown -= 1

    @property
    def next_path(self) -> Path:
        return self.directory / f"{self.crashes + 1}.db"

    def do(self, step: Step, crash_after: int | None) -> None:
        """Take a step; with a number, crash before that statement of it, or after its last."""
        if crash_after is None:
            self.run(asked_for(step.act(self.store)))
            step.apply()
            return
        before = self.model()
        self.countdown = crash_after
        self.run(asked_for(step.act(self.store)))
        was_stopped, self.countdown = self.countdown < 0, None
        if not was_stopped:
            copy_files(self.path, self.next_path)
        step.apply()
        self.run(self.crash(step, before if was_stopped else None))

    async def crash(self, step: Step, before: Model | None) -> None:
        """Go on with the files that the crash left."""
        await self.exits.aclose()
        self.path = self.next_path
        self.crashes += 1
        await self.open()
        shown = await load_all(self.store)
        if shows(shown, self.model(), reads=self.arrives_in_order):
            return
        assert before is not None, "everything was acknowledged"
        assert shows(shown, before, reads=self.arrives_in_order), (
            "what was under way is there as a whole or not at all"
        )
        step.undo()

    def model(self) -> Model:
        return {
            name: None if life.is_deleted else list(life.acknowledged)
            for name, life in self.lives.items()
            if life.is_deleted or life.acknowledged
        }

    # ---- people edit ------------------------------------------------------------------------

    numbers = st.integers(0, 99)
    edits = st.lists(
        st.tuples(st.integers(0, 1), st.integers(0, len(EDITS) - 1), numbers, numbers),
        min_size=1,
        max_size=4,
    )

    def edit(self, name: str, edits: list[tuple[int, int, int, int]]) -> None:
        life = self.lives[name]
        for who, what, a, b in edits:
            editor = life.editors[who]
            before = len(editor.updates)
            EDITS[what](editor, a, b)
            life.to_come += editor.updates[before:]

    @rule(name=st.sampled_from(NAMES), who=st.integers(0, 1))
    def see_the_other(self, name: str, who: int) -> None:
        editors = self.lives[name].editors
        editors[who].see([editors[1 - who].state])

    # ---- updates arrive ---------------------------------------------------------------------

    def arrival(self, arriving: list[tuple[str, int]], repeats: bool) -> Step:
        """Take updates from what is to come, and hand them in within one turn of the loop."""
        taken: list[tuple[str, Life, int, bytes]] = []
        for name, wish in arriving:
            life = self.lives[name]
            if life.to_come:
                index = 0 if self.arrives_in_order else wish % len(life.to_come)
                taken.append((name, life, index, life.to_come.pop(index)))

        async def act(store: Store) -> None:
            await hand_in(
                store,
                {name for name, life, *_ in taken if life.is_deleted},
                [(name, update) for name, *_, update in taken],
                repeats=repeats,
            )

        def apply() -> None:
            for _, life, _, update in taken:
                if not life.is_deleted:
                    life.acknowledged.append(update)

        def undo() -> None:
            for _, life, index, update in reversed(taken):
                if not life.is_deleted:
                    life.acknowledged.pop()
                    life.to_come.insert(index, update)

        return Step(act, apply, undo)

    crash_points = st.none() | st.integers(0, 4) | st.integers(0, 20)
    places = st.tuples(st.sampled_from(NAMES), edits, numbers)

    @rule(place=places, repeats=st.booleans(), crash_after=crash_points)
    def append(
        self,
        place: tuple[str, list[tuple[int, int, int, int]], int],
        repeats: bool,
        crash_after: int | None,
    ) -> None:
        name, edits, wish = place
        self.edit(name, edits)
        self.do(self.arrival([(name, wish)], repeats), crash_after)

    @rule(arriving=st.lists(places, min_size=2, max_size=6), crash_after=crash_points)
    def append_a_round(
        self,
        arriving: list[tuple[str, list[tuple[int, int, int, int]], int]],
        crash_after: int | None,
    ) -> None:
        for name, edits, _ in arriving:
            self.edit(name, edits)
        step = self.arrival([(name, wish) for name, _, wish in arriving], repeats=False)
        self.do(step, crash_after)

    @rule(name=st.sampled_from(NAMES), index=numbers, repeats=st.booleans())
    def append_again(self, name: str, index: int, repeats: bool) -> None:
        life = self.lives[name]
        if life.is_there:
            update = life.acknowledged[index % len(life.acknowledged)]
            life.to_come.insert(0, update)
            self.do(self.arrival([(name, 0)], repeats), None)

    # ---- the store is kept ------------------------------------------------------------------

    # No preconditions: what a crash leaves may differ from run to run.

    def pick(self, index: int, *, deleted: bool = False) -> str | None:
        names = [
            name
            for name, life in self.lives.items()
            if (life.is_deleted if deleted else life.is_there)
        ]
        return names[index % len(names)] if names else None

    @rule(index=numbers, crash_after=crash_points)
    def checkpoint(self, index: int, crash_after: int | None) -> None:
        name = self.pick(index)
        if name is None:
            return

        async def act(store: Store) -> None:
            await store.checkpoint(name)
            head = await store.head(name)
            assert head is not None
            assert head.journal_rows == 0

        self.do(Step(act), crash_after)

    @rule(name=st.sampled_from(NAMES))
    def checkpoint_what_is_not_there(self, name: str) -> None:
        life = self.lives[name]
        if not life.is_there:

            async def act() -> None:
                with pytest.raises(DocumentDeleted if life.is_deleted else DocumentMissing):
                    await self.store.checkpoint(name)

            self.run(act())

    @rule(index=numbers, crash_after=crash_points)
    def delete(self, index: int, crash_after: int | None) -> None:
        name = self.pick(index)
        if name is None:
            return
        life = self.lives[name]

        def set_deleted(value: bool) -> None:
            life.is_deleted = value

        self.do(
            Step(
                lambda store: store.delete(name),
                lambda: set_deleted(True),
                lambda: set_deleted(False),
            ),
            crash_after,
        )

    @rule(index=numbers, crash_after=crash_points)
    def forget(self, index: int, crash_after: int | None) -> None:
        name = self.pick(index, deleted=True)
        if name is None:
            return
        life = self.lives[name]
        self.do(
            Step(
                lambda store: store.forget(name),
                lambda: self.lives.update({name: Life()}),
                lambda: self.lives.update({name: life}),
            ),
            crash_after,
        )

    @rule(crash_after=crash_points)
    def trim(self, crash_after: int | None) -> None:
        async def act(_: Store) -> None:
            while await self.backend.trim(check_head):
                pass

        self.do(Step(act), crash_after)

    @rule()
    def reopen(self) -> None:
        self.run(self.close())
        self.run(self.open())

    # ---- it is looked at --------------------------------------------------------------------

    @rule(name=st.sampled_from(NAMES))
    def load(self, name: str) -> None:
        life = self.lives[name]

        async def check() -> None:
            if not life.is_there:
                with pytest.raises(DocumentDeleted if life.is_deleted else DocumentMissing):
                    await self.store.load(name)
                return
            async with self.store.document(name) as document:
                live = document.diff(b"\x00")
            for everything in (live, await self.store.load(name)):
                model: Model = {name: life.acknowledged}
                assert shows({name: everything}, model, reads=self.arrives_in_order)

        self.run(check())

    def teardown(self) -> None:
        try:
            self.run(self.finish())
        finally:
            self.runner.close()
            shutil.rmtree(self.directory)

    async def finish(self) -> None:
        """Let everything arrive; then everybody sees the same, whoever decodes it."""
        try:
            for name, life in self.lives.items():
                if life.is_deleted:
                    continue
                for update in life.to_come:
                    await self.store.append(name, update)
                life.acknowledged += life.to_come
                if life.is_there:
                    await self.store.checkpoint(name)
                    everything = await self.store.load(name)
                    complete = Editor(1)
                    complete.see([editor.state for editor in life.editors])
                    assert read(everything) == complete.read()
                    # y-py 0.6 panics on some that arrived otherwise.
                    if self.arrives_in_order and has_y_py():
                        assert read_with_y_py(everything) == complete.read()
            check_gapless(self.path)
        finally:
            await self.exits.aclose()
        backend = SqliteBackend(self.path)
        async with store_over(backend) as store:
            while await backend.trim(check_head):
                pass
            check_tidy(self.path)
            assert shows(await load_all(store), self.model())


class StoreMachine(OrderedStoreMachine):
    """Updates arrive in any order."""

    arrives_in_order = False


PROFILE = settings(max_examples=100, stateful_step_count=25)

TestInOrder = OrderedStoreMachine.TestCase
TestInOrder.settings = PROFILE

TestInAnyOrder = StoreMachine.TestCase
TestInAnyOrder.settings = PROFILE
