"""yjs_store.revoking: another process ends sessions, and the server knows before it goes on."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from yjs_store import (
    Session,
    SessionRefused,
    SessionStatus,
    Store,
    StoreUnusable,
    open_store,
    read_sessions,
    revoke_sessions,
    revoking,
    session_format,
)
from yjs_store.backends.sqlite_revoker import SqliteRevoker
from yjs_store.limits import SESSION_KEPT_MS, SESSION_RENEWALS_MAX

from .clock import Clock
from .stores import run_python, url
from .test_sessions import session

REVOKE = """
import asyncio, sys
from yjs_store import revoke_sessions
done = asyncio.run(revoke_sessions(sys.argv[1], int(sys.argv[2]), user=sys.argv[3]))
print(len(done.sessions), done.has_server, len(done.unconfirmed))
"""


async def begin(store: Store, clock: Clock, *ids: str, **facts: object) -> list[Session]:
    made = [session(each, clock.now_ms, **facts) for each in ids]
    for each in made:
        await store.sessions.start(each, None)
    return made


async def test_when_a_revocation_returns_the_server_was_told(path: Path) -> None:
    clock = Clock()
    async with open_store(url(path), clock_ms=clock) as store:
        told: list[str] = []
        store.sessions.watch(told.extend)
        one, _ = await begin(store, clock, "one", "two")
        done = await revoke_sessions(url(path), clock.now_ms, session_id="one")
        assert (done.sessions, done.has_server, done.unconfirmed) == ([one], True, ())
        assert told == ["one"]
        assert await store.sessions.find("one") is None
        assert await store.sessions.find("two") is not None


async def test_what_a_session_was_renewed_by_is_revoked_with_it(path: Path) -> None:
    """Beside the server, and after a restart of it."""
    clock = Clock()
    first, *renewals = (bytes([number]) * 32 for number in range(SESSION_RENEWALS_MAX + 2))
    async with open_store(url(path), clock_ms=clock) as store:
        made = session("one", clock.now_ms)
        await store.sessions.start(made, first)
        for renewal in renewals:
            later = await store.sessions.extend("one", made.permission, made.expires_ms, renewal)
            assert later is not None
            assert later.details == made.details
    async with open_store(url(path), clock_ms=clock) as store:
        assert not await store.sessions.is_revoked(renewals[-1], made.document)
        await revoke_sessions(url(path), clock.now_ms, session_id="one")
    async with open_store(url(path), clock_ms=clock) as store:
        for barred in (first, *renewals[-SESSION_RENEWALS_MAX:]):
            assert await store.sessions.is_revoked(barred, made.document)
        assert not await store.sessions.is_revoked(renewals[0], made.document)
        assert not await store.sessions.is_revoked(renewals[-1], "another")
        listed = await store.sessions.list(with_ended=True)
        assert {each.status for each in listed} == {SessionStatus.REVOKED}
        assert sum(each.details == {"renewed": "one"} for each in listed) == SESSION_RENEWALS_MAX
        clock.now_ms += SESSION_KEPT_MS + 2 * 3600 * 1000
        assert await store.sessions.remove_expired() == len(listed)


async def test_what_many_sessions_were_renewed_by_is_stored_once(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """P6: everybody's commits wait for that transaction."""
    monkeypatch.setattr(session_format, "SESSION_BARS_MAX", 5)
    clock = Clock()
    shared = [bytes([number]) * 32 for number in range(3)]
    async with open_store(url(path), clock_ms=clock) as store:
        names = ("one", "two", "three")
        for made in await begin(store, clock, *names):
            for renewal in shared:
                assert await store.sessions.extend(
                    made.session_id, made.permission, made.expires_ms, renewal
                )
        assert len(await store.sessions.revoke(document=made.document)) == len(names)
        assert len(await store.sessions.list(with_ended=True)) == len(names) + len(shared)
        for made in await begin(store, clock, "four", "five"):
            for number in range(3):
                own = f"{made.session_id} {number}".encode().ljust(32)
                assert await store.sessions.extend(
                    made.session_id, made.permission, made.expires_ms, own
                )
        await store.sessions.revoke(document=made.document)
        listed = await store.sessions.list(with_ended=True)
        assert len(listed) == len(names) + len(shared) + 2 + 5


async def test_what_is_said_of_a_session_is_not_taken_for_what_renewed_it(path: Path) -> None:
    clock = Clock()
    async with open_store(url(path), clock_ms=clock) as store:
        said = replace(session("one", clock.now_ms), details={"renewed_by": "ann"})
        with pytest.raises(SessionRefused, match="renewed_by"):
            await store.sessions.start(said, None)


