"""The plan by which a disk fails: switched on and off by a test while the store runs."""

import asyncio
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

Action = Literal["open", "read", "write", "sync", "truncate", "delete"]


@dataclass(frozen=True, slots=True)
class Fault:
    """This action on this file fails with this SQLite result code.

    ``applies`` says whether it is the turn of this call, when not of every one.
    """

    action: Action
    code: int
    file: str = "-wal"
    applies: Callable[[], bool] = lambda: True


class Faults:
    """What fails at the moment; asked by the disk in SQLite's threads."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._faults: list[Fault] = []
        self.counts: Counter[Action] = Counter()

    def begin(self, *faults: Fault) -> None:
        """Fail like this from now on, until ``heal``."""
        with self._changed:
            self._faults = list(faults)

    def heal(self) -> None:
        """Fail no more."""
        self.begin()

    async def wait_count(self, count: int) -> None:
        """Wait until so many calls have failed; fail when that takes a minute."""

        def wait() -> bool:
            with self._changed:
                return self._changed.wait_for(lambda: self.count >= count, timeout=60)

        assert await asyncio.to_thread(wait), f"{self.count} calls have failed, not {count}"

    @property
    def count(self) -> int:
        """How many calls have failed."""
        return self.counts.total()

    def find(self, action: Action, file: str) -> int | None:
        """The code with which this call is to fail; None when it is not to fail."""
        with self._changed:
            for fault in self._faults:
                if (fault.action, fault.file) == (action, file) and fault.applies():
                    self.counts[action] += 1
                    self._changed.notify_all()
                    return fault.code
        return None
