"""One document's conversation: what a frame brings about, decided without doing any of it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from relay_support import (
    EMPTY_STATE_VECTOR,
    AwarenessTuple,
    decode_awareness_states,
    encode_awareness_states,
)

from relay import awareness as awareness_module
from relay.errors import MalformedMessage
from relay.limits import (
    ASKED_BURST,
    ASKED_PER_ANSWER_MAX,
    ASKED_PER_AWARENESS_BYTE,
    ASKED_PER_S,
    AWARENESS_BYTES_PER_CONNECTION_MAX,
    AWARENESS_TIMEOUT_S,
    STATE_VECTOR_BYTES_MAX,
    STATE_VECTOR_CLIENTS_MAX,
)
from relay.room import AnswerStep1, Effect, Reply, Room, SpreadAwareness, Submit
from relay.wire import y_websocket as wire
from relay.wire.lib0 import write_var_bytes, write_var_uint

ANN, BEN = "ann's connection", "ben's connection"


def awareness(*entries: tuple[int, int, str]) -> bytes:
    return wire.encode_awareness(encode_awareness_states(*entries))


def spread(*entries: tuple[int, int, str]) -> SpreadAwareness:
    return SpreadAwareness(awareness(*entries))


def states_of(frame: bytes) -> list[AwarenessTuple]:
    (message,) = wire.decode(frame)
    assert isinstance(message, wire.Awareness)
    return decode_awareness_states(message.payload)


def present(room: Room) -> list[AwarenessTuple]:
    """Return what a new connection is told."""
    return [state for effect in room.join() for state in states_of(effect.frame)]


def same(found: object, expected: list[Effect]) -> bool:
    """Compare with types: tuples of one field are equal across them."""
    effects = list(found)  # type: ignore[call-overload]
    return effects == expected and list(map(type, effects)) == list(map(type, expected))


def test_an_update_is_submitted_as_news() -> None:
    found = Room().receive(ANN, wire.encode_update(b"\x00\x00"), 0.0)
    assert same(found, [Submit(b"\x00\x00", repeats=False)])


def test_a_sync_step_2_is_submitted_as_what_may_repeat() -> None:
    found = Room().receive(ANN, wire.encode_sync_step_2(b"\x00\x00"), 0.0)
    assert same(found, [Submit(b"\x00\x00", repeats=True)])


def test_a_sync_step_1_is_answered_later_with_what_the_sender_lacks() -> None:
    found = Room().receive(ANN, wire.encode_sync_step_1(b"\x00"), 0.0)
    assert same(found, [AnswerStep1(b"\x00")])


def test_the_messages_of_a_frame_take_effect_in_order() -> None:
    frame = (
        wire.encode_sync_step_1(b"\x00")
        + wire.encode_sync_step_2(b"2")
        + awareness((1, 1, '"a"'))
        + b"\x03"
        + wire.encode_update(b"3")
    )
    assert same(
        Room().receive(ANN, frame, 0.0),
        [
            AnswerStep1(b"\x00"),
            Submit(b"2", repeats=True),
            spread((1, 1, '"a"')),
            Reply(awareness((1, 1, '"a"'))),
            Submit(b"3", repeats=False),
        ],
    )


def test_however_often_a_frame_asks_it_is_answered_once() -> None:
    """P5, P6: a frame of 4 KB must not be answered by a thousand documents."""
    room = Room()
    room.receive(BEN, awareness((3, 1, '"c"')), 0.0)
    asking = wire.encode_sync_step_1(b"\x01\x07\x05")
    found = room.receive(ANN, (asking + b"\x03") * 400, 0.0)
    assert sorted(map(type, found), key=str) == sorted([AnswerStep1, Reply], key=str)
    assert AnswerStep1(b"\x01\x07\x05") in found


def state_vector(clients: int, first: int = 0) -> bytes:
    return write_var_uint(clients) + b"".join(
        write_var_uint(first + client) + b"\x01" for client in range(clients)
    )


def test_a_state_vector_is_bounded_in_clients_and_bytes_and_nothing_of_its_frame_counts() -> None:
    """P5, P6: one of 64 MiB took 18 s of everybody's time, and gigabytes."""
    room = Room()
    too_long = b"\x01\x07\x05" + bytes(STATE_VECTOR_BYTES_MAX - 2)
    for too_much in (state_vector(STATE_VECTOR_CLIENTS_MAX + 1), too_long):
        with pytest.raises(MalformedMessage, match="a state vector of"):
            room.receive(ANN, awareness((1, 1, '"a"')) + wire.encode_sync_step_1(too_much), 0.0)
    assert present(room) == []
    for most in (state_vector(STATE_VECTOR_CLIENTS_MAX, first=2**53 - 200_000), too_long[:-1]):
        assert same(room.receive(ANN, wire.encode_sync_step_1(most), 0.0), [AnswerStep1(most)])


