"""The y-websocket messages that a load generator sends and tells apart."""

from benchlib.errors import RunFailed
from benchlib.lib0 import read_var_bytes, read_var_uint, write_var_uint

SYNC = 0
AWARENESS = 1
QUERY_AWARENESS = 3
STEP_1 = 0
STEP_2 = 1
UPDATE = 2

# Asks for the whole document, as a client does that has nothing.
ASK_FOR_ALL = bytes((SYNC, STEP_1, 1, 0))
# Answers a SyncStep1 with nothing, as a client does that has nothing.
NOTHING_NEW = bytes((SYNC, STEP_2, 2, 0, 0))


def encode_update(update: bytes) -> bytes:
    """Return the message of a change."""
    return bytes((SYNC, UPDATE)) + write_var_uint(len(update)) + update


def read_sync_messages(payload: bytes) -> list[tuple[int, bytes]]:
    """Return (step, bytes) of each sync message in a frame; awareness is passed over.

    Raises:
        RunFailed: the server refuses something, or speaks something else.
    """
    found = []
    position = 0
    try:
        while position < len(payload):
            kind, position = read_var_uint(payload, position)
            if kind == SYNC:
                step, position = read_var_uint(payload, position)
                body, position = read_var_bytes(payload, position)
                found.append((step, body))
            elif kind == AWARENESS:
                _, position = read_var_bytes(payload, position)
            elif kind != QUERY_AWARENESS:
                raise RunFailed(f"the server sent a message of type {kind}: {payload[:60]!r}")
    except IndexError as error:
        raise RunFailed(f"the server sent a message that ends early: {payload[:60]!r}") from error
    return found
