"""Many clients at one place (P5, P6): one document is slow, and nobody else waits for that.

How long the decoder takes is said by the tests: each look at its clock is so much later.
"""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from yjs_store import Document, DocumentDeleted, Store
from yjs_store.limits import PACE_ROUND_S
from yjs_store.update_v1 import var_uint

from .editing import letters, read
from .stores import Gate, Recorder, WatchedBackend, rows_of, store_over, submit

FOR_EVER_S = 1e6


def crowd(count: int, first: int = 1000) -> bytes:
    """A letter of each of so many clients at the beginning of one text, the last one first."""
    clients = range(first + count - 1, first - 1, -1)
    structs = (b"\x01" + var_uint(client) + b"\x00\x04\x01\x04text\x01c" for client in clients)
    return var_uint(count) + b"".join(structs) + b"\x00"


class Clock:
    """Processor time, of which each look takes ``step_s``."""

    def __init__(self) -> None:
        self.step_s = 0.0
        self._now_s = 0.0

    def __call__(self) -> float:
        self._now_s += self.step_s
        return self._now_s


Rest = Callable[[float], None]


@pytest.fixture
def cpu(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The clock of the decoder in the server."""
    clock = Clock()
    monkeypatch.setattr("yjs_store.document.thread_time", clock)
    return clock


@pytest.fixture
def rest(monkeypatch: pytest.MonkeyPatch) -> Rest:
    """Sets how many times as long a document rests; little at first."""

    def set_factor(factor: float) -> None:
        monkeypatch.setattr("yjs_store.fold_pace.PACE_REST_FACTOR", factor)

    set_factor(0.01)
    return set_factor


async def slow_round(document: Document, cpu: Clock, took_s: float = 0.2) -> list[bytes]:
    """Have a round of 40 letters take so long, and the building before it; then 20 fit into one."""
    typed = letters("s" * 40, client_id=3)
    cpu.step_s = took_s
    recorder = await submit(document, *typed)
    cpu.step_s = 0.0
    assert len(recorder.receipts) == 40
    return typed


async def test_rounds_after_a_slow_one_are_as_small_as_they_must_be(
    cpu: Clock, rest: Rest, document: Document, path: Path
) -> None:
    slow = await slow_round(document, cpu)
    before = len(rows_of(path, "n"))
    typed = letters("x" * 100)
    recorder = await submit(document, *typed)
    rows = rows_of(path, "n")[before:]
    assert len(rows) == 5
    assert len(recorder.receipts) == 100
    whole = await document.whole()
    assert read(whole) == read(*slow, *typed)


async def test_what_repeats_for_too_long_goes_on_in_further_rounds(
    cpu: Clock, rest: Rest, document: Document, path: Path
) -> None:
    """P5: with 60,000 clients each takes 17 ms, and anybody may send thousands."""
    typed = letters("abcdefgh")
    await submit(document, *typed[:6])
    before = len(rows_of(path, "n"))
    cpu.step_s = 0.6 * PACE_ROUND_S
    recorder = Recorder()
    for update in (*typed[:6], *typed[6:]):
        document.submit(update, recorder, repeats=True)
    last = letters("z", client_id=9)[0]
    document.submit(last, recorder)
    await document.wait_settled()
    assert [update for update, _, _ in recorder.receipts] == [*typed, last]
    assert len(rows_of(path, "n")) == before + 3
    assert read(await document.whole()) == read(*typed, last)


async def test_nobody_waits_for_a_document_that_repeats(
    cpu: Clock, rest: Rest, store: Store, document: Document
) -> None:
    rest(FOR_EVER_S)
    (letter,) = letters("x")
    await document.append(letter)
    cpu.step_s = 2 * PACE_ROUND_S
    recorder = Recorder()
    for _ in range(3):
        document.submit(letter, recorder, repeats=True)
    beside = Recorder()
    document.submit(letters("y", client_id=9)[0], beside)
    while not recorder.receipts:  # noqa: ASYNC110
        await asyncio.sleep(0)
    cpu.step_s = 0.0
    bystander = await store.open_document("other")
    for update in letters("abc"):
        await bystander.append(update)
    assert len(recorder.receipts) == 1
    assert len(beside.receipts) == 1
    assert not document.is_settled


async def test_nobody_waits_for_a_document_that_rests(
    cpu: Clock, rest: Rest, store: Store, document: Document
) -> None:
    rest(FOR_EVER_S)
    await slow_round(document, cpu)
    waiting = Recorder()
    document.submit(letters("x")[0], waiting)
    bystander = await store.open_document("other")
    for update in letters("abc"):
        await bystander.append(update)
    assert not document.is_settled
    assert not waiting.answers


async def test_what_rests_is_stored_when_the_store_is_closed(
    path: Path, cpu: Clock, rest: Rest
) -> None:
    """P1, P8: nothing that was handed in is lost, and nobody waits until it has rested."""
    rest(FOR_EVER_S)
    recorder = Recorder()
    async with store_over(WatchedBackend(path)) as store:
        document = await store.open_document("n")
        slow = await slow_round(document, cpu)
        typed = letters("x" * 50)
        for update in typed:
            document.submit(update, recorder)
        store.release_document(document)
    assert len(recorder.receipts) == 50
    async with store_over(WatchedBackend(path)) as store:
        assert read(await store.load("n")) == read(*slow, *typed)


async def test_what_rests_is_refused_when_its_document_is_deleted(
    cpu: Clock, rest: Rest, store: Store, document: Document
) -> None:
    rest(FOR_EVER_S)
    await slow_round(document, cpu)
    recorder = Recorder()
    typed = letters("x" * 3)
    for update in typed:
        document.submit(update, recorder)
    await store.delete("n")
    assert [update for update, _ in recorder.refusals] == typed
    assert all(isinstance(error, DocumentDeleted) for _, error in recorder.refusals)


async def test_idle_is_only_a_store_in_which_nothing_rests(
    cpu: Clock, rest: Rest, store: Store, document: Document
) -> None:
    await slow_round(document, cpu)
    recorder = Recorder()
    document.submit(letters("x")[0], recorder)
    await store.append("other", letters("y")[0])
    await store.wait_settled()
    assert len(recorder.receipts) == 1


async def test_an_update_that_is_too_much_for_the_pace_is_tried_and_comes_in_pieces(
    cpu: Clock, rest: Rest, store: Store, document: Document, path: Path
) -> None:
    slow = await slow_round(document, cpu)
    rows = len(rows_of(path, "n"))
    small, large = crowd(20), crowd(21, first=2000)
    await submit(document, small)
    assert (store.trial_counts.trials, len(rows_of(path, "n"))) == (0, rows + 1)
    await submit(document, large)
    assert (store.trial_counts.trials, document.head.cut_seq) == (1, rows + 2)
    assert read(await document.whole()) == read(*slow, small, large)
    assert read(await store.load("n")) == read(*slow, small, large)


async def test_what_was_cleared_before_it_was_slow_is_tried_in_its_senders_order(
    cpu: Clock, rest: Rest, store: Store, backend: WatchedBackend, document: Document
) -> None:
    gate = Gate()
    backend.before["append"] = gate
    cpu.step_s = 0.5
    first, other = Recorder(), Recorder()
    updates = [crowd(1500), crowd(1500, first=3000), *letters("ab")]
    for update in updates:
        document.submit(update, first)
    document.submit(letters("z", client_id=9)[0], other)
    await gate.wait_reached()
    cpu.step_s = 0.0
    assert not first.answers
    gate.open()
    await document.wait_settled()
    assert [update for update, *_ in first.receipts] == updates
    assert store.trial_counts.trials > 0
    assert len(other.receipts) == 1
    assert read(await document.whole()) == read(*updates, letters("z", client_id=9)[0])


async def test_plain_typing_is_tried_when_the_decoder_has_worked_too_much_on_a_document(
    cpu: Clock, rest: Rest, store: Store, document: Document
) -> None:
    rest(0.0001)
    typed = letters("abcd")
    slow = await slow_round(document, cpu, took_s=1.2)
    await submit(document, typed[0])
    assert store.trial_counts.trials == 1
    # The trial has built it in no time; so there is nothing to be afraid of.
    await submit(document, *typed[1:])
    assert store.trial_counts.trials == 1
    assert read(await document.whole()) == read(*slow, *typed)


async def test_a_document_that_comes_to_be_slow_is_folded_before_it_is_too_slow(
    cpu: Clock, rest: Rest, store: Store, backend: WatchedBackend, document: Document
) -> None:
    published = Gate()
    backend.before["publish"] = published
    rest(0.0001)
    slow = await slow_round(document, cpu, took_s=0.3)
    async with asyncio.timeout(30):
        await published.wait_reached()
    published.open()
    await submit(document, letters("a")[0])
    assert store.trial_counts.trials == 0
    assert read(await document.whole()) == read(*slow, letters("a")[0])


async def test_a_crowd_at_one_place_is_stored_whole_while_another_writes(
    store: Store, document: Document, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The real decoder and its real time, all of which is slow here."""
    monkeypatch.setattr("yjs_store.paced_replica.PACE_SLOW_S", 0.0)
    monkeypatch.setattr("yjs_store.fold_pace.PACE_SLOW_S", 0.0)
    monkeypatch.setattr("yjs_store.fold_pace.PACE_SLOW_STRUCT_S", 0.0)
    monkeypatch.setattr("yjs_store.fold_pace.PACE_ROUND_S", 0.0001)
    monkeypatch.setattr("yjs_store.fold_pace.PACE_REST_FACTOR", 10.0)
    attacker = Recorder("attacker")
    updates = [crowd(1, first=1000 + number) for number in range(1500)]
    updates += [crowd(500, first=3000 + 500 * number) for number in range(2)]
    for update in updates:
        document.submit(update, attacker)
    bystander = await store.open_document("other")
    for update in letters("abc"):
        await bystander.append(update)
        assert not document.is_settled, "it takes its time, and the other does not"
    await document.wait_settled()
    assert len(attacker.receipts) == len(updates)
    assert store.trial_counts.trials > 0
    content = read(*updates)
    assert read(await document.whole()) == content
    assert read(await store.load("n")) == content
