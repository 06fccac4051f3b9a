"""yjs_store.write_rates: rows of documents in the last windows."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from yjs_store import write_rates
from yjs_store.limits import WRITE_WINDOW_MS, WRITE_WINDOWS
from yjs_store.write_rates import WriteRates

NOW = 1_700_000_000_000 // WRITE_WINDOW_MS * WRITE_WINDOW_MS
NOTHING = (0,) * WRITE_WINDOWS


def test_rows_stand_in_the_window_in_which_they_came() -> None:
    rates = WriteRates()
    rates.note("n", 2, NOW)
    rates.note("n", 3, NOW + WRITE_WINDOW_MS - 1)
    rates.note("n", 7, NOW + WRITE_WINDOW_MS)
    assert rates.read("n", NOW + WRITE_WINDOW_MS) == (*NOTHING[2:], 5, 7)
    assert rates.read("n", NOW + 3 * WRITE_WINDOW_MS) == (*NOTHING[4:], 5, 7, 0, 0)
    assert rates.read("n", NOW + (WRITE_WINDOWS - 1) * WRITE_WINDOW_MS)[:2] == (5, 7)
    assert rates.read("n", NOW + WRITE_WINDOWS * WRITE_WINDOW_MS)[:2] == (7, 0)
    assert rates.read("n", NOW + (WRITE_WINDOWS + 1) * WRITE_WINDOW_MS) == NOTHING
    assert rates.read("m", NOW) == NOTHING


STEPS = st.lists(st.tuples(st.integers(0, 40), st.integers(1, 9)), max_size=60)


@given(STEPS, st.integers(0, 70))
def test_what_is_read_is_what_was_noted(steps: list[tuple[int, int]], later: int) -> None:
    rates = WriteRates()
    noted: dict[int, int] = {}
    window = NOW // WRITE_WINDOW_MS
    for passed, rows in steps:
        window += passed
        rates.note("n", rows, window * WRITE_WINDOW_MS)
        noted[window] = noted.get(window, 0) + rows
    window += later
    expected = [noted.get(number, 0) for number in range(window - WRITE_WINDOWS + 1, window + 1)]
    assert rates.read("n", window * WRITE_WINDOW_MS) == tuple(expected)


def test_a_clock_that_steps_back_loses_nothing() -> None:
    rates = WriteRates()
    rates.note("n", 1, NOW)
    rates.note("n", 2, NOW - 5 * WRITE_WINDOW_MS)
    assert rates.read("n", NOW - 9 * WRITE_WINDOW_MS) == (*NOTHING[1:], 3)


def test_who_was_written_longest_ago_goes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(write_rates, "WRITE_RATE_DOCUMENTS_MAX", 2)
    rates = WriteRates()
    rates.note("a", 1, NOW)
    rates.note("b", 1, NOW)
    rates.note("a", 1, NOW + WRITE_WINDOW_MS)
    rates.note("c", 1, NOW + WRITE_WINDOW_MS)
    later = NOW + WRITE_WINDOW_MS
    assert [sum(rates.read(name, later)) for name in "abc"] == [2, 0, 1]


def test_a_document_that_is_gone_has_no_past() -> None:
    rates = WriteRates()
    rates.note("n", 1, NOW)
    rates.forget("n")
    rates.forget("n")
    assert rates.read("n", NOW) == NOTHING
