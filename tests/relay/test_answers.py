"""The large answers that wait to be read."""

from relay.answers import Answers


def test_when_full_others_wait_in_order_until_somebody_has_read() -> None:
    answers = Answers(bytes_max=100)
    made: list[str] = []

    def make(reader: str, size: int) -> None:
        made.append(reader)
        answers.note_made(reader, size)

    make("ann", 60)
    assert not answers.is_full
    make("ben", 60)
    assert answers.is_full
    answers.wait("cem", lambda: make("cem", 90))
    answers.wait("eve", lambda: make("eve", 90))
    answers.wait("dan", lambda: make("dan", 90))
    answers.forget("eve")
    answers.note_read("ann")
    # There is room for one again, and then not for another.
    assert made == ["ann", "ben", "cem"]
    answers.note_read("ben")
    assert made[3:] == ["dan"]


def test_one_who_has_read_or_left_is_counted_no_more() -> None:
    answers = Answers(bytes_max=100)
    answers.note_made("ann", 60)
    answers.note_made("ann", 60)
    answers.note_read("ann")
    answers.note_read("ann")
    answers.note_read("nobody")
    assert not answers.is_full
