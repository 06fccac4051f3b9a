"""Whom a list of documents lets where: exact names and prefixes that cannot be fooled."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.auth.scope import Scope, ScopeRefused
from relay.limits import SCOPE_RULES_MAX

NAMES = st.text(
    st.characters(exclude_categories=["C"], exclude_characters="*"), min_size=1, max_size=30
)
SEGMENTS = st.text(
    st.characters(exclude_categories=["C"], exclude_characters="*/"), min_size=1, max_size=8
).filter(lambda part: part not in (".", ".."))


@pytest.mark.parametrize(
    ("rules", "covered", "not_covered"),
    [
        (["todo"], ["todo"], ["todo/", "todo/x", "TODO", "tod", "todo ", "%74odo", "./todo"]),
        (
            ["notes/*"],
            ["notes/a", "notes/a/b", "notes/ä"],
            ["notes", "notes/", "notesx", "Notes/a"],
        ),
        (["a/b/*"], ["a/b/c"], ["a/b", "a/bc", "a/x", "a/b/../c", "a//b/c"]),
        (["*"], ["todo", "notes/..", "", "../x"], []),
        (["todo", "notes/*"], ["todo", "notes/x"], ["notes", "x"]),
        (["a/../b"], ["a/../b"], ["b", "a/../b/"]),
    ],
)
def test_rules_cover_what_they_say(
    rules: list[str], covered: list[str], not_covered: list[str]
) -> None:
    scope = Scope.parse(rules)
    assert [name for name in covered if not scope.covers(name)] == []
    assert [name for name in not_covered if scope.covers(name)] == []


@pytest.mark.parametrize(
    "name",
    ["notes/../secret", "notes/./x", "notes//x", "notes/", "notes/a/..", "notes/..", "notes/x/"],
)
def test_a_prefix_covers_no_name_that_somebody_could_read_in_two_ways(name: str) -> None:
    """Field notes 22 and 24: a proxy may resolve what to us is a name."""
    assert not Scope.parse(["notes/*"]).covers(name)


@pytest.mark.parametrize(
    "rule",
    [
        "/*",
        "//*",
        "../*",
        "a/../*",
        "./*",
        "a//*",
        "notes*",
        "*/x",
        "a/*/b",
        "**",
        "*.md",
        "",
        "\0",
        "a/**",
    ],
)
def test_what_could_be_meant_otherwise_is_no_rule(rule: str) -> None:
    with pytest.raises(ScopeRefused):
        Scope.parse([rule])


@pytest.mark.parametrize("rules", [[], ["a"] * (SCOPE_RULES_MAX + 1)])
def test_rules_are_bounded_and_not_none(rules: list[str]) -> None:
    with pytest.raises(ScopeRefused):
        Scope.parse(rules)


def test_only_everything_is_everything() -> None:
    assert Scope.parse(["*"]).covers(None)
    assert not Scope.parse(["a", "b/*"]).covers(None)


@given(NAMES, NAMES)
def test_a_name_covers_itself_and_nothing_else(rule: str, name: str) -> None:
    assert Scope.parse([rule]).covers(name) == (rule == name)


@given(st.lists(SEGMENTS, min_size=1, max_size=4), NAMES)
def test_a_prefix_covers_what_lies_below_it_segment_by_segment(
    folder: list[str], name: str
) -> None:
    parts = name.split("/")
    is_below = len(parts) > len(folder) and parts[: len(folder)] == folder
    is_plain = not {"", ".", ".."} & set(parts)
    assert Scope.parse(["/".join(folder) + "/*"]).covers(name) == (is_below and is_plain)


@given(st.lists(SEGMENTS, min_size=1, max_size=3), st.lists(SEGMENTS, min_size=1, max_size=3))
def test_every_plain_name_below_a_prefix_is_covered(folder: list[str], rest: list[str]) -> None:
    assert Scope.parse(["/".join(folder) + "/*"]).covers("/".join([*folder, *rest]))
