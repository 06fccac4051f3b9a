"""What `compact --due` shows while a running server does it."""

import contextlib
import threading
from collections.abc import Callable, Iterator

import pytest
from relay_support import DEADLINE_S

from relay.commands import due
from relay.commands.acts import Answer
from relay.commands.remote import Refused

ANSWER = {"action": "compact-due", "result": "compacted"}


class Busy:
    """A server that answers when everything it counts has been looked at."""

    def __init__(self, *counts: int | Exception) -> None:
        self._counts = list(counts)
        self._are_told = threading.Event()
        self.acts: list[bool] = []

    def count_due(self) -> int:
        count = self._counts.pop(0) if len(self._counts) > 1 else self._counts[0]
        if len(self._counts) == 1:
            self._are_told.set()
        if isinstance(count, Exception):
            raise count
        return count

    def compact_due(self, *, is_dry_run: bool) -> Answer:
        self.acts.append(is_dry_run)
        assert is_dry_run or self._are_told.wait(DEADLINE_S)
        return ANSWER


@pytest.fixture
def bars(monkeypatch: pytest.MonkeyPatch) -> list[list[int]]:
    """Each bar: how much there is to do, then each step of it."""
    made: list[list[int]] = []

    @contextlib.contextmanager
    def bar(_: str, total: int) -> Iterator[Callable[[int], None]]:
        made.append([total])
        yield made[-1].append

    monkeypatch.setattr(due, "progress", bar)
    monkeypatch.setattr(due, "is_shown", lambda: True)
    return made


def test_the_bar_moves_while_the_server_works(bars: list[list[int]]) -> None:
    # One has become due meanwhile: nothing is taken back.
    server = Busy(9, 7, 8, 2, 2)
    assert due.compact_due(server, is_dry_run=False, look_s=0) == ANSWER
    (bar,) = bars
    assert bar == [9, 2, 5]
    assert server.acts == [False]


def test_a_look_that_is_refused_ends_nothing(bars: list[list[int]]) -> None:
    refusal = Refused("too much is looked at", "busy")
    assert due.compact_due(Busy(5, refusal, 1, 1), is_dry_run=False, look_s=0) == ANSWER
    assert bars == [[5, 4]]
    never = Busy(refusal)
    assert due.compact_due(never, is_dry_run=False, look_s=0) == ANSWER
    assert (len(bars), never.acts) == (1, [False])


def test_nobody_is_asked_where_nobody_would_see_it(
    bars: list[list[int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(due, "is_shown", lambda: False)

    class Uncounted(Busy):
        def count_due(self) -> int:
            raise AssertionError("it costs the server something")

        def compact_due(self, *, is_dry_run: bool) -> Answer:
            return ANSWER

    assert due.compact_due(Uncounted(0), is_dry_run=False) == ANSWER
    assert bars == []


def test_a_dry_run_shows_no_bar(bars: list[list[int]]) -> None:
    server = Busy(5)
    assert due.compact_due(server, is_dry_run=True, look_s=0) == ANSWER
    assert (bars, server.acts) == ([], [True])
