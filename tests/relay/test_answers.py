"""The large answers that wait to be read, and the time that making them takes."""

from relay.answers import Answers
from relay.limits import ANSWERS_BURST_S, ANSWERS_SHARE, QUICK_ANSWER_S


def test_when_full_others_wait_in_order_until_somebody_has_read() -> None:
    answers = Answers(bytes_max=100)
    made: list[str] = []
    woken: list[bool] = []
    answers.wake = lambda: woken.append(True)

    def make(reader: str, size: int) -> None:
        made.append(reader)
        answers.note_made(reader, size)

    make("ann", 60)
    assert answers.may_make(0)
    make("ben", 60)
    assert not answers.may_make(0)
    answers.wait("cem", "c", lambda: make("cem", 90))
    answers.wait("eve", "e", lambda: make("eve", 90))
    answers.wait("dan", "d", lambda: make("dan", 90))
    answers.forget("eve")
    woken.clear()
    assert answers.make_next(0) is None
    answers.note_read("ann")
    assert woken
    # There is room for one again, and then not for another.
    assert answers.make_next(0) == 0
    assert answers.make_next(0) is None
    assert made == ["ann", "ben", "cem"]
    answers.note_read("ben")
    answers.make_next(0)
    assert made[3:] == ["dan"]


def test_one_who_has_read_or_left_is_counted_no_more() -> None:
    answers = Answers(bytes_max=100)
    answers.note_made("ann", 60)
    answers.note_made("ann", 60)
    answers.note_read("ann")
    answers.note_read("ann")
    answers.note_read("nobody")
    assert not answers.is_full


def test_addresses_take_turns_however_many_connections_they_have() -> None:
    answers = Answers()
    made: list[str] = []
    for number in range(100):
        answers.wait(f"crowd {number}", "crowd", lambda n=number: made.append(f"crowd {n}"))
    answers.make_next(0)
    answers.wait("ann", "a", lambda: made.append("ann"))
    answers.wait("ben", "b", lambda: made.append("ben"))
    for _ in range(5):
        answers.make_next(0)
    assert made[0] == "crowd 0"
    assert set(made[1:4]) == {"crowd 1", "ann", "ben"}
    assert made[4:] == ["crowd 2", "crowd 3"]
    for number in range(100):
        answers.forget(f"crowd {number}")
    assert answers.make_next(0) is None
    assert answers.may_make(0)


def test_one_reader_may_have_several_waiting_each_in_its_turn() -> None:
    answers = Answers()
    made: list[str] = []

    def wait(reader: str, who: str, number: int) -> None:
        answers.wait(reader, who, lambda: made.append(f"{reader} {number}"))

    for reader, who, number in [("ann", "a", 1), ("ann", "a", 2), ("alf", "a", 1), ("ben", "b", 1)]:
        wait(reader, who, number)
    while answers.make_next(0) is not None:
        pass
    assert made == ["ann 1", "ben 1", "alf 1", "ann 2"]
    assert answers.may_make(0)
    wait("ann", "a", 3)
    wait("ann", "a", 4)
    answers.forget("ann")
    assert answers.make_next(0) is None
    assert len(made) == 4


def test_answers_that_take_long_leave_a_share_of_the_time_to_others() -> None:
    answers = Answers()
    now_s, busy_s = 1000.0, 0.0
    while now_s < 1100.0:
        if answers.may_make(now_s):
            now_s += 0.1
            busy_s += 0.1
            answers.note_took(0.1, now_s)
        now_s += 0.001
    counted_s = busy_s * (1 - QUICK_ANSWER_S / 0.1)
    assert counted_s <= 100 * ANSWERS_SHARE + 2 * ANSWERS_BURST_S
    assert counted_s > 0.9 * 100 * ANSWERS_SHARE


def test_who_waits_for_time_is_told_when_and_who_comes_waits_behind() -> None:
    answers = Answers()
    made: list[str] = []
    answers.note_took(5, 1000)
    assert not answers.may_make(1001)
    answers.wait("ann", "a", lambda: made.append("ann"))
    delay_s = answers.make_next(1001)
    assert delay_s is not None
    assert delay_s > 0
    assert not answers.may_make(1001 + delay_s)
    assert answers.make_next(1001 + delay_s) == 0
    assert made == ["ann"]
    assert answers.may_make(1001 + delay_s)


def test_quick_answers_take_no_time() -> None:
    answers = Answers()
    for _ in range(1000):
        answers.note_took(QUICK_ANSWER_S, 1000)
    assert answers.may_make(1000)
