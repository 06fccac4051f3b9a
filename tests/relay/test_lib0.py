"""lib0's primitives: its own bytes are read and written; anything else is MalformedMessage."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.errors import MalformedMessage
from relay.wire.lib0 import (
    VAR_UINT_MAX,
    read_var_bytes,
    read_var_uint,
    write_var_bytes,
    write_var_uint,
)

# From lib0 0.2.120: encoding.writeVarUint.
VAR_UINTS = {
    0: "00",
    1: "01",
    127: "7f",
    128: "8001",
    255: "ff01",
    300: "ac02",
    16383: "ff7f",
    16384: "808001",
    2097151: "ffff7f",
    2097152: "80808001",
    2**28: "8080808001",
    2**32 - 1: "ffffffff0f",
    2**32: "8080808010",
    2**35: "808080808001",
    2**49 - 1: "ffffffffffff7f",
    2**49: "8080808080808001",
    2**53 - 1: "ffffffffffffff0f",
}

# From lib0 0.2.120: encoding.writeVarUint8Array, and writeVarString("Zürich 🚲").
VAR_BYTES = {
    b"": "00",
    b"\x01\x02\x03": "03010203",
    b"\x07" * 128: "8001" + "07" * 128,
    "Zürich 🚲".encode(): "0c5ac3bc7269636820f09f9ab2",
}

numbers = st.integers(0, VAR_UINT_MAX)


@pytest.mark.parametrize(("value", "encoded"), VAR_UINTS.items())
def test_numbers_are_encoded_as_lib0_does(value: int, encoded: str) -> None:
    assert write_var_uint(value).hex() == encoded
    assert read_var_uint(bytes.fromhex(encoded), 0) == (value, len(encoded) // 2)


@pytest.mark.parametrize(("data", "encoded"), VAR_BYTES.items())
def test_byte_strings_are_encoded_as_lib0_does(data: bytes, encoded: str) -> None:
    assert write_var_bytes(data).hex() == encoded
    assert read_var_bytes(bytes.fromhex(encoded), 0) == (data, len(encoded) // 2)


@given(numbers, st.binary(max_size=5), st.binary(max_size=12))
def test_a_number_reads_back_wherever_it_stands(value: int, before: bytes, after: bytes) -> None:
    encoded = write_var_uint(value)
    end = len(before) + len(encoded)
    assert read_var_uint(before + encoded + after, len(before)) == (value, end)


@given(st.binary(max_size=300), st.binary(max_size=5), st.binary(max_size=12))
def test_a_byte_string_reads_back_wherever_it_stands(
    data: bytes, before: bytes, after: bytes
) -> None:
    encoded = write_var_bytes(data)
    end = len(before) + len(encoded)
    assert read_var_bytes(before + encoded + after, len(before)) == (data, end)


@given(numbers)
def test_a_number_cut_short_is_malformed(value: int) -> None:
    encoded = write_var_uint(value)
    for length in range(len(encoded)):
        with pytest.raises(MalformedMessage, match="ends inside a number"):
            read_var_uint(encoded[:length], 0)


@given(st.binary(min_size=1, max_size=200))
def test_a_byte_string_cut_short_is_malformed(data: bytes) -> None:
    encoded = write_var_bytes(data)
    for length in range(len(encoded)):
        with pytest.raises(MalformedMessage):
            read_var_bytes(encoded[:length], 0)


@pytest.mark.parametrize(
    "encoded",
    [
        "ffffffffffffff10",  # 2**53 + …: the first bit above
        "8080808080808010",  # 2**53
        "ffffffffffffff7f",
        "808080808080808001",  # nine bytes
        "80808080808080808080808000",  # zero, at great length
        "ff" * 8,
        "ff" * 300,
    ],
)
def test_a_number_of_more_than_53_bits_is_malformed(encoded: str) -> None:
    with pytest.raises(MalformedMessage, match="53 bits"):
        read_var_uint(bytes.fromhex(encoded), 0)


@pytest.mark.parametrize("position", [3, 4, 1000])
def test_reading_at_or_beyond_the_end_is_malformed(position: int) -> None:
    with pytest.raises(MalformedMessage):
        read_var_uint(b"\x01\x02\x03", position)
    with pytest.raises(MalformedMessage):
        read_var_bytes(b"\x01\x02\x03", position)


@given(st.integers(0, 50), st.integers(1, VAR_UINT_MAX - 50))
def test_a_length_past_the_end_is_malformed_and_says_by_how_much(there: int, lacking: int) -> None:
    encoded = write_var_uint(there + lacking) + bytes(there)
    with pytest.raises(MalformedMessage, match=f" reaches {lacking} bytes too far"):
        read_var_bytes(encoded, 0)


@given(st.binary(max_size=40), st.integers(0, 45))
def test_whatever_the_bytes_reading_returns_or_is_malformed(data: bytes, position: int) -> None:
    for read in (read_var_uint, read_var_bytes):
        try:
            value, end = read(data, position)
        except MalformedMessage:
            continue
        assert position < end <= len(data)
        if isinstance(value, bytes):
            assert data[position:end].endswith(value)
        else:
            assert 0 <= value <= VAR_UINT_MAX


@pytest.mark.parametrize("value", [-1, VAR_UINT_MAX + 1])
def test_writing_what_is_no_number_of_the_wire_is_a_bug(value: int) -> None:
    with pytest.raises(AssertionError, match="not a varUint"):
        write_var_uint(value)