def test_whatever_the_document_has_a_state_vector_may_have_and_as_much_again_as_anybody() -> None:
    room, told = Room(), state_vector(STATE_VECTOR_CLIENTS_MAX + 5)
    room.note_told(told)
    room.note_told(b"\x00")
    assert same(room.receive(ANN, wire.encode_sync_step_1(told), 0.0), [AnswerStep1(told)])
    most = state_vector(2 * STATE_VECTOR_CLIENTS_MAX + 5)
    assert same(room.receive(ANN, wire.encode_sync_step_1(most), 0.0), [AnswerStep1(most)])
    too_much = state_vector(2 * STATE_VECTOR_CLIENTS_MAX + 6)
    with pytest.raises(MalformedMessage, match="a state vector of"):
        room.receive(ANN, wire.encode_sync_step_1(too_much), 0.0)


def test_who_asks_from_two_states_at_once_is_given_everything() -> None:
    frame = wire.encode_sync_step_1(b"\x01\x07\x05") + wire.encode_sync_step_1(b"\x01\x08\x05")
    assert same(Room().receive(ANN, frame, 0.0), [AnswerStep1(EMPTY_STATE_VECTOR)])


def test_the_awareness_messages_of_a_frame_are_taken_in_order() -> None:
    room = Room()
    frame = awareness((1, 1, '"a"'), (2, 1, '"b"')) + awareness((1, 2, '"c"'), (2, 1, '"d"'))
    expected = {1: (2, '"c"'), 2: (1, '"b"')}
    heard: dict[int, tuple[int, str]] = {}
    for effect in room.receive(ANN, wire.encode_update(b"1") + frame, 0.0):
        if isinstance(effect, SpreadAwareness):
            for client, clock, state in states_of(effect.frame):
                heard[client] = (clock, state)
    assert heard == expected
    assert {c: (clock, state) for c, clock, state in present(room)} == expected


def test_awareness_that_is_no_news_is_not_spread() -> None:
    room = Room()
    assert same(room.receive(ANN, awareness((1, 2, '"a"')), 0.0), [spread((1, 2, '"a"'))])
    assert same(room.receive(ANN, awareness((1, 1, '"b"')), 0.0), [])
    assert same(room.receive(ANN, awareness(), 0.0), [])


def test_a_new_connection_is_told_of_everybody_present() -> None:
    room = Room()
    assert same(room.join(), [])
    room.receive(ANN, awareness((1, 1, '"a"'), (2, 1, '"b"')), 0.0)
    room.receive(BEN, awareness((3, 1, '"c"'), (2, 2, "null")), 0.0)
    assert same(room.join(), [Reply(awareness((1, 1, '"a"'), (3, 1, '"c"')))])
    assert same(room.receive(BEN, b"\x03", 0.0), room.join())


def test_nobody_is_told_of_nobody() -> None:
    room = Room()
    assert room.states_of([1]) is None
    assert same(room.receive(ANN, b"\x03", 0.0), [])


def test_one_who_has_missed_news_is_told_of_removals_too() -> None:
    """Field note 21: without them ghost cursors stay."""
    room = Room()
    room.receive(ANN, awareness((1, 4, '"a"'), (2, 5, '"b"')), 0.0)
    room.receive(BEN, awareness((3, 6, '"c"')), 0.0)
    room.leave(ANN)
    frame = room.states_of([1, 3, 4])
    assert frame is not None
    assert sorted(states_of(frame)) == [(1, 4, "null"), (3, 6, '"c"')]
    assert present(room) == [(3, 6, '"c"')]


def test_a_connection_that_leaves_takes_its_clients_and_nobody_elses() -> None:
    """Field note 21."""
    room = Room()
    room.receive(ANN, awareness((1, 1, '"a"'), (2, 1, '"b"')), 0.0)
    room.receive(BEN, awareness((3, 1, '"c"')), 0.0)
    (effect,) = room.leave(ANN)
    assert sorted(states_of(effect.frame)) == [(1, 1, "null"), (2, 1, "null")]
    assert same(room.join(), [Reply(awareness((3, 1, '"c"')))])
    assert same(room.leave(ANN), [])


