"""One document's conversation: frames in, effects out. Pure."""

from collections.abc import Hashable, Sequence
from typing import NamedTuple

from relay.awareness import AwarenessStates
from relay.limits import AWARENESS_TIMEOUT_S
from relay.wire import y_websocket as wire


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


Effect = Submit | AnswerStep1 | Reply | SpreadAwareness


class Room:
    """What the connections of one document make each other see."""

    __slots__ = ("_awareness",)

    def __init__(self) -> None:
        self._awareness = AwarenessStates()

    def join(self) -> Sequence[Effect]:
        """Return what a new connection gets first, after the server's own SyncStep1."""
        return self._reply_all_states()

    def receive(self, sender: Hashable, frame: bytes, now_s: float) -> Sequence[Effect]:
        """Return what to do about a frame.

        Raises:
            MalformedMessage: the frame is not y-protocol; nothing of it counts.
        """
        effects: list[Effect] = []
        for message in wire.decode(frame):
            match message:
                case wire.Update(update):
                    effects.append(Submit(update, repeats=False))
                case wire.SyncStep1(state_vector):
                    effects.append(AnswerStep1(state_vector))
                case wire.SyncStep2(update):
                    effects.append(Submit(update, repeats=True))
                case wire.Awareness(payload):
                    news = self._awareness.apply(payload, sender, now_s)
                    effects.extend(_spread(news))
                case wire.QueryAwareness():
                    effects.extend(self._reply_all_states())
        return effects

    def leave(self, connection: Hashable) -> Sequence[SpreadAwareness]:
        """Return what the others get when a connection is gone."""
        return _spread(self._awareness.remove_owner(connection))

    def tick(self, now_s: float) -> Sequence[SpreadAwareness]:
        """Return what everybody gets as time passes."""
        return _spread(self._awareness.expire(now_s - AWARENESS_TIMEOUT_S))

    def all_states(self) -> bytes | None:
        """Return the frame of all awareness states, None when there is none."""
        payload = self._awareness.all_states()
        return None if payload is None else wire.encode_awareness(payload)

    def _reply_all_states(self) -> Sequence[Effect]:
        frame = self.all_states()
        return [] if frame is None else [Reply(frame)]


def _spread(news: bytes | None) -> Sequence[SpreadAwareness]:
    return [] if news is None else [SpreadAwareness(wire.encode_awareness(news))]
