"""A client that counts what reaches it, so cheaply that a hundred of them fit on a core."""

from benchlib import y_websocket as wire
from benchlib.connection import Connection
from benchlib.errors import RunFailed
from benchlib.history import Content, replay
from benchlib.stream import Stream
from benchlib.update_clocks import find_clocks

# Readers of a document are at nearly the same place; more than this none is behind.
_FRAMES_REMEMBERED = 1024


class FrameClocks:
    """What frames cover of one writer's clocks; found once for all readers of its document."""

    def __init__(self, client_id: int) -> None:
        self._client_id = client_id
        self._known: dict[bytes, tuple[int, int] | None] = {}

    def find(self, payload: bytes) -> tuple[int, int] | None:
        """Return the clocks [start, end) of a frame with updates; None when it has none."""
        try:
            return self._known[payload]
        except KeyError:
            pass
        clocks = None
        for step, update in wire.read_sync_messages(payload):
            if step == wire.STEP_1:
                continue
            found = find_clocks(update, self._client_id)
            if found is not None:
                clocks = (clocks[0], found[1]) if clocks else found
        if len(self._known) == _FRAMES_REMEMBERED:
            self._known.clear()
        self._known[payload] = clocks
        return clocks


class Reader(Connection):
    """Counts the updates of one writer. ``finished`` is done once it has what ``expect`` says.

    With ``keeps`` it holds all it got, for ``content``.
    """

    def __init__(self, url: str, stream: Stream, clocks: FrameClocks, *, keeps: bool) -> None:
        super().__init__(url)
        self.delivered = 0
        self.clock = 0
        self._expected: int | None = None
        self._stream = stream
        self.clocks = clocks
        self._kept: list[bytes] | None = [] if keeps else None

    def expect(self, count: int) -> None:
        """Be finished once the first ``count`` updates are here."""
        self._expected = count
        self.on_read()

    def on_frame(self, payload: bytes) -> None:
        """Count what a frame covers."""
        if not self.synced.done():
            super().on_frame(payload)
            return
        if self._kept is not None:
            self._kept.append(payload)
        clocks = self.clocks.find(payload)
        if clocks is None:
            return
        start, end = clocks
        if start > self.clock:
            raise RunFailed(f"a reader got clock {start} when it was at {self.clock}")
        if end > self.clock:
            self.clock = end
            self.delivered = self._stream.covered(end)

    def on_read(self) -> None:
        """See whether all is here."""
        if self.delivered == self._expected and not self.finished.done():
            self.finished.set_result(None)

    def content(self) -> Content:
        """Return what all it got comes to."""
        assert self._kept is not None, "made with keeps=True"
        updates = [self.synced.result()]
        for payload in self._kept:
            updates += [
                body for step, body in wire.read_sync_messages(payload) if step != wire.STEP_1
            ]
        return replay(updates)
