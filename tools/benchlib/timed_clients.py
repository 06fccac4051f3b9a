"""A writer that notes when it sent each clock, and a reader that notes when each one came."""

import time

from benchlib.connection import Connection
from benchlib.reader import FrameClocks, Reader
from benchlib.stream import Stream


class TimedWriter(Connection):
    """Sends one update when told to. ``sent_s[clock]`` is when that insert was sent."""

    def __init__(self, url: str, stream: Stream) -> None:
        super().__init__(url)
        self.sent = 0
        self.sent_s: list[float] = []
        self._stream = stream

    def send_next(self) -> None:
        """Send the next update."""
        if self._stream.history.is_insert[self.sent]:
            self.sent_s.append(time.perf_counter())
        self.write(self._stream.frames(self.sent, self.sent + 1))
        self.sent += 1

    def finish(self) -> None:
        """Go on to the next insert, so that no delete is left of which nothing shows."""
        while self.sent < self._stream.sendable(self.sent):
            self.send_next()


class TimedReader(Reader):
    """``arrived_s[clock]`` is when that insert came."""

    def __init__(self, url: str, stream: Stream, clocks: FrameClocks, *, keeps: bool) -> None:
        super().__init__(url, stream, clocks, keeps=keeps)
        self.arrived_s: list[float] = []

    def data_received(self, data: bytes) -> None:
        """Note the time before anything is done with what came."""
        now_s = time.perf_counter()
        super().data_received(data)
        self.arrived_s += [now_s] * (self.clock - len(self.arrived_s))
