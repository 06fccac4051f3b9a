"""Sessions in any order of calls, with restarts in between, against a simple model."""

import asyncio
import tempfile
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from yjs_store import Permission, Session, SessionRefused, Store, open_store, revoke_sessions
from yjs_store.limits import SESSION_KEPT_MS

from .clock import Clock
from .stores import url
from .test_sessions import hash_of, session

IDS = ["1", "2", "3", "4"]
USERS = ["ann", "bob"]
DOCUMENTS = ["notes", "plans"]
CREDENTIALS = ["x", "y"]

Step = tuple[str, tuple[object, ...]]

ids, users, documents = map(st.sampled_from, (IDS, USERS, DOCUMENTS))
lives_ms = st.sampled_from([1, 10, 1000])

STEPS: st.SearchStrategy[Step] = st.one_of(
    st.tuples(
        st.just("start"),
        st.tuples(ids, users, documents, st.none() | st.sampled_from(CREDENTIALS), lives_ms),
    ),
    st.tuples(st.just("extend"), st.tuples(ids, st.sampled_from(Permission), lives_ms)),
    st.tuples(st.just("end"), st.tuples(ids)),
    st.tuples(
        st.sampled_from(["revoke", "revoke elsewhere"]),
        st.one_of(
            st.tuples(ids, st.none(), st.none()),
            st.tuples(st.none(), users, st.none() | documents),
            st.tuples(st.none(), st.none(), documents),
        ),
    ),
    st.tuples(st.just("wait"), st.tuples(st.sampled_from([1, 9, 500, SESSION_KEPT_MS]))),
    st.tuples(st.just("clean"), st.just(())),
    st.tuples(st.just("restart"), st.just(())),
)


@dataclass
class Known:
    """A session as the model has it."""

    session: Session
    credential: str | None
    is_over: bool = False
    over_ms: int = 0

    def ends_ms(self) -> int:
        return (
            min(self.over_ms, self.session.expires_ms) if self.is_over else self.session.expires_ms
        )


class Model:
    """What the sessions must be; ``store`` is compared with it after each step."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._clock = Clock()
        self._known: dict[str, Known] = {}
        self._expected_told: set[str] = set()
        self._told: set[str] = set()
        self._stack = AsyncExitStack()
        self._store: Store

    async def open(self) -> None:
        opened = open_store(url(self._path), clock_ms=self._clock, scrub_bytes_per_s=0)
        self._store = await self._stack.enter_async_context(opened)
        self._store.sessions.watch(self._told.update)

    async def close(self) -> None:
        await self._stack.aclose()

    async def run(self, steps: Sequence[Step]) -> None:
        await self.open()
        try:
            for name, arguments in steps:
                await getattr(self, name.replace(" ", "_"))(*arguments)
                await self._compare()
        finally:
            await self.close()

    def _is_live(self, known: Known) -> bool:
        return not known.is_over and known.session.expires_ms > self._clock.now_ms

    async def start(
        self, session_id: str, user: str, document: str, credential: str | None, life_ms: int
    ) -> None:
        now_ms = self._clock.now_ms
        made = session(
            session_id, now_ms, user=user, document=document, expires_ms=now_ms + life_ms
        )
        credential_hash = None if credential is None else hash_of(credential)
        try:
            await self._store.sessions.start(made, credential_hash)
        except SessionRefused:
            assert session_id in self._known
        else:
            assert session_id not in self._known
            self._known[session_id] = Known(made, credential)

    async def extend(self, session_id: str, permission: Permission, life_ms: int) -> None:
        now_ms = self._clock.now_ms
        extended = await self._store.sessions.extend(session_id, permission, now_ms + life_ms)
        known = self._known.get(session_id)
        if known is None or not self._is_live(known):
            assert extended is None
        else:
            known.session = replace(
                known.session,
                permission=permission,
                updated_ms=now_ms,
                expires_ms=now_ms + life_ms,
            )
            assert extended == known.session

    async def end(self, session_id: str) -> None:
        await self._store.sessions.end(session_id)
        self._finish(session_id, None, None)

    async def revoke(self, session_id: str | None, user: str | None, document: str | None) -> None:
        revoked = await self._store.sessions.revoke(
            session_id=session_id, user=user, document=document
        )
        assert {each.session_id for each in revoked} == self._finish(session_id, user, document)
        assert self._told >= self._expected_told

    async def revoke_elsewhere(
        self, session_id: str | None, user: str | None, document: str | None
    ) -> None:
        done = await revoke_sessions(
            url(self._path),
            self._clock.now_ms,
            session_id=session_id,
            user=user,
            document=document,
        )
        expected = self._finish(session_id, user, document)
        assert {each.session_id for each in done.sessions} == expected
        assert done.unconfirmed == ()

    def _finish(self, session_id: str | None, user: str | None, document: str | None) -> set[str]:
        fitting = {
            each
            for each, known in self._known.items()
            if not known.is_over
            and session_id in (None, each)
            and user in (None, known.session.user)
            and document in (None, known.session.document)
        }
        for each in fitting:
            self._known[each].is_over, self._known[each].over_ms = True, self._clock.now_ms
        self._expected_told |= fitting
        return fitting

    async def wait(self, time_ms: int) -> None:
        self._clock.now_ms += time_ms

    async def clean(self) -> None:
        before_ms = self._clock.now_ms - SESSION_KEPT_MS
        gone = {each for each, known in self._known.items() if known.ends_ms() < before_ms}
        assert await self._store.sessions.remove_expired() == len(gone)
        for each in gone:
            del self._known[each]

    async def restart(self) -> None:
        await self.close()
        await self.open()

    async def _compare(self) -> None:
        assert self._told == self._expected_told
        sessions = self._store.sessions
        live = {each: known for each, known in self._known.items() if self._is_live(known)}
        assert list(await sessions.list()) == [live[each].session for each in sorted(live)]
        everything = await sessions.list(with_ended=True)
        assert [each.session_id for each in everything] == sorted(self._known)
        for session_id in IDS:
            known = live.get(session_id)
            assert await sessions.find(session_id) == (known and known.session)
        for credential in CREDENTIALS:
            for document in DOCUMENTS:
                fitting = [
                    known.session
                    for known in live.values()
                    if (known.credential, known.session.document) == (credential, document)
                ]
                found = await sessions.find_by_credential(hash_of(credential), document)
                assert found == (fitting[-1] if fitting else None)


@settings(max_examples=60)
@given(st.lists(STEPS, max_size=12))
def test_sessions_are_as_a_simple_model_says(steps: list[Step]) -> None:
    async def run() -> None:
        with tempfile.TemporaryDirectory() as directory:
            await Model(Path(directory) / "store.db").run(steps)

    asyncio.run(run())
