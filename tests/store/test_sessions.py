"""yjs_store.sessions: who is admitted, until when, and that an end holds at once."""

import asyncio
import hashlib
import itertools
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from yjs_store import (
    Damaged,
    Permission,
    Session,
    SessionRefused,
    SessionStatus,
    Store,
    StoreBusy,
    open_store,
    session_commits,
    sessions,
)
from yjs_store.limits import SESSIONS_COUNTED_MS, SESSIONS_FREE_SHARE
from yjs_store.records import StoredSession
from yjs_store.session_records import AddSession, SessionChange

from .clock import Clock
from .stores import url

HOUR_MS = 3_600_000


def session(session_id: str, now_ms: int, **facts: object) -> Session:
    made = Session(
        session_id=session_id,
        user="ann",
        document="notes",
        permission=Permission.WRITE,
        status=SessionStatus.ACTIVE,
        details={"address": "192.0.2.1", "program": "an editor"},
        created_ms=now_ms,
        updated_ms=now_ms,
        expires_ms=now_ms + HOUR_MS,
    )
    return replace(made, **facts)  # type: ignore[arg-type]


def hash_of(credential: str) -> bytes:
    return hashlib.sha256(credential.encode()).digest()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(params=["memory", "sqlite"])
async def store(request: pytest.FixtureRequest, path: Path, clock: Clock) -> AsyncIterator[Store]:
    where = "memory:" if request.param == "memory" else url(path)
    async with open_store(where, clock_ms=clock) as store:
        yield store


async def test_a_started_session_is_found_by_its_id_and_by_its_credential(
    store: Store, clock: Clock
) -> None:
    one = session("one", clock.now_ms)
    await store.sessions.start(one, hash_of("ticket"))
    assert await store.sessions.find("one") == one
    assert await store.sessions.find_by_credential(hash_of("ticket"), "notes") == one
    assert await store.sessions.find("other") is None
    assert await store.sessions.find_by_credential(hash_of("ticket"), "other") is None
    assert await store.sessions.find_by_credential(hash_of("other"), "notes") is None


async def test_the_newest_session_of_a_credential_is_found(store: Store, clock: Clock) -> None:
    for session_id in ("z", "a"):
        await store.sessions.start(session(session_id, clock.now_ms), hash_of("t"))
    found = await store.sessions.find_by_credential(hash_of("t"), "notes")
    assert found is not None
    assert found.session_id == "a"


async def test_an_expired_session_is_not_found_and_not_extended(store: Store, clock: Clock) -> None:
    await store.sessions.start(session("one", clock.now_ms), hash_of("t"))
    clock.now_ms += HOUR_MS
    assert await store.sessions.find("one") is None
    assert await store.sessions.find_by_credential(hash_of("t"), "notes") is None
    assert await store.sessions.extend("one", Permission.READ, clock.now_ms + 1) is None
    assert await store.sessions.list() == []


async def test_an_extended_session_has_its_new_permission_and_expiry(
    store: Store, clock: Clock
) -> None:
    one = session("one", clock.now_ms)
    await store.sessions.start(one, None)
    clock.now_ms += 5
    extended = await store.sessions.extend("one", Permission.READ, clock.now_ms + 2 * HOUR_MS)
    expected = replace(
        one,
        permission=Permission.READ,
        updated_ms=clock.now_ms,
        expires_ms=clock.now_ms + 2 * HOUR_MS,
    )
    assert extended == expected
    clock.now_ms += HOUR_MS
    assert await store.sessions.find("one") == expected


@pytest.mark.parametrize("how", ["end", "revoke"])
async def test_a_session_that_is_over_is_told_before_the_call_returns_and_stays_over(
    store: Store, clock: Clock, how: str
) -> None:
    told: list[str] = []
    store.sessions.watch(told.extend)
    one = session("one", clock.now_ms)
    await store.sessions.start(one, hash_of("t"))
    if how == "end":
        await store.sessions.end("one")
    else:
        assert await store.sessions.revoke(session_id="one") == [one]
    assert told == ["one"]
    assert await store.sessions.find("one") is None
    assert await store.sessions.find_by_credential(hash_of("t"), "notes") is None
    assert await store.sessions.extend("one", Permission.ADMIN, clock.now_ms + HOUR_MS) is None
    assert await store.sessions.revoke(session_id="one") == []
    clock.now_ms -= HOUR_MS  # a clock that steps back brings nothing back
    assert await store.sessions.find("one") is None
    assert told == ["one"]


