"""Whose cursor is where: exactly what y-protocols says, and exact removal (field note 21)."""

from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st
from relay_support import AwarenessTuple, decode_awareness_states, encode_awareness_states

from relay.awareness import AwarenessStates
from relay.awareness_format import Entry, decode, encode
from relay.errors import MalformedMessage
from relay.limits import (
    AWARENESS_BYTES_PER_CONNECTION_MAX,
    AWARENESS_BYTES_PER_MESSAGE_MAX,
    AWARENESS_BYTES_PER_ROOM_MAX,
    AWARENESS_CLIENTS_PER_CONNECTION_MAX,
    AWARENESS_CLIENTS_PER_MESSAGE_MAX,
    AWARENESS_CLIENTS_PER_ROOM_MAX,
    AWARENESS_CLOCK_MAX,
    AWARENESS_CLOCKS_AHEAD,
    AWARENESS_CLOCKS_MAX,
    AWARENESS_CLOCKS_PER_S,
    AWARENESS_FIRST_CLOCK_MAX,
)
from relay.wire.lib0 import write_var_bytes, write_var_uint

ANN, BEN, CEM = "ann's connection", "ben's connection", "cem's connection"

# From y-protocols 1.0.7: encodeAwarenessUpdate of a client with one state, of two, of a removal.
ONE_STATE = bytes.fromhex(
    "010701357b2275736572223a7b226e616d65223a224ac3bc7267656e222c22636f6c6f72223a2223663030227d"
    "2c22637572736f72223a337d"
)
TWO_STATES = bytes.fromhex(
    "020701357b2275736572223a7b226e616d65223a224ac3bc7267656e222c22636f6c6f72223a2223663030227d"
    "2c22637572736f72223a337d80d0acf30e0c207b226e223a6e756c6c2c2266223a5b312e352c747275652c22f0"
    "9f9880225d7d"
)
REMOVED = bytes.fromhex("0180d0acf30e0c046e756c6c")


@pytest.fixture
def states() -> AwarenessStates:
    return AwarenessStates()


def apply(states: AwarenessStates, payload: bytes, owner: str, now_s: float) -> bytes | None:
    """Read and apply one message, as a room does."""
    (reading,) = states.read([payload])
    return states.apply(reading.entries, owner, now_s)


def announce(
    states: AwarenessStates, owner: str, *entries: AwarenessTuple, now_s: float = 0.0
) -> list[AwarenessTuple]:
    """Apply an update; return what the others get."""
    return news(apply(states, encode_awareness_states(*entries), owner, now_s))


def news(payload: bytes | None) -> list[AwarenessTuple]:
    if payload is None:
        return []
    entries = decode_awareness_states(payload)
    assert entries, "an update of nobody is no news"
    return entries


def present(states: AwarenessStates) -> dict[int, str]:
    return {client: state for client, _, state in news(states.all_states())}


def many(count: int, clock: int = 1, state: str = "1", first: int = 1) -> bytes:
    parts = [write_var_uint(count)]
    for client in range(first, first + count):
        parts += [write_var_uint(client), write_var_uint(clock), write_var_bytes(state.encode())]
    return b"".join(parts)


# ---- what is taken in ---------------------------------------------------------------------------


def test_the_bytes_of_y_protocols_are_passed_on_as_they_came(states: AwarenessStates) -> None:
    assert states.all_states() is None
    assert apply(states, ONE_STATE, ANN, 0.0) == ONE_STATE
    assert states.all_states() == ONE_STATE
    # The first of the two is known: only the other is news.
    assert news(apply(states, TWO_STATES, ANN, 0.0)) == [
        (4_000_000_000, 12, '{"n":null,"f":[1.5,true,"😀"]}')
    ]
    assert states.all_states() == TWO_STATES
    assert apply(states, REMOVED, ANN, 0.0) == REMOVED
    assert states.all_states() == ONE_STATE


def test_a_newer_clock_is_taken_and_an_older_or_equal_one_is_not(states: AwarenessStates) -> None:
    assert announce(states, ANN, (1, 5, '"a"')) == [(1, 5, '"a"')]
    assert announce(states, ANN, (1, 5, '"b"')) == []
    assert announce(states, ANN, (1, 4, '"c"')) == []
    assert announce(states, ANN, (1, 4, "null")) == []
    assert present(states) == {1: '"a"'}
    assert announce(states, ANN, (1, 6, '"d"')) == [(1, 6, '"d"')]
    assert present(states) == {1: '"d"'}


