"""One document's conversation: frames in, effects out. Pure."""

from collections.abc import Callable, Collection, Hashable, Sequence
from typing import NamedTuple

from relay import awareness_format
from relay.awareness import AwarenessStates, Reading
from relay.errors import MalformedMessage
from relay.limits import (
    ASKED_PER_ANSWER_BYTE,
    ASKED_PER_ANSWER_MAX,
    ASKED_PER_AWARENESS_BYTE,
    ASKED_PER_AWARENESS_VALUE,
    ASKED_PER_STATE_BYTE,
    AWARENESS_TIMEOUT_S,
    STATE_VECTOR_BYTES_MAX,
    STATE_VECTOR_CLIENTS_MAX,
)
from relay.wire import y_websocket as wire
from relay.wire.lib0 import read_var_uint


class Submit(NamedTuple):
    """Hand an update of the sender to the document; ``repeats`` as in Document.submit."""

    update: bytes
    repeats: bool


class AnswerStep1(NamedTuple):
    """Send the sender what it lacks, once the document is exactly what is durable."""

    state_vector: bytes


class Reply(NamedTuple):
    """Send a frame to the sender."""

    frame: bytes


class SpreadAwareness(NamedTuple):
    """Send an awareness frame to everybody in the room, the sender included.

    To the sender it is the sign of life that y-websocket's own server gives, too.
    """

    frame: bytes


# The state vector of a replica that has nothing, and the update that brings nothing.
_EVERYTHING = b"\x00"
_EMPTY_UPDATE = b"\x00\x00"

# Hears what a message costs that brings no content, and when it came.
Charge = Callable[[float, float], None]


def _charge_nobody(_cost: float, _now_s: float) -> None:
    """Let everything be free."""


Effect = Submit | AnswerStep1 | Reply | SpreadAwareness
# A message whose awareness, if it is that, was read.
_Message = wire.SyncStep1 | wire.SyncStep2 | wire.Update | wire.QueryAwareness | Reading


