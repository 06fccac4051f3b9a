"""Static tokens: what a file may say, and what a token is worth by it."""

import hashlib

import pytest

from relay.auth.grants import Forbidden, Grant, Unauthorized
from relay.auth.token_table import parse_tokens
from relay.errors import ConfigError
from yjs_store import Permission

TOKEN = "a token of this test"
HASH = hashlib.sha256(TOKEN.encode()).hexdigest()
NOW_MS = 1_800_000_000_000


def entry(**changed: str) -> str:
    keys = {
        "user": '"ann"',
        "token_sha256": f'"{HASH}"',
        "documents": '["notes/*"]',
        "permission": '"write"',
    } | changed
    return "[[tokens]]\n" + "".join(f"{key} = {value}\n" for key, value in keys.items() if value)


@pytest.mark.parametrize("how", [{}, {"token_sha256": "", "token": f'"{TOKEN}"'}])
def test_a_token_grants_what_its_entry_says(how: dict[str, str]) -> None:
    table = parse_tokens(entry(**how))
    assert table.judge(TOKEN, "notes/a", NOW_MS) == Grant("ann", Permission.WRITE, None)
    assert table.has_plain_tokens == ("token" in how)
    with pytest.raises(Forbidden):
        table.judge(TOKEN, "todo", NOW_MS)
    with pytest.raises(Forbidden):
        table.judge(TOKEN, None, NOW_MS)


@pytest.mark.parametrize("token", ["", TOKEN + " ", TOKEN.upper(), HASH, "x", "ü", "\udcff"])
def test_another_token_is_unknown(token: str) -> None:
    with pytest.raises(Unauthorized, match="the token is not valid"):
        parse_tokens(entry()).judge(token, "notes/a", NOW_MS)


def test_a_token_is_over_at_the_moment_it_expires() -> None:
    table = parse_tokens(entry(expires="2027-01-15T08:00:00Z"))
    end_ms = 1_800_000_000_000
    assert table.judge(TOKEN, "notes/a", end_ms - 1).expires_ms == end_ms
    with pytest.raises(Unauthorized, match="expired"):
        table.judge(TOKEN, "notes/a", end_ms)


def test_of_several_entries_of_a_token_the_strongest_that_fits_counts() -> None:
    table = parse_tokens(
        entry(permission='"read"', documents='["*"]') + entry() + entry(permission='"read"')
    )
    assert table.judge(TOKEN, "notes/a", NOW_MS).permission is Permission.WRITE
    assert table.judge(TOKEN, "todo", NOW_MS).permission is Permission.READ


@pytest.mark.parametrize(
    "text",
    [
        entry(user=""),
        entry(user='""'),
        entry(user='"a\\nb"'),
        entry(user='"' + "x" * 257 + '"'),
        entry(token_sha256=""),
        entry(token_sha256=f'"{HASH[:-1]}"'),
        entry(token_sha256=f'"{HASH[:-1]}g"'),
        entry(token=f'"{TOKEN}"'),
        entry(token_sha256="", token='"too short"'),
        entry(documents="[]"),
        entry(documents='"notes/*"'),
        entry(documents="[1]"),
        entry(documents='["notes*"]'),
        entry(permission='"Write"'),
        entry(permission=""),
        entry(expires='"2027-01-01"'),
        entry(expires="2027-01-01T00:00:00"),
        entry(until="2027-01-01T00:00:00Z"),
        "tokens = 1",
        "tokens = [1]",
        "other = 1\n" + entry(),
        f'token = "{TOKEN}',
        f'[[tokens]\ntoken = "{TOKEN}"',
    ],
)
def test_a_file_that_is_wrong_is_refused_without_a_word_of_its_tokens(text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_tokens(text)
    said = str(caught.value)
    assert said
    assert TOKEN not in said
    assert HASH[:-1] not in said


@pytest.mark.parametrize(
    "text", ["a = " + "[" * 5000, "a = " + "9" * 5000, "[[tokens]]\nexpires = 2027-02-31T00:00:00Z"]
)
def test_a_file_that_the_parser_gives_up_on_is_refused_like_any_other(text: str) -> None:
    """It is read again while the server runs, and must not end it."""
    with pytest.raises(ConfigError):
        parse_tokens(text)


def test_an_empty_file_lets_nobody_in() -> None:
    with pytest.raises(Unauthorized):
        parse_tokens("").judge("", "a", NOW_MS)
