"""The command line as people meet it: one line that says it listens, one line on what is wrong."""

import contextlib
import re
import signal
import socket
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from relay_process import Process, ServerProcess, run
from relay_support import text_of

from yjs_store import open_store


@contextlib.contextmanager
def port_in_use() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        yield taken.getsockname()[1]


def complaint(
    *arguments: str, cwd: Path, extra: dict[str, str] | None = None, code: int = 1
) -> str:
    """Run a command that must fail: one clear line on standard error, and nothing else."""
    done = run(*arguments, cwd=cwd, extra=extra)
    assert done.returncode == code, done
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    *usage, line = done.stderr.splitlines()
    # click puts what it knows of the usage before its own complaints.
    assert (len(usage) == 0) == (code == 1), done.stderr
    assert line.startswith("Error: ")
    return line


# ---- what keeps it from starting ----------------------------------------------------------------


def test_a_port_in_use_is_said_in_one_line(tmp_path: Path) -> None:
    with port_in_use() as port:
        line = complaint("serve", "--port", str(port), cwd=tmp_path)
    assert line.startswith(f"Error: cannot listen on 127.0.0.1 port {port}: Address already in use")
    assert list(tmp_path.iterdir()) == [], "a server that cannot start leaves nothing behind"


def test_an_address_of_nobody_is_said_in_one_line(tmp_path: Path) -> None:
    line = complaint("serve", "--port", "0", "--host", "203.0.113.7", cwd=tmp_path)
    assert line.startswith("Error: cannot listen on 203.0.113.7 port 0: ")


def test_a_host_that_is_no_name_is_said_in_one_line(tmp_path: Path) -> None:
    line = complaint("serve", "--port", "0", "--host", "a..b", cwd=tmp_path)
    assert line.startswith("Error: cannot listen on a..b port 0: ")


def test_a_directory_that_cannot_be_made_is_said_in_one_line(tmp_path: Path) -> None:
    # Root may write anywhere, but nobody makes a directory below a file.
    (tmp_path / "data").write_text("a file")
    line = complaint("serve", "--port", "0", cwd=tmp_path)
    assert line.startswith("Error: data is not writable: ")
    line = complaint("serve", "--port", "0", "--store", "sqlite:///data/x/y.db", cwd=tmp_path)
    assert line.startswith("Error: data/x is not writable: ")


def test_a_file_that_is_no_database_is_said_in_one_line_and_left_alone(tmp_path: Path) -> None:
    content = b"my novel, chapter one " * 1000
    (tmp_path / "relay.db").write_bytes(content)
    line = complaint("serve", "--port", "0", "--store", "sqlite:///relay.db", cwd=tmp_path)
    assert line == "Error: cannot open relay.db: file is not a database"
    assert (tmp_path / "relay.db").read_bytes() == content


def test_a_directory_in_the_files_place_is_said_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "relay.db").mkdir()
    line = complaint("serve", "--port", "0", "--store", "sqlite:///relay.db", cwd=tmp_path)
    assert line.startswith("Error: cannot open relay.db: ")


def test_a_database_of_a_newer_version_is_said_in_one_line_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "relay.db"
    with contextlib.closing(sqlite3.connect(path)) as database:
        database.execute("CREATE TABLE documents (of_tomorrow)")
        database.execute("PRAGMA user_version = 99")
    content = path.read_bytes()
    line = complaint("serve", "--port", "0", "--store", "sqlite:///relay.db", cwd=tmp_path)
    assert "relay.db has schema version 99" in line
    assert line.endswith("install a newer yjs-relay")
    assert path.read_bytes() == content


async def test_a_store_that_is_open_elsewhere_is_said_in_one_line(tmp_path: Path) -> None:
    async with open_store(f"sqlite:///{tmp_path}/relay.db"):
        line = complaint("serve", "--port", "0", "--store", "sqlite:///relay.db", cwd=tmp_path)
    assert line == "Error: relay.db is open in another process"


@pytest.mark.parametrize("url", ["relay.db", "mysql://host/db", "sqlite:", "sqlite://host/a.db"])
def test_a_store_that_is_none_is_said_in_one_line(tmp_path: Path, url: str) -> None:
    line = complaint("serve", "--port", "0", "--store", url, cwd=tmp_path)
    assert line.startswith(f"Error: {url!r} is not a store: write sqlite:///")


def test_an_unknown_option_or_command_is_said_with_the_usage(tmp_path: Path) -> None:
    line = complaint("serve", "--prot", "1234", cwd=tmp_path, code=2)
    assert line.startswith("Error: No such option")
    assert "--prot" in line
    assert "'sevre'" in complaint("sevre", cwd=tmp_path, code=2)


def test_a_bad_option_is_said_with_its_name(tmp_path: Path) -> None:
    assert "'--port'" in complaint("serve", "--port", "http", cwd=tmp_path, code=2)
    assert complaint("serve", "--port", "65536", cwd=tmp_path).startswith("Error: port: ")


