"""yjs_store.names: what may be a document's name."""

import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from yjs_store import NameRefused, check_name
from yjs_store.limits import DOCUMENT_NAME_BYTES_MAX


@pytest.mark.parametrize(
    "name",
    [
        "a",
        " ",
        ".",
        "../../etc/passwd",
        "/",
        "notes/2024/märz ✓.md",
        "%00",
        "'; DROP TABLE documents; --",
        "\U0010ffff",
        "x" * DOCUMENT_NAME_BYTES_MAX,
        "é" * (DOCUMENT_NAME_BYTES_MAX // 2),
    ],
)
def test_a_name_is_returned_as_it_is(name: str) -> None:
    """Field note 22: slashes and dots are ordinary."""
    assert check_name(name) == name


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("", "empty"),
        ("x" * (DOCUMENT_NAME_BYTES_MAX + 1), "1025 bytes"),
        ("é" * (DOCUMENT_NAME_BYTES_MAX // 2) + "x", "1025 bytes"),
        ("a\x00b", "control character"),
        ("a\n", "control character"),
        ("\x7f", "control character"),
        ("\x85", "control character"),
        ("\ud800", "not valid Unicode"),
    ],
)
def test_what_is_no_name_is_refused_with_the_reason(name: str, why: str) -> None:
    with pytest.raises(NameRefused, match=why):
        check_name(name)


@given(st.text())
@example("\x9f")
@example("\xa0")
def test_a_name_is_refused_for_control_characters_and_length_alone(name: str) -> None:
    is_name = 0 < len(name.encode()) <= DOCUMENT_NAME_BYTES_MAX and not any(
        unicodedata.category(character) == "Cc" for character in name
    )
    try:
        assert check_name(name) == name
    except NameRefused:
        assert not is_name
    else:
        assert is_name
