"""Sessions of connections: resumed, extended, asked about again, expired and revoked."""

import asyncio
from collections.abc import AsyncIterator, Callable
from itertools import count
from typing import Any

import pytest
from relay_support import (
    AsgiSocket,
    Member,
    deadline,
    encode_awareness_states,
    run_ready_tasks,
    text_of,
    text_update,
    typed,
)

from relay.admission import Admission
from relay.auth.anonymous import Anonymous
from relay.auth.credentials import Credential, CredentialKind
from relay.auth.grants import (
    DeciderUnavailable,
    Forbidden,
    Grant,
    SessionUnknown,
    Unauthorized,
)
from relay.auth.strangers import Strangers
from relay.clock import make_secret
from relay.hub import Hub
from relay.limits import (
    ASK_AGAIN_AHEAD_S,
    ASK_AGAIN_CONCURRENT_MAX,
    ASKING_PER_NETWORK_MAX,
    REFUSAL_KEPT_S,
    SESSION_TTL_S,
)
from relay.wire import y_websocket as wire
from yjs_store import Permission, Session, SessionStatus, Store, StoreFailing

START_MS = 1_800_000_000_000
TTL_MS = int(SESSION_TTL_S * 1000)
AHEAD_MS = int(ASK_AGAIN_AHEAD_S * 1000)
WRITE = Grant("ann", Permission.WRITE)
READ = Grant("ann", Permission.READ)


class Clock:
    def __init__(self) -> None:
        self.ms = START_MS

    def __call__(self) -> int:
        return self.ms


class Deciding:
    """An authority that answers what a test has put there."""

    needs_credential = True

    def __init__(self) -> None:
        self.version = 0
        self.answers: dict[str, Grant | Exception] = {"t": WRITE}
        self.asked: list[str] = []
        self.gate = asyncio.Event()
        self.gate.set()

    async def judge(self, credential: str, document: str | None) -> Grant:
        self.asked.append(credential)
        await self.gate.wait()
        answer = self.answers.get(credential, Unauthorized("the token is not valid"))
        if isinstance(answer, Exception):
            raise answer
        return answer

    def refresh(self) -> None:
        pass

    async def close(self) -> None:
        pass


@pytest.fixture
def clock(store: Store) -> Clock:
    clock = Clock()
    store.sessions._clock_ms = clock
    return clock


@pytest.fixture
def authority() -> Deciding:
    return Deciding()


@pytest.fixture
async def admission(
    store: Store, hub: Hub, clock: Clock, authority: Deciding
) -> AsyncIterator[Admission]:
    numbers = count(1)
    made = Admission(
        store.sessions,
        authority,
        clock,
        lambda: f"id-{next(numbers)}",
        hub.ask_for_state,
        strangers=Strangers(authority, lambda: clock.ms / 1000),
    )
    yield made
    await made.close()


def token(text: str = "t") -> Credential:
    return Credential(CredentialKind.TOKEN, text)


def ticket(text: str) -> Credential:
    return Credential(CredentialKind.TICKET, text)


async def enter(
    hub: Hub,
    admission: Admission,
    credential: Credential | None = None,
    document: str = "doc",
    host: str = "",
) -> Member:
    """Be admitted and join the room."""
    this = asyncio.current_task()
    assert this is not None
    connection = hub.admit("tester", this, host)
    async with deadline():
        await admission.admit(connection, credential or token(), document, {"peer": "tester"})
        return Member(connection, await hub.join(document, connection))


async def until(condition: Callable[[], Any]) -> None:
    async with deadline():
        while not condition():
            await run_ready_tasks(1)


def ending(member: Member) -> tuple[int, str] | None:
    found = member.connection.ending
    return None if found is None else (int(found.code), found.reason)


# ---- sessions -----------------------------------------------------------------------------------