def test_null_at_the_same_clock_removes_a_state_once(states: AwarenessStates) -> None:
    announce(states, ANN, (1, 5, '"a"'))
    assert announce(states, ANN, (1, 5, "null")) == [(1, 5, "null")]
    assert present(states) == {}
    assert announce(states, ANN, (1, 5, "null")) == []


def test_the_clock_is_kept_after_a_removal(states: AwarenessStates) -> None:
    """A state that was on its way when its client was removed must not come back."""
    announce(states, ANN, (1, 5, '"a"'))
    announce(states, ANN, (1, 7, "null"))
    assert announce(states, BEN, (1, 6, '"stale"')) == []
    assert announce(states, BEN, (1, 7, '"stale"')) == []
    assert present(states) == {}
    assert announce(states, ANN, (1, 8, '"back"')) == [(1, 8, '"back"')]


def test_one_update_may_hold_news_and_what_is_old(states: AwarenessStates) -> None:
    announce(states, ANN, (1, 5, '"a"'), (2, 5, '"b"'))
    assert announce(states, ANN, (1, 4, '"x"'), (2, 6, '"c"'), (3, 1, '"d"')) == [
        (2, 6, '"c"'),
        (3, 1, '"d"'),
    ]
    assert present(states) == {1: '"a"', 2: '"c"', 3: '"d"'}


def test_the_removal_of_a_client_that_is_not_known_is_no_news(states: AwarenessStates) -> None:
    """P6: else whoever removes ever more clients would fill the queues of all."""
    assert announce(states, ANN, (1, 5, "null")) == []
    assert not states.remembers(1)
    assert announce(states, ANN, (1, 5, '"a"')) == [(1, 5, '"a"')]
    assert announce(states, ANN, (2, 5, '"b"'), (2, 5, "null")) == [(2, 5, '"b"'), (2, 5, "null")]
    assert states.remembers(2)


def test_null_with_spaces_is_a_removal_too(states: AwarenessStates) -> None:
    announce(states, ANN, (1, 1, '"a"'))
    assert announce(states, ANN, (1, 2, " null\n")) == [(1, 2, "null")]
    assert present(states) == {}


def test_a_client_twice_in_one_update_is_taken_in_order_as_y_protocols_does(
    states: AwarenessStates,
) -> None:
    announce(states, ANN, (1, 5, '"new"'), (1, 3, '"old"'))
    assert present(states) == {1: '"new"'}
    announce(states, ANN, (2, 4, '"old"'), (2, 5, "null"), (2, 5, '"stale"'))
    assert present(states) == {1: '"new"'}


# ---- clocks that nobody can go on from ----------------------------------------------------------


@pytest.mark.parametrize("clock", [2**31, 2**32, 2**53 - 1, 2**53, 2**64 - 1, 2**70 - 1])
@pytest.mark.parametrize("state", ["{}", "null"])
def test_a_clock_that_ends_all_clocks_is_passed_over_and_its_message_counts(
    states: AwarenessStates, clock: int, state: str
) -> None:
    """A client takes over a clock that it hears of itself; its next one could not be written."""
    announce(states, ANN, (1, 5, '"a"'))
    entry = b"\x01" + long_var_uint(clock) + write_var_bytes(state.encode())
    for client in (b"\x01", b"\x02"):
        payload = b"\x02" + client + entry[1:] + b"\x03\x01\x011"
        apply(states, payload, BEN, 0.0)
    assert present(states) == {1: '"a"', 3: "1"}
    assert announce(states, ANN, (1, 6, '"b"')) == [(1, 6, '"b"')]


def long_var_uint(value: int) -> bytes:
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes((*encoded, value))


def test_a_clock_without_an_end_is_malformed(states: AwarenessStates) -> None:
    with pytest.raises(MalformedMessage):
        apply(states, b"\x01\x01" + b"\xff" * 10 + b"\x01\x011", ANN, 0.0)


