"""The wall clock of a store, moved by a test."""


class Clock:
    """Shows ``now_ms`` until somebody changes it."""

    def __init__(self) -> None:
        self.now_ms = 1_700_000_000_000

    def __call__(self) -> int:
        return self.now_ms