def test_time_removes_clients_that_were_not_renewed() -> None:
    room = Room()
    room.receive(ANN, awareness((1, 1, '"a"')), 100.0)
    room.receive(ANN, awareness((2, 1, '"b"')), 110.0)
    assert same(room.tick(100.0 + AWARENESS_TIMEOUT_S), [])
    assert same(room.tick(100.1 + AWARENESS_TIMEOUT_S), [spread((1, 1, "null"))])
    assert same(room.tick(100.2 + AWARENESS_TIMEOUT_S), [])
    assert same(room.join(), [Reply(awareness((2, 1, '"b"')))])


@pytest.mark.parametrize("broken", [b"\x04", b"\x00\x02\x05a", b"\x80"])
def test_a_frame_that_does_not_decode_has_no_effect_at_all(broken: bytes) -> None:
    room = Room()
    with pytest.raises(MalformedMessage):
        room.receive(ANN, awareness((1, 1, '"a"')) + broken, 0.0)
    assert present(room) == []


def test_a_frame_with_broken_awareness_has_no_effect_at_all() -> None:
    """The others would never hear of a removal that was taken in and then thrown away."""
    room = Room()
    room.receive(BEN, awareness((3, 1, '"c"')), 0.0)
    with pytest.raises(MalformedMessage):
        room.receive(ANN, awareness((3, 2, "null")) + wire.encode_awareness(b"\x01"), 0.0)
    assert present(room) == [(3, 1, '"c"')]


def test_each_state_of_a_frame_is_parsed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    parsed: list[bytes] = []
    monkeypatch.setattr(awareness_module, "check_json", parsed.append)
    Room().receive(ANN, awareness((1, 1, '"a"')) + awareness((2, 1, '"b"'), (3, 1, "null")), 0.0)
    assert parsed == [b'"a"', b'"b"']


def cost_of(room: Room, frame: bytes) -> float:
    costs: list[float] = []
    room.receive(ANN, frame, 0.0, lambda cost, _now_s: costs.append(cost))
    return sum(costs)


def one_state(client: int, clock: int, state: str) -> bytes:
    """As ``awareness``, with a state of any length."""
    parts = (
        b"\x01",
        write_var_uint(client),
        write_var_uint(clock),
        write_var_bytes(state.encode()),
    )
    return wire.encode_awareness(b"".join(parts))


def test_a_cursor_that_follows_the_mouse_costs_what_is_allowed() -> None:
    where = '{"type":{"client":1,"clock":2},"tname":null,"item":{"client":1,"clock":3},"assoc":0}'
    user = '{"name":"Ann","color":"#f00"}'
    state = f'{{"user":{user},"cursor":{{"anchor":{where},"head":{where}}}}}'
    assert 60 * cost_of(Room(), one_state(1, 1, state)) < ASKED_PER_S


def test_the_longest_state_vector_costs_more_than_may_be_saved_up() -> None:
    longest = b"\x01\x07\x05" + bytes(STATE_VECTOR_BYTES_MAX - 3)
    assert cost_of(Room(), wire.encode_sync_step_1(longest)) > ASKED_BURST
    thirty_thousand = state_vector(30_000, first=2**32)
    assert cost_of(Room(), wire.encode_sync_step_1(thirty_thousand)) < ASKED_BURST / 2


def test_awareness_that_is_parsed_costs_in_full_and_what_is_known_costs_as_an_answer() -> None:
    """P5: 256 KiB of empty lists take 30 ms of everybody's time: once in a while at most."""
    room = Room()
    lists = AWARENESS_BYTES_PER_CONNECTION_MAX // 4
    frame = one_state(1, 1, "[" + "[]," * lists + "[]]")
    assert cost_of(room, frame) > 10 * ASKED_PER_S
    assert cost_of(room, frame) <= 1 + ASKED_PER_ANSWER_MAX
    text = one_state(1, 2, '"' + "x" * (AWARENESS_BYTES_PER_CONNECTION_MAX - 2) + '"')
    assert cost_of(room, text) > AWARENESS_BYTES_PER_CONNECTION_MAX * ASKED_PER_AWARENESS_BYTE


@given(st.lists(st.tuples(st.sampled_from([ANN, BEN]), st.binary(max_size=30)), max_size=5))
def test_whatever_the_frames_they_have_effects_or_are_malformed(
    frames: list[tuple[str, bytes]],
) -> None:
    room = Room()
    for now_s, (sender, frame) in enumerate(frames):
        try:
            effects = room.receive(sender, frame, float(now_s))
        except MalformedMessage:
            continue
        assert all(isinstance(effect, Effect) for effect in effects)
