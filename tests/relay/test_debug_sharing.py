"""Looking is cheap however often, by however many, and however differently."""

import asyncio
import itertools
from collections.abc import Awaitable, Callable

import pytest
from relay_support import run_ready_tasks

from relay.debug.sharing import SharedAnswers, TooManyLooks
from relay.limits import (
    DEBUG_ANSWERS_MAX,
    DEBUG_BURST_S,
    DEBUG_READING_CHARGED_S_MAX,
    DEBUG_READING_S,
    DEBUG_SHARED_S,
    DEBUG_STALE_S,
    DEBUG_WAITING_MAX,
)

SHARE = 0.01


class Bench:
    """Shared answers on a clock of their own; each making takes as long as a test says."""

    def __init__(self) -> None:
        self.now_s = 100.0
        self.making_s = 0.0
        self.reading_s = 0.0
        self.gathered = 0
        self.gathered_at_s: list[float] = []
        self.slept: list[float] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.error: Exception | None = None
        self.shared = SharedAnswers(SHARE, lambda: self.now_s, self._sleep)

    async def _sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now_s += seconds
        await asyncio.sleep(0)

    def get(self, key: object = "a") -> Awaitable[bytes]:
        return self.shared.get(key, self._gather, self._render(key))

    async def _gather(self) -> int:
        self.gathered += 1
        self.gathered_at_s.append(self.now_s)
        number = self.gathered
        await self.gate.wait()
        self.now_s += self.reading_s
        if self.error is not None:
            raise self.error
        return number

    def _render(self, key: object) -> Callable[[int], bytes]:
        def render(number: int) -> bytes:
            self.now_s += self.making_s
            return f"{key} {number}".encode()

        return render


@pytest.fixture
async def bench() -> Bench:
    return Bench()


async def test_who_asks_at_the_same_time_shares_one_answer(bench: Bench) -> None:
    bench.gate.clear()
    asking = [asyncio.ensure_future(bench.get()) for _ in range(50)]
    await run_ready_tasks()
    bench.gate.set()
    assert set(await asyncio.gather(*asking)) == {b"a 1"}
    assert bench.gathered == 1


async def test_who_asks_soon_after_gets_the_same_and_later_a_new_one(bench: Bench) -> None:
    assert await bench.get() == b"a 1"
    bench.now_s += DEBUG_SHARED_S * 0.99
    assert await bench.get() == b"a 1"
    bench.now_s += DEBUG_SHARED_S * 0.02
    assert await bench.get() == b"a 2"


async def test_other_questions_have_other_answers(bench: Bench) -> None:
    assert await bench.get("a") == b"a 1"
    assert await bench.get("b") == b"b 2"
    assert await bench.get("a") == b"a 1"


async def test_who_gives_up_takes_nothing_from_the_others(bench: Bench) -> None:
    bench.gate.clear()
    first, second = asyncio.ensure_future(bench.get()), asyncio.ensure_future(bench.get())
    await run_ready_tasks()
    first.cancel()
    await run_ready_tasks()
    bench.gate.set()
    assert await second == b"a 1"


async def test_an_error_is_for_those_who_wait_and_is_tried_again(bench: Bench) -> None:
    bench.error = RuntimeError("no")
    for count in (1, 2):
        with pytest.raises(RuntimeError):
            await bench.get()
        assert bench.gathered == count
    bench.error = None
    assert await bench.get() == b"a 3"


async def test_an_error_costs_as_much_as_an_answer(bench: Bench) -> None:
    """Who polls what is not there reads the store as well."""
    bench.error = RuntimeError("no")
    began_s = bench.now_s
    for _ in range(200):
        with pytest.raises(RuntimeError):
            await bench.get("not there")
    spent_s = bench.gathered * DEBUG_READING_S
    assert spent_s <= DEBUG_BURST_S + SHARE * (bench.now_s - began_s) + DEBUG_READING_S


