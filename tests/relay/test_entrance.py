"""A server says at its start whom it lets in, and refuses to stand open by accident."""

from pathlib import Path
from typing import Any

import httpx
import pytest
import structlog
import websockets
from click.testing import CliRunner
from relay_process import ServerProcess, run
from relay_support import deadline

from relay.auth.token_table import parse_tokens
from relay.auth.watched_file import WatchedFile
from relay.cli import main
from relay.config import load_settings
from relay.entrance import make_entrance
from relay.errors import ConfigError

TOKENS = """
[[tokens]]
user = "ann"
token = "a token of this test"
documents = ["*"]
permission = "write"
"""


def entrance(address: str, **options: Any) -> Any:
    return make_entrance(load_settings(options, None), address)


@pytest.mark.parametrize("address", ["127.0.0.1", "127.8.8.8", "::1"])
def test_on_this_computer_everybody_may_come(address: str) -> None:
    with structlog.testing.capture_logs() as logs:
        assert not entrance(address).authority.needs_credential
    assert logs == []


@pytest.mark.parametrize("address", ["0.0.0.0", "::", "192.168.1.5", "fe80::1%eth0", "2001:db8::1"])
def test_elsewhere_only_when_that_was_said_and_then_aloud(address: str) -> None:
    with pytest.raises(ConfigError, match="--allow-anonymous"):
        entrance(address)
    with structlog.testing.capture_logs() as logs:
        entrance(address, allow_anonymous=True)
    (entry,) = logs
    assert entry["log_level"] == "warning"
    assert "EVERYBODY" in entry["event"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"auth": "token"}, "--auth token needs --token-file"),
        ({"auth": "token", "token_file": "missing"}, "missing: No such file"),
        ({"auth": "jwt"}, "--auth jwt needs --jwt-key-file"),
        ({"auth": "jwt", "jwt_key_file": "missing"}, "missing: No such file"),
        ({"auth": "hook"}, "--auth hook needs --hook"),
        ({"auth": "hook", "hook": "nowhere:f"}, "cannot import"),
        ({"allowed_origins": "docs.example"}, "allowed_origins: "),
        ({"enable_admin_routes": True}, "--admin-token-file"),
    ],
)
def test_what_is_missing_or_wrong_is_said_at_the_start(options: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        entrance("127.0.0.1", **options)


@pytest.mark.parametrize(
    ("url", "warned"),
    [
        ("http://127.0.0.1:9/decide", False),
        ("https://auth.example/", False),
        ("http://auth.example/", True),
    ],
)
async def test_a_hook_that_is_asked_in_the_clear_is_warned_of(url: str, warned: bool) -> None:
    with structlog.testing.capture_logs() as logs:
        made = entrance("127.0.0.1", auth="hook", hook=url)
    assert bool(logs) == warned
    await made.authority.close()


async def test_a_server_that_would_stand_open_does_not_start(tmp_path: Path) -> None:
    refused = run("serve", "--port", "0", "--host", "0.0.0.0", cwd=tmp_path)
    assert refused.returncode == 1
    assert "--allow-anonymous" in refused.stderr
    assert not (tmp_path / "data").exists()
    options = ("--host", "0.0.0.0", "--allow-anonymous")
    with ServerProcess(tmp_path, *options) as server:
        assert server.wait_log(lambda entry: "EVERYBODY" in entry["event"])


async def test_a_page_from_elsewhere_gets_403_and_one_of_here_a_ticket(tmp_path: Path) -> None:
    """Any website could reach a local server, were it not for its Origin."""
    with ServerProcess(tmp_path) as server:
        for origin in ("https://evil.example", f"http://evil.example:{server.port}", "null"):
            with pytest.raises(websockets.InvalidStatus) as refused:
                async with (
                    deadline(),
                    websockets.connect(
                        f"{server.url}/doc", origin=websockets.Origin(origin), proxy=None
                    ),
                ):
                    pass
            assert refused.value.response.status_code == 403
        local = websockets.Origin("http://localhost:3000")
        async with (
            deadline(),
            websockets.connect(f"{server.url}/doc", origin=local, proxy=None) as socket,
        ):
            await socket.recv()
        url = server.url.replace("ws", "http") + "/auth/ticket/a%20b/c"
        async with httpx.AsyncClient(trust_env=False) as client:
            asked = {"Access-Control-Request-Method": "POST"}
            asked |= {"Access-Control-Request-Headers": "authorization"}
            for origin, status in (("https://evil.example", 403), (str(local), 200)):
                headers = {"Origin": origin}
                preflight = await client.options(url, headers=headers | asked)
                posted = await client.post(url, headers=headers)
                allowed = [
                    each.headers.get("Access-Control-Allow-Origin") for each in (preflight, posted)
                ]
                assert (preflight.status_code, posted.status_code) == (status, status)
                assert allowed == ([origin] * 2 if status == 200 else [None] * 2)
            assert (await client.options(url)).status_code == 405
            assert (await client.post(url.replace("%20", "%FF"))).status_code == 400


# ---- files --------------------------------------------------------------------------------------


def test_a_broken_file_leaves_the_old_content_and_says_so_once(tmp_path: Path) -> None:
    file = tmp_path / "tokens.toml"
    file.write_text(TOKENS)
    watched = WatchedFile(file, lambda content: parse_tokens(content.decode()))
    before = watched.value
    with structlog.testing.capture_logs() as logs:
        for break_it in (lambda: file.write_text("broken = "), file.unlink):
            break_it()
            for _ in range(3):
                watched.refresh()
            assert watched.value is before
    assert watched.version == 0
    assert [entry["log_level"] for entry in logs] == ["error", "error"]
    file.write_text(TOKENS.replace("write", "read"))
    watched.refresh()
    watched.refresh()
    assert watched.version == 1
    assert watched.value is not before


def test_a_file_that_is_being_written_is_read_when_it_is_whole(tmp_path: Path) -> None:
    """Half of it may be a good file, by which everybody else would be closed for good."""
    file = tmp_path / "tokens.toml"
    file.write_text(TOKENS)
    watched = WatchedFile(file, lambda content: parse_tokens(content.decode()))
    for half in ("", TOKENS, TOKENS + TOKENS.replace("ann", "bob")):
        file.write_text(half)
        watched.refresh()
        assert (watched.version, len(watched.value.entries)) == (0, 1)
    watched.refresh()
    assert (watched.version, len(watched.value.entries)) == (1, 2)


@pytest.mark.parametrize(("mode", "warned"), [(0o600, False), (0o640, False), (0o644, True)])
def test_a_file_with_tokens_that_everybody_can_read_is_warned_of(
    tmp_path: Path, mode: int, warned: bool
) -> None:
    file = tmp_path / "tokens.toml"
    file.write_text(TOKENS)
    file.chmod(mode)
    with structlog.testing.capture_logs() as logs:
        entrance("127.0.0.1", auth="token", token_file=str(file))
    assert bool(logs) == warned
    assert "a token of this test" not in str(logs)


# ---- commands -----------------------------------------------------------------------------------


def test_a_new_token_fits_the_entry_that_is_printed_with_it() -> None:
    done = CliRunner().invoke(main, ["token", "new", 'Ann "A" Ü', "todo", "notes/*"])
    assert done.exit_code == 0
    token = done.stderr.rpartition(" ")[2].strip()
    assert token not in done.stdout
    table = parse_tokens(done.stdout)
    assert table.judge(token, "notes/x", 0).user == 'Ann "A" Ü'
    assert not table.has_plain_tokens


@pytest.mark.parametrize("arguments", [("ann",), ("", "a"), ("a\nb", "a"), ("ann", "a*")])
def test_a_token_for_nothing_or_nobody_is_not_made(arguments: tuple[str, ...]) -> None:
    assert CliRunner().invoke(main, ["token", "new", *arguments]).exit_code == 2


async def test_connect_shows_its_token(tmp_path: Path) -> None:
    file = tmp_path / "tokens.toml"
    file.write_text(TOKENS)
    (tmp_path / "mine").write_text("a token of this test\n")
    with ServerProcess(tmp_path, "--auth", "token", "--token-file", str(file)) as server:
        send = ("connect", server.url, "doc", "--send", "x")
        assert run(*send, "--token-file", "mine", cwd=tmp_path).stdout == "stored\n"
        assert run(*send, "--token", "a token of this test", cwd=tmp_path).stdout == "stored\n"
        for options in ((), ("--token", "x" * 20)):
            refused = run(*send, *options, cwd=tmp_path)
            assert refused.returncode == 1
            assert "4401" in refused.stderr