async def test_revoke_ends_all_that_fit_and_no_others(store: Store, clock: Clock) -> None:
    for number, (user, document) in enumerate(
        [("ann", "notes"), ("ann", "plans"), ("bob", "notes"), ("bob", "plans")]
    ):
        await store.sessions.start(
            session(str(number), clock.now_ms, user=user, document=document), None
        )
    revoked = await store.sessions.revoke(user="ann", document="plans")
    assert [each.session_id for each in revoked] == ["1"]
    revoked = await store.sessions.revoke(document="notes")
    assert sorted(each.session_id for each in revoked) == ["0", "2"]
    assert [each.session_id for each in await store.sessions.list()] == ["3"]
    everything = await store.sessions.list(with_ended=True)
    assert [each.status.value for each in everything] == ["revoked", "revoked", "revoked", "active"]


async def test_many_that_start_at_once_share_commits(
    path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_store(url(path), clock_ms=clock) as store:
        commits: list[int] = []
        change = store.sessions._records.change

        async def counting(changes: list[object]) -> object:
            commits.append(len(changes))
            return await change(changes)  # type: ignore[arg-type]

        monkeypatch.setattr(store.sessions._records, "change", counting)
        async with asyncio.TaskGroup() as group:
            for number in range(250):
                group.create_task(store.sessions.start(session(str(number), clock.now_ms), None))
        assert sum(commits) == 250
        assert len(commits) <= 4
        assert len(await store.sessions.list()) == 250


async def test_a_user_with_too_many_sessions_gets_no_more_and_others_do(
    store: Store, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sessions, "SESSIONS_PER_USER_MAX", 3)
    outcomes = await asyncio.gather(
        *[
            store.sessions.start(session(str(number), clock.now_ms), hash_of(str(number)))
            for number in range(5)
        ],
        return_exceptions=True,
    )
    assert [type(each) for each in outcomes] == [type(None)] * 3 + [SessionRefused] * 2
    await store.sessions.start(session("b", clock.now_ms, user="bob"), hash_of("b"))
    await store.sessions.end("0")
    await store.sessions.start(session("5", clock.now_ms), hash_of("5"))
    await store.sessions.start(session("as long as its connection", clock.now_ms), None)


async def start_all_it_gets(store: Store, clock: Clock, user: str) -> int:
    """Ask for sessions until one is refused; return how many there were."""
    for number in itertools.count():
        name = f"{user} {number}"
        try:
            await store.sessions.start(session(name, clock.now_ms, user=user), hash_of(name))
        except SessionRefused:
            return number
    raise AssertionError("it ends by itself")


async def test_users_who_take_all_they_get_leave_as_many_for_who_comes(
    store: Store, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A table that a few users have filled would let in nobody else."""
    monkeypatch.setattr(session_commits, "SESSIONS_MAX", 200)
    monkeypatch.setattr(sessions, "SESSIONS_PER_USER_MAX", 25)
    taken = [await start_all_it_gets(store, clock, user) for user in "abcdefghijkl"]
    assert taken == sorted(taken, reverse=True)
    assert taken[:4] == [25] * 4, "while there is room enough"
    assert 200 - sum(taken) >= SESSIONS_FREE_SHARE * (taken[-1] - 1)
    assert await start_all_it_gets(store, clock, "newcomer") >= taken[-1] - 1 > 0
    with pytest.raises(SessionRefused, match="as many sessions already as one may have now"):
        await store.sessions.start(session("more", clock.now_ms, user="a"), hash_of("more"))
    await store.sessions.start(session("as long as its connection", clock.now_ms), None)


async def test_sessions_that_are_over_take_nothing_of_what_is_free(
    store: Store, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are kept for a week: the table of a busy server is full of them."""
    monkeypatch.setattr(session_commits, "SESSIONS_MAX", 200)
    for number in range(190):
        await store.sessions.start(session(str(number), clock.now_ms), None)
    await store.sessions.end_all("ann")
    clock.now_ms += SESSIONS_COUNTED_MS
    assert await start_all_it_gets(store, clock, "bob") > 15


async def test_all_sessions_of_a_user_end_at_once_and_nobody_elses(
    store: Store, clock: Clock
) -> None:
    told: list[str] = []
    store.sessions.watch(told.extend)
    for session_id, user in (("1", "ann"), ("2", "bob"), ("3", "ann")):
        await store.sessions.start(session(session_id, clock.now_ms, user=user), None)
    await store.sessions.end_all("ann")
    assert sorted(told) == ["1", "3"]
    found = await store.sessions.list(with_ended=True)
    assert [each.status.value for each in found] == ["ended", "active", "ended"]


async def test_at_the_bound_of_all_sessions_those_that_are_over_give_way(
    store: Store, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session_commits, "SESSIONS_MAX", 3)
    for number in range(3):
        await store.sessions.start(session(str(number), clock.now_ms), None)
    with pytest.raises(SessionRefused, match="there are 3 sessions already"):
        await store.sessions.start(session("3", clock.now_ms), None)
    await store.sessions.end("1")
    clock.now_ms += 1
    await store.sessions.start(session("4", clock.now_ms), None)
    with pytest.raises(SessionRefused):
        await store.sessions.start(session("5", clock.now_ms), None)
    everything = await store.sessions.list(with_ended=True)
    assert [each.session_id for each in everything] == ["0", "2", "4"]


@pytest.mark.parametrize(
    ("facts", "says"),
    [
        ({"session_id": "x" * 129}, "session's id has 129 bytes"),
        ({"user": "é" * 513}, "user's name has 1026 bytes"),
        ({"user": "\ud800"}, "user's name is not valid Unicode"),
        ({"document": ""}, "the document name is empty"),
        ({"document": "a\x00b"}, "control character"),
        ({"details": {"program": "x" * 5000}}, "what is said of the session has 50"),
        ({"expires_ms": 2**63}, "is not a time"),
        ({"created_ms": -1}, "is not a time"),
    ],
)
async def test_what_cannot_be_stored_is_refused_by_name(
    store: Store, clock: Clock, facts: dict[str, object], says: str
) -> None:
    with pytest.raises(SessionRefused, match=says):
        await store.sessions.start(replace(session("one", clock.now_ms), **facts), None)  # type: ignore[arg-type]
    assert await store.sessions.list(with_ended=True) == []


async def test_an_expiry_that_cannot_be_stored_is_refused_and_changes_nothing(
    store: Store, clock: Clock
) -> None:
    one = session("one", clock.now_ms)
    await store.sessions.start(one, None)
    with pytest.raises(SessionRefused):
        await store.sessions.extend("one", Permission.READ, 2**63)
    assert await store.sessions.find("one") == one


async def test_a_user_may_be_called_anything(store: Store, clock: Clock) -> None:
    for number, user in enumerate(["", "\x00\x1b[2J", "🙂", "'; DROP TABLE sessions"]):
        one = session(str(number), clock.now_ms, user=user, details={user: user})
        await store.sessions.start(one, None)
        assert await store.sessions.find(str(number)) == one
        assert await store.sessions.revoke(user=user) == [one]


@pytest.mark.parametrize("call", ["find", "find_by_credential"])
async def test_an_end_that_was_told_while_a_session_was_looked_up_is_not_missed(
    store: Store, clock: Clock, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    """Whoever notes what it found, without an await, misses no end."""
    await store.sessions.start(session("one", clock.now_ms), hash_of("t"))
    has_read, may_go_on = asyncio.Event(), asyncio.Event()
    records = store.sessions._records
    look_up = getattr(records, call)

    async def slowly(*arguments: object) -> object:
        found = await look_up(*arguments)
        has_read.set()
        await may_go_on.wait()
        return found

    monkeypatch.setattr(records, call, slowly)
    arguments = ("one",) if call == "find" else (hash_of("t"), "notes")
    looking = asyncio.ensure_future(getattr(store.sessions, call)(*arguments))
    await has_read.wait()
    await store.sessions.revoke(session_id="one")
    may_go_on.set()
    assert await looking is None


async def test_who_gives_up_waiting_for_a_revocation_keeps_nobody_from_hearing_of_it(
    store: Store, clock: Clock
) -> None:
    heard = asyncio.Event()
    store.sessions.watch(lambda _: heard.set())
    await store.sessions.start(session("one", clock.now_ms), None)
    revoking = asyncio.ensure_future(store.sessions.revoke(session_id="one"))
    await asyncio.sleep(0)
    revoking.cancel()
    async with asyncio.timeout(30):
        await heard.wait()
    assert await store.sessions.find("one") is None


async def test_above_the_bound_changes_are_refused_not_gathered(
    store: Store, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session_commits, "SESSION_CHANGES_WAITING_MAX", 3)
    starts = [store.sessions.start(session(str(n), clock.now_ms), None) for n in range(5)]
    outcomes = await asyncio.gather(*starts, return_exceptions=True)
    assert [type(each) for each in outcomes] == [type(None)] * 3 + [StoreBusy] * 2
    await store.sessions.start(session("5", clock.now_ms), None)


async def test_one_change_that_finds_damage_does_not_fail_the_others_of_its_commit(
    store: Store, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    change = store.sessions._records.change

    async def damaged(changes: Sequence[SessionChange]) -> Sequence[Sequence[StoredSession]]:
        if any(isinstance(each, AddSession) and each.stored.user == "bad" for each in changes):
            raise Damaged("*", "the page of one", "a sound page", "another")
        return await change(changes)

    records = store.sessions._records
    monkeypatch.setattr(type(records), "change", staticmethod(damaged))
    starts = [
        store.sessions.start(session(str(n), clock.now_ms, user="bad" if n == 1 else "ann"), None)
        for n in range(3)
    ]
    outcomes = await asyncio.gather(*starts, return_exceptions=True)
    assert [type(each) for each in outcomes] == [type(None), Damaged, type(None)]
    assert [each.session_id for each in await store.sessions.list()] == ["0", "2"]
