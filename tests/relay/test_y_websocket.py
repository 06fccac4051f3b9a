"""The y-websocket codec against bytes of y-protocols, and against anything else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.errors import CloseCode, MalformedMessage
from relay.limits import MESSAGES_PER_FRAME_MAX
from relay.wire.y_websocket import (
    SIGN_OF_LIFE,
    Awareness,
    Message,
    QueryAwareness,
    SyncStep1,
    SyncStep2,
    Update,
    decode,
    encode_awareness,
    encode_sync_step_1,
    encode_sync_step_2,
    encode_update,
)

# From yjs 13.6.33 and y-protocols 1.0.7: client 7 writes "Grüße" into the root `text`.
UPDATE = bytes.fromhex("0101070004010474657874074772c3bcc39f6500")
STATE_VECTOR = bytes.fromhex("010705")
AWARENESS = bytes.fromhex(
    "010701357b2275736572223a7b226e616d65223a224ac3bc7267656e222c22636f6c6f72223a2223663030227d"
    "2c22637572736f72223a337d"
)

# From the same: writeSyncStep1, writeSyncStep2, writeUpdate and messageAwareness.
FRAMES: list[tuple[str, Message]] = [
    ("00000100", SyncStep1(b"\x00")),
    ("000003010705", SyncStep1(STATE_VECTOR)),
    ("0001020000", SyncStep2(b"\x00\x00")),
    ("000114" + UPDATE.hex(), SyncStep2(UPDATE)),
    ("000214" + UPDATE.hex(), Update(UPDATE)),
    ("0139" + AWARENESS.hex(), Awareness(AWARENESS)),
    ("03", QueryAwareness()),
]

# Client 7 then writes 200 letters: an update of 210 bytes.
LONG_UPDATE = bytes.fromhex("01010705840704c801") + b"x" * 200 + b"\x00"


def encode(message: Message) -> bytes:
    match message:
        case SyncStep1(state_vector):
            return encode_sync_step_1(state_vector)
        case SyncStep2(update):
            return encode_sync_step_2(update)
        case Update(update):
            return encode_update(update)
        case Awareness(payload):
            return encode_awareness(payload)
        case QueryAwareness():
            return b"\x03"


payloads = st.one_of(st.binary(max_size=40), st.binary(min_size=120, max_size=140))
messages: st.SearchStrategy[Message] = st.one_of(
    st.builds(SyncStep1, payloads),
    st.builds(SyncStep2, payloads),
    st.builds(Update, payloads),
    st.builds(Awareness, payloads),
    st.builds(QueryAwareness),
)


@pytest.mark.parametrize(("frame", "message"), FRAMES)
def test_the_frames_of_y_protocols_are_read_and_written(frame: str, message: Message) -> None:
    assert decode(bytes.fromhex(frame)) == [message]
    # NamedTuples of one field compare equal across types.
    assert type(decode(bytes.fromhex(frame))[0]) is type(message)
    assert encode(message).hex() == frame


def test_an_update_of_more_than_127_bytes_is_read_and_written_as_y_protocols_does() -> None:
    assert len(LONG_UPDATE) == 210
    frame = bytes.fromhex("0002d201") + LONG_UPDATE
    assert decode(frame) == [Update(LONG_UPDATE)]
    assert encode_update(LONG_UPDATE) == frame


def test_a_sign_of_life_is_awareness_of_nobody() -> None:
    assert SIGN_OF_LIFE == b"\x01\x01\x00"
    assert decode(SIGN_OF_LIFE) == [Awareness(b"\x00")]


@given(st.lists(messages, min_size=1, max_size=6))
def test_several_messages_of_a_frame_read_back_in_order(expected: list[Message]) -> None:
    found = decode(b"".join(map(encode, expected)))
    assert found == expected
    assert [type(message) for message in found] == [type(message) for message in expected]


@given(messages)
def test_every_truncation_of_a_message_is_malformed(message: Message) -> None:
    frame = encode(message)
    for length in range(len(frame)):
        with pytest.raises(MalformedMessage):
            decode(frame[:length])


@given(st.lists(messages, min_size=2, max_size=4), st.data())
def test_a_truncated_frame_is_malformed_or_ends_between_messages(
    whole: list[Message], data: st.DataObject
) -> None:
    frames = list(map(encode, whole))
    ends = [sum(map(len, frames[:count])) for count in range(len(frames) + 1)]
    length = data.draw(st.integers(0, ends[-1] - 1))
    frame = b"".join(frames)[:length]
    if length in ends[1:]:
        assert decode(frame) == whole[: ends.index(length)]
    else:
        with pytest.raises(MalformedMessage):
            decode(frame)


@given(st.binary(max_size=60))
def test_whatever_the_bytes_they_decode_or_are_malformed(frame: bytes) -> None:
    try:
        found = decode(frame)
    except MalformedMessage:
        return
    assert found
    # What counts was all there: nothing is made up, and nothing is left over.
    assert sum(len(part) for message in found for part in message) <= len(frame)


@given(st.lists(st.sampled_from([0, 1, 2, 3, 4, 0x7F, 0x80, 0xFF]), max_size=24).map(bytes))
def test_bytes_that_look_like_messages_decode_or_are_malformed(frame: bytes) -> None:
    try:
        found = decode(frame)
    except MalformedMessage:
        return
    # lib0 reads numbers that are longer than they need be, so the way back may be shorter.
    assert decode(b"".join(map(encode, found))) == found


@pytest.mark.parametrize(
    ("frame", "reason"),
    [
        ("", "the frame is empty"),
        ("04", "there is no message type 4"),
        ("64", "there is no message type 100"),
        ("ffffff7f", "there is no message type 268435455"),
        ("000300", "there is no sync message 3"),
        ("00ff7f00", "there is no sync message 16383"),
        ("0200026e6f", "an auth message goes from the server to the client"),
        ("00", "the message ends inside a number"),
        ("0002", "the message ends inside a number"),
        ("000280", "the message ends inside a number"),
        ("00020561", "a length of 5 reaches 4 bytes too far"),
        ("0002ffffffff0f61", "a length of 4294967295 reaches 4294967294 bytes too far"),
        ("0002ffffffffffffff0f", "a length of 9007199254740991 reaches"),
        ("0002" + "ff" * 8, "a number exceeds 53 bits"),
        ("ff" * 9, "a number exceeds 53 bits"),
        ("0001020000" + "80", "the message ends inside a number"),
        ("000214" + UPDATE.hex() + "63", "there is no message type 99"),
    ],
)
def test_what_is_not_y_protocol_is_malformed_and_named(frame: str, reason: str) -> None:
    with pytest.raises(MalformedMessage, match=reason) as caught:
        decode(bytes.fromhex(frame))
    assert caught.value.code == CloseCode.BAD_REQUEST == 4400


def test_the_messages_of_a_frame_are_bounded() -> None:
    query = b"\x03"
    assert len(decode(query * MESSAGES_PER_FRAME_MAX)) == MESSAGES_PER_FRAME_MAX
    with pytest.raises(MalformedMessage, match=f"more than {MESSAGES_PER_FRAME_MAX} messages"):
        decode(query * (MESSAGES_PER_FRAME_MAX + 1))