async def test_after_the_command_ended_no_message_of_the_session_is_stored(path: Path) -> None:
    """The strong promise, with a real second process, and a server that never stops storing."""
    clock = Clock()
    async with open_store(url(path), clock_ms=clock) as store:
        live = {"one"}
        store.sessions.watch(live.difference_update)
        await begin(store, clock, "one")
        stored_since_end = 0
        is_ended = asyncio.Event()

        async def send_messages() -> None:
            nonlocal stored_since_end
            number = 0
            while not is_ended.is_set() or number % 50:
                number += 1
                is_over = is_ended.is_set()
                if "one" in live:
                    await begin(store, clock, f"message {number}", user="bob")
                    stored_since_end += is_over
                await asyncio.sleep(0)

        async def revoke() -> bytes:
            output = await asyncio.to_thread(run_python, REVOKE, url(path), clock.now_ms, "ann")
            is_ended.set()
            return output

        output, _ = await asyncio.gather(revoke(), send_messages())
        assert output == b"1 True 0\n"
        assert stored_since_end == 0


async def test_a_revocation_without_a_server_says_so_and_holds(path: Path) -> None:
    clock = Clock()
    async with open_store(url(path), clock_ms=clock) as store:
        await begin(store, clock, "one", "two")
    done = await revoke_sessions(url(path), clock.now_ms, user="ann", document="notes")
    assert (len(done.sessions), done.has_server, done.unconfirmed) == (2, False, ())
    async with open_store(url(path), clock_ms=clock) as store:
        assert await store.sessions.find("one") is None
        assert await store.sessions.list() == []


async def test_a_server_that_starts_hears_of_what_was_revoked_meanwhile(path: Path) -> None:
    clock = Clock()
    async with open_store(url(path), clock_ms=clock) as store:
        await begin(store, clock, "one")
    await revoke_sessions(url(path), clock.now_ms, session_id="one")
    async with open_store(url(path), clock_ms=clock) as store:
        heard = asyncio.Event()
        store.sessions.watch(lambda _: heard.set())
        async with asyncio.timeout(30):
            await heard.wait()


async def test_a_server_that_does_not_answer_is_named(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(revoking, "REVOKED_WRITER_ASK_S", 0.0)
    monkeypatch.setattr(revoking, "REVOKED_CONFIRMED_MAX_S", 0.0)
    clock = Clock()
    async with open_store(url(path), clock_ms=clock) as store:  # which watches nothing
        await begin(store, clock, "one")
        done = await revoke_sessions(url(path), clock.now_ms, session_id="one")
        assert (done.has_server, done.unconfirmed) == (True, ["one"])
        assert await store.sessions.find("one") is None


async def test_more_revocations_than_one_page_are_all_told(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("yjs_store.backends.sqlite_watch.SESSION_WATCH_PAGE", 3)
    clock = Clock()
    async with open_store(url(path), clock_ms=clock) as store:
        told: list[str] = []
        store.sessions.watch(told.extend)
        await begin(store, clock, *map(str, range(10)))
        done = await revoke_sessions(url(path), clock.now_ms, document="notes")
        assert done.unconfirmed == ()
        assert set(told) == {str(number) for number in range(10)}


async def test_who_revokes_makes_no_store_and_reads_no_other(path: Path) -> None:
    for call in (
        revoke_sessions(url(path), 0, user="ann"),
        read_sessions(url(path), 0),
    ):
        with pytest.raises(StoreUnusable, match="there is no store"):
            await call
    assert list(path.parent.iterdir()) == []
    path.write_bytes(b"something else, and long enough to be looked at" * 100)
    with pytest.raises(StoreUnusable):
        await revoke_sessions(url(path), 0, user="ann")


async def test_sessions_are_listed_beside_the_server_oldest_first(path: Path) -> None:
    clock = Clock()
    async with open_store(url(path), clock_ms=clock) as store:
        (two,) = await begin(store, clock, "two")
        clock.now_ms += 1
        (one,) = await begin(store, clock, "one", user="bob", document="plans")
        assert await read_sessions(url(path), clock.now_ms) == [two, one]
        assert await read_sessions(url(path), clock.now_ms, user="bob") == [one]
        assert await read_sessions(url(path), clock.now_ms, document="notes") == [two]
        await store.sessions.end("two")
        assert await read_sessions(url(path), clock.now_ms) == [one]
        ended, _ = await read_sessions(url(path), clock.now_ms, with_ended=True)
        assert (ended.session_id, ended.status) == ("two", SessionStatus.ENDED)


async def test_who_writes_is_known_without_disturbing_it(path: Path) -> None:
    revoker = SqliteRevoker(path)
    assert not await revoker.has_writer()
    async with open_store(url(path)) as store:
        assert await revoker.has_writer()
        assert await store.sessions.find("one") is None
    assert not await revoker.has_writer()
