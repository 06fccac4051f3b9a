"""yjs_store.audience: each is told once, and who comes while others are told waits for the next."""

import asyncio
from collections.abc import Sequence

from yjs_store import DocumentFailed, JournalRow, Submission
from yjs_store.audience import Audience, Waiter
from yjs_store.records import Receipt

from .stores import Recorder

ROW = JournalRow(1, 0, 0, b"", b"")
ERROR = DocumentFailed("n", "whatever it is")


class Leaving(Recorder):
    """It hears of one row, and then another hears in its place."""

    def __init__(self, audience: Audience, successor: Recorder) -> None:
        super().__init__()
        self._audience = audience
        self._successor = successor

    def committed(self, row: JournalRow, stored: Sequence[Submission]) -> None:
        super().committed(row, stored)
        self._audience.remove(self)
        self._audience.add(self._successor)


def test_listeners_may_come_and_go_while_they_are_told() -> None:
    audience, successor = Audience(), Recorder()
    leaving = Leaving(audience, successor)
    audience.add(leaving)
    audience.tell_committed(ROW, ())
    assert (leaving.rows, successor.rows) == ([ROW], [])
    audience.tell_committed(ROW, ())
    assert (leaving.rows, successor.rows) == ([ROW], [ROW])
    audience.tell_switched(is_read_only=True)
    audience.tell_failed(ERROR)
    assert (successor.switches, successor.failures) == ([True], [ERROR])
    assert (leaving.switches, leaving.failures) == ([], [])


def test_who_waits_for_a_durable_moment_is_called_once() -> None:
    audience, called = Audience(), list[str]()

    def first() -> None:
        called.append("first")
        audience.add_when_durable(lambda: called.append("again"))

    audience.add_when_durable(first)
    audience.tell_durable()
    assert called == ["first"]
    audience.tell_durable()
    audience.tell_durable()
    assert called == ["first", "again"]


def test_there_is_no_durable_moment_after_a_failure() -> None:
    audience, called = Audience(), list[None]()
    audience.add_when_durable(lambda: called.append(None))
    audience.tell_failed(ERROR)
    audience.tell_durable()
    assert called == []


async def test_all_who_wait_until_it_is_settled_go_on_but_who_has_given_up() -> None:
    audience = Audience()
    given_up, *others = [asyncio.ensure_future(audience.wait_settled()) for _ in range(3)]
    await asyncio.sleep(0)
    given_up.cancel()
    audience.tell_settled()
    await asyncio.gather(*others)
    assert given_up.cancelled()


async def test_a_waiter_that_has_given_up_may_be_told() -> None:
    stored, refused = Waiter(), Waiter()
    stored.future.cancel()
    refused.future.cancel()
    stored.stored(b"", Receipt("n", 1), news=True)
    refused.refused(b"", ERROR)
    assert stored.future.cancelled()
    assert refused.future.cancelled()
