"""The awareness states of a room: whose cursor is where. Pure; nothing of it is stored.

The server has no state of its own. A removal keeps the client's clock, so that an older state
cannot come back, and is encoded from the clocks, since the state is gone.
"""

import json
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple, NoReturn

from relay.errors import MalformedMessage
from relay.limits import (
    AWARENESS_BYTES_PER_CONNECTION_MAX,
    AWARENESS_BYTES_PER_MESSAGE_MAX,
    AWARENESS_BYTES_PER_ROOM_MAX,
    AWARENESS_CLIENTS_PER_CONNECTION_MAX,
    AWARENESS_CLIENTS_PER_MESSAGE_MAX,
    AWARENESS_CLIENTS_PER_ROOM_MAX,
    AWARENESS_CLOCKS_MAX,
)
from relay.wire.lib0 import read_var_bytes, read_var_uint, write_var_bytes, write_var_uint

_NULL: Final = b"null"


class _Entry(NamedTuple):
    client: int
    clock: int
    state: bytes


@dataclass(slots=True)
class _Client:
    """``state`` is the JSON as sent, None after a removal; ``owner`` the connection behind it."""

    clock: int
    state: bytes | None
    owner: Hashable
    seen_s: float


@dataclass(slots=True)
class _Owned:
    """The clients whose states a connection has brought, and the bytes of these states."""

    clients: set[int] = field(default_factory=set)
    byte_length: int = 0


class AwarenessStates:
    """The newest state of each client of one room."""

    __slots__ = ("_bytes", "_clients", "_owned", "_present")

    def __init__(self) -> None:
        self._clients: dict[int, _Client] = {}
        self._owned: dict[Hashable, _Owned] = {}
        # Clients that have a state, and the bytes of their states.
        self._present = 0
        self._bytes = 0

    def apply(self, payload: bytes, owner: Hashable, now_s: float) -> bytes | None:
        """Take in an awareness update; return what the others should get, None for nothing.

        What is beyond a bound is not shown, and nobody's fault: a stock client sends on whatever
        it hears of others.

        Raises:
            MalformedMessage: it does not decode or is too large; nothing of it counts.
        """
        entries = _decode(payload)
        # One after the other: a client may be in it twice.
        accepted = [entry for entry in entries if self._accept(entry, owner, now_s)]
        self._forget_old_clocks()
        return _encode(accepted) if accepted else None

    @staticmethod
    def check(payloads: Sequence[bytes]) -> None:
        """Return when ``apply`` of each would be without an error.

        Raises:
            MalformedMessage: as ``apply``; nothing of any counts.
        """
        for payload in payloads:
            _decode(payload)

    def remove_owner(self, owner: Hashable) -> bytes | None:
        """Remove exactly the clients whose newest state came from this connection.

        Returns the news for the others, None for nothing.
        """
        return self._remove(self._owned.pop(owner, _Owned()).clients)

    def expire(self, before_s: float) -> bytes | None:
        """Remove the clients that were last heard before that time; return the news."""
        return self._remove(
            [client for client, known in self._clients.items() if known.seen_s < before_s]
        )

    @property
    def client_count(self) -> int:
        """How many clients have a state."""
        return self._present

    def count_of(self, owner: Hashable) -> int:
        """Return how many clients' newest state came from this connection."""
        return len(self._owned.get(owner, _Owned()).clients)

    def all_states(self) -> bytes | None:
        """Return every present state as one update; None when there is none."""
        entries = [
            _Entry(client, known.clock, known.state)
            for client, known in self._clients.items()
            if known.state is not None
        ]
        return _encode(entries) if entries else None

    def states_of(self, clients: Iterable[int]) -> bytes | None:
        """Return the states and the removals of these clients; None when none is remembered."""
        entries = [
            _Entry(client, known.clock, _NULL if known.state is None else known.state)
            for client in clients
            if (known := self._clients.get(client)) is not None
        ]
        return _encode(entries) if entries else None

    def _accept(self, entry: _Entry, owner: Hashable, now_s: float) -> bool:
        """Take in an entry if it is news."""
        known = self._clients.get(entry.client)
        is_removal = entry.state == _NULL
        is_news = known is None or entry.clock > known.clock
        if is_news and not is_removal and not self._has_room_for(entry, known, owner):
            # The bound is the room's, not this client's fault: it goes on, and isn't shown.
            return False
        if known is None or entry.clock > known.clock:
            self._set(entry, owner, now_s)
            return True
        if entry.clock < known.clock or known.state is None:
            return False
        if is_removal:
            self._set(entry, owner, now_s)
            return True
        # The same state again does not make it this connection's: stock clients send on what they
        # hear of others, too.
        return False

    def _has_room_for(self, entry: _Entry, known: _Client | None, owner: Hashable) -> bool:
        former = len(known.state) if known is not None and known.state is not None else 0
        is_new = former == 0
        owned = self._owned.get(owner, _Owned())
        is_own = entry.client in owned.clients
        own_bytes = owned.byte_length - (former if is_own else 0) + len(entry.state)
        return (
            self._present + is_new <= AWARENESS_CLIENTS_PER_ROOM_MAX
            and self._bytes - former + len(entry.state) <= AWARENESS_BYTES_PER_ROOM_MAX
            and len(owned.clients) + (not is_own) <= AWARENESS_CLIENTS_PER_CONNECTION_MAX
            and own_bytes <= AWARENESS_BYTES_PER_CONNECTION_MAX
        )

    def _set(self, entry: _Entry, owner: Hashable, now_s: float) -> None:
        # Taken out and put in anew, so that the dict is ordered by when a client was last heard.
        former = self._clients.pop(entry.client, None)
        if former is not None:
            self._uncount(former)
            self._disown(entry.client, former)
        if entry.state == _NULL:
            self._clients[entry.client] = _Client(entry.clock, None, owner, now_s)
        else:
            self._clients[entry.client] = _Client(entry.clock, entry.state, owner, now_s)
            owned = self._owned.setdefault(owner, _Owned())
            owned.clients.add(entry.client)
            owned.byte_length += len(entry.state)
            self._present += 1
            self._bytes += len(entry.state)

    def _uncount(self, known: _Client) -> None:
        if known.state is not None:
            self._present -= 1
            self._bytes -= len(known.state)

    def _disown(self, client: int, former: _Client) -> None:
        owned = self._owned.get(former.owner)
        if owned is not None and client in owned.clients:
            owned.clients.discard(client)
            owned.byte_length -= len(former.state or b"")
            if not owned.clients:
                del self._owned[former.owner]

    def _remove(self, clients: Iterable[int]) -> bytes | None:
        removed = []
        for client in clients:
            known = self._clients[client]
            if known.state is not None:
                self._uncount(known)
                self._disown(client, known)
                known.state = None
                # The same clock: stock clients accept null at the clock they hold, and the
                # client itself goes on from there when it comes back.
                removed.append(_Entry(client, known.clock, _NULL))
        return _encode(removed) if removed else None

    def _forget_old_clocks(self) -> None:
        surplus = len(self._clients) - AWARENESS_CLOCKS_MAX
        if surplus <= 0:
            return
        gone = [client for client, known in self._clients.items() if known.state is None]
        for client in gone[:surplus]:
            del self._clients[client]


