"""The awareness states of a room: whose cursor is where. Pure; nothing of it is stored.

The server has no state of its own. A removal keeps the client's clock, so that an older state
cannot come back, and is encoded from the clocks, since the state is gone.
"""

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from relay.awareness_format import NULL, Entry, check_json, count_values, decode, encode
from relay.limits import (
    AWARENESS_BYTES_PER_CONNECTION_MAX,
    AWARENESS_BYTES_PER_ROOM_MAX,
    AWARENESS_CLIENTS_PER_CONNECTION_MAX,
    AWARENESS_CLIENTS_PER_ROOM_MAX,
    AWARENESS_CLOCK_MAX,
    AWARENESS_CLOCKS_AHEAD,
    AWARENESS_CLOCKS_MAX,
    AWARENESS_CLOCKS_PER_S,
    AWARENESS_FIRST_CLOCK_MAX,
)


class Reading(NamedTuple):
    """What of one awareness message may be news, and what there was to look at.

    ``parsed_bytes`` are those of the states that were parsed, ``parsed_values`` what they hold.
    """

    entries: list[Entry]
    byte_length: int
    entry_count: int
    parsed_states: int
    parsed_bytes: int
    parsed_values: int


@dataclass(slots=True)
class _Client:
    """``state`` is the JSON as sent, None after a removal; ``owner`` the connection behind it.

    ``first_clock`` is what it began with, as far as is remembered, and ``first_s`` when.
    """

    clock: int
    state: bytes | None
    owner: Hashable
    seen_s: float
    first_clock: int
    first_s: float


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

    def read(self, payloads: Sequence[bytes]) -> list[Reading]:
        """Read the awareness messages of one frame, each once; nothing of them counts yet.

        Only what may be news is parsed, and of that no more than one connection may show:
        everybody waits meanwhile. What is beyond is left out, as what is beyond a bound is.

        Raises:
            MalformedMessage: one does not decode, or together they are too large.
        """
        left_states = AWARENESS_CLIENTS_PER_CONNECTION_MAX
        left_bytes = AWARENESS_BYTES_PER_CONNECTION_MAX
        readings = []
        for payload, entries in zip(payloads, decode(payloads), strict=True):
            reading = self._read(len(payload), entries, left_states, left_bytes)
            left_states -= reading.parsed_states
            left_bytes -= reading.parsed_bytes
            readings.append(reading)
        return readings

    def _read(
        self, byte_length: int, entries: Sequence[Entry], left_states: int, left_bytes: int
    ) -> Reading:
        kept = []
        parsed_states = parsed_bytes = parsed_values = 0
        for entry in entries:
            if not self._may_be_news(entry):
                continue
            if entry.state != NULL:
                too_much = parsed_bytes + len(entry.state) > left_bytes
                if parsed_states == left_states or too_much:
                    continue
                check_json(entry.state)
                parsed_states += 1
                parsed_bytes += len(entry.state)
                parsed_values += count_values(entry.state)
            kept.append(entry)
        return Reading(kept, byte_length, len(entries), parsed_states, parsed_bytes, parsed_values)

    def _may_be_news(self, entry: Entry) -> bool:
        """Say whether ``apply`` may take it in, also after others of the same frame."""
        if entry.clock > AWARENESS_CLOCK_MAX:
            return False
        known = self._clients.get(entry.client)
        if known is None or entry.clock > known.clock:
            return True
        return entry.clock == known.clock and entry.state == NULL and known.state is not None

    def apply(self, entries: Sequence[Entry], owner: Hashable, now_s: float) -> bytes | None:
        """Take in what was read; return what the others should get, None for nothing.

        What is beyond a bound is not shown, and nobody's fault: a stock client sends on whatever
        it hears of others.
        """
        # One after the other: a client may be in it twice.
        accepted = [entry for entry in entries if self._accept(entry, owner, now_s)]
        self._forget_old_clocks()
        return encode(accepted) if accepted else None

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
            Entry(client, known.clock, known.state)
            for client, known in self._clients.items()
            if known.state is not None
        ]
        return encode(entries) if entries else None

    def states_of(self, clients: Iterable[int]) -> bytes | None:
        """Return the states and the removals of these clients; None when none is remembered."""
        entries = [
            Entry(client, known.clock, NULL if known.state is None else known.state)
            for client in clients
            if (known := self._clients.get(client)) is not None
        ]
        return encode(entries) if entries else None

    def remembers(self, client: int) -> bool:
        """Say whether ``states_of`` has a state or a removal of a client."""
        return client in self._clients

    def _accept(self, entry: Entry, owner: Hashable, now_s: float) -> bool:
        """Take in an entry if it is news."""
        known = self._clients.get(entry.client)
        if known is None or entry.clock > known.clock:
            is_news = self._may_be_shown(entry, known, owner, now_s)
        else:
            # The same state again does not make it this connection's: stock clients send on what
            # they hear of others, too.
            is_removal = entry.state == NULL and known.state is not None
            is_news = is_removal and entry.clock == known.clock
        if is_news:
            self._set(entry, owner, now_s)
        return is_news

    def _may_be_shown(
        self, entry: Entry, known: _Client | None, owner: Hashable, now_s: float
    ) -> bool:
        """Say whether what is newer is within the bounds; if not, it is not this client's fault."""
        if not _may_have_come_to(entry.clock, known, owner, now_s):
            return False
        if entry.state == NULL:
            # Of a client that is not known nobody here has anything to remove.
            return known is not None
        return self._has_room_for(entry, known, owner)

    def _has_room_for(self, entry: Entry, known: _Client | None, owner: Hashable) -> bool:
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

    def _set(self, entry: Entry, owner: Hashable, now_s: float) -> None:
        # Taken out and put in anew, so that the dict is ordered by when a client was last heard.
        former = self._clients.pop(entry.client, None)
        if former is not None:
            self._uncount(former)
            self._disown(entry.client, former)
        is_removal = entry.state == NULL
        self._clients[entry.client] = _Client(
            entry.clock,
            None if is_removal else entry.state,
            owner,
            now_s,
            entry.clock if former is None else former.first_clock,
            now_s if former is None else former.first_s,
        )
        if not is_removal:
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
                removed.append(Entry(client, known.clock, NULL))
        return encode(removed) if removed else None

    def _forget_old_clocks(self) -> None:
        surplus = len(self._clients) - AWARENESS_CLOCKS_MAX
        if surplus <= 0:
            return
        gone = [client for client, known in self._clients.items() if known.state is None]
        for client in gone[:surplus]:
            del self._clients[client]


def _may_have_come_to(clock: int, known: _Client | None, owner: Hashable, now_s: float) -> bool:
    """Say whether a client's own clock, which may be larger than is known, can be there by now.

    The client takes over what others say of it, so that must be where it can go on from.
    """
    if known is None:
        return clock <= AWARENESS_FIRST_CLOCK_MAX
    since_s = now_s - known.first_s
    highest = known.first_clock + AWARENESS_CLOCKS_AHEAD + since_s * AWARENESS_CLOCKS_PER_S
    is_anothers = known.state is not None and known.owner != owner
    if is_anothers and clock > known.clock + AWARENESS_CLOCKS_AHEAD:
        return False
    return clock <= min(highest, AWARENESS_CLOCK_MAX)
