"""Documents out of a running server and into another, as an editor would carry them."""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from relay_process import ServerProcess
from relay_support import oversized_update, pending, text_of, text_update

from relay import client
from relay.cli import main

TOKEN = "t" * 40
READER = "r" * 40
HOSTILE = ["../../etc/passwd", "a/b", "\u202egnp.exe", "…", "x" * 500]


class Relay:
    """A server that lets in who has a token, and commands by its URL."""

    def __init__(self, directory: Path, *options: str) -> None:
        self.directory = directory
        self._token = directory / "token"
        self._token.write_text(TOKEN)
        tokens = directory / "tokens.toml"
        tokens.write_text(_entry(TOKEN, "admin") + _entry(READER, "read"))
        self.server = ServerProcess(
            directory, "--auth", "token", "--token-file", str(tokens), *options
        )
        self.server.wait_output()

    def call(self, command: str, *arguments: str, token: str = TOKEN) -> Result:
        self._token.write_text(token)
        place = ["--url", self.server.url, "--token-file", str(self._token)]
        return CliRunner().invoke(main, [command, *place, *arguments], catch_exceptions=False)

    def outcomes(self, source: Path, *arguments: str) -> dict[str, str]:
        done = self.call("import", "--json", str(source), *arguments)
        return {
            each["document"]: each["outcome"]
            for each in map(json.loads, done.output.split("\n")[:-1])
        }

    def bring(self, name: str, update: bytes, *arguments: str) -> Result:
        file = self.directory / "one.yjs"
        file.write_bytes(update)
        return self.call("import", "--as", name, str(file), *arguments)

    def text(self, name: str) -> str:
        return self.call("show", "--text", name).output

    def stop(self) -> None:
        self.server.end()


def _entry(token: str, permission: str) -> str:
    token_hash = hashlib.sha256(token.encode()).hexdigest()
    return (
        f'[[tokens]]\nuser = "{permission}"\ntoken_sha256 = "{token_hash}"\n'
        f'documents = ["*"]\npermission = "{permission}"\n'
    )


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Relay]:
    """Has documents; nothing is written to it."""
    relay = Relay(tmp_path_factory.mktemp("full"))
    for name in HOSTILE:
        assert relay.bring(name, text_update(name, 3)).exit_code == 0
    assert relay.bring("waits", pending()[0]).exit_code == 0
    yield relay
    relay.stop()


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Relay]:
    """Sends no echo to who is alone: its receipts are asked for."""
    relay = Relay(tmp_path_factory.mktemp("other"), "--no-echo", "--enable-admin-routes")
    yield relay
    relay.stop()


@pytest.fixture(scope="module")
def exported(full: Relay, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("exported") / "out"
    done = full.call("export", "--all", str(out))
    assert (done.exit_code, done.output.split(",")[0]) == (0, "6 documents")
    return out


def test_everything_goes_from_one_server_to_another(exported: Path, other: Relay) -> None:
    assert other.outcomes(exported) == dict.fromkeys([*HOSTILE, "waits"], "created")
    for name in HOSTILE:
        out = other.directory / hashlib.sha256(name.encode()).hexdigest()
        assert other.call("export", name, str(out)).exit_code == 0
        assert text_of((out / "documents/00000001.yjs").read_bytes()) == name
    # P2: what waits for its predecessor is there when that comes.
    assert other.bring("waits", pending()[1], "--merge").output == "waits  merged\n"
    assert "first second" in other.text("waits")
    assert other.outcomes(exported) == dict.fromkeys([*HOSTILE, "waits"], "known")


def test_an_export_by_url_is_as_one_by_the_file(full: Relay, exported: Path) -> None:
    by_file = full.directory / "by-file"
    arguments = ["export", "--all", "--store", full.server.store_url, str(by_file)]
    assert CliRunner().invoke(main, arguments).exit_code == 0
    one, two = (
        [
            {name: entry[name] for name in ("name", "seq", "updated_ms")}
            for entry in json.loads((directory / "manifest.json").read_text())["documents"]
        ]
        for directory in (exported, by_file)
    )
    assert one == two


def test_what_is_not_there_is_left_out_and_not_made(full: Relay, tmp_path: Path) -> None:
    done = full.call("export", "nobody", "a/b", str(tmp_path / "out"))
    assert done.exit_code == 1
    assert "LEFT OUT  nobody  there is no document" in done.output
    assert "1 documents" in done.output
    assert "nobody" not in full.call("documents").output


def test_another_document_of_the_name_is_left_alone_unless_it_may_be_merged(other: Relay) -> None:
    """Field note 26: merging is not going back."""
    assert other.bring("taken", text_update("mine", 7)).output == "taken  imported\n"
    done = other.bring("taken", text_update("yours", 8))
    assert done.exit_code == 1
    assert "NOT IMPORTED: there is one with other content" in done.output
    assert other.text("taken").strip() == "text: mine"
    assert other.bring("taken", text_update("yours", 8), "--merge").exit_code == 0
    assert all(part in other.text("taken") for part in ("mine", "yours"))


def test_deleted_stays_deleted(other: Relay) -> None:
    """P9."""
    assert other.bring("gone", text_update("x")).exit_code == 0
    assert other.call("delete", "gone", "--yes").exit_code == 0
    done = other.bring("gone", text_update("x"), "--merge")
    assert done.exit_code == 1
    assert "gone  NOT IMPORTED: the server closed the connection: 4410" in done.output


def test_what_is_large_is_stored_before_it_is_said_to_be(other: Relay) -> None:
    """Such an update is tried first, and its receipt takes a while."""
    assert other.bring("large", oversized_update()).output == "large  imported\n"
    assert len(other.text("large")) > 1_000_000


def test_bad_bytes_are_refused_by_the_server(other: Relay) -> None:
    """P5."""
    done = other.bring("bad", b"no update")
    assert done.exit_code == 1
    assert "bad  NOT IMPORTED: the server closed the connection: 4422" in done.output


def test_who_may_only_read_is_told_that_nothing_was_stored(
    other: Relay, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client.send_update, "__defaults__", (None, 0.5))
    file = other.directory / "one.yjs"
    file.write_bytes(text_update("x"))
    done = other.call("import", "--as", "barred", str(file), token=READER)
    assert done.exit_code == 1
    assert (
        "barred  NOT IMPORTED: not stored within 0.5 s; perhaps it may only be read" in done.output
    )
    assert "barred" not in other.call("documents").output


@pytest.mark.parametrize("command", ["export", "import"])
def test_a_server_that_is_not_there_is_said(exported: Path, tmp_path: Path, command: str) -> None:
    arguments = ["--all", str(tmp_path / "out")] if command == "export" else [str(exported)]
    done = CliRunner().invoke(main, [command, "--url", "http://127.0.0.1:9", *arguments])
    assert done.exit_code == 3
    assert "cannot" in done.output


def test_checking_is_for_who_has_the_file() -> None:
    done = CliRunner().invoke(main, ["check", "--url", "http://127.0.0.1:9", "--token-file", "t"])
    assert done.exit_code == 2
    assert "run it with --store where the file is" in done.output
    assert "--url" not in CliRunner().invoke(main, ["check", "-h"]).output.split("Options:")[1]
