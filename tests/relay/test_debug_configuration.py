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
        ("hook", "module:function", "module:function"),
        ("hook", "https://auth.example/decide", "https://auth.example/decide"),
        ("hook", "https://ann:s3cret@auth.example/x", f"https://{HIDDEN}@auth.example/x"),
        ("hook", "https://ann:s3@cret@auth.example/x", f"https://{HIDDEN}@auth.example/x"),
        ("hook", "https://s3cret@auth.example", f"https://{HIDDEN}@auth.example"),
        ("hook", "https://auth.example/x?key=s3cret", f"https://auth.example/x?{HIDDEN}"),
        ("hook", "https://auth.example/x#s3cret", f"https://auth.example/x?{HIDDEN}"),
        ("hook", "https://a:s3cret@[::1/x", f"https://{HIDDEN}@[::1/x"),
        ("store", "sqlite:///./data/relay.db", "sqlite:///./data/relay.db"),
        ("store", "sqlite:////data/relay.db", "sqlite:////data/relay.db"),
        ("store", "postgres://u:s3cret@db/relay", f"postgres://{HIDDEN}@db/relay"),
    ],
)
def test_what_may_be_a_secret_is_hidden(name: str, value: Any, expected: object) -> None:
    shown = shown_settings({name: value})
    assert shown == {name: expected}
    assert "s3c" not in str(shown)