def test_nobody_raises_the_clock_of_anothers_client_by_a_jump(states: AwarenessStates) -> None:
    states.apply([Entry(1, 5, b"1")], ANN, 0.0)
    hour_s, jump = 3600.0, AWARENESS_CLOCKS_AHEAD + 1
    for state in (b"2", b"null"):
        assert states.apply([Entry(1, 5 + jump, state)], BEN, hour_s) is None
    # Who comes back before the old connection is found dead has moved meanwhile.
    assert states.apply([Entry(1, 5 + jump - 1, b"3")], BEN, hour_s) is not None
    # And one's own goes on from wherever it was while it could not say so.
    states.remove_owner(BEN)
    assert states.apply([Entry(1, 5 + 60 * 3600, b"4")], CEM, hour_s) is not None


pushed_clocks = st.one_of(st.integers(0, 2 * AWARENESS_CLOCKS_AHEAD), st.integers(0, 2**31))


@given(st.lists(st.tuples(st.sampled_from([BEN, CEM]), pushed_clocks), max_size=20))
def test_whatever_others_say_of_a_client_its_own_next_state_is_shown(
    course: list[tuple[str, int]],
) -> None:
    """Also after others have shown it as theirs, and raised it then; or before it came."""
    states, own_clock, now_s = AwarenessStates(), 0, 0.0
    for owner, clock in course:
        heard = announce_any(states, owner, clock, now_s)
        # As y-protocols: the larger clock is taken over, and the next state is one more.
        own_clock = max([own_clock, *heard]) + 1
        now_s += 0.002
        assert announce_any(states, ANN, own_clock, now_s) == [own_clock]


def announce_any(states: AwarenessStates, owner: str, clock: int, now_s: float) -> list[int]:
    payload = states.apply([Entry(1, clock, b"1")], owner, now_s)
    return [] if payload is None else [entry.clock for entry in decode([payload])[0]]


def test_a_clock_goes_on_no_faster_than_the_fastest_mouse_by_far(states: AwarenessStates) -> None:
    """Twelve days are needed to push it to where it ends."""
    first, ahead = AWARENESS_FIRST_CLOCK_MAX, AWARENESS_CLOCKS_AHEAD
    assert states.apply([Entry(1, first + 1, b"1")], ANN, 0.0) is None
    states.apply([Entry(1, first, b"1")], ANN, 0.0)
    assert states.apply([Entry(1, first + ahead + 1001, b"2")], ANN, 1.0) is None
    assert states.apply([Entry(1, first + ahead + 1000, b"2")], ANN, 1.0) is not None
    assert states.apply([Entry(1, first + ahead + 2001, b"3")], ANN, 2.0) is None
    at_the_end_s = AWARENESS_CLOCK_MAX / AWARENESS_CLOCKS_PER_S
    assert states.apply([Entry(1, AWARENESS_CLOCK_MAX, b"4")], ANN, at_the_end_s) is not None


# ---- the end of a connection: field note 21 -----------------------------------------------------


def test_a_closed_connection_takes_all_its_clients_and_nobody_elses(
    states: AwarenessStates,
) -> None:
    """Field note 21: everybody's were removed; or only the first of several."""
    announce(states, ANN, (1, 1, '"a1"'))
    announce(states, BEN, (10, 1, '"b1"'), (11, 1, '"b2"'))
    announce(states, BEN, (12, 3, '"b3"'))
    announce(states, CEM, (20, 1, '"c1"'))
    removed = news(states.remove_owner(BEN))
    assert sorted(removed) == [(10, 1, "null"), (11, 1, "null"), (12, 3, "null")]
    assert present(states) == {1: '"a1"', 20: '"c1"'}
    assert states.remove_owner(BEN) is None


def test_a_removal_carries_the_clock_that_clients_hold(states: AwarenessStates) -> None:
    """Encoded from the state, which is gone, there is no clock, and ghost cursors stay."""
    announce(states, ANN, (1, 100, '"a"'))
    announce(states, ANN, (1, 101, '"b"'))
    assert news(states.remove_owner(ANN)) == [(1, 101, "null")]
    assert announce(states, BEN, (1, 101, '"stale"')) == []
    assert announce(states, BEN, (1, 102, '"back"')) == [(1, 102, '"back"')]


def test_a_connection_that_announced_nothing_removes_nothing(states: AwarenessStates) -> None:
    announce(states, ANN, (1, 1, '"a"'))
    assert states.remove_owner(BEN) is None
    assert present(states) == {1: '"a"'}


