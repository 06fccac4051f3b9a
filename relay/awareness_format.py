"""Awareness updates as bytes: read within bounds, and written. Pure."""

import json
from collections.abc import Sequence
from typing import Final, NamedTuple, NoReturn

from relay.errors import MalformedMessage
from relay.limits import AWARENESS_BYTES_PER_MESSAGE_MAX, AWARENESS_CLIENTS_PER_MESSAGE_MAX
from relay.wire.lib0 import (
    read_long_var_uint,
    read_var_bytes,
    read_var_uint,
    write_var_bytes,
    write_var_uint,
)

NULL: Final = b"null"
_JSON_SPACE: Final = b" \t\r\n"


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


# Made once: making it takes longer than parsing a cursor.
_JSON: Final = json.JSONDecoder(parse_constant=_refuse_constant)


class Entry(NamedTuple):
    """What is said of one client; ``state`` is JSON, NULL for a removal."""

    client: int
    clock: int
    state: bytes


def decode(payloads: Sequence[bytes]) -> list[list[Entry]]:
    """Return the entries of each awareness update of one frame; no state is parsed.

    A removal in whatever white space has NULL. A clock may be larger than any that can be written.

    Raises:
        MalformedMessage: one does not decode, or together they are too large.
    """
    byte_length = sum(map(len, payloads))
    if byte_length > AWARENESS_BYTES_PER_MESSAGE_MAX:
        raise MalformedMessage(
            f"an awareness update of {byte_length} bytes; "
            f"the bound is {AWARENESS_BYTES_PER_MESSAGE_MAX}"
        )
    count = sum(read_var_uint(payload, 0)[0] for payload in payloads)
    if count > AWARENESS_CLIENTS_PER_MESSAGE_MAX:
        raise MalformedMessage(f"awareness of {count} clients in one message")
    return [_decode_entries(payload) for payload in payloads]


def clients_in(payload: bytes) -> list[int]:
    """Return whose states are in an awareness update that was made here."""
    return [entry.client for entry in _decode_entries(payload)]


def _decode_entries(payload: bytes) -> list[Entry]:
    count, position = read_var_uint(payload, 0)
    entries = []
    for _ in range(count):
        client, position = read_var_uint(payload, position)
        clock, position = read_long_var_uint(payload, position)
        state, position = read_var_bytes(payload, position)
        entries.append(Entry(client, clock, NULL if state.strip(_JSON_SPACE) == NULL else state))
    if position != len(payload):
        raise MalformedMessage("bytes after the last awareness state")
    return entries


def check_json(state: bytes) -> None:
    """Return when a state is JSON to stock clients too, which parse it unguarded.

    Raises:
        MalformedMessage: it is not.
    """
    try:
        _JSON.decode(state.decode())
    except (ValueError, RecursionError) as error:
        raise MalformedMessage("an awareness state is not JSON") from error


def count_values(state: bytes) -> int:
    """Return about how many values there are to parse in JSON."""
    return 1 + state.count(b",") + state.count(b"[") + state.count(b"{")


def encode(entries: Sequence[Entry]) -> bytes:
    """Return the awareness update of these entries."""
    parts = [write_var_uint(len(entries))]
    for entry in entries:
        parts.append(write_var_uint(entry.client))
        parts.append(write_var_uint(entry.clock))
        parts.append(write_var_bytes(entry.state))
    return b"".join(parts)
