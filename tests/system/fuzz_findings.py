"""Cases that tools/fuzz_relay has found, as small as they came; see test_fuzz_findings.

Each says what it did to a server that was not guarded against it. The last updates of a case are
the culprits; what stands before them is in order and has its receipt.
"""

from collections.abc import Mapping
from dataclasses import dataclass


def deep_lists(depth: int) -> bytes:
    """One value: lists within each other."""
    return bytes.fromhex("01010900080105") + b"array" + b"\x01" + b"\x75\x01" * depth + b"\x7e\x00"


def deep_types(depth: int) -> bytes:
    """Arrays within each other, as one update."""
    first = bytes.fromhex("070105") + b"array" + b"\x00"
    rest = b"".join(b"\x07\x00\x09" + _number(clock) + b"\x00" for clock in range(depth - 1))
    return b"\x01" + _number(depth) + b"\x09\x00" + first + rest + b"\x00"


def _number(value: int) -> bytes:
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*encoded, value])


@dataclass(frozen=True, slots=True)
class Found:
    """Updates that are accepted, then those of which at least the last is refused."""

    accepted: tuple[bytes, ...]
    refused: tuple[bytes, ...]


def _found(*refused: str, after: tuple[str, ...] = ()) -> Found:
    return Found(tuple(map(bytes.fromhex, after)), tuple(map(bytes.fromhex, refused)))


REFUSED: Mapping[str, Found] = {
    # SIGSEGV in the server.
    "a list 100,000 deep": Found((), (deep_lists(100_000),)),
    # RangeError in stock Yjs, SIGSEGV in pycrdt clients that read it.
    "a list 5,000 deep": Found((), (deep_lists(5_000),)),
    # SIGSEGV in the server.
    "types 100,000 deep and a delete": Found(
        (), (deep_types(100_000), bytes.fromhex("00010901000101"))
    ),
    # yrs reads one string more than it says, and writes what it cannot read: the room was closed.
    "JSON contents with one string too many": _found("01010900020105617272617901046e756c6c013100"),
    # yrs reads no name, Yjs does: it threw.
    "an XML hook without a name": _found("01020900070103786d6c050a0100"),
    # yrs takes it, and Yjs throws.
    "a Move": _found("010109000b01056172726179000900"),
    "a weak link": _found("01010900070105617272617907000900"),
    # Raises in the middle of being integrated.
    "a parent that is no type": _found("0102090003010561727261790162040009000163" + "00"),
    # Panics in yrs 0.28.
    "a panic after a normal beginning": _found(
        "0101ef075f4158000001ef07012201", after=("0101ef070004010174016100",)
    ),
}

# Three emojis of two units each; the first unit is deleted; then comes "later" behind them.
HALF_OF_A_CHARACTER = (
    bytes.fromhex("01014d00040104746578740cf09f9880f09f9880f09f988000"),
    bytes.fromhex("00014d010001"),
    bytes.fromhex("01014d06844d05056c6174657200"),
)


def children_of(client: int) -> tuple[bytes, ...]:
    """Structs within a client's clocks 2 to 5, which will be letters; each by another client."""
    return tuple(
        b"\x01\x01" + bytes([own, 0]) + head + _number(client) + rest
        for own, head, rest in (
            (0x0B, b"\x04\x00", b"\x02\x01d\x00"),
            (0x0C, b"\x24\x00", b"\x03\x01k\x01d\x00"),
            (0x0D, b"\x07\x00", b"\x04\x00\x00"),
            (0x0E, b"\x08\x00", b"\x05\x01~\x00"),
        )
    )


# Ranges that overlap and go backwards, and then the text that they delete.
DELETES_IN_DISORDER = (
    bytes.fromhex("000165040505050500140701"),
    bytes.fromhex("01016500040104746578741664656c65746564206265666f72652069742063616d6500"),
)