def test_a_client_that_removed_itself_is_not_removed_again(states: AwarenessStates) -> None:
    announce(states, ANN, (1, 1, '"a"'), (2, 1, '"b"'))
    announce(states, ANN, (1, 2, "null"))
    assert news(states.remove_owner(ANN)) == [(2, 1, "null")]


def test_a_reconnect_before_the_old_connections_end_keeps_the_cursor(
    states: AwarenessStates,
) -> None:
    announce(states, "old", (1, 1, '"a"'), (2, 1, '"b"'))
    announce(states, "new", (1, 2, '"a"'))
    assert news(states.remove_owner("old")) == [(2, 1, "null")]
    assert present(states) == {1: '"a"'}
    assert news(states.remove_owner("new")) == [(1, 2, "null")]


def test_the_same_state_from_another_connection_is_not_that_ones(
    states: AwarenessStates,
) -> None:
    """Stock clients send on what they hear of others: a cursor goes with its own client."""
    announce(states, ANN, (1, 1, '"a"'))
    announce(states, BEN, (1, 1, '"a"'))
    assert states.remove_owner(BEN) is None
    assert news(states.remove_owner(ANN)) == [(1, 1, "null")]


def test_what_another_connection_removed_is_not_removed_by_its_owners_end(
    states: AwarenessStates,
) -> None:
    """A stock client tells the others' removals after its own timeout."""
    announce(states, ANN, (1, 1, '"a"'))
    assert announce(states, BEN, (1, 1, "null")) == [(1, 1, "null")]
    assert states.remove_owner(ANN) is None
    assert states.remove_owner(BEN) is None


# ---- time ---------------------------------------------------------------------------------------


def test_a_state_expires_when_it_was_not_renewed(states: AwarenessStates) -> None:
    announce(states, ANN, (1, 1, '"a"'), now_s=10.0)
    announce(states, BEN, (2, 1, '"b"'), now_s=20.0)
    assert states.expire(before_s=10.0) is None
    assert news(states.expire(before_s=10.1)) == [(1, 1, "null")]
    assert states.expire(before_s=10.1) is None
    assert present(states) == {2: '"b"'}
    assert states.remove_owner(ANN) is None


def test_a_reconnect_without_a_newer_clock_renews_nothing(states: AwarenessStates) -> None:
    """The others do not count it as renewed either; all must forget it at the same time."""
    announce(states, "old", (1, 1, '"a"'), now_s=10.0)
    announce(states, "new", (1, 1, '"a"'), now_s=20.0)
    assert news(states.expire(before_s=15.0)) == [(1, 1, "null")]


def test_a_renewed_state_does_not_expire(states: AwarenessStates) -> None:
    announce(states, ANN, (1, 1, '"a"'), now_s=10.0)
    announce(states, ANN, (1, 2, '"a"'), now_s=25.0)
    assert states.expire(before_s=25.0) is None
    assert news(states.expire(before_s=25.1)) == [(1, 2, "null")]


# ---- what is refused ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "state",
    [
        "NaN",
        "Infinity",
        "-Infinity",
        '{"x":NaN}',
        "[1,Infinity]",
        "",
        "{no",
        "{'x':1}",
        '{"x":1,}',
        "[1,]",
        "undefined",
        "nul",
        "01",
        "+1",
        "1 2",
        '"a',
        '"\x01"',
        '"tab\t"',
        '"\\x41"',
        "\ufeff1",
        "٣",
        "[" * 100_000,
    ],
)
def test_a_state_that_javascript_cannot_parse_is_refused(
    states: AwarenessStates, state: str
) -> None:
    """Stock clients parse states unguarded: one bad state would throw in each of them."""
    data = state.encode()
    payload = b"\x01\x01\x01" + write_var_bytes(data)
    with pytest.raises(MalformedMessage, match="JSON"):
        apply(states, payload, ANN, 0.0)
    assert states.all_states() is None


@pytest.mark.parametrize(
    "state",
    ["{}", "0", "false", '""', "-0.5e-7", "1e999", ' {"a" : [] }\r\n', '"\\ud800"', '"\u2028"'],
)
def test_a_state_of_any_json_is_taken_as_it_is(states: AwarenessStates, state: str) -> None:
    assert announce(states, ANN, (1, 1, state)) == [(1, 1, state)]


