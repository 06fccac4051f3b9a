"""The settings are shown without a secret, also those that come later."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from relay.config import Settings
from relay.debug.configuration import HIDDEN, shown_settings


def test_every_setting_is_shown_or_hidden_and_those_of_today_are_shown() -> None:
    shown = shown_settings(Settings().model_dump())
    assert shown.keys() == Settings.model_fields.keys()
    assert HIDDEN not in shown.values()
    assert (shown["port"], shown["host"], shown["token_file"]) == (1234, "127.0.0.1", None)


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("token_file", Path("/etc/relay/tokens"), "/etc/relay/tokens"),
        ("echo", True, True),
        ("scrub_mib_per_s", 2.5, 2.5),
        ("jwt_secret", "s3cret", HIDDEN),
        ("password", SecretStr("s3cret"), HIDDEN),
        ("host", SecretStr("s3cret"), HIDDEN),
        ("keys", ["s3cret"], HIDDEN),
        ("bytes", b"s3cret", HIDDEN),
        ("hook", "", ""),
        ("hook", "module:function", "module:function"),
        ("hook", "package.module:function", "package.module:function"),
        ("hook", "https://auth.example", "https://auth.example"),
        ("hook", "http://127.0.0.1:8000", "http://127.0.0.1:8000"),
        ("hook", "http://[::1]:8000/s3cret", f"http://[::1]:8000/{HIDDEN}"),
        ("hook", "https://auth.example/hooks/s3cret", f"https://auth.example/{HIDDEN}"),
        ("hook", "https://auth.example?s3cret", f"https://auth.example/{HIDDEN}"),
        ("hook", "https://auth.example/x?key=s3cret", f"https://auth.example/{HIDDEN}"),
        ("hook", "https://auth.example/x#s3cret", f"https://auth.example/{HIDDEN}"),
        ("hook", "https://ann:s3cret@auth.example", f"https://{HIDDEN}@auth.example"),
        ("hook", "https://ann:s3@cret@auth.example/x", f"https://{HIDDEN}@auth.example/{HIDDEN}"),
        ("hook", "https://s3cret@auth.example", f"https://{HIDDEN}@auth.example"),
        # Where the host is cannot be told.
        ("hook", "https://a:s3/cret@auth.example/x", HIDDEN),
        ("hook", "https://auth.example/x@s3cret", HIDDEN),
        ("hook", "https://auth.example\\s3cret", HIDDEN),
        ("hook", "auth.example/s3cret", HIDDEN),
        ("hook", "ftp://auth.example/s3cret", HIDDEN),
        ("store", "postgres://a:s3cret@[::1/x", f"postgres://{HIDDEN}@[::1/x"),
        ("store", "postgres://db/relay?key=s3cret", f"postgres://db/relay?{HIDDEN}"),
        ("store", "postgres://db/relay#s3cret", f"postgres://db/relay?{HIDDEN}"),
        ("store", "sqlite:///./data/relay.db", "sqlite:///./data/relay.db"),
        ("store", "sqlite:////data/relay.db", "sqlite:////data/relay.db"),
        ("store", "postgres://u:s3cret@db/relay", f"postgres://{HIDDEN}@db/relay"),
    ],
)
def test_what_may_be_a_secret_is_hidden(name: str, value: Any, expected: object) -> None:
    shown = shown_settings({name: value})
    assert shown == {name: expected}
    assert "s3c" not in str(shown)
