"""yjs_store.pairs: which characters of two units there are, and what cuts them."""

from array import array

from hypothesis import given
from hypothesis import strategies as st

from yjs_store.pairs import Pairs, with_halves

SMILE = "\U0001f600"
HALF = "\ufffd"

CLOCKS = st.integers(0, 40)
TEXTS = st.lists(st.tuples(CLOCKS, st.text("ab" + SMILE + "\U0010ffff", max_size=12)), max_size=6)


def units_of(text: str) -> list[str]:
    data = text.encode("utf-16-le")
    return [data[at : at + 2].decode("utf-16-le", "surrogatepass") for at in range(0, len(data), 2)]


def is_second(units: dict[int, str], clock: int) -> bool:
    return "\ud800" <= units.get(clock - 1, "") < "\udc00" <= units.get(clock, "") < "\ue000"


def known_of(texts: list[tuple[int, str]]) -> tuple[Pairs, dict[int, str]]:
    """What is known, and the same unit by unit; texts that would cut one another are left out."""
    pairs, model = Pairs(), dict[int, str]()
    for clock, text in texts:
        units = dict(enumerate(units_of(text), clock))
        both = {**units, **model}
        ends = {end for end in (*units, clock + len(units)) if (end in model) != (end - 1 in model)}
        if any(is_second(units, end) or is_second(model, end) for end in ends | {clock}) or any(
            is_second(both, end) != (is_second(units, end) or is_second(model, end)) for end in both
        ):
            continue
        pairs.add(7, clock, text.encode("utf-16-le"))
        model = both
    return pairs, model


@given(TEXTS, st.sets(CLOCKS))
def test_they_are_known_until_they_are_cut(texts: list[tuple[int, str]], cuts: set[int]) -> None:
    pairs, model = known_of(texts)
    expected = [clock for clock in sorted(model) if is_second(model, clock)]
    everywhere = {7: range(100), 8: range(100)}
    assert pairs.cut_at(everywhere) == ({7: array("Q", expected)} if expected else {})
    cut = pairs.cut_at({7: cuts})
    assert list(cut.get(7, [])) == [clock for clock in expected if clock in cuts]
    pairs.remove(cut)
    left = [clock for clock in expected if clock not in cuts]
    assert pairs.cut_at(everywhere) == ({7: array("Q", left)} if left else {})


@given(TEXTS, CLOCKS)
def test_only_what_is_new_is_taken_over(texts: list[tuple[int, str]], reached: int) -> None:
    pairs, model = known_of(texts)
    pairs.remove(pairs.cut_at({7: [reached]}))
    other = Pairs()
    other.add_all(pairs, {7: reached})
    expected = [clock for clock in sorted(model) if clock > reached and is_second(model, clock)]
    assert list(other.cut_at({7: range(100)}).get(7, [])) == expected


@given(st.text("ab" + SMILE, max_size=20), CLOCKS, st.data())
def test_a_text_is_shown_from_and_to_any_unit(text: str, clock: int, data: st.DataObject) -> None:
    pairs = Pairs()
    pairs.add(7, clock, text.encode("utf-16-le"))
    units = units_of(text)
    start = data.draw(st.integers(0, len(units)))
    end = data.draw(st.integers(start, len(units)))
    hidden = text.replace(SMILE, HALF * 2)[start:end]
    shown = "".join(units[start:end]).encode("utf-16-le", "surrogatepass")
    expected = shown.decode("utf-16-le", "replace")
    assert pairs.overlay(7, clock + start, hidden) == expected
    assert pairs.overlay(8, clock + start, hidden) == hidden


@given(st.text("ab" + SMILE, max_size=20), CLOCKS, st.sets(st.integers(0, 80)))
def test_what_is_cut_is_two_halves(text: str, clock: int, cuts: set[int]) -> None:
    units = dict(enumerate(units_of(text), clock))
    expected = dict(units)
    for cut in cuts:
        if is_second(units, cut):
            expected[cut - 1] = expected[cut] = HALF
    written = "".join(expected.values()).encode("utf-16-le", "surrogatepass")
    assert with_halves(clock, text, array("Q", sorted(cuts))) == written.decode("utf-16-le")