@pytest.mark.parametrize(
    "payload",
    [
        "",
        "01",
        "0101",
        "010101",
        "01010105616263",
        "0201010131",
        "ffffffff0f",
        "01" + "ff" * 9,
        "010101" + "02fffe",  # not UTF-8
        "010101" + "05" + "22eda08022",  # a surrogate as UTF-8 has none
        "0101010131" + "00",
        "00" + "00",
    ],
)
def test_what_is_no_awareness_update_is_malformed(states: AwarenessStates, payload: str) -> None:
    with pytest.raises(MalformedMessage):
        apply(states, bytes.fromhex(payload), ANN, 0.0)
    assert states.all_states() is None


def test_nothing_of_a_malformed_update_counts(states: AwarenessStates) -> None:
    announce(states, ANN, (1, 1, '"a"'))
    good = encode_awareness_states((1, 2, "null"), (2, 1, '"b"'))
    for end in range(len(good)):
        with pytest.raises(MalformedMessage):
            apply(states, good[:end], ANN, 0.0)
    with pytest.raises(MalformedMessage):
        announce(states, ANN, (1, 2, "null"), (2, 1, "NaN"))
    assert present(states) == {1: '"a"'}
    assert announce(states, ANN, (1, 2, '"c"')) == [(1, 2, '"c"')]


@given(st.binary(max_size=60))
def test_whatever_the_bytes_they_apply_or_are_malformed(payload: bytes) -> None:
    states = AwarenessStates()
    try:
        apply(states, payload, ANN, 0.0)
    except MalformedMessage:
        assert states.all_states() is None


# ---- bounds -------------------------------------------------------------------------------------


def test_an_update_is_bounded_in_bytes(states: AwarenessStates) -> None:
    def payload(total: int) -> bytes:
        text = b'"' + b"x" * (total - 9) + b'"'
        return b"\x01\x01\x01" + write_var_bytes(text)

    bound = AWARENESS_BYTES_PER_MESSAGE_MAX
    assert len(payload(bound)) == bound
    assert apply(states, payload(bound), ANN, 0.0) is None, "more than may be shown"
    with pytest.raises(MalformedMessage, match=f"the bound is {bound}"):
        apply(states, payload(bound + 1), ANN, 0.0)


