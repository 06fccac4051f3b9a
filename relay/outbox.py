"""What waits to be sent to one connection; bounded, never silently lossy. Pure.

A reader that falls behind gets what is queued, then, instead of everything since, one resync
diff from the state it will have by then, and all awareness states (P6).
"""

from collections import deque
from collections.abc import Callable

from relay.limits import OUTBOX_BYTES_MAX, OUTBOX_FRAMES_MAX


class Outbox:
    """Frames in order, and what was left out of them."""

    __slots__ = ("_bytes", "_frames", "collapses", "is_awareness_stale", "resync_from")

    def __init__(self) -> None:
        self._frames: deque[bytes] = deque()
        self._bytes = 0
        self.collapses = 0
        self.resync_from: bytes | None = None
        self.is_awareness_stale = False

    def __len__(self) -> int:
        return len(self._frames)

    @property
    def is_full(self) -> bool:
        """Whether the bound is reached; replies to a client's own requests still fit."""
        return self._bytes >= OUTBOX_BYTES_MAX or len(self._frames) >= OUTBOX_FRAMES_MAX

    def push(self, frame: bytes) -> None:
        """Queue a reply to this client."""
        self._frames.append(frame)
        self._bytes += len(frame)

    def push_update(self, frame: bytes, state_vector: Callable[[], bytes]) -> None:
        """Queue an update, or leave it to a later resync.

        ``state_vector`` gives the document's state with this update in it.
        """
        if self.resync_from is not None:
            return
        self.push(frame)
        if self.is_full:
            self.resync_from = state_vector()
            self.collapses += 1

    def push_awareness(self, frame: bytes) -> None:
        """Queue awareness news, or leave it to a later message with all states."""
        if self.resync_from is not None or self.is_full:
            self.is_awareness_stale = True
        else:
            self.push(frame)

    def pop(self) -> bytes | None:
        """Take the next frame; None when there is none."""
        if not self._frames:
            return None
        frame = self._frames.popleft()
        self._bytes -= len(frame)
        return frame

    def take_resync(self) -> tuple[bytes | None, bool]:
        """Take what was left out, when the queue is empty: (state vector, awareness)."""
        taken = self.resync_from, self.is_awareness_stale
        self.resync_from, self.is_awareness_stale = None, False
        return taken

    def clear(self) -> None:
        """Drop everything; the connection is being closed."""
        self._frames.clear()
        self._bytes = 0
        self.take_resync()