@pytest.mark.parametrize("error", [None, RuntimeError("no")])
@pytest.mark.parametrize(
    ("reading_s", "charged_s"),
    [
        (0.0, DEBUG_READING_S),
        (2 * DEBUG_READING_S, 2 * DEBUG_READING_S),
        # A lock that is waited for is no work.
        (5.0, DEBUG_READING_CHARGED_S_MAX),
    ],
)
async def test_reading_costs_what_it_took_within_bounds(
    bench: Bench, reading_s: float, charged_s: float, error: Exception | None
) -> None:
    bench.making_s = DEBUG_BURST_S + 1.0
    await bench.get("all that was saved up")
    bench.making_s, bench.reading_s, bench.error = 0.0, reading_s, error
    await asyncio.gather(*map(bench.get, "bc"), return_exceptions=True)
    first_s, second_s = bench.gathered_at_s[1:]
    assert second_s - first_s == pytest.approx(max(reading_s, charged_s / SHARE))


async def test_those_who_wait_have_their_turn_one_after_the_other(bench: Bench) -> None:
    """Not all at once after the same rest, which would make a debt for everybody after them."""
    bench.making_s = DEBUG_BURST_S + 1.0
    await bench.get("all that was saved up")
    bench.making_s = 0.0
    done: list[bytes] = []

    async def ask(number: int) -> None:
        done.append(await bench.get(number))

    await asyncio.gather(*map(ask, range(60)))
    assert done == [f"{number} {number + 2}".encode() for number in range(60)]
    starts = bench.gathered_at_s[1:]
    rests = [later - earlier for earlier, later in itertools.pairwise(starts)]
    assert rests == pytest.approx([DEBUG_READING_S / SHARE] * 59)


@pytest.mark.parametrize("making_s", [0.0, 0.01])
async def test_making_answers_takes_a_small_share_of_the_time(
    bench: Bench, making_s: float
) -> None:
    """A hundredth, after what was saved up, and reading counts as well."""
    bench.making_s = making_s
    began_s = bench.now_s
    for _ in range(4000):
        bench.now_s += 0.02
        await bench.get()
        await run_ready_tasks(1)
    spent_s = bench.gathered * (making_s + DEBUG_READING_S)
    assert spent_s <= DEBUG_BURST_S + 0.01 * (bench.now_s - began_s) + 0.02
    # Somebody who looks at nothing else sees something new every second or so.
    assert bench.gathered > 50


async def test_while_the_time_is_spent_the_last_answer_is_given_again_for_a_while(
    bench: Bench,
) -> None:
    bench.making_s = 10 * DEBUG_BURST_S
    assert await bench.get() == b"a 1"
    await run_ready_tasks(1)
    bench.now_s += DEBUG_STALE_S * 0.99
    assert await bench.get() == b"a 1"
    assert not bench.slept
    bench.now_s += DEBUG_STALE_S * 0.02
    assert await bench.get() == b"a 2"
    assert bench.slept


async def test_a_person_waits_for_nothing(bench: Bench) -> None:
    bench.making_s = 0.001
    for number in range(100):
        bench.now_s += 1.0
        assert await bench.get() == f"a {number + 1}".encode()
        await run_ready_tasks(1)
    assert not bench.slept


async def test_only_so_many_are_under_way(bench: Bench) -> None:
    bench.gate.clear()
    asking = [asyncio.ensure_future(bench.get(number)) for number in range(DEBUG_WAITING_MAX)]
    await run_ready_tasks()
    with pytest.raises(TooManyLooks):
        await bench.get("one more")
    bench.gate.set()
    await asyncio.gather(*asking)
    assert await bench.get("one more") == b"one more 65"


async def test_only_so_many_are_kept(bench: Bench) -> None:
    for number in range(DEBUG_ANSWERS_MAX + 10):
        await bench.get(number)
        await run_ready_tasks(1)
    assert len(bench.shared._entries) == DEBUG_ANSWERS_MAX
    before = bench.gathered
    await bench.get(DEBUG_ANSWERS_MAX + 9)
    assert bench.gathered == before
    await bench.get(0)
    assert bench.gathered == before + 1


async def test_what_is_under_way_at_the_end_is_given_up(bench: Bench) -> None:
    bench.gate.clear()
    asking = asyncio.ensure_future(bench.get())
    await run_ready_tasks()
    await bench.shared.close()
    with pytest.raises(asyncio.CancelledError):
        await asking
