"""yjs_store.inspection: what an update may be, told from its bytes alone (P5)."""

import pycrdt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from yjs_store import UpdateRefused, limits
from yjs_store.inspection import Findings, TooMuchToInspect, inspect, is_plain

from .editing import Editor
from .histories import delivered_histories
from .oddities import HONEST, LETTERS, ODD, REFUSED
from .update_builder import TRUE, delete_set, embed, item, one, update, values

# ---- what passes --------------------------------------------------------------------------------


@pytest.mark.parametrize(("honest", "found"), HONEST.values(), ids=HONEST)
def test_what_editors_send_passes(honest: bytes, found: Findings) -> None:
    assert inspect(honest) == found
    pycrdt.merge_updates(honest)


@given(delivered_histories())
def test_every_history_passes(history: tuple[list[bytes], list[bytes]]) -> None:
    _, arrived = history
    for some in (*arrived, pycrdt.merge_updates(*arrived), pycrdt.merge_updates(*arrived[1::2])):
        inspect(some)


def test_a_large_paste_of_letters_that_look_like_values_passes() -> None:
    paste = "uv" * (5 * limits.MIB)
    assert inspect(Editor(7).write(paste)) == Findings(1, 1, 0, 0)


# ---- what is refused ----------------------------------------------------------------------------


@pytest.mark.parametrize("odd", ODD.values(), ids=ODD)
def test_what_is_only_odd_passes(odd: list[bytes]) -> None:
    for one_update in odd:
        inspect(one_update)


@pytest.mark.parametrize("refused", REFUSED.values(), ids=REFUSED)
def test_what_hurts_somebody_is_refused(refused: bytes) -> None:
    with pytest.raises(UpdateRefused):
        inspect(refused)
    assert not is_plain(refused)


@given(st.data())
def test_what_ends_early_is_refused(data: st.DataObject) -> None:
    whole = data.draw(st.sampled_from([honest for honest, _ in HONEST.values()]))
    length = data.draw(st.integers(0, len(whole) - 1))
    with pytest.raises(UpdateRefused):
        inspect(whole[:length])


def test_work_beyond_what_is_allowed_is_not_done() -> None:
    many = one(*[LETTERS] * 11)
    assert inspect(many, 11).structs == 11
    for refused in (many, one(item(values(*[TRUE] * 11))), one(item(embed([1] * 11)))):
        with pytest.raises(TooMuchToInspect):
            inspect(refused, 10)
    with pytest.raises(TooMuchToInspect):
        inspect(update(deletes=delete_set((7, [(clock, 1) for clock in range(11)]))), 10)
