"""What waits to be sent to one connection; bounded, never silently lossy. Pure.

A reader that falls behind gets what is queued, then, instead of everything since, one resync
diff from the state it will have by then, and all awareness states (P6).
"""

from collections import deque
from collections.abc import Callable, Iterable

from relay.limits import AWARENESS_LEFT_OUT_MAX, OUTBOX_BYTES_MAX, OUTBOX_FRAMES_MAX


class Outbox:
    """Frames in order, and what was left out of them."""

    __slots__ = (
        "_awareness",
        "_bytes",
        "_frames",
        "_pushed_s",
        "_stale_clients",
        "collapses",
        "popped_s",
        "resync_from",
    )

    def __init__(self) -> None:
        self._frames: deque[bytes] = deque()
        # When each frame was queued, and when the one was that was taken last.
        self._pushed_s: deque[float] = deque()
        self.popped_s = 0.0
        self._bytes = 0
        self.collapses = 0
        self.resync_from: bytes | None = None
        # The one awareness frame that is queued, and whose states have changed since.
        self._awareness: bytes | None = None
        self._stale_clients: set[int] = set()

    def __len__(self) -> int:
        return len(self._frames)

    @property
    def is_full(self) -> bool:
        """Whether the bound is reached; replies to a client's own requests still fit."""
        return self._bytes >= OUTBOX_BYTES_MAX or len(self._frames) >= OUTBOX_FRAMES_MAX

    @property
    def byte_length(self) -> int:
        """The bytes of all frames."""
        return self._bytes

    @property
    def oldest_s(self) -> float | None:
        """When the next frame was queued; None when there is none."""
        return self._pushed_s[0] if self._pushed_s else None

    def push(self, frame: bytes, now_s: float) -> None:
        """Queue a reply to this client."""
        self._frames.append(frame)
        self._pushed_s.append(now_s)
        self._bytes += len(frame)

    def push_update(self, frame: bytes, state_vector: Callable[[], bytes], now_s: float) -> None:
        """Queue an update, or leave it to a later resync.

        ``state_vector`` gives the document's state with this update in it.
        """
        if self.resync_from is not None:
            return
        self.push(frame, now_s)
        if self.is_full:
            self.resync_from = state_vector()
            self.collapses += 1

    def push_awareness(self, frame: bytes, now_s: float) -> bool:
        """Queue awareness news; False when it must be left out.

        There is one such frame in the queue at most: a cursor that moves a hundred times is
        sent where it was first, and where it is in the end.
        """
        if self._awareness is not None or self.needs_resync or self.is_full:
            return False
        self._awareness = frame
        self.push(frame, now_s)
        return True

    def leave_out_awareness(
        self, clients: Iterable[int], is_remembered: Callable[[int], bool]
    ) -> None:
        """Leave the states of these clients to a message when the queue is empty.

        Of too many only those are kept of whom there is something to tell.
        """
        self._stale_clients.update(clients)
        if len(self._stale_clients) > AWARENESS_LEFT_OUT_MAX:
            self._stale_clients = set(filter(is_remembered, self._stale_clients))

    @property
    def needs_resync(self) -> bool:
        """Whether something was left out."""
        return self.resync_from is not None or bool(self._stale_clients)

    def pop(self) -> bytes | None:
        """Take the next frame; None when there is none."""
        if not self._frames:
            return None
        frame = self._frames.popleft()
        self.popped_s = self._pushed_s.popleft()
        self._bytes -= len(frame)
        if frame is self._awareness:
            self._awareness = None
        return frame

    def take_resync(self) -> tuple[bytes | None, frozenset[int]]:
        """Take what was left out, when the queue is empty: state vector, awareness clients."""
        taken = self.resync_from, frozenset(self._stale_clients)
        self.resync_from = None
        self._stale_clients.clear()
        return taken

    def clear(self) -> None:
        """Drop everything; the connection is being closed."""
        self._frames.clear()
        self._pushed_s.clear()
        self._bytes = 0
        self._awareness = None
        self.take_resync()