async def test_a_session_is_stored_before_the_room_is_joined(
    hub: Hub, store: Store, admission: Admission
) -> None:
    member = await enter(hub, admission)
    session = await store.sessions.find(member.connection.session_id)
    assert session is not None
    assert (session.user, session.document) == ("ann", "doc")
    assert (session.permission, session.status) == (Permission.WRITE, SessionStatus.ACTIVE)
    assert session.details == {"peer": "tester"}
    assert session.expires_ms == START_MS + TTL_MS
    assert (member.connection.user, member.connection.may_write) == ("ann", True)


async def test_without_a_place_for_its_session_nobody_is_let_in(
    hub: Hub, store: Store, admission: Admission, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_: object) -> None:
        raise StoreFailing("I/O error")

    monkeypatch.setattr(store.sessions, "start", fail)
    with pytest.raises(StoreFailing):
        await enter(hub, admission)


async def test_a_reconnect_with_the_same_token_resumes_the_session_of_its_document(
    hub: Hub, admission: Admission
) -> None:
    one = await enter(hub, admission)
    admission.release(one.connection)
    two = await enter(hub, admission)
    three = await enter(hub, admission)
    elsewhere = await enter(hub, admission, document="other")
    ids = [each.connection.session_id for each in (one, two, three, elsewhere)]
    assert ids[0] == ids[1] == ids[2] != ids[3]


async def test_those_who_come_at_once_with_one_token_share_one_session(
    hub: Hub, store: Store, admission: Admission
) -> None:
    members = await asyncio.gather(*(enter(hub, admission) for _ in range(10)))
    assert len({each.connection.session_id for each in members}) == 1
    assert len(await store.sessions.list(with_ended=True)) == 1


async def test_a_token_is_judged_at_every_connection(
    hub: Hub, admission: Admission, authority: Deciding, clock: Clock
) -> None:
    """Field note 24: a session that is still good does not stand for a token that is not."""
    await enter(hub, admission)
    authority.answers["t"] = Forbidden("not any more")
    with pytest.raises(Forbidden):
        await enter(hub, admission)
    authority.answers["t"] = READ
    clock.ms += int(REFUSAL_KEPT_S * 1000)
    assert (await enter(hub, admission)).connection.may_write is False


async def test_a_token_that_belongs_to_another_user_now_starts_another_session(
    hub: Hub, admission: Admission, authority: Deciding
) -> None:
    one = await enter(hub, admission)
    authority.answers["t"] = Grant("bob", Permission.WRITE)
    two = await enter(hub, admission)
    assert (one.connection.user, two.connection.user) == ("ann", "bob")
    assert one.connection.session_id != two.connection.session_id


async def test_whoever_asks_is_counted_for_the_network_that_it_comes_from(
    hub: Hub, admission: Admission, authority: Deciding
) -> None:
    """By a websocket, for a ticket or for a renewal: a flood of one keeps nobody else waiting."""
    session = (await enter(hub, admission)).connection.session_id
    authority.gate.clear()
    authority.asked.clear()
    for number in range(ASKING_PER_NETWORK_MAX + 5):
        authority.answers[f"r{number}"] = WRITE
    flood = [
        asyncio.create_task(asking)
        for number in range(ASKING_PER_NETWORK_MAX + 5)
        for asking in (
            enter(hub, admission, token(f"e{number}"), host="192.0.2.1"),
            admission.issue_ticket(f"i{number}", "doc", {}, "192.0.2.1"),
            admission.renew(f"r{number}", session, "192.0.2.1"),
        )
    ]
    # A renewal looks the session up first, in a thread.
    async with deadline():
        while len(authority.asked) < ASKING_PER_NETWORK_MAX:  # noqa: ASYNC110
            await asyncio.sleep(0)
    await run_ready_tasks()
    assert len(authority.asked) == ASKING_PER_NETWORK_MAX
    other = asyncio.create_task(enter(hub, admission, token("t"), host="198.51.100.1"))
    await run_ready_tasks()
    assert authority.asked[ASKING_PER_NETWORK_MAX:] == ["t"]
    authority.gate.set()
    async with deadline():
        assert (await other).connection.user == "ann"
        await asyncio.gather(*flood, return_exceptions=True)


