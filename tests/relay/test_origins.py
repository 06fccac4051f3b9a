"""Which web pages may connect: by default none from elsewhere, also not by a rebound name."""

import pytest

from relay.auth.origins import OriginRefused, Origins, is_origin_allowed


def origins(text: str = "", *, needs_credential: bool = False) -> Origins:
    return Origins.parse(text, needs_credential=needs_credential)


@pytest.mark.parametrize(
    ("origin", "host", "anonymous", "with_credentials"),
    [
        (None, "127.0.0.1:1234", True, True),
        ("http://localhost:3000", "127.0.0.1:1234", True, True),
        ("http://app.localhost:3000", "127.0.0.1:1234", True, True),
        ("http://127.0.0.1", "127.0.0.1:1234", True, True),
        ("http://[::1]:3000", "[::1]:1234", True, True),
        ("http://192.168.1.5:3000", "192.168.1.5:1234", True, True),
        ("https://docs.example", "docs.example", False, True),
        # A name that its owner let point to our address: the page is the owner's.
        ("http://rebound.example:1234", "rebound.example:1234", False, True),
        ("https://evil.example", "127.0.0.1:1234", False, False),
        ("https://evil.example", "docs.example", False, False),
        ("https://localhost.evil.example", "127.0.0.1:1234", False, False),
        ("https://127.0.0.1.evil.example", "127.0.0.1:1234", False, False),
        ("https://evil.example#@localhost", "127.0.0.1:1234", False, False),
        ("null", "127.0.0.1:1234", False, False),
        ("", "", False, False),
        ("http://[", "[", False, False),
        ("https://docs.example", None, False, False),
    ],
)
def test_without_a_list_only_pages_of_here_may(
    origin: str | None, host: str | None, anonymous: bool, with_credentials: bool
) -> None:
    assert origins().allow(origin, host) == anonymous
    assert origins(needs_credential=True).allow(origin, host) == with_credentials


def test_with_a_list_only_those_listed_may() -> None:
    listed = origins("https://app.example, http://localhost:3000")
    assert listed.allow("https://app.example", "x")
    assert listed.allow("HTTPS://App.example", "x")
    assert listed.allow("http://localhost:3000", "x")
    assert listed.allow(None, "x")
    for other in ("http://app.example", "https://app.example:444", "http://localhost", "null"):
        assert not listed.allow(other, other.partition("//")[2])
    assert origins("*").allow("https://evil.example", "x")


@pytest.mark.parametrize("text", ["app.example", "https://app.example/", "https://", "https://a b"])
def test_what_no_browser_sends_is_refused_in_a_list(text: str) -> None:
    with pytest.raises(OriginRefused):
        origins(text)


def test_two_origins_or_two_hosts_are_none_of_ours() -> None:
    local, host = (b"origin", b"http://localhost"), (b"host", b"docs.example")
    ours = (b"origin", b"https://docs.example")
    guarded = origins(needs_credential=True)
    assert is_origin_allowed(guarded, [local])
    assert not is_origin_allowed(guarded, [local, local])
    assert is_origin_allowed(guarded, [ours, host])
    assert not is_origin_allowed(guarded, [ours, host, host])
