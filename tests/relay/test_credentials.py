"""Where a credential may stand, that it is the only one, and that it is never shown."""

import pytest

from relay.auth.credentials import (
    Credential,
    CredentialKind,
    client_details,
    http_credential,
    websocket_credential,
)
from relay.auth.grants import BadRequest, Unauthorized
from relay.limits import AGENT_CHARACTERS_MAX, CREDENTIAL_BYTES_MAX

BEARER = (b"authorization", b"Bearer one")
TOKEN = Credential(CredentialKind.TOKEN, "one")


@pytest.mark.parametrize(
    ("headers", "query", "protocols", "found"),
    [
        ([], b"", [], None),
        ([BEARER], b"", [], TOKEN),
        ([(b"Authorization", b"bearer  one ")], b"", [], TOKEN),
        ([(b"authorization", b"Basic one")], b"", [], None),
        ([(b"authorization", b"Basic x")], b"token=one", [], TOKEN),
        ([], b"token=one", [], TOKEN),
        ([], b"a=b&token=one&c", [], TOKEN),
        ([], b"token=%6Fne", [], TOKEN),
        ([], b"ticket=one", [], Credential(CredentialKind.TICKET, "one")),
        ([], b"token=", [], Credential(CredentialKind.TOKEN, "")),
        ([], b"Token=one", [], None),
        ([], b"", ["yjs-relay", "token.one"], TOKEN),
        ([], b"", ["yjs-relay"], None),
        ([], b"", ["token"], None),
    ],
)
def test_a_credential_is_found_where_it_stands(
    headers: list[tuple[bytes, bytes]], query: bytes, protocols: list[str], found: Credential | None
) -> None:
    assert websocket_credential(headers, query, protocols) == found


@pytest.mark.parametrize(
    ("headers", "query", "protocols"),
    [
        ([BEARER, BEARER], b"", []),
        ([BEARER], b"token=one", []),
        ([BEARER], b"ticket=one", []),
        ([], b"token=one&ticket=two", []),
        ([], b"token=one&token=one", []),
        ([], b"token=&token=one", []),
        ([], b"token=one", ["token.one"]),
        ([], b"", ["token.one", "token.two"]),
        ([], b"token=" + b"x" * (CREDENTIAL_BYTES_MAX + 1), []),
        ([(b"authorization", b"Bearer " + b"x" * (CREDENTIAL_BYTES_MAX + 1))], b"", []),
        ([], b"a=b&" * 100 + b"token=one", []),
    ],
)
def test_several_credentials_or_one_that_is_too_long_are_refused(
    headers: list[tuple[bytes, bytes]], query: bytes, protocols: list[str]
) -> None:
    with pytest.raises(BadRequest) as caught:
        websocket_credential(headers, query, protocols)
    assert "one" not in str(caught.value).replace("one credential", "")


def test_what_is_no_text_is_refused_before_anybody_is_asked_about_it() -> None:
    """A header's bytes that are no text come as lone surrogates, which no JSON has."""
    with pytest.raises(Unauthorized):
        websocket_credential([], b"", ["yjs-relay", "token.\udcff\ud800"])


def test_over_http_only_the_header_counts() -> None:
    assert http_credential([BEARER]) == TOKEN
    assert http_credential([]) is None


def test_a_credential_does_not_show_itself() -> None:
    assert "one" not in repr(TOKEN)


def test_what_a_client_calls_itself_is_kept_short_and_printable() -> None:
    headers = [(b"user-agent", b"evil\x1b[2J" + b"x" * 1000)]
    agent = client_details("peer", headers)["agent"]
    assert agent.startswith("evil[2J")
    assert len(agent) == AGENT_CHARACTERS_MAX
