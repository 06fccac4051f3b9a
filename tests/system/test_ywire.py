"""The codec that the system tests judge by: it must be right itself, and strict."""

import pytest
from pycrdt import create_update_message

from .ywire import (
    AWARENESS,
    EMPTY_STEP2,
    QUERY_AWARENESS,
    STEP1,
    STEP2,
    SYNC,
    UPDATE,
    AwarenessEntry,
    Message,
    Reader,
    WireError,
    awareness_message,
    decode_awareness,
    decode_frame,
    decode_state_vector,
    encode_varuint,
    query_awareness,
    step1,
    step2,
    update_message,
)


@pytest.mark.parametrize(
    ("value", "encoded"),
    [(0, "00"), (127, "7f"), (128, "8001"), (300, "ac02"), (2**53 - 1, "ffffffffffffff0f")],
)
def test_numbers_are_little_endian_base_128(value: int, encoded: str) -> None:
    assert encode_varuint(value).hex() == encoded
    assert Reader(bytes.fromhex(encoded)).varuint() == value


@pytest.mark.parametrize("bad", ["", "80", "8000", "ffffffffffffffff7f"])
def test_truncated_and_overlong_numbers_are_refused(bad: str) -> None:
    with pytest.raises(WireError):
        Reader(bytes.fromhex(bad)).varuint()


def test_messages_come_back_as_they_were_sent() -> None:
    assert decode_frame(step1(b"\x00")) == Message(SYNC, STEP1, b"\x00")
    assert decode_frame(step2(b"xyz")) == Message(SYNC, STEP2, b"xyz")
    assert decode_frame(update_message(b"u" * 200)) == Message(SYNC, UPDATE, b"u" * 200)
    assert decode_frame(query_awareness()) == Message(QUERY_AWARENESS, None, b"")
    entries = [AwarenessEntry(2**40, 3, '{"name":"é"}'), AwarenessEntry(1, 9, "null")]
    message = decode_frame(awareness_message(entries))
    assert message.kind == AWARENESS
    assert decode_awareness(message.payload) == entries


def test_update_messages_are_those_of_pycrdt() -> None:
    assert update_message(b"u" * 200) == create_update_message(b"u" * 200)


@pytest.mark.parametrize(
    "frame",
    [b"", b"\x04", b"\x00\x03\x00", b"\x00\x02\x05abc", EMPTY_STEP2 + b"\x00", EMPTY_STEP2 * 2],
)
def test_a_frame_is_exactly_one_message(frame: bytes) -> None:
    with pytest.raises(WireError):
        decode_frame(frame)


def test_state_vectors_map_clients_to_clocks() -> None:
    assert decode_state_vector(bytes.fromhex("0201058001ac02")) == {1: 5, 128: 300}
    with pytest.raises(WireError):
        decode_state_vector(bytes.fromhex("010105ff"))
