"""The y-websocket dialect: one document a socket, binary frames, several messages in a frame.

Outgoing frames hold one message each: the stock client reads only the first.
"""

from typing import Final, NamedTuple

from relay.errors import MalformedMessage
from relay.limits import MESSAGES_PER_FRAME_MAX
from relay.wire.lib0 import read_var_bytes, read_var_uint, write_var_bytes

_SYNC: Final = 0
_AWARENESS: Final = 1
_AUTH: Final = 2
_QUERY_AWARENESS: Final = 3
_STEP_1: Final = 0
_STEP_2: Final = 1
_UPDATE: Final = 2


class SyncStep1(NamedTuple):
    """Asks for what the sender, at this state vector, lacks."""

    state_vector: bytes


class SyncStep2(NamedTuple):
    """Answers a SyncStep1; may well hold nothing new."""

    update: bytes


class Update(NamedTuple):
    """A change as it happens."""

    update: bytes


class Awareness(NamedTuple):
    """States of clients, as y-protocols encodes them."""

    payload: bytes


class QueryAwareness(NamedTuple):
    """Asks for all known awareness states."""


Message = SyncStep1 | SyncStep2 | Update | Awareness | QueryAwareness

_UPDATE_PREFIX: Final = bytes((_SYNC, _UPDATE))


def decode(frame: bytes) -> list[Message]:
    """Return the messages of a frame, at least one.

    Raises:
        MalformedMessage: anything in the frame is not y-protocol; none of it counts.
    """
    if frame[:2] == _UPDATE_PREFIX and len(frame) > 2 and frame[2] == len(frame) - 3 < 0x80:
        # What a keystroke looks like: one update of up to 127 bytes.
        return [Update(frame[3:])]
    if not frame:
        raise MalformedMessage("the frame is empty")
    messages: list[Message] = []
    position = 0
    while position < len(frame):
        if len(messages) == MESSAGES_PER_FRAME_MAX:
            raise MalformedMessage(f"more than {MESSAGES_PER_FRAME_MAX} messages in a frame")
        message, position = _read_message(frame, position)
        messages.append(message)
    return messages


def _read_message(frame: bytes, position: int) -> tuple[Message, int]:
    kind, position = read_var_uint(frame, position)
    if kind == _SYNC:
        step, position = read_var_uint(frame, position)
        maker = _SYNC_STEPS.get(step)
        if maker is None:
            raise MalformedMessage(f"there is no sync message {step}")
        payload, position = read_var_bytes(frame, position)
        return maker(payload), position
    if kind == _AWARENESS:
        payload, position = read_var_bytes(frame, position)
        return Awareness(payload), position
    if kind == _QUERY_AWARENESS:
        return QueryAwareness(), position
    if kind == _AUTH:
        raise MalformedMessage("an auth message goes from the server to the client")
    raise MalformedMessage(f"there is no message type {kind}")


_SYNC_STEPS: Final[dict[int, type[SyncStep1 | SyncStep2 | Update]]] = {
    _STEP_1: SyncStep1,
    _STEP_2: SyncStep2,
    _UPDATE: Update,
}


def encode_sync_step_1(state_vector: bytes) -> bytes:
    """Return the frame that asks a client for what the server lacks."""
    return bytes((_SYNC, _STEP_1)) + write_var_bytes(state_vector)


def encode_sync_step_2(update: bytes) -> bytes:
    """Return the frame that answers a SyncStep1; it is what sets `synced` in the client."""
    return bytes((_SYNC, _STEP_2)) + write_var_bytes(update)


def encode_update(update: bytes) -> bytes:
    """Return the frame of a change."""
    return _UPDATE_PREFIX + write_var_bytes(update)


def encode_awareness(payload: bytes) -> bytes:
    """Return the frame of awareness states."""
    return bytes((_AWARENESS,)) + write_var_bytes(payload)


# States of no client: what a stock client takes as a sign of life and otherwise ignores.
SIGN_OF_LIFE: Final = encode_awareness(b"\x00")
