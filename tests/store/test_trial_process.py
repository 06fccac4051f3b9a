"""yjs_store.trial_process: whatever an update does to the process, the guilty one is named."""

import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from yjs_store import Damaged, Poisoned, TrialFailed
from yjs_store.records import JournalRow, StoredDocument
from yjs_store.trial import Failed, Passed, Suspect, Verdict
from yjs_store.trial_process import TrialOverran, TrialProcess

from .dying_worker import MODULE
from .editing import Editor, letters
from .poison import (
    CHILD_OF_A_LETTER,
    DEEP_VALUE,
    PANIC_FIRST,
    PANIC_SECOND,
    nested_types,
    one_letter_each,
)
from .test_fold_process import is_alive, stored


@pytest.fixture
async def trials() -> AsyncIterator[TrialProcess]:
    trials = TrialProcess()
    yield trials
    await trials.close()


@pytest.fixture
def dying(trials: TrialProcess, monkeypatch: pytest.MonkeyPatch) -> TrialProcess:
    """Its process does what the texts of updates say."""
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[1]))
    trials.worker._module = MODULE
    return trials


def saying(*words: str) -> list[Suspect]:
    return [Suspect(Editor(20 + n).write(word)) for n, word in enumerate(words)]


def kinds(verdicts: list[Verdict]) -> list[type[Verdict]]:
    return [type(verdict) for verdict in verdicts]


async def test_each_is_tried_on_top_of_those_before_it(trials: TrialProcess) -> None:
    a, b = letters("ab", 7)
    suspects = [Suspect(each) for each in (a, CHILD_OF_A_LETTER, b, b"bad")]
    found = await trials.judge(stored(), [], suspects)
    assert kinds(found) == [Passed, Failed, Passed, Failed]
    found = await trials.judge(stored(a), [], [Suspect(CHILD_OF_A_LETTER)])
    assert kinds(found) == [Failed]
    found = await trials.judge(stored(), [a], [Suspect(CHILD_OF_A_LETTER)])
    assert kinds(found) == [Failed]


async def test_pieces_cross_over(trials: TrialProcess) -> None:
    (verdict,) = await trials.judge(stored(), [], [Suspect(one_letter_each(5000))])
    assert isinstance(verdict, Passed)
    assert len(verdict.pieces) == 20


async def test_what_was_to_be_quick_and_is_not_says_nothing_of_anybody(
    dying: TrialProcess,
) -> None:
    with pytest.raises(TrialOverran):
        await dying.judge(stored(), [], saying("HANG", "good"), is_quick=True)
    assert kinds(await dying.judge(stored(), [], saying("good"), is_quick=True)) == [Passed]
    # The time is of one job, and the next has its own.
    assert kinds(await dying.judge(stored(), [], saying("HANG"))) == [Failed]


@pytest.mark.parametrize(
    ("word", "why"), [("SIGSEGV", "SIGSEGV"), ("SIGABRT", "SIGABRT"), ("HANG", "SIGXCPU")]
)
async def test_the_one_it_dies_of_is_named_and_the_next_has_a_new_process(
    dying: TrialProcess, word: str, why: str
) -> None:
    found = await dying.judge(stored(), [], saying("good", word, "good, too"))
    assert kinds(found) == [Passed, Failed]
    assert isinstance(found[1], Failed)
    assert why in found[1].reason
    assert kinds(await dying.judge(stored(), [], saying("good"))) == [Passed]


async def test_the_one_that_takes_all_memory_is_named(dying: TrialProcess) -> None:
    found = await dying.judge(stored(), [], saying("BLOAT"))
    assert kinds(found) == [Failed]
    assert isinstance(found[0], Failed)
    assert "memory" in found[0].reason


async def test_one_that_is_killed_from_outside_is_tried_again_before_it_is_blamed(
    dying: TrialProcess,
) -> None:
    """Somebody may have meant the process; what makes it too large is killed twice."""
    assert kinds(await dying.judge(stored(), [], saying("good", "SIGKILL"))) == [Passed]
    found = await dying.judge(stored(), [], saying("SIGKILL"))
    assert isinstance(found[0], Failed)
    assert "SIGKILL" in found[0].reason


async def test_a_turn_ends_when_it_takes_long(dying: TrialProcess) -> None:
    """P6: with one verdict at least."""
    assert kinds(await dying.judge(stored(), [], saying("SLOW", "good"))) == [Passed]


@pytest.mark.parametrize(
    "poison",
    [
        [DEEP_VALUE],
        [nested_types(100_000)],
        [PANIC_FIRST, PANIC_SECOND],
    ],
    ids=["a deep value", "nested types", "a panic"],
)
async def test_a_document_that_it_dies_of_is_poisoned(
    trials: TrialProcess, poison: list[bytes]
) -> None:
    with pytest.raises(Poisoned) as caught:
        await trials.check(stored(*poison))
    assert caught.value.document == "n"
    await trials.check(stored(*letters("ab")))


async def test_what_it_dies_of_before_anything_is_tried_is_nobodys_fault(
    trials: TrialProcess,
) -> None:
    with pytest.raises(TrialFailed, match="SIGSEGV"):
        await trials.judge(stored(DEEP_VALUE), [], [Suspect(letters("a")[0])])


async def test_what_is_only_on_its_way_spoils_no_trial(trials: TrialProcess) -> None:
    found = await trials.judge(stored(), [DEEP_VALUE], [Suspect(letters("a")[0])])
    assert kinds(found) == [Passed]


async def test_what_is_not_what_was_written_is_damaged(trials: TrialProcess) -> None:
    """P4."""
    document = stored(letters("a")[0])
    row = document.rows[0]
    broken = JournalRow(row.seq, row.created_ms, row.byte_length, row.checksum, b"!" + row.data)
    damaged = StoredDocument(document.sealed_head, None, (), (broken,))
    with pytest.raises(Damaged):
        await trials.check(damaged)
    with pytest.raises(Damaged):
        await trials.judge(damaged, [], [Suspect(letters("b")[0])])


async def test_it_is_behind_everybody_and_ends_with_its_parent(trials: TrialProcess) -> None:
    await trials.check(stored())
    pid = trials.worker.pid
    assert pid is not None
    behind = min(19, os.getpriority(os.PRIO_PROCESS, 0) + 10)
    assert os.getpriority(os.PRIO_PROCESS, pid) >= behind
    process = trials.worker._process
    assert process is not None
    assert process.stdin is not None
    process.stdin.close()
    assert await process.wait() == 0
    assert not is_alive(pid)


async def test_one_that_was_killed_while_idle_is_replaced(trials: TrialProcess) -> None:
    await trials.check(stored())
    assert trials.worker._process is not None
    os.kill(trials.worker._process.pid, signal.SIGKILL)
    await trials.worker._process.wait()
    await trials.check(stored())