def test_the_updates_of_one_frame_are_bounded_together(states: AwarenessStates) -> None:
    """P6: a frame of 64 MiB may hold ten that are each within the bound."""
    half = AWARENESS_BYTES_PER_MESSAGE_MAX // 2
    large = b"\x01\x01\x01" + write_var_bytes(b" " * (half - 7))
    assert len(large) == half
    states.read([large, large])
    with pytest.raises(MalformedMessage, match=f"{2 * half + 1} bytes"):
        states.read([large, large, b"\x00"])
    clients = many(AWARENESS_CLIENTS_PER_MESSAGE_MAX // 2)
    states.read([clients, clients])
    with pytest.raises(MalformedMessage, match="clients in one message"):
        states.read([clients, clients, many(1)])


def test_a_state_that_is_too_large_to_be_shown_is_not_parsed(states: AwarenessStates) -> None:
    """P5: that would take everybody's time for nothing; nor is it told whether it is JSON."""
    bound = AWARENESS_BYTES_PER_CONNECTION_MAX
    assert apply(states, many(1, state="[" + "0" * bound), ANN, 0.0) is None
    with pytest.raises(MalformedMessage, match="JSON"):
        apply(states, many(1, state="[" + "0" * (bound - 1)), ANN, 0.0)


def test_of_a_frame_no_more_is_parsed_than_one_connection_may_show(
    states: AwarenessStates,
) -> None:
    half = '"' + "x" * (AWARENESS_BYTES_PER_CONNECTION_MAX // 2 - 2) + '"'
    payloads = [many(1, clock=clock, state=half) for clock in range(1, 6)]
    readings = states.read([*payloads, many(1, clock=9, state="null")])
    parsed = [reading.parsed_bytes for reading in readings]
    assert parsed == [len(half), len(half), 0, 0, 0, 0]
    assert [len(reading.entries) for reading in readings] == [1, 1, 0, 0, 0, 1]


def test_of_a_frame_no_more_states_are_parsed_than_one_connection_may_show(
    states: AwarenessStates,
) -> None:
    bound = AWARENESS_CLIENTS_PER_CONNECTION_MAX
    readings = states.read([many(bound - 1), many(3, first=bound)])
    assert [reading.parsed_states for reading in readings] == [bound - 1, 1]
    assert [len(reading.entries) for reading in readings] == [bound - 1, 1]


def test_what_is_known_is_not_parsed_again(states: AwarenessStates) -> None:
    """Stock clients send on all that they hear; of a large room that would be much."""
    announce(states, ANN, (1, 5, '{"a":[1,2]}'), (2, 5, '"b"'))
    repeated = encode_awareness_states((1, 5, '{"a": [1, 2]}'), (2, 4, "[]"), (3, 1, "[1,2]"))
    (reading,) = states.read([repeated])
    assert [entry.client for entry in reading.entries] == [3]
    assert (reading.entry_count, reading.byte_length) == (3, len(repeated))
    assert (reading.parsed_bytes, reading.parsed_values) == (5, 3)


def test_the_clients_of_one_update_are_bounded(states: AwarenessStates) -> None:
    bound = AWARENESS_CLIENTS_PER_MESSAGE_MAX
    with pytest.raises(MalformedMessage, match=f"awareness of {bound + 1} clients"):
        apply(states, many(bound + 1), ANN, 0.0)
    assert states.all_states() is None
    shown = many(AWARENESS_CLIENTS_PER_CONNECTION_MAX)
    assert apply(states, many(bound), ANN, 0.0) == shown


def test_the_clients_of_one_connection_are_bounded(states: AwarenessStates) -> None:
    bound = AWARENESS_CLIENTS_PER_CONNECTION_MAX
    apply(states, many(bound), ANN, 0.0)
    assert apply(states, many(1, first=bound + 1), ANN, 0.0) is None
    # Renewing those it has is no more, and others have their own.
    assert apply(states, many(bound, clock=2), ANN, 0.0) == many(bound, clock=2)
    assert apply(states, many(1, first=bound + 1), BEN, 0.0) is not None
    # One that is given up makes room.
    apply(states, many(1, clock=3, state="null"), ANN, 0.0)
    assert apply(states, many(1, first=bound + 2), ANN, 0.0) is not None


def test_the_bytes_of_one_connection_are_bounded(states: AwarenessStates) -> None:
    half = '"' + "x" * (AWARENESS_BYTES_PER_CONNECTION_MAX // 2 - 2) + '"'
    assert apply(states, many(2, state=half), ANN, 0.0) is not None
    assert apply(states, many(1, first=3), ANN, 0.0) is None
    assert apply(states, many(1, first=3), BEN, 0.0) is not None
    # What somebody else announces from then on is that one's, and what is removed makes room.
    assert apply(states, many(1, clock=2, state=half), BEN, 0.0) is not None
    assert apply(states, many(1, first=4, state=half), ANN, 0.0) is not None
    assert apply(states, many(1, first=5), ANN, 0.0) is None
    apply(states, many(1, clock=2, first=2, state="null"), ANN, 0.0)
    assert apply(states, many(1, first=5), ANN, 0.0) is not None


def test_who_repeats_what_a_full_room_has_announced_is_within_the_bounds(
    states: AwarenessStates,
) -> None:
    """P5. Stock clients do, all in one message: they must not be closed for what others did."""
    each, owners = AWARENESS_CLIENTS_PER_CONNECTION_MAX, "abcdefgh"
    state = '"' + "x" * 170 + '"'
    for number, owner in enumerate(owners):
        apply(states, many(each, first=2**32 + number * each, state=state), owner, 0.0)
    everything = states.all_states()
    assert everything is not None
    shown = news(everything)
    assert len(shown) == AWARENESS_CLIENTS_PER_ROOM_MAX
    assert AWARENESS_BYTES_PER_ROOM_MAX * 0.8 < len(everything) < AWARENESS_BYTES_PER_MESSAGE_MAX
    assert apply(states, everything, ANN, 1.0) is None
    for owner in owners:
        states.remove_owner(owner)
    assert states.all_states() is None, "what was repeated was nobody's but its owner's"


def test_who_repeats_numbers_as_javascript_writes_them_is_within_the_bounds(
    states: AwarenessStates,
) -> None:
    """P5: 1e20 becomes 21 characters, in every stock client that enters the room."""
    state = "[" + "1e20," * (AWARENESS_BYTES_PER_CONNECTION_MAX // 5 - 1) + "1]"
    for client, owner in enumerate((ANN, BEN, CEM, "dan")):
        assert apply(states, many(1, first=client, state=state), owner, 0.0) is not None
    repeated = encode(
        [
            Entry(client, 1, text.replace("1e20", str(10**20)).encode())
            for client, text in present(states).items()
        ]
    )
    assert len(repeated) > 4 * AWARENESS_BYTES_PER_ROOM_MAX
    assert apply(states, repeated, "eve", 1.0) is None


def test_kept_clocks_are_bounded_and_the_oldest_are_forgotten_first(
    states: AwarenessStates,
) -> None:
    at_once = AWARENESS_CLIENTS_PER_CONNECTION_MAX
    apply(states, many(1, clock=5), ANN, 0.0)
    last = 1
    while last <= AWARENESS_CLOCKS_MAX:
        apply(states, many(at_once, clock=5, first=last + 1), BEN, 0.0)
        states.remove_owner(BEN)
        apply(states, b"\x00", BEN, 0.0)
        last += at_once
    surplus = last - AWARENESS_CLOCKS_MAX
    assert surplus > 0
    # Whoever is present is never forgotten, though it was the first of all.
    assert apply(states, many(1, clock=4), CEM, 0.0) is None
    assert present(states) == {1: "1"}
    # The oldest removals are.
    assert apply(states, many(1, clock=4, first=last), CEM, 0.0) is None
    assert apply(states, many(1, clock=4, first=2 + surplus), CEM, 0.0) is None
    assert apply(states, many(1, clock=4, first=1 + surplus), CEM, 0.0) is not None


# ---- against a plain model ----------------------------------------------------------------------


@dataclass
class Model:
    """Every client's clock, state and owner, by the rule of y-protocols, in the plainest way."""

    clients: dict[int, tuple[int, str, str, float]] = field(default_factory=dict)

    def apply(
        self, entries: list[AwarenessTuple], owner: str, now_s: float
    ) -> list[AwarenessTuple]:
        accepted = []
        for client, clock, state in entries:
            known_clock, known_state, _, _ = self.clients.get(client, (-1, "null", "", 0.0))
            is_removal = clock == known_clock and state == "null" != known_state
            is_news = clock > known_clock and (client in self.clients or state != "null")
            if is_news or is_removal:
                self.clients[client] = (clock, state, owner, now_s)
                accepted.append((client, clock, state))
        return accepted

    def remove_owner(self, owner: str) -> list[AwarenessTuple]:
        return self._remove({c for c, known in self.clients.items() if known[2] == owner})

    def expire(self, before_s: float) -> list[AwarenessTuple]:
        return self._remove({c for c, known in self.clients.items() if known[3] < before_s})

    def _remove(self, clients: set[int]) -> list[AwarenessTuple]:
        removed = []
        for client in clients:
            clock, state, owner, seen_s = self.clients[client]
            if state != "null":
                self.clients[client] = (clock, "null", owner, seen_s)
                removed.append((client, clock, "null"))
        return removed

    def present(self) -> dict[int, str]:
        return {c: known[1] for c, known in self.clients.items() if known[1] != "null"}


owners = st.sampled_from([ANN, BEN, CEM])
updates = st.lists(
    st.tuples(st.integers(1, 6), st.integers(0, 6), st.sampled_from(["null", '"a"', '"b"', "{}"])),
    max_size=4,
)
events = st.one_of(
    st.tuples(st.just("apply"), owners, updates),
    st.tuples(st.just("leave"), owners),
    st.tuples(st.just("expire"), st.integers(0, 20)),
)


@given(st.lists(events, max_size=30))
def test_any_course_of_events_goes_as_in_the_model(course: list[tuple]) -> None:
    states, model = AwarenessStates(), Model()
    for now_s, event in enumerate(course):
        match event:
            case ("apply", owner, entries):
                found = announce(states, owner, *entries, now_s=float(now_s))
                assert found == model.apply(entries, owner, float(now_s))
            case ("leave", owner):
                assert sorted(news(states.remove_owner(owner))) == sorted(model.remove_owner(owner))
            case ("expire", age_s):
                found = news(states.expire(float(now_s - age_s)))
                assert sorted(found) == sorted(model.expire(float(now_s - age_s)))
        assert present(states) == model.present()
