"""yjs_store.intake: each sender's updates keep their order, whatever must be tried first."""

import pytest

from yjs_store import ReadOnlyNow, StoreFailing, TrialsFull, UpdateRefused, UpdateTooLarge
from yjs_store.intake import Intake
from yjs_store.limits import ROW_STRUCTS_MAX, UPDATE_BYTES_MAX
from yjs_store.paced_replica import PacedReplica
from yjs_store.refusals import Refusals
from yjs_store.rounds import Recovered
from yjs_store.telemetry import Telemetry
from yjs_store.trial import Failed, Passed

from .editing import letters
from .poison import one_key_each, paste
from .stores import Recorder
from .test_crdt import NOT_UPDATES

LARGE = one_key_each(ROW_STRUCTS_MAX + 1)
"""It must be tried."""

PASSED = Passed(None, (), False, False, True, 0, 1)


class Admission:
    """Lets so many bytes wait."""

    def __init__(self, left: int = 1 << 60) -> None:
        self.waiting = 0
        self._left = left

    def admit(self, byte_length: int) -> bool:
        if self.waiting + byte_length > self._left:
            return False
        self.waiting += byte_length
        return True

    def dismiss(self, byte_length: int) -> None:
        self.waiting -= byte_length


@pytest.fixture
def admission() -> Admission:
    return Admission()


@pytest.fixture
def work() -> PacedReplica:
    return PacedReplica([], lambda: 0.0, lambda: 0.0)


@pytest.fixture
def intake(work: PacedReplica, admission: Admission) -> Intake:
    return over(work, admission)


def over(work: PacedReplica, admission: Admission) -> Intake:
    return Intake(0, work, admission, Refusals("n", Telemetry(lambda: 0, lambda: 0.0)))


def put(intake: Intake, sender: Recorder, *updates: bytes) -> list[bool]:
    return [intake.put(update, sender, repeats=False) for update in updates]


def gathered(intake: Intake) -> list[bytes]:
    return [submission.update for submission in intake.gathered]


def errors(sender: Recorder) -> list[type[Exception]]:
    return [type(error) for _, error in sender.refusals]


def test_what_is_cleared_gathers_and_what_is_not_waits(intake: Intake) -> None:
    ann, eve = Recorder("ann"), Recorder("eve")
    assert put(intake, eve, LARGE) == [True]
    assert put(intake, ann, *letters("ab")) == [False, False]
    assert put(intake, eve, *letters("cd", 8)) == [True, True], "behind what came before"
    assert gathered(intake) == letters("ab")
    assert list(intake.suspects.waiting_for) == ["eve"]
    assert len(intake.suspect_senders) == 1


@pytest.mark.parametrize(
    ("update", "error"),
    [(NOT_UPDATES[0], UpdateRefused), (bytes(UPDATE_BYTES_MAX + 1), UpdateTooLarge)],
)
def test_what_may_not_be_integrated_is_refused_at_once(
    intake: Intake, update: bytes, error: type[Exception]
) -> None:
    sender = Recorder()
    assert put(intake, sender, update) == [False]
    assert errors(sender) == [error]
    assert not intake


def test_a_barred_one_takes_nothing(intake: Intake) -> None:
    sender = Recorder()
    intake.barred = ReadOnlyNow("n", "an operator wants it so")
    assert put(intake, sender, LARGE, *letters("a")) == [False, False]
    assert errors(sender) == [ReadOnlyNow] * 2
    assert not intake


def test_what_passes_gathers_with_what_waited_only_for_it(
    intake: Intake, admission: Admission
) -> None:
    sender = Recorder()
    put(intake, sender, LARGE, *letters("ab"))
    intake.end_trial(intake.suspects.begin(""), [PASSED])
    assert gathered(intake) == [LARGE, *letters("ab")]
    assert not intake.suspects
    assert not intake.suspect_senders
    assert admission.waiting == 0


def test_what_fails_takes_what_waits_behind_it_along_and_nobody_else(
    intake: Intake, admission: Admission
) -> None:
    ann, eve = Recorder("ann"), Recorder("eve")
    put(intake, eve, LARGE, *letters("ab"))
    put(intake, ann, LARGE)
    intake.end_trial(intake.suspects.begin("eve"), [Failed("it fails")])
    assert [update for update, _ in eve.refusals] == [LARGE, *letters("ab")]
    assert errors(eve) == [UpdateRefused] * 3
    assert (ann.refusals, list(intake.suspects.waiting_for)) == ([], ["ann"])
    assert admission.waiting == len(LARGE)


def test_without_verdicts_everything_of_the_sender_is_refused(
    intake: Intake, admission: Admission
) -> None:
    sender = Recorder()
    put(intake, sender, LARGE, *letters("ab"))
    intake.fail_trial(intake.suspects.begin(""), StoreFailing("disk I/O error"))
    assert errors(sender) == [StoreFailing] * 3
    assert not intake
    assert admission.waiting == 0


def test_what_there_is_no_room_for_is_refused(work: PacedReplica) -> None:
    intake, sender = over(work, Admission(len(LARGE))), Recorder()
    assert put(intake, sender, LARGE, paste("x" * 1000)) == [True, False]
    assert errors(sender) == [TrialsFull]


def test_where_less_fits_into_a_round_what_was_cleared_for_more_is_tried(
    intake: Intake, work: PacedReplica
) -> None:
    ann, eve = Recorder("ann"), Recorder("eve")
    some = one_key_each(100)
    put(intake, eve, some, *letters("a"))
    put(intake, ann, *letters("b", 8))
    assert not intake.keep_to_pace()
    work.pace.note(10.0, 200, 0.0)
    assert intake.keep_to_pace()
    assert gathered(intake) == letters("b", 8)
    assert intake.suspects.count == 2, "in the order in which they came"
    assert not intake.keep_to_pace(), "it is as slow as before"


def test_what_has_passed_again_is_taken_alone(intake: Intake) -> None:
    put(intake, Recorder(), *letters("abc"))
    recovered = intake.take(Recovered(2, []))
    assert [each.update for each in recovered] == letters("ab")
    intake.put_first(recovered)
    assert [each.update for each in intake.take(None)] == letters("abc")


def test_what_fails_gives_everything_back(intake: Intake, admission: Admission) -> None:
    put(intake, Recorder(), LARGE)
    put(intake, Recorder(), *letters("a"))
    assert intake.under_way(3) == (1, len(letters("a")[0]), 3, 1)
    assert [each.update for each in intake.remove_all()] == [*letters("a"), LARGE]
    assert not intake
    assert not intake.suspect_senders
    assert admission.waiting == 0
