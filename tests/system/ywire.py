"""An independent, strict codec of the y-websocket dialect, written from its description.

The product has its own; the tests must not believe with the product's eyes.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

SYNC, AWARENESS, AUTH, QUERY_AWARENESS = range(4)
STEP1, STEP2, UPDATE = range(3)

EMPTY_STEP2 = bytes([SYNC, STEP2, 2, 0, 0])
VARUINT_BITS_MAX = 53


class WireError(Exception):
    """A frame that is not exactly one y-protocol message."""


@dataclass(frozen=True, slots=True)
class Message:
    """One message: its type, for sync messages the step, and the bytes it carries."""

    kind: int
    step: int | None
    payload: bytes


@dataclass(frozen=True, slots=True)
class AwarenessEntry:
    """One client's state as it stands in an awareness update; `"null"` says it is gone."""

    client_id: int
    clock: int
    state: str


def encode_varuint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(0x80 | value & 0x7F)
        value >>= 7
    out.append(value)
    return bytes(out)


def encode_bytes(payload: bytes) -> bytes:
    return encode_varuint(len(payload)) + payload


def step1(state_vector: bytes = b"\x00") -> bytes:
    return bytes([SYNC, STEP1]) + encode_bytes(state_vector)


def step2(update: bytes = b"\x00\x00") -> bytes:
    return bytes([SYNC, STEP2]) + encode_bytes(update)


def update_message(update: bytes) -> bytes:
    return bytes([SYNC, UPDATE]) + encode_bytes(update)


def awareness_message(entries: Iterable[AwarenessEntry]) -> bytes:
    listed = list(entries)
    body = encode_varuint(len(listed))
    for entry in listed:
        body += encode_varuint(entry.client_id) + encode_varuint(entry.clock)
        body += encode_bytes(entry.state.encode())
    return bytes([AWARENESS]) + encode_bytes(body)


def query_awareness() -> bytes:
    return bytes([QUERY_AWARENESS])


class Reader:
    """Reads lib0 values from the front of some bytes; whatever is amiss is a WireError."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    @property
    def is_empty(self) -> bool:
        return self._at == len(self._data)

    def varuint(self) -> int:
        value = shift = 0
        while True:
            if self._at >= len(self._data):
                raise WireError("a number ends too early")
            byte = self._data[self._at]
            self._at += 1
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                break
            shift += 7
        if byte == 0 and shift > 0:
            raise WireError("a number is longer than it need be")
        if value.bit_length() > VARUINT_BITS_MAX:
            raise WireError("a number has more than 53 bits")
        return value

    def bytes(self) -> bytes:
        length = self.varuint()
        if self._at + length > len(self._data):
            raise WireError("a byte string ends too early")
        self._at += length
        return self._data[self._at - length : self._at]


def decode_frame(frame: bytes) -> Message:
    """Read the one message of a frame.

    The stock client reads one message a frame and drops what follows, so a second message, or a
    single byte too many, is an error here.
    """
    reader = Reader(frame)
    kind = reader.varuint()
    step = None
    payload = b""
    if kind == SYNC:
        step = reader.varuint()
        if step not in (STEP1, STEP2, UPDATE):
            raise WireError(f"there is no sync step {step}")
        payload = reader.bytes()
    elif kind == AWARENESS:
        payload = reader.bytes()
    elif kind == AUTH:
        reader.varuint()
        payload = reader.bytes()
    elif kind != QUERY_AWARENESS:
        raise WireError(f"there is no message type {kind}")
    if not reader.is_empty:
        raise WireError("bytes after the frame's first message")
    return Message(kind, step, payload)


def decode_awareness(payload: bytes) -> list[AwarenessEntry]:
    reader = Reader(payload)
    entries = [
        AwarenessEntry(reader.varuint(), reader.varuint(), reader.bytes().decode())
        for _ in range(reader.varuint())
    ]
    if not reader.is_empty:
        raise WireError("bytes after an awareness update")
    return entries


def decode_state_vector(state_vector: bytes) -> Mapping[int, int]:
    reader = Reader(state_vector)
    clocks = {reader.varuint(): reader.varuint() for _ in range(reader.varuint())}
    if not reader.is_empty:
        raise WireError("bytes after a state vector")
    return clocks