def clients_in(payload: bytes) -> list[int]:
    """Return whose states are in an awareness update that was made here."""
    return [entry.client for entry in _decode_entries(payload)]


def _decode(payload: bytes) -> list[_Entry]:
    if len(payload) > AWARENESS_BYTES_PER_MESSAGE_MAX:
        raise MalformedMessage(
            f"an awareness update of {len(payload)} bytes; "
            f"the bound is {AWARENESS_BYTES_PER_MESSAGE_MAX}"
        )
    count, _ = read_var_uint(payload, 0)
    if count > AWARENESS_CLIENTS_PER_MESSAGE_MAX:
        raise MalformedMessage(f"awareness of {count} clients in one message")
    return [
        _Entry(entry.client, entry.clock, _checked_json(entry.state))
        for entry in _decode_entries(payload)
    ]


def _decode_entries(payload: bytes) -> list[_Entry]:
    count, position = read_var_uint(payload, 0)
    entries = []
    for _ in range(count):
        client, position = read_var_uint(payload, position)
        clock, position = read_var_uint(payload, position)
        state, position = read_var_bytes(payload, position)
        entries.append(_Entry(client, clock, state))
    if position != len(payload):
        raise MalformedMessage("bytes after the last awareness state")
    return entries


def _checked_json(state: bytes) -> bytes:
    """Return the state; stock clients parse it unguarded, so it must be JSON to them too."""
    try:
        parsed = json.loads(state.decode(), parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise MalformedMessage("an awareness state is not JSON") from error
    return _NULL if parsed is None else state


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _encode(entries: list[_Entry]) -> bytes:
    parts = [write_var_uint(len(entries))]
    for entry in entries:
        parts.append(write_var_uint(entry.client))
        parts.append(write_var_uint(entry.clock))
        parts.append(write_var_bytes(entry.state))
    return b"".join(parts)