class Room:
    """What the connections of one document make each other see."""

    __slots__ = ("_awareness", "_told_bytes", "_told_clients")

    def __init__(self) -> None:
        self._awareness = AwarenessStates()
        # The bytes and the clients of the longest state vector that anybody was told.
        self._told_bytes = self._told_clients = 0

    def join(self) -> Sequence[Effect]:
        """Return what a new connection gets first, after the server's own SyncStep1."""
        return self._reply_all_states()

    def receive(
        self, sender: Hashable, frame: bytes, now_s: float, charge: Charge = _charge_nobody
    ) -> Sequence[Effect]:
        """Return what to do about a frame; ``charge`` hears what its asking costs.

        Raises:
            MalformedMessage: the frame is not y-protocol, or is too large; nothing of it counts.
        """
        decoded = wire.decode(frame)
        if len(decoded) == 1 and isinstance(decoded[0], wire.Update):
            # Nearly all are.
            return self._effects_of(sender, decoded[0], now_s, charge)
        self._check_state_vectors(decoded)
        messages = self._read_awareness(decoded)
        if len(messages) == 1:
            return self._effects_of(sender, messages[0], now_s, charge)
        # However often a frame asks, it gets one answer (P6): to who asks from two states at
        # once, everything is the answer to both.
        asked = {each.state_vector for each in messages if isinstance(each, wire.SyncStep1)}
        answered: set[type[_Message]] = set()
        effects: list[Effect] = []
        for message in messages:
            if isinstance(message, wire.SyncStep1 | wire.QueryAwareness):
                if type(message) in answered:
                    charge(1, now_s)
                    continue
                answered.add(type(message))
            if isinstance(message, wire.SyncStep1) and len(asked) > 1:
                effects.append(AnswerStep1(_EVERYTHING))
            else:
                effects.extend(self._effects_of(sender, message, now_s, charge))
        return effects

    def _effects_of(
        self, sender: Hashable, message: _Message, now_s: float, charge: Charge
    ) -> Sequence[Effect]:
        match message:
            case wire.Update(update):
                if update == _EMPTY_UPDATE:
                    charge(1, now_s)
                return (Submit(update, repeats=False),)
            case wire.SyncStep1(state_vector):
                charge(1 + len(state_vector) * ASKED_PER_STATE_BYTE, now_s)
                return (AnswerStep1(state_vector),)
            case wire.SyncStep2(update):
                charge(1, now_s)
                return (Submit(update, repeats=True),)
            case Reading() as reading:
                charge(_cost_of(reading), now_s)
                return _spread(self._awareness.apply(reading.entries, sender, now_s))
            case wire.QueryAwareness():
                effects = self._reply_all_states()
                frame_bytes = sum(len(each.frame) for each in effects)
                charge(1 + frame_bytes * ASKED_PER_ANSWER_BYTE, now_s)
                return effects

    def _check_state_vectors(self, messages: Sequence[wire.Message]) -> None:
        """Refuse what says of more than anybody can have: all of it would be parsed."""
        for message in messages:
            if not isinstance(message, wire.SyncStep1) or not message.state_vector:
                continue
            byte_length = len(message.state_vector)
            if byte_length > self._told_bytes + STATE_VECTOR_BYTES_MAX:
                raise MalformedMessage(f"a state vector of {byte_length} bytes")
            clients = read_var_uint(message.state_vector, 0)[0]
            if clients > self._told_clients + STATE_VECTOR_CLIENTS_MAX:
                raise MalformedMessage(f"a state vector of {clients} clients")

    def _read_awareness(self, messages: Sequence[wire.Message]) -> Sequence[_Message]:
        """Find what is wrong with any awareness message before the first takes effect."""
        payloads = [message.payload for message in messages if isinstance(message, wire.Awareness)]
        readings = iter(self._awareness.read(payloads))
        return [
            next(readings) if isinstance(message, wire.Awareness) else message
            for message in messages
        ]

    def note_told(self, state_vector: bytes) -> None:
        """Hear what the document has, as clients are told: so much they may have, too."""
        self._told_bytes = max(self._told_bytes, len(state_vector))
        self._told_clients = max(self._told_clients, read_var_uint(state_vector, 0)[0])

    def leave(self, connection: Hashable) -> Sequence[SpreadAwareness]:
        """Return what the others get when a connection is gone."""
        return _spread(self._awareness.remove_owner(connection))

    def tick(self, now_s: float) -> Sequence[SpreadAwareness]:
        """Return what everybody gets as time passes."""
        return _spread(self._awareness.expire(now_s - AWARENESS_TIMEOUT_S))

    @property
    def awareness_clients(self) -> int:
        """How many clients have an awareness state."""
        return self._awareness.client_count

    def awareness_clients_of(self, connection: Hashable) -> int:
        """Return how many of them a connection speaks for."""
        return self._awareness.count_of(connection)

    def all_states(self) -> bytes | None:
        """Return the frame of all awareness states; None when there is none."""
        return _frame(self._awareness.all_states())

    def states_of(self, clients: Collection[int]) -> bytes | None:
        """Return the frame for one who has missed news of these clients; None for nothing."""
        return _frame(self._awareness.states_of(clients))

    def remembers(self, client: int) -> bool:
        """Say whether there is anything to tell of a client."""
        return self._awareness.remembers(client)

    def _reply_all_states(self) -> Sequence[Reply]:
        frame = self.all_states()
        return [] if frame is None else [Reply(frame)]


def clients_in(frame: bytes) -> list[int]:
    """Return whose states are in a frame of SpreadAwareness."""
    (message,) = wire.decode(frame)
    assert isinstance(message, wire.Awareness), "made by this module"
    return awareness_format.clients_in(message.payload)


def _cost_of(reading: Reading) -> float:
    """Return what a message costs: what was parsed in full, what was passed over up to a bound."""
    passed = max(
        (reading.byte_length - reading.parsed_bytes) * ASKED_PER_AWARENESS_BYTE,
        reading.entry_count * ASKED_PER_AWARENESS_VALUE,
    )
    parsed = max(
        reading.parsed_bytes * ASKED_PER_AWARENESS_BYTE,
        reading.parsed_values * ASKED_PER_AWARENESS_VALUE,
    )
    return 1 + min(passed, ASKED_PER_ANSWER_MAX) + parsed


def _frame(payload: bytes | None) -> bytes | None:
    return None if payload is None else wire.encode_awareness(payload)


def _spread(news: bytes | None) -> Sequence[SpreadAwareness]:
    return [] if news is None else [SpreadAwareness(wire.encode_awareness(news))]
