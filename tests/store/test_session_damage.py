"""A session's row that is not what was written: that session alone is over (P4)."""

import random
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from yjs_store import (
    Damaged,
    Permission,
    Session,
    SessionStatus,
    Store,
    StoreError,
    StoreUnusable,
    open_store,
    read_sessions,
    revoke_sessions,
)
from yjs_store.limits import SESSION_KEPT_MS

from .clock import Clock
from .flips import regions_of
from .stores import NEVER, bytes_of, lose_entry, overwrite, raw, url
from .test_sessions import HOUR_MS, hash_of, session

IDS = ("one", "two", "three")
SEED = 5

CHANGES = {
    "another user": "user = 'bob'",
    "another document": "document = 'plans'",
    "more than it had": "permission = 'admin'",
    "a permission that cannot be": "permission = 'root'",
    "a status that cannot be": "status = 'asleep'",
    "details that are no JSON": "details = '{'",
    "details that are no object": "details = '[]'",
    "other details": "details = '{}'",
    "a later expiry": "expires_ms = expires_ms + 1",
    "another credential": "credential_hash = zeroblob(32)",
    "no credential": "credential_hash = NULL",
    "an earlier start": "created_ms = 0",
    "another checksum": "checksum = zeroblob(16)",
    "an id that is no text": "id = CAST(x'ff' AS TEXT)",
    "a user that is no text": "user = CAST(x'c328' AS TEXT)",
}


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def closed(path: Path, clock: Clock) -> Path:
    """A closed store with three sessions."""
    async with open_store(url(path), clock_ms=clock) as store:
        for each in IDS:
            await store.sessions.start(session(each, clock.now_ms), hash_of(each))
    return path


def change(path: Path, how: str, session_id: str = "two") -> None:
    with raw(path) as connection:
        connection.execute("PRAGMA ignore_check_constraints = ON")
        done = connection.execute(f"UPDATE sessions SET {how} WHERE id = ?", (session_id,))
        assert done.rowcount == 1


@pytest.fixture
async def store(closed: Path, clock: Clock) -> AsyncIterator[Store]:
    async with open_store(url(closed), clock_ms=clock) as store:
        yield store


@pytest.mark.parametrize("how", CHANGES.values(), ids=CHANGES)
async def test_a_session_that_was_changed_by_hand_is_over_and_the_others_go_on(
    store: Store, closed: Path, clock: Clock, how: str
) -> None:
    change(closed, how)
    assert await store.sessions.find("two") is None
    for credential, document in (("two", "notes"), ("two", "plans")):
        assert await store.sessions.find_by_credential(hash_of(credential), document) is None
    assert await store.sessions.extend("two", Permission.ADMIN, clock.now_ms + 1) is None
    for each in ("one", "three"):
        found = await store.sessions.find(each)
        assert found is not None
        assert await store.sessions.find_by_credential(hash_of(each), "notes") == found
    listed = await store.sessions.list(with_ended=True)
    (damaged,) = [each for each in listed if "damaged" in each.details]
    assert damaged.status is SessionStatus.ENDED
    live = await store.sessions.revoke(document="notes")
    assert {each.session_id for each in live} >= {"one", "three"}


@pytest.mark.parametrize("call", ["find", "find_by_credential", "extend"])
async def test_who_uses_a_damaged_session_is_told_that_it_is_over(
    store: Store, closed: Path, clock: Clock, call: str
) -> None:
    told: list[str] = []
    store.sessions.watch(told.extend)
    change(closed, "permission = 'admin'")
    if call == "find":
        await store.sessions.find("two")
    elif call == "extend":
        await store.sessions.extend("two", Permission.ADMIN, clock.now_ms + HOUR_MS)
    else:
        await store.sessions.find_by_credential(hash_of("two"), "notes")
    assert set(told) == {"two"}
    with raw(closed) as connection:
        statuses = connection.execute("SELECT status FROM sessions ORDER BY id").fetchall()
    assert statuses == [("active",), ("active",), ("ended",)]


