"""Settings: option over environment over TOML over default; what is wrong is said in one line."""

from pathlib import Path

import pytest

from relay.config import Settings, load_settings
from relay.errors import ConfigError
from relay.limits import ROOM_GRACE_S


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(f"YJS_RELAY_{name.upper()}", raising=False)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "relay.toml"


def refusal(options: dict[str, object], file: Path | None = None) -> str:
    """Return why the settings are refused: one line that a person understands."""
    with pytest.raises(ConfigError) as caught:
        load_settings(options, file)
    text = str(caught.value)
    assert text
    assert "\n" not in text
    assert "pydantic" not in text
    return text


def test_the_defaults_are_those_of_the_contract() -> None:
    settings = load_settings({}, None)
    assert (settings.host, settings.port) == ("127.0.0.1", 1234)
    assert settings.store == "sqlite:///./data/relay.db"
    assert settings.echo is True
    assert settings.room_grace_s == ROOM_GRACE_S


# Per setting: as an option, in the environment, in the file; the three differ.
VALUES = {
    "host": ("10.0.0.1", "10.0.0.2", "10.0.0.3"),
    "port": (1, 2, 3),
    "store": ("sqlite:///a.db", "sqlite:///b.db", "sqlite:///c.db"),
    "echo": (False, True, False),
    "room_grace_s": (1.5, 2.5, 3.5),
    "checkpoint_rows": (1, 2, 3),
    "auth": ("token", "jwt", "hook"),
    "allow_anonymous": (True, False, True),
    "jwt_audience": ("a", "b", "c"),
    "hook": ("a:b", "b:c", "c:d"),
    "session_ttl_s": (60.5, 61.5, 62.5),
    "ticket_ttl_s": (1.5, 2.5, 3.5),
    "allowed_origins": ("https://a", "https://b", "https://c"),
    "enable_admin_routes": (True, False, True),
    "log_level": ("debug", "error", "warning"),
    "log_format": ("json", "human", "json"),
}


def test_every_setting_is_tested() -> None:
    assert set(VALUES) <= set(Settings.model_fields)


@pytest.mark.parametrize("name", VALUES)
def test_an_option_counts_more_than_environment_than_file_than_default(
    name: str, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    option, variable, key = VALUES[name]

    def value(options: dict[str, object]) -> object:
        return getattr(load_settings(options, file), name)

    file.write_text("")
    assert value({}) == Settings.model_fields[name].default
    literal = str(key).lower() if isinstance(key, bool | int | float) else f'"{key}"'
    file.write_text(f"{name} = {literal}\n")
    assert value({}) == key
    monkeypatch.setenv(f"YJS_RELAY_{name.upper()}", str(variable))
    assert value({}) == variable
    assert value({name: option}) == option


def test_an_unknown_key_of_the_file_is_refused(file: Path) -> None:
    file.write_text('prot = 1234\nhost = "localhost"\n')
    assert refusal({}, file) == "there is no setting 'prot'"


def test_the_variables_of_others_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORT", "1")
    monkeypatch.setenv("HOST", "elsewhere")
    assert load_settings({}, None).port == 1234
    assert load_settings({}, None).host == "127.0.0.1"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("port", "-1"),
        ("port", "65536"),
        ("port", "http"),
        ("port", ""),
        ("echo", "perhaps"),
        ("room_grace_s", "-0.1"),
        ("room_grace_s", "soon"),
        ("room_grace_s", "nan"),
        ("checkpoint_rows", "0"),
        ("checkpoint_rows", "1.5"),
        ("log_level", "loud"),
        ("log_format", "xml"),
    ],
)
def test_a_bad_value_is_refused_by_name_wherever_it_stands(
    name: str, value: str, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file.write_text(f'{name} = "{value}"\n')
    expected = f"{name}: "
    assert refusal({}, file).startswith(expected)
    assert repr(value) in refusal({}, file)
    file.write_text("")
    monkeypatch.setenv(f"YJS_RELAY_{name.upper()}", value)
    assert refusal({}, file).startswith(expected)
    monkeypatch.delenv(f"YJS_RELAY_{name.upper()}")
    assert refusal({name: value}, file).startswith(expected)


def test_everything_that_is_wrong_is_said_at_once(file: Path) -> None:
    file.write_text('port = "http"\nprot = 1\n')
    text = refusal({"log_level": "loud"}, file)
    assert "port: " in text
    assert "'prot'" in text
    assert "log_level: " in text


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    missing = tmp_path / "missing.toml"
    assert refusal({}, missing) == f"there is no configuration file {missing}"
    assert refusal({}, tmp_path) == f"there is no configuration file {tmp_path}"


@pytest.mark.parametrize("content", [b"port = ", b"port: 1234\n", b"port = 1\nport = 2\n", b"\xff"])
def test_a_file_that_is_not_toml_is_refused_by_its_name(file: Path, content: bytes) -> None:
    file.write_bytes(content)
    assert refusal({}, file).startswith(f"{file}: ")


def test_settings_do_not_change() -> None:
    with pytest.raises(ValueError, match="frozen"):
        load_settings({}, None).port = 1  # type: ignore[misc]
