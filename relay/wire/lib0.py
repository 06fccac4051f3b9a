"""The primitives of lib0 that every dialect is made of.

A varUint is little-endian base 128, seven bits a byte, at most 53 bits; a varUint8Array is its
length and the bytes. Lengths are checked against what is there before anything is copied.
"""

from typing import Final

from relay.errors import MalformedMessage

VAR_UINT_MAX: Final = (1 << 53) - 1
_VAR_UINT_BYTES_MAX: Final = 8
# What other writers make of 64 bits.
_LONG_VAR_UINT_BYTES_MAX: Final = 10


def read_var_uint(data: bytes, position: int) -> tuple[int, int]:
    """Return the number at ``position`` and the position after it.

    Raises:
        MalformedMessage: the number is cut off or exceeds 53 bits.
    """
    value = shift = 0
    # One more than fits, so that an over-long number is told from a cut-off one.
    for index in range(position, min(len(data), position + _VAR_UINT_BYTES_MAX)):
        byte = data[index]
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            if value > VAR_UINT_MAX:
                raise MalformedMessage("a number exceeds 53 bits")
            return value, index + 1
        shift += 7
    if len(data) >= position + _VAR_UINT_BYTES_MAX:
        raise MalformedMessage("a number exceeds 53 bits")
    raise MalformedMessage("the message ends inside a number")


def read_long_var_uint(data: bytes, position: int) -> tuple[int, int]:
    """As ``read_var_uint``, of up to 70 bits: for a number that nobody is closed for.

    Raises:
        MalformedMessage: the number is cut off or longer.
    """
    value = 0
    for index, byte in enumerate(data[position : position + _LONG_VAR_UINT_BYTES_MAX]):
        value |= (byte & 0x7F) << 7 * index
        if byte < 0x80:
            return value, position + index + 1
    raise MalformedMessage("a number exceeds 70 bits, or the message ends inside it")


def read_var_bytes(data: bytes, position: int) -> tuple[bytes, int]:
    """Return the varUint8Array at ``position`` and the position after it.

    Raises:
        MalformedMessage: it reaches beyond the end.
    """
    length, start = read_var_uint(data, position)
    end = start + length
    if end > len(data):
        raise MalformedMessage(f"a length of {length} reaches {end - len(data)} bytes too far")
    return data[start:end], end


def write_var_uint(value: int) -> bytes:
    """Return the encoding of ``value``, which is between 0 and VAR_UINT_MAX."""
    assert 0 <= value <= VAR_UINT_MAX, "not a varUint"
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)


def write_var_bytes(data: bytes) -> bytes:
    """Return the varUint8Array of ``data``."""
    return write_var_uint(len(data)) + data