def test_a_bad_variable_or_key_is_said_in_one_line(tmp_path: Path) -> None:
    line = complaint("serve", cwd=tmp_path, extra={"YJS_RELAY_LOG_LEVEL": "loud"})
    assert line.startswith("Error: log_level: ")
    (tmp_path / "relay.toml").write_text("prot = 1\n")
    line = complaint("serve", "--config", "relay.toml", cwd=tmp_path)
    assert line == "Error: there is no setting 'prot'"
    line = complaint("serve", cwd=tmp_path, extra={"YJS_RELAY_CONFIG": "gone.toml"})
    assert line == "Error: there is no configuration file gone.toml"


# ---- serving ------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_it_says_where_it_listens_in_one_line_and_ends_when_asked(
    tmp_path: Path, how: signal.Signals
) -> None:
    server = ServerProcess(tmp_path)
    assert re.fullmatch(r"yjs-relay listening on ws://127\.0\.0\.1:\d+", server.wait_output())
    # The line is true: it is accepted at once.
    socket.create_connection(("127.0.0.1", server.port)).close()
    assert server.end(how) == 0
    assert len(server.output) == 1
    assert not any("Traceback" in line for line in server.log)
    assert any("stopped" in line for line in server.log)


def test_options_environment_and_file_all_reach_the_server(tmp_path: Path) -> None:
    (tmp_path / "relay.toml").write_text(
        'store = "sqlite:///from-file.db"\nhost = "203.0.113.7"\nport = 0\n'
    )
    done = run("serve", "--config", "relay.toml", cwd=tmp_path)
    assert "203.0.113.7" in done.stderr
    extra = {"YJS_RELAY_CONFIG": "relay.toml", "YJS_RELAY_HOST": "127.0.0.1"}
    with ServerProcess(tmp_path, extra=extra) as server:
        assert server.url.startswith("ws://127.0.0.1:")
        assert (tmp_path / "relay.db").exists()
    assert not (tmp_path / "from-file.db").exists()


def test_help_names_every_setting_with_its_default(tmp_path: Path) -> None:
    text = " ".join(run("serve", "--help", cwd=tmp_path).stdout.split())
    for wanted in ("--host", "--port", "[default: 1234]", "--store", "--no-echo", "YJS_RELAY_"):
        assert wanted in text


# ---- connect ------------------------------------------------------------------------------------


def test_what_connect_sends_the_next_connect_shows_also_after_a_restart(tmp_path: Path) -> None:
    with ServerProcess(tmp_path) as server:
        sent = run("connect", server.url, "my/notes", "--send", "Grüße ", cwd=tmp_path)
        assert (sent.returncode, sent.stdout, sent.stderr) == (0, "stored\n", "")
        run("connect", server.url, "my/notes", "--send", "2", "--root", "other", cwd=tmp_path)
        assert server.end() == 0
    with ServerProcess(tmp_path) as server:
        shown = run("connect", server.url, "my/notes", "--send", "🚲", cwd=tmp_path)
        assert shown.returncode == 0
        with Process("connect", server.url, "my/notes", cwd=tmp_path) as follower:
            follower.wait_output(2)
            assert follower.output == ["other: 2", "text: Grüße 🚲"]
            # And it follows.
            run("connect", server.url, "my/notes", "--send", "!", cwd=tmp_path)
            follower.wait_output(4)
            assert follower.output[2:] == ["other: 2", "text: Grüße 🚲!"]


async def test_what_connect_says_is_stored_is_in_the_store(tmp_path: Path) -> None:
    with ServerProcess(tmp_path) as server:
        run("connect", server.url, "../../etc", "--send", "kept", cwd=tmp_path)
    async with open_store(server.store_url) as store:
        assert [head.name for head in await store.list_heads()] == ["../../etc"]
        assert text_of(await store.load("../../etc")) == "kept"


def test_connect_without_a_server_says_so_in_one_line(tmp_path: Path) -> None:
    with port_in_use() as port:
        pass
    for url in (f"ws://127.0.0.1:{port}", "127.0.0.1:1234", "http://127.0.0.1"):
        line = complaint("connect", url, "doc", cwd=tmp_path)
        assert line.startswith(f"Error: cannot connect to {url}/ws/doc: ")


@pytest.mark.parametrize("url", ["ws://127.0.0.1:99999", "ws://a..b:1"])
def test_connect_to_no_address_says_so_in_one_line(tmp_path: Path, url: str) -> None:
    line = complaint("connect", url, "doc", cwd=tmp_path)
    assert line.startswith(f"Error: cannot connect to {url}/ws/doc: ")


def test_connect_to_a_name_that_is_none_tells_the_servers_reason(tmp_path: Path) -> None:
    with ServerProcess(tmp_path) as server:
        line = complaint("connect", server.url, "a\nb", "--send", "x", cwd=tmp_path)
    reason = "the document name has a control character"
    assert line == f"Error: the server closed the connection: 4400 {reason}"
