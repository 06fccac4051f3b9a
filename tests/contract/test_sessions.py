"""The part of the contract that is about sessions."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest
from store.intents import append, fresh, opened

from yjs_store import WriterSuperseded
from yjs_store.backend import Backend
from yjs_store.records import StoredSession
from yjs_store.session_records import (
    AcknowledgeSessions,
    AddSession,
    ChangeSessions,
    Choice,
    RemoveSessions,
)

from .places import Place

NOW_MS = 1000


def stored(session_id: str, **facts: object) -> StoredSession:
    made = StoredSession(
        session_id=session_id,
        user="ann",
        document="notes",
        permission="write",
        status="active",
        details="{}",
        created_ms=NOW_MS,
        updated_ms=NOW_MS,
        expires_ms=NOW_MS + 1000,
        credential_hash=b"h" * 32,
        checksum=b"checksum of " + session_id.encode(),
    )
    return replace(made, **facts)  # type: ignore[arg-type]


def add(session: StoredSession) -> AddSession:
    return AddSession(session, NOW_MS, user_max=100)


def finished(session: StoredSession) -> StoredSession:
    return replace(session, status="revoked", updated_ms=NOW_MS + 1, checksum=b"over")


def revoke(choice: Choice, now_ms: int | None = None) -> ChangeSessions:
    return ChangeSessions(choice, now_ms, finished, is_thorough=True)


def end(choice: Choice) -> ChangeSessions:
    return ChangeSessions(choice, None, finished, is_thorough=False)


def revoke_in_place(session_id: str) -> ChangeSessions:
    """Revoke a session that stays where it is in the order of expiry."""

    def change(session: StoredSession) -> StoredSession:
        return replace(session, status="revoked")

    return ChangeSessions(Choice(session_id), None, change, is_thorough=False)


async def started(backend: Backend, *sessions: StoredSession) -> list[StoredSession]:
    await backend.sessions.change([add(each) for each in sessions])
    return list(await backend.sessions.list(Choice(), "", 1000, None))


async def test_what_was_added_is_found_whole_and_after_reopening(place: Place) -> None:
    one = stored("one", details='{"é": "\\u2028"}', credential_hash=None)
    async with opened(place.backend()) as backend:
        await started(backend, one)
    async with opened(place.backend()) as backend:
        found = await backend.sessions.find("one", NOW_MS)
        assert found is not None
        assert replace(found, key=0) == one
        assert await backend.sessions.count() == 1
    async with opened(place.reader()) as reader:
        assert await reader.sessions.find("one", NOW_MS) == found


async def test_only_what_is_active_and_has_not_expired_is_found(backend: Backend) -> None:
    await started(backend, stored("one"), stored("two"), stored("three"))
    await backend.sessions.change([revoke(Choice(session_id="two"))])
    sessions = backend.sessions
    assert await sessions.find("two", NOW_MS) is None
    assert await sessions.find("one", NOW_MS + 999) is not None
    assert await sessions.find("one", NOW_MS + 1000) is None
    assert await sessions.find_by_credential(b"h" * 32, "notes", NOW_MS + 1000) is None
    live = await sessions.list(Choice(), "", 10, NOW_MS)
    assert [each.session_id for each in live] == ["one", "three"]
    assert await sessions.list(Choice(), "", 10, NOW_MS + 1000) == []
    assert len(await sessions.list(Choice(), "", 10, None)) == 3


async def test_a_credential_leads_to_its_newest_live_session_of_that_document(
    backend: Backend,
) -> None:
    other = b"o" * 32
    await started(
        backend,
        stored("z"),
        stored("a"),
        stored("m"),
        stored("b", document="plans"),
        stored("c", credential_hash=other),
    )
    await backend.sessions.change([revoke(Choice(session_id="m"))])
    for credential_hash, document, expected in (
        (b"h" * 32, "notes", "a"),
        (b"h" * 32, "plans", "b"),
        (other, "notes", "c"),
        (other, "plans", None),
    ):
        found = await backend.sessions.find_by_credential(credential_hash, document, NOW_MS)
        assert (found and found.session_id) == expected


async def test_a_list_goes_on_after_an_id(backend: Backend) -> None:
    await started(backend, *[stored(each) for each in "dbac"])
    first = await backend.sessions.list(Choice(), "", 3, NOW_MS)
    assert [each.session_id for each in first] == ["a", "b", "c"]
    rest = await backend.sessions.list(Choice(), "c", 3, NOW_MS)
    assert [each.session_id for each in rest] == ["d"]


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        (Choice(user="ann"), {"1", "2"}),
        (Choice(document="plans"), {"2", "4"}),
        (Choice(user="bob", document="plans"), {"4"}),
        (Choice(session_id="3"), {"3"}),
        (Choice(session_id="3", user="ann"), set()),
        (Choice(user="carl"), set()),
    ],
)
async def test_a_choice_is_of_those_for_which_all_of_it_holds(
    backend: Backend, choice: Choice, expected: set[str]
) -> None:
    await started(
        backend,
        stored("1"),
        stored("2", document="plans"),
        stored("3", user="bob"),
        stored("4", user="bob", document="plans"),
    )
    listed = await backend.sessions.list(choice, "", 10, NOW_MS)
    (revoked,) = await backend.sessions.change([revoke(choice)])
    assert {each.session_id for each in listed} == expected
    assert {each.session_id for each in revoked} == expected
    assert all(each.status == "active" for each in revoked)
    left = await backend.sessions.list(Choice(), "", 10, NOW_MS)
    assert {each.session_id for each in left} == {"1", "2", "3", "4"} - expected


async def test_a_change_is_of_one_by_its_id_or_key_and_stores_what_it_gives(
    backend: Backend,
) -> None:
    one, two = await started(backend, stored("1"), stored("2"))
    changed = replace(
        one, permission="read", updated_ms=NOW_MS + 5, expires_ms=NOW_MS + 9, checksum=b"new"
    )
    (before,) = await backend.sessions.change(
        [ChangeSessions(Choice(session_id="1"), NOW_MS, lambda _: changed, is_thorough=False)]
    )
    assert before == [one]
    assert await backend.sessions.list(Choice(), "", 10, None) == [changed, two]
    (before,) = await backend.sessions.change([end(Choice(key=two.key))])
    assert before == [two]
    assert await backend.sessions.find("2", NOW_MS) is None
    # What is over is not changed any more; what has expired only when no time is given.
    assert await backend.sessions.change([end(Choice(key=two.key))]) == [[]]
    late = ChangeSessions(Choice(session_id="1"), NOW_MS + 9, finished, is_thorough=False)
    assert await backend.sessions.change([late]) == [[]]
    (before,) = await backend.sessions.change([revoke(Choice(session_id="1"))])
    assert before == [changed]


async def test_changes_are_made_in_their_order_in_one_commit(backend: Backend) -> None:
    outcomes = await backend.sessions.change(
        [
            add(stored("1")),
            add(stored("1", user="bob")),
            revoke(Choice(user="ann")),
            add(stored("2")),
            AcknowledgeSessions(("1",)),
            RemoveSessions(NOW_MS + 2000, 1),
        ]
    )
    ids = [[each.session_id for each in outcome] for outcome in outcomes]
    assert ids == [["1"], [], ["1"], ["2"], [], ["2"]]
    assert await backend.sessions.count() == 1


async def test_when_a_change_raises_nothing_of_the_commit_is_stored(place: Place) -> None:
    def fail(_: StoredSession) -> StoredSession:
        raise LookupError

    async with opened(place.backend()) as backend:
        await started(backend, stored("0"))
        with pytest.raises(LookupError):
            await backend.sessions.change(
                [add(stored("1")), ChangeSessions(Choice("0"), None, fail, is_thorough=False)]
            )
        assert await backend.sessions.count() == 1


async def test_a_user_has_no_more_live_ones_than_is_said(backend: Backend) -> None:
    await started(backend, stored("expired", expires_ms=NOW_MS), stored("bob's", user="bob"))
    outcomes = await backend.sessions.change(
        [AddSession(stored(each), NOW_MS, user_max=2) for each in "123"]
    )
    assert [len(outcome) for outcome in outcomes] == [1, 1, 0]
    outcomes = await backend.sessions.change(
        [end(Choice(session_id="1")), AddSession(stored("4"), NOW_MS, user_max=2)]
    )
    assert [len(outcome) for outcome in outcomes] == [1, 1]


async def test_those_that_are_over_are_not_counted_among_the_live(backend: Backend) -> None:
    await started(backend, stored("expired", expires_ms=NOW_MS), *[stored(each) for each in "123"])
    await backend.sessions.change([end(Choice(session_id="1"))])
    assert await backend.sessions.count() == 4
    assert await backend.sessions.count_live(NOW_MS) == 2


async def test_the_oldest_of_what_expired_before_is_removed_in_steps(backend: Backend) -> None:
    await started(backend, *[stored(str(each), expires_ms=each) for each in (5, 3, 4, 9)])
    removed: list[str] = []
    for _ in range(3):
        (step,) = await backend.sessions.change([RemoveSessions(before_ms=5, limit=1)])
        removed += [each.session_id for each in step]
    assert removed == ["3", "4"]
    assert await backend.sessions.count() == 2


async def test_what_was_revoked_is_removed_after_what_has_ended(backend: Backend) -> None:
    """Or its credential would count again, to make room for who has just come and gone."""
    await started(backend, *[stored(str(each), expires_ms=each) for each in (3, 4, 5, 6)])
    await backend.sessions.change([revoke_in_place("3")])
    removed: list[str] = []
    for limit in (1, 3):
        (step,) = await backend.sessions.change([RemoveSessions(before_ms=6, limit=limit)])
        removed += [each.session_id for each in step]
    assert removed == ["4", "5", "3"]


Look = Callable[[list[str]], None]


async def test_what_is_revoked_beside_the_writer_is_noticed_until_it_is_acknowledged(
    place: Place,
) -> None:
    async with opened(place.backend()) as backend:
        await started(backend, stored("1"), stored("2"), stored("3", user="bob"))
        revoker = place.revoker()
        before = await revoker.revoke(Choice(user="ann"), finished)
        assert {each.session_id for each in before} == {"1", "2"}
        assert await revoker.revoke(Choice(user="ann"), finished) == []
        sessions = backend.sessions
        assert await sessions.find("1", NOW_MS) is None
        assert set(await sessions.list_unacknowledged(["1", "2", "3"])) == {"1", "2"}
        await sessions.change([AcknowledgeSessions(("1", "other"))])
        assert await sessions.list_unacknowledged(["1", "2", "3"]) == ["2"]
        await sessions.change([end(Choice(session_id="3"))])
        assert await sessions.list_unacknowledged(["3"]) == []


async def test_a_superseded_writer_writes_no_sessions(place: Place) -> None:
    """P7; who revokes beside the writer is none, and goes on."""
    async with opened(place.backend()) as former:
        await started(former, stored("1"))
        place.release()
        async with opened(place.backend()) as backend:
            for change in (
                add(stored("2")),
                revoke(Choice(user="ann")),
                end(Choice(session_id="1")),
                AcknowledgeSessions(("1",)),
                RemoveSessions(NOW_MS * 9, 9),
            ):
                with pytest.raises(WriterSuperseded) as raised:
                    await former.sessions.change([change])
                assert raised.value.document is None
            assert await former.sessions.find("1", NOW_MS) is not None
            assert len(await place.revoker().revoke(Choice(user="ann"), finished)) == 1
            await append(backend, fresh("n"), b"the writer goes on")


async def test_a_credential_whose_session_was_revoked_is_known(backend: Backend) -> None:
    revoked, ended, active = (
        stored(name, credential_hash=letter * 32)
        for name, letter in (("one", b"r"), ("two", b"e"), ("three", b"a"))
    )
    await started(backend, revoked, ended, active)
    over = replace(ended, status="ended")
    change = ChangeSessions(Choice("two"), None, lambda _: over, is_thorough=False)
    await backend.sessions.change([revoke(Choice("one")), change])
    is_revoked = backend.sessions.is_revoked
    assert await is_revoked(b"r" * 32, "notes")
    assert not await is_revoked(b"r" * 32, "other")
    assert not await is_revoked(b"e" * 32, "notes")
    assert not await is_revoked(b"a" * 32, "notes")


async def test_what_is_revoked_may_have_others_stored_beside_it_by_whoever_revokes(
    place: Place,
) -> None:
    """P4, P5: all or none with the change; an id that is taken stays what it is."""

    def beside(changed: Sequence[StoredSession]) -> list[StoredSession]:
        (after,) = changed
        assert after.status == "revoked"
        revoked = replace(after, credential_hash=b"b" * 32)
        return [replace(revoked, session_id=each) for each in (f"beside {after.details}", "taken")]

    async with opened(place.backend()) as backend:
        names = ("one", "two", "taken")
        await started(backend, *(stored(each, details=f'{{"is": "{each}"}}') for each in names))
        change = ChangeSessions(Choice("one"), None, finished, is_thorough=True, beside=beside)
        assert [each.session_id for (each,) in await backend.sessions.change([change])] == ["one"]
        revoked = await place.revoker().revoke(Choice("two"), finished, beside)
        assert [each.session_id for each in revoked] == ["two"]
        assert await backend.sessions.is_revoked(b"b" * 32, "notes")
        assert await backend.sessions.find("taken", NOW_MS) is not None
        found = [each.session_id for each in await backend.sessions.list(Choice(), "", 10, None)]
        assert sorted(found) == sorted(
            [*names, 'beside {"is": "one"}', 'beside {"is": "two"}'],
        )
        beside_two = ['beside {"is": "two"}', "two"]
        assert await backend.sessions.list_unacknowledged(beside_two) == ["two"]


async def test_details_may_be_changed(backend: Backend) -> None:
    await started(backend, stored("one"))
    change = ChangeSessions(
        Choice("one"), NOW_MS, lambda each: replace(each, details='{"a": "b"}'), is_thorough=False
    )
    await backend.sessions.change([change])
    found = await backend.sessions.find("one", NOW_MS)
    assert found is not None
    assert found.details == '{"a": "b"}'
