"""yjs_store.rounds: what one fold takes is stored, known or refused, each by itself."""

import pytest

from yjs_store import DocumentFailed, UpdateRefused, crdt
from yjs_store.crdt import EMPTY_UPDATE
from yjs_store.limits import ROW_STRUCTS_MAX
from yjs_store.rounds import Recovered, Round, integrate, sort_tried
from yjs_store.submissions import Submission
from yjs_store.trial import Failed, Passed

from .editing import Editor, letters, read
from .stores import Recorder
from .test_crdt import CHILD_OF_A_LETTER

BAD = b"\x07 no update"


def handed_in(
    *updates: bytes, repeats: bool = False, found: Passed | None = None
) -> list[Submission]:
    sender = Recorder()
    return [Submission(update, sender, repeats, found) for update in updates]


def passed(
    *, is_large: bool = False, is_news: bool = True, pieces: tuple[bytes, ...] = ()
) -> Passed:
    return Passed(None, pieces, False, is_large, is_news, 0, 1)


def fold(current: Round, replica: crdt.Replica | None = None) -> bytes | None:
    return integrate(current, replica or crdt.Replica(), ROW_STRUCTS_MAX, lambda: 0.0)


def test_what_is_new_becomes_one_update_and_part_of_the_replica() -> None:
    replica = crdt.Replica()
    current = Round(handed_in(*letters("abc")))
    update = fold(current, replica)
    assert read(update or b"").text == read(replica.diff(b"\0")).text == "abc"
    assert (current.stored, current.known, current.refused) == (current.taken, [], [])


def test_what_does_not_decode_is_refused_alone() -> None:
    a, b = letters("ab")
    current = Round(handed_in(BAD, a, BAD, b, EMPTY_UPDATE))
    assert read(fold(current) or b"").text == "ab"
    assert [each.update for each in current.stored] == [a, b, EMPTY_UPDATE]
    assert [(each.update, type(error)) for each, error in current.refused] == [
        (BAD, UpdateRefused)
    ] * 2
    assert [each.update for each in current.unanswered()] == [a, b, EMPTY_UPDATE]


@pytest.mark.parametrize(("repeats", "update"), [(True, letters("a")[0]), (False, EMPTY_UPDATE)])
def test_what_repeats_or_says_nothing_is_known_and_not_stored(repeats: bool, update: bytes) -> None:
    current = Round(handed_in(update, repeats=repeats))
    assert fold(current, crdt.Replica(letters("a"))) is None
    assert (current.stored, current.known) == ([], current.taken)


def test_what_is_large_is_stored_and_not_integrated_yet() -> None:
    replica = crdt.Replica()
    update = Editor(7).write("large")
    current = Round(handed_in(update, found=passed(is_large=True, pieces=(update,))))
    assert fold(current, replica) == update
    assert (current.stored, current.to_integrate) == (current.taken, (update,))
    assert replica.diff(b"\0") == EMPTY_UPDATE


def test_what_is_large_and_no_news_is_known() -> None:
    current = Round(handed_in(letters("a")[0], found=passed(is_large=True, is_news=False)))
    assert fold(current) is None
    assert (current.known, current.to_integrate) == (current.taken, ())


def test_what_has_passed_again_is_stored_as_it_was_sent_and_read_as_it_must_be() -> None:
    """P2: one who wrote within a letter that came with it."""
    a, _ = letters("ab")
    mended = crdt.merge([a])
    current = Round(handed_in(a), recovered=Recovered(1, [mended]))
    replica = crdt.Replica()
    assert fold(current, replica) == a
    assert read(replica.diff(b"\0")).text == "a"


def test_the_one_culprit_of_a_repeat_is_refused_when_the_decoder_fails() -> None:
    (culprit,) = handed_in(CHILD_OF_A_LETTER, repeats=True)
    current = Round([culprit])
    with pytest.raises(crdt.IntegrationFailed):
        fold(current, crdt.Replica(letters("abc")))
    assert [each for each, _ in current.refused] == [culprit]
    assert current.unanswered() == []


def test_what_was_to_be_stored_can_be_refused_after_all() -> None:
    current = Round(handed_in(BAD, *letters("ab")))
    fold(current)
    error = DocumentFailed("n", "whatever it is")
    current.refuse_stored(error)
    assert current.stored == []
    assert current.refused[1:] == [(each, error) for each in current.taken[1:]]


def test_after_a_trial_what_has_passed_goes_on_and_the_culprit_does_not_come_back() -> None:
    good, bad, known = handed_in(*letters("abc"), repeats=True)
    verdicts = [passed(), Failed("it fails"), passed(is_news=False)]
    going_on, refused = sort_tried([good, bad, known], verdicts)
    assert [(each.update, each.repeats) for each in going_on] == [
        (good.update, False),
        (known.update, True),
    ]
    assert [(each, str(error)) for each, error in refused] == [(bad, "it fails")]