async def test_anonymous_sessions_end_with_their_connection(
    hub: Hub, store: Store, clock: Clock
) -> None:
    numbers = count(1)
    admission = Admission(
        store.sessions, Anonymous(), clock, lambda: f"id-{next(numbers)}", hub.ask_for_state
    )
    one, two = await enter(hub, admission), await enter(hub, admission)
    assert one.connection.session_id != two.connection.session_id
    admission.release(one.connection)
    await admission.close()
    (left,) = await store.sessions.list()
    assert (left.session_id, left.user) == (two.connection.session_id, "anonymous")


def everybody(store: Store, hub: Hub, clock: Clock) -> Admission:
    return Admission(store.sessions, Anonymous(), clock, make_secret, hub.ask_for_state)


async def test_who_goes_while_being_let_in_leaves_no_session_that_nobody_could_resume(
    store: Store, hub: Hub, clock: Clock
) -> None:
    """P5: enough of them would take everybody's places for an hour."""
    admission = everybody(store, hub, clock)
    entering = asyncio.create_task(enter(hub, admission))
    await run_ready_tasks(1)  # its session is on the way
    entering.cancel()
    with pytest.raises(asyncio.CancelledError):
        await entering
    await admission.close()
    await store.sessions.end("of nobody")  # changes come one after the other
    assert await store.sessions.list() == []


async def test_where_everybody_is_let_in_tickets_take_no_place(
    hub: Hub, store: Store, clock: Clock
) -> None:
    """P5: or whoever asks for enough of them locks out everybody else for an hour."""
    admission = everybody(store, hub, clock)
    issued = await admission.issue_ticket("", "doc", {})
    assert (issued.session.user, issued.session.document) == ("anonymous", "doc")
    assert await store.sessions.list(with_ended=True) == []
    await enter(hub, admission, ticket(issued.text))
    await admission.close()


async def leave_behind(store: Store, user: str) -> None:
    """Store a session as a crash leaves it."""
    permission, status = Permission.WRITE, SessionStatus.ACTIVE
    left = Session(user, user, "doc", permission, status, {}, START_MS, START_MS, START_MS + TTL_MS)
    await store.sessions.start(left, None)


async def test_sessions_of_connections_that_a_crash_has_cut_are_over_at_the_next_start(
    hub: Hub, store: Store, clock: Clock
) -> None:
    """Nobody can resume them, and they are in the list and at the bounds for an hour."""
    for user in ("anonymous", "ann"):
        await leave_behind(store, user)
    admission = everybody(store, hub, clock)
    await admission.begin()
    assert [each.user for each in await store.sessions.list()] == ["ann"]
    await admission.close()


async def test_sessions_of_tokens_outlive_a_restart(store: Store, admission: Admission) -> None:
    await leave_behind(store, "anonymous")
    await admission.begin()
    assert len(await store.sessions.list()) == 1


async def test_a_start_does_not_fail_for_sessions_that_cannot_be_ended(
    hub: Hub, store: Store, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_: object, **__: object) -> None:
        raise StoreFailing("I/O error")

    monkeypatch.setattr(store.sessions, "end_all", fail)
    admission = everybody(store, hub, clock)
    await admission.begin()
    await admission.close()


