"""A client that types as fast as the server makes its updates durable, within a window."""

from benchlib.connection import Connection
from benchlib.errors import RunFailed
from benchlib.stream import Stream
from benchlib.update_clocks import find_clocks


class Writer(Connection):
    """Keeps ``window`` updates unacknowledged; the echo is the acknowledgement.

    ``finished`` is done when everything that was sent is acknowledged, and there is no more or
    it was told to stop.
    """

    def __init__(self, url: str, stream: Stream, window: int) -> None:
        super().__init__(url)
        self.stream = stream
        self.sent = 0
        self.acknowledged = 0
        self._clock = 0
        self._window = window
        self._end = len(stream)

    def start(self) -> None:
        """Send the first window."""
        self.on_read()

    def stop(self) -> None:
        """Send nothing more; wait for what is under way."""
        self._end = self.sent
        self.on_read()

    def on_update(self, update: bytes) -> None:
        """Take an echo as the acknowledgement of all it covers."""
        clocks = find_clocks(update, self.stream.client_id)
        if clocks is None:
            return
        start, end = clocks
        if start > self._clock:
            raise RunFailed(f"an echo begins at clock {start}; only {self._clock} were echoed")
        if end > self._clock:
            self._clock = end
            self.acknowledged = self.stream.covered(end)

    def on_read(self) -> None:
        """Fill the window."""
        if not self.synced.done():
            return
        end = min(self.stream.sendable(self.acknowledged + self._window), self._end)
        if end > self.sent:
            self.write(self.stream.frames(self.sent, end))
            self.sent = end
        elif self.acknowledged == self._end and not self.finished.done():
            self.finished.set_result(None)
