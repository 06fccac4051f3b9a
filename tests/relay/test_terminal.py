"""relay.terminal: whatever clients have sent, a person's terminal only shows it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.terminal import printable, shown_time, table


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("my notes/é文🙂", "my notes/é文🙂"),
        ("\x1b[2J\x1b]0;title\x07", "\\x1b[2J\\x1b]0;title\\x07"),
        ("line\nDAMAGED\r", "line\\nDAMAGED\\r"),
        ("a\x9b31m", "a\\x9b31m"),
        ("\u202etxt.exe", "\\u202etxt.exe"),
        ("a\u200bb\u2028c\xa0", "a\\u200bb\\u2028c\\xa0"),
        ("\ud800", "\\ud800"),
        ("\\x1b", "\\\\x1b"),
        ("\U000e0041", "\\U000e0041"),
    ],
)
def test_what_acts_on_a_terminal_or_cannot_be_seen_is_escaped(text: str, shown: str) -> None:
    assert printable(text) == shown


@given(st.text())
def test_what_is_printed_can_be_seen_and_stands_for_one_text(text: str) -> None:
    shown = printable(text)
    assert shown.isprintable()
    shown.encode()
    assert shown.encode("latin-1", "backslashreplace").decode("unicode_escape") == text


def test_columns_stand_below_each_other() -> None:
    assert table([("A", "NAME", "B"), ("1", "a\nb", "x"), ("22", "c", "")]) == [
        "A   NAME  B",
        "1   a\\nb  x",
        "22  c",
    ]


def test_a_time_is_shown_in_utc_and_what_is_none_as_the_number() -> None:
    assert shown_time(1_700_000_000_000) == "2023-11-14 22:13:20Z"
    assert shown_time(2**63 - 1) == "9223372036854775807 ms"