async def test_as_many_may_be_here_without_a_name_as_there_may_be_connections(
    hub: Hub, store: Store, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`anonymous` is no user: the bound of one user is not for everybody together."""
    monkeypatch.setattr("yjs_store.sessions.SESSIONS_PER_USER_MAX", 2)
    admission = everybody(store, hub, clock)
    for _ in range(3):
        await enter(hub, admission)
    await admission.close()


# ---- tickets ------------------------------------------------------------------------------------


async def test_a_ticket_is_for_its_document_and_its_time(
    hub: Hub, admission: Admission, clock: Clock
) -> None:
    issued = await admission.issue_ticket("t", "doc", {})
    assert issued.text not in repr(issued)
    with pytest.raises(Unauthorized):
        await enter(hub, admission, ticket(issued.text), "other")
    with pytest.raises(Unauthorized):
        await enter(hub, admission, token(issued.text))
    clock.ms = issued.expires_ms - 1
    member = await enter(hub, admission, ticket(issued.text))
    again = await enter(hub, admission, ticket(issued.text))
    assert member.connection.session_id == again.connection.session_id == issued.session.session_id
    clock.ms = issued.expires_ms
    with pytest.raises(Unauthorized, match="not valid any more"):
        await enter(hub, admission, ticket(issued.text))
    secret, _, end = issued.text.rpartition(".")
    with pytest.raises(Unauthorized):
        await enter(hub, admission, ticket(f"{secret}.{int(end, 16) + 1000:x}"))
    assert ending(member) is None


async def test_a_token_is_no_ticket(hub: Hub, admission: Admission, authority: Deciding) -> None:
    text = f"t.{START_MS + TTL_MS:x}"
    authority.answers[text] = WRITE
    await enter(hub, admission, token(text))
    with pytest.raises(Unauthorized):
        await enter(hub, admission, ticket(text))


async def test_a_ticket_ends_with_its_grant(
    admission: Admission, authority: Deciding, clock: Clock
) -> None:
    authority.answers["t"] = Grant("ann", Permission.WRITE, clock.ms + 1000)
    issued = await admission.issue_ticket("t", "doc", {})
    assert issued.expires_ms == issued.session.expires_ms == clock.ms + 1000


# ---- renewal ------------------------------------------------------------------------------------


async def test_a_renewal_changes_permission_and_expiry_in_place(
    hub: Hub, admission: Admission, authority: Deciding, clock: Clock
) -> None:
    member = await enter(hub, admission)
    clock.ms += TTL_MS - 1
    authority.answers["new"] = READ
    renewed = await admission.renew("new", member.connection.session_id)
    assert (renewed.permission, renewed.expires_ms) == (Permission.READ, clock.ms + TTL_MS)
    assert member.connection.may_write is False
    authority.answers |= {"t": Unauthorized("over")}
    clock.ms += 2 * AHEAD_MS
    admission.tick()
    await run_ready_tasks()
    assert ending(member) is None


async def test_only_its_user_renews_a_session(
    hub: Hub, admission: Admission, authority: Deciding
) -> None:
    member = await enter(hub, admission)
    authority.answers["b"] = Grant("bob", Permission.ADMIN)
    with pytest.raises(Forbidden):
        await admission.renew("b", member.connection.session_id)
    with pytest.raises(SessionUnknown):
        await admission.renew("t", "unknown")


@pytest.mark.parametrize("shown", ["t", "new", "newer"])
async def test_no_token_of_a_revoked_session_opens_its_document_again(
    hub: Hub, store: Store, admission: Admission, authority: Deciding, shown: str
) -> None:
    """Neither the one it came by nor those by which it was renewed; others of its user do."""
    authority.answers |= {"new": WRITE, "newer": WRITE, "other": WRITE}
    member = await enter(hub, admission)
    session_id = member.connection.session_id
    for text in ("new", "newer", "new", "t"):
        renewed = await admission.renew(text, session_id)
        assert renewed.details == {"peer": "tester"}
    (revoked,) = await store.sessions.revoke(session_id=session_id)
    assert revoked.details == {"peer": "tester"}
    assert ending(member) == (4401, "the session was revoked")
    with pytest.raises(Unauthorized, match="was revoked"):
        await enter(hub, admission, token(shown))
    with pytest.raises(Unauthorized, match="was revoked"):
        await admission.issue_ticket(shown, "doc", {})
    await enter(hub, admission, token(shown), "another document")
    await enter(hub, admission, token("other"))


async def test_a_renewal_counts_for_who_is_just_being_let_in(
    hub: Hub,
    store: Store,
    admission: Admission,
    authority: Deciding,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    issued = await admission.issue_ticket("t", "doc", {})
    find = store.sessions.find

    async def find_and_renew(*arguments: Any) -> Any:
        found = await find(*arguments)
        monkeypatch.undo()
        authority.answers["t"] = READ
        await admission.renew("t", issued.session.session_id)
        return found

    monkeypatch.setattr(store.sessions, "find", find_and_renew)
    member = await enter(hub, admission, ticket(issued.text))
    assert member.connection.may_write is False


# ---- permission ---------------------------------------------------------------------------------


async def test_updates_of_a_reader_are_neither_stored_nor_shown_nor_closed_for(
    hub: Hub, store: Store, admission: Admission, authority: Deciding
) -> None:
    """Field note 25: and its awareness works."""
    authority.answers |= {"r": READ}
    reader, writer = await enter(hub, admission, token("r")), await enter(hub, admission)
    await until(lambda: reader.connection.answers_due == 0 == writer.connection.answers_due)
    reader.messages(), writer.messages()
    reader.send_update(text_update("x"))
    reader.send(wire.encode_sync_step_2(text_update("y")), wire.encode_sync_step_2(b"\0\0"))
    both = wire.encode_update(text_update("z")) + wire.encode_awareness(
        encode_awareness_states((7, 1, '{"cursor":1}'))
    )
    reader.send(both)
    writer.send_update(text_update("seen", 2))
    assert text_of(await reader_update(reader)) == "seen"
    kinds = [type(each) for each in writer.messages()]
    assert wire.Awareness in kinds
    await store.wait_settled()
    assert text_of(await store.load("doc")) == "seen"
    assert ending(reader) is None
    assert reader.connection.must_wait is False


async def reader_update(member: Member) -> bytes:
    while not isinstance(message := await member.next(), wire.Update):
        pass
    return message.update


async def test_who_may_write_after_all_is_asked_for_what_was_refused(
    hub: Hub, store: Store, admission: Admission, authority: Deciding
) -> None:
    authority.answers["t"] = READ
    member = await enter(hub, admission)
    first, second = typed("ab")
    member.send_update(first)
    await until(lambda: member.connection.answers_due == 0)
    member.messages()
    authority.answers["t"] = WRITE
    await admission.renew("t", member.connection.session_id)
    assert wire.SyncStep1(b"\x00") in member.messages()
    member.send(wire.encode_sync_step_2(first), wire.encode_update(second))
    await store.wait_settled()
    assert text_of(await store.load("doc")) == "ab"


# ---- time ---------------------------------------------------------------------------------------


async def test_what_has_expired_is_closed(
    hub: Hub, admission: Admission, authority: Deciding, clock: Clock
) -> None:
    """Field note 24: access does not outlive the credential."""
    authority.answers["t"] = Grant("ann", Permission.WRITE, START_MS + 1000)
    member = await enter(hub, admission)
    clock.ms += 999
    admission.tick()
    await run_ready_tasks()
    assert ending(member) is None
    clock.ms += 1
    admission.tick()
    assert ending(member) == (4401, "the session has expired")


async def test_before_its_end_a_session_is_asked_about_and_goes_on(
    hub: Hub, store: Store, admission: Admission, authority: Deciding, clock: Clock
) -> None:
    member = await enter(hub, admission)
    clock.ms += TTL_MS - AHEAD_MS - 1
    authority.asked.clear()
    admission.tick()
    await run_ready_tasks()
    assert authority.asked == []
    clock.ms += 1
    admission.tick()
    await admission_idle(admission)
    assert authority.asked == ["t"]
    session = await store.sessions.find(member.connection.session_id)
    assert session is not None
    assert session.expires_ms == clock.ms + TTL_MS
    clock.ms += AHEAD_MS
    admission.tick()
    assert ending(member) is None


async def admission_idle(admission: Admission) -> None:
    async with deadline():
        await admission._background.wait_idle()


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (Unauthorized("the token is not valid"), (4401, "the token is not valid")),
        (Forbidden("not for this"), (4403, "not for this")),
        (Grant("bob", Permission.WRITE), (4401, "the credential is of another user now")),
        (READ, None),
    ],
)
async def test_when_what_it_is_judged_by_changes_every_session_is_judged_again(
    hub: Hub,
    store: Store,
    admission: Admission,
    authority: Deciding,
    answer: Grant | Exception,
    expected: tuple[int, str] | None,
) -> None:
    members = [await enter(hub, admission)]
    issued = await admission.issue_ticket("t", "doc", {})
    members.append(await enter(hub, admission, ticket(issued.text)))
    authority.answers["t"] = answer
    authority.version += 1
    admission.tick()
    await admission_idle(admission)
    assert [ending(each) for each in members] == [expected] * 2
    assert [each.connection.may_write for each in members] == [expected is not None] * 2
    assert len(await store.sessions.list()) == (2 if expected is None else 0)
    authority.asked.clear()
    admission.tick()
    assert authority.asked == []


async def test_a_ticket_that_was_out_when_its_token_went_does_not_last(
    hub: Hub, admission: Admission, authority: Deciding
) -> None:
    issued = await admission.issue_ticket("t", "doc", {})
    del authority.answers["t"]
    authority.version += 1
    admission.tick()
    member = await enter(hub, admission, ticket(issued.text))
    admission.tick()
    await admission_idle(admission)
    assert ending(member) == (4401, "the token is not valid")


async def test_who_cannot_be_asked_about_is_not_kept_through_a_change(
    hub: Hub, store: Store, admission: Admission, authority: Deciding
) -> None:
    issued = await admission.issue_ticket("t", "doc", {})
    admission._judged.clear()  # as a restart does
    member = await enter(hub, admission, ticket(issued.text))
    admission.tick()
    assert ending(member) is None
    authority.version += 1
    admission.tick()
    await admission_idle(admission)
    assert ending(member) == (4401, "the session is over")
    assert await store.sessions.list() == []


async def test_without_an_answer_a_session_lasts_to_its_end_and_no_longer(
    hub: Hub, admission: Admission, authority: Deciding, clock: Clock
) -> None:
    member = await enter(hub, admission)
    authority.answers["t"] = DeciderUnavailable("no answer")
    clock.ms += TTL_MS - 1
    admission.tick()
    await admission_idle(admission)
    assert ending(member) is None
    clock.ms += 1
    admission.tick()
    assert ending(member) == (4504, "no answer")


async def test_questions_about_sessions_are_bounded_and_not_repeated(
    hub: Hub, admission: Admission, authority: Deciding
) -> None:
    number = ASK_AGAIN_CONCURRENT_MAX + 5
    for index in range(number):
        authority.answers[f"t{index}"] = WRITE
        await enter(hub, admission, token(f"t{index}"))
    authority.version += 1
    authority.asked.clear()
    authority.gate.clear()
    for _ in range(3):
        admission.tick()
        await run_ready_tasks()
    assert len(authority.asked) == ASK_AGAIN_CONCURRENT_MAX
    authority.gate.set()
    await admission_idle(admission)
    assert len(authority.asked) == number


# ---- revocation ---------------------------------------------------------------------------------


async def test_a_session_revoked_between_two_messages_stores_the_first_only(
    hub: Hub, store: Store, admission: Admission, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = typed("ab")
    socket = AsgiSocket(hub, "/ws/doc", admission, query=b"token=t")
    async with socket:
        await socket.next()
        socket.send_update(first)
        await socket.wait_text("a")
        end = admission._live.end

        def end_and_send(*arguments: Any) -> None:
            end(*arguments)
            # It was on its way before its client could know.
            socket.send_update(second)

        monkeypatch.setattr(admission._live, "end", end_and_send)
        await store.sessions.revoke(user="ann")
        assert await socket.wait_closed() == (4401, "the session was revoked")
    await store.wait_settled()
    assert text_of(await store.load("doc")) == "a"


async def test_a_session_that_ends_while_it_is_looked_up_lets_nobody_in(
    hub: Hub,
    store: Store,
    admission: Admission,
    authority: Deciding,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    start = store.sessions.start

    async def start_and_end(session: Any, credential_hash: Any) -> None:
        await start(session, credential_hash)
        await store.sessions.revoke(session_id=session.session_id)

    monkeypatch.setattr(store.sessions, "start", start_and_end)
    with pytest.raises(Unauthorized):
        await enter(hub, admission)


@pytest.mark.parametrize("by_ticket", [False, True])
async def test_a_revocation_between_the_last_look_and_the_start_of_a_session_counts(
    hub: Hub, store: Store, admission: Admission, monkeypatch: pytest.MonkeyPatch, by_ticket: bool
) -> None:
    """Who comes back very often would be in again otherwise, at the moment that it is closed."""
    one = await enter(hub, admission)
    start, revoke = store.sessions.start, store.sessions.revoke
    find = store.sessions.find_by_credential

    async def revoke_and_find(*arguments: Any) -> Any:
        await revoke(session_id=one.connection.session_id)
        return await find(*arguments)

    async def revoke_and_start(*arguments: Any) -> None:
        await revoke(session_id=one.connection.session_id)
        await start(*arguments)

    monkeypatch.setattr(store.sessions, "find_by_credential", revoke_and_find)
    monkeypatch.setattr(store.sessions, "start", revoke_and_start)
    with pytest.raises(Unauthorized, match="revoked"):
        await (admission.issue_ticket("t", "doc", {}) if by_ticket else enter(hub, admission))
    assert await store.sessions.list() == []


async def test_what_was_revoked_does_not_come_back_by_its_token_or_ticket(
    hub: Hub, store: Store, admission: Admission
) -> None:
    issued = await admission.issue_ticket("t", "doc", {})
    await enter(hub, admission)
    await store.sessions.revoke(user="ann")
    for credential in (token(), ticket(issued.text)):
        with pytest.raises(Unauthorized):
            await enter(hub, admission, credential)
    with pytest.raises(Unauthorized):
        await admission.issue_ticket("t", "doc", {})
    assert await enter(hub, admission, document="other")


async def test_a_revoked_session_of_a_ticket_bars_the_token_that_the_ticket_was_for(
    hub: Hub, store: Store, admission: Admission
) -> None:
    """Or its client would get another ticket, and be back at once."""
    issued = await admission.issue_ticket("t", "doc", {})
    await enter(hub, admission, ticket(issued.text))
    await store.sessions.revoke(session_id=issued.session.session_id)
    with pytest.raises(Unauthorized):
        await admission.issue_ticket("t", "doc", {})
    for credential in (token(), ticket(issued.text)):
        with pytest.raises(Unauthorized):
            await enter(hub, admission, credential)


async def test_while_storage_fails_a_session_that_needs_no_change_is_resumed(
    hub: Hub,
    store: Store,
    admission: Admission,
    authority: Deciding,
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """P8: it is due to be extended, but good as it is; one that may do less now is not."""

    async def fail(*_: object) -> None:
        raise StoreFailing("I/O error")

    one = await enter(hub, admission)
    clock.ms += TTL_MS - 1000
    monkeypatch.setattr(store.sessions, "extend", fail)
    two = await enter(hub, admission)
    assert one.connection.session_id == two.connection.session_id
    authority.answers["t"] = READ
    with pytest.raises(StoreFailing):
        await enter(hub, admission)


async def test_a_defect_while_asking_again_is_not_swallowed(
    hub: Hub, admission: Admission, authority: Deciding
) -> None:
    """Field note 19."""
    await enter(hub, admission)
    authority.answers["t"] = ZeroDivisionError("a defect")
    authority.version += 1
    admission.tick()
    async with deadline():
        with pytest.raises(ZeroDivisionError):
            await admission.wait_broken()
