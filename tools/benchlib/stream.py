"""A history as a load generator needs it: one buffer of frames, and tables to steer by."""

from itertools import accumulate

from benchlib import websocket_frames as ws
from benchlib import y_websocket as wire
from benchlib.history import History


class Stream:
    """The frames of one history, ready to be written, and how far a clock is in it.

    A delete does not move the clock, so that nothing shows when it has come back; it counts with
    the insert after it. So that no delete is left over, what is sent ends with an insert.
    """

    __slots__ = ("_bytes_before", "_covered", "_frames", "_sendable", "client_id", "history")

    def __init__(self, history: History) -> None:
        frames = [
            ws.make_client_frame(ws.BINARY, wire.encode_update(update))
            for update in history.updates
        ]
        self.history = history
        self.client_id = history.client_id
        self._frames = memoryview(b"".join(frames))
        self._bytes_before = [0, *accumulate(map(len, frames))]
        inserts = [index for index, is_insert in enumerate(history.is_insert) if is_insert]
        self._covered = [0, *(index + 1 for index in inserts)]
        self._sendable = _next_insert_ends(history.is_insert)

    def __len__(self) -> int:
        return len(self.history.updates)

    def frames(self, start: int, end: int) -> memoryview:
        """Return the frames of updates [start, end)."""
        return self._frames[self._bytes_before[start] : self._bytes_before[end]]

    def covered(self, clock: int) -> int:
        """Return how many updates whoever is at ``clock`` has for certain."""
        return self._covered[clock]

    def sendable(self, count: int) -> int:
        """Return the least number of updates from ``count`` on that ends with an insert."""
        return self._sendable[min(count, len(self))]


def _next_insert_ends(is_insert: list[bool]) -> list[int]:
    """For each count of updates, return the least from there on that ends with an insert."""
    assert is_insert[-1], "a history ends with an insert"
    ends = [0] * (len(is_insert) + 1)
    following = len(is_insert)
    for count in range(len(is_insert), 0, -1):
        if is_insert[count - 1]:
            following = count
        ends[count] = following
    return ends
