"""Counts the rows of each document in windows of time, for those written lately. Pure."""

from collections import OrderedDict

from yjs_store.limits import WRITE_RATE_DOCUMENTS_MAX, WRITE_WINDOW_MS, WRITE_WINDOWS


class _Windows:
    """Counts of the windows up to ``window``; that of number n stands at n modulo their number."""

    __slots__ = ("counts", "window")

    def __init__(self, window: int) -> None:
        self.window = window
        self.counts = [0] * WRITE_WINDOWS

    def move_to(self, window: int) -> None:
        passed = window - self.window
        for number in range(window - min(passed, WRITE_WINDOWS) + 1, window + 1):
            self.counts[number % WRITE_WINDOWS] = 0
        self.window = max(window, self.window)


class WriteRates:
    """Rows in the last WRITE_WINDOWS windows of WRITE_WINDOW_MS each.

    Of WRITE_RATE_DOCUMENTS_MAX documents; those written longest ago go first.
    """

    def __init__(self) -> None:
        self._documents: OrderedDict[str, _Windows] = OrderedDict()

    def note(self, document: str, rows: int, now_ms: int) -> None:
        """Count rows that have become durable. A clock that steps back counts for the newest."""
        window = now_ms // WRITE_WINDOW_MS
        windows = self._documents.get(document)
        if windows is None:
            windows = self._documents[document] = _Windows(window)
            if len(self._documents) > WRITE_RATE_DOCUMENTS_MAX:
                self._documents.popitem(last=False)
        elif window > windows.window:
            windows.move_to(window)
            # Once in a window is enough to know who was written longest ago.
            self._documents.move_to_end(document)
        windows.counts[windows.window % WRITE_WINDOWS] += rows

    def read(self, document: str, now_ms: int) -> tuple[int, ...]:
        """Return the rows of each window, the oldest first; the last is the one that goes on."""
        window = now_ms // WRITE_WINDOW_MS
        windows = self._documents.get(document)
        if windows is None:
            return (0,) * WRITE_WINDOWS
        window = max(window, windows.window)
        oldest_kept = windows.window - WRITE_WINDOWS
        return tuple(
            windows.counts[number % WRITE_WINDOWS] if oldest_kept < number <= windows.window else 0
            for number in range(window - WRITE_WINDOWS + 1, window + 1)
        )

    def forget(self, document: str) -> None:
        """Drop what was counted of a document that is gone (P9)."""
        self._documents.pop(document, None)