async def test_a_damaged_session_is_listed_as_such_and_cleaned_with_the_others(
    store: Store, closed: Path, clock: Clock
) -> None:
    change(closed, "permission = 'admin', expires_ms = 9223372036854775807")
    for found in (
        await store.sessions.list(),
        await read_sessions(url(closed), clock.now_ms),
    ):
        (damaged,) = [each for each in found if "damaged" in each.details]
        assert (damaged.session_id, damaged.permission) == ("two", Permission.READ)
        assert "session 'two': expected" in damaged.details["damaged"]
    assert await store.sessions.find("two") is None
    clock.now_ms += SESSION_KEPT_MS + HOUR_MS + 1
    assert await store.sessions.remove_expired() == 3
    assert await store.sessions.list(with_ended=True) == []


async def test_revoking_beside_the_server_ends_a_damaged_session_too(
    store: Store, closed: Path, clock: Clock
) -> None:
    change(closed, "details = '{'")
    store.sessions.watch(lambda _: None)
    done = await revoke_sessions(url(closed), clock.now_ms, user="ann")
    assert {each.session_id for each in done.sessions} == set(IDS)
    assert await store.sessions.list() == []


async def test_a_revocation_misses_no_session_whose_index_entry_is_damaged(
    closed: Path, clock: Clock
) -> None:
    lose_entry(closed, "sessions_by_user", b"ann")
    lose_entry(closed, "sqlite_autoindex_sessions_1", b"two")
    async with open_store(url(closed), clock_ms=clock) as store:
        revoked = await store.sessions.revoke(user="ann")
        assert {each.session_id for each in revoked} == set(IDS)
        for each in IDS:
            assert await store.sessions.find(each) is None
            assert await store.sessions.find_by_credential(hash_of(each), "notes") is None


async def test_what_an_index_does_not_know_any_more_is_cleaned_all_the_same(
    closed: Path, clock: Clock
) -> None:
    lose_entry(closed, "sqlite_autoindex_sessions_1", b"two")
    clock.now_ms += SESSION_KEPT_MS + HOUR_MS + 1
    async with open_store(url(closed), clock_ms=clock) as store:
        assert await store.sessions.remove_expired() == 3
        await store.sessions.start(session("two", clock.now_ms), None)
        assert await store.sessions.find("two") is not None
        assert await store._parts.backend.audit() == []


@dataclass(frozen=True, slots=True)
class Written:
    """A closed store's file, and what was written."""

    content: bytes
    sessions: dict[str, Session]


@pytest.fixture
async def written(path: Path, clock: Clock) -> Written:
    sessions = {each: session(each, clock.now_ms) for each in IDS}
    async with open_store(url(path), clock_ms=clock, policy=NEVER) as store:
        for each in sessions.values():
            await store.sessions.start(each, hash_of(each.session_id))
        await store.sessions.revoke(session_id="three")
    return Written(bytes_of(path), sessions)


def bits_of_sessions(path: Path) -> Iterator[int]:
    """Every bit of the pages of the table of sessions and of its indexes."""
    with raw(path) as connection:
        found = connection.execute(
            "SELECT rootpage FROM sqlite_schema WHERE tbl_name = 'sessions' AND rootpage > 0"
        ).fetchall()
    starts = {(page - 1) * 4096 for (page,) in found}
    for region in regions_of(path):
        if region.start // 4096 * 4096 in starts and not region.kind.endswith(("gap", "keys")):
            yield from range(region.start * 8, region.end * 8)


async def test_with_one_bit_wrong_no_session_is_more_than_it_was(
    written: Written, path: Path, clock: Clock
) -> None:
    """What is found is what was written, and what was revoked stays so."""
    chosen = random.Random(SEED).sample(list(bits_of_sessions(path)), 300)
    outcomes = {"found": 0, "over": 0, "error": 0}
    for bit in chosen:
        content = bytearray(written.content)
        content[bit // 8] ^= 1 << bit % 8
        overwrite(path, bytes(content))
        path.with_name(path.name + "-wal").unlink(missing_ok=True)
        try:
            async with open_store(url(path), clock_ms=clock, policy=NEVER) as store:
                for each in IDS:
                    outcomes[await _look(store, each, written)] += 1
        except (StoreUnusable, Damaged):
            outcomes["error"] += 1
    assert outcomes["found"] > 400
    assert outcomes["over"] > 300


async def _look(store: Store, session_id: str, written: Written) -> str:
    try:
        found = await store.sessions.find(session_id)
        by_credential = await store.sessions.find_by_credential(hash_of(session_id), "notes")
    except StoreError:
        return "error"
    for each in (found, by_credential):
        assert each in (None, written.sessions[session_id])
        assert each is None or session_id != "three"
    return "over" if found is None else "found"
