"""Sessions and quarantine by a running server: the same commands, the same answers."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from canned import Canned
from click.testing import CliRunner, Result
from relay_process import administered
from relay_support import text_update

from relay.cli import main
from relay.clock import now_ms
from relay.commands import records
from relay.limits import ADMIN_PAGE_MAX
from yjs_store import Permission, Session, SessionStatus, open_store

HOSTILE = "\u202e\x1b[31m"


def session(session_id: str, user: str, document: str = "notes") -> Session:
    now = now_ms()
    details = {"address": "192.0.2.1"}
    status = SessionStatus.ACTIVE
    end = now + 3_600_000
    return Session(session_id, user, document, Permission.WRITE, status, details, now, now, end)


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("by-url")


@pytest.fixture(scope="module")
def where(directory: Path) -> Iterator[list[str]]:
    """A server with sessions and refused updates, as options of a command."""

    async def write() -> None:
        async with open_store(f"sqlite:///{directory}/relay.db") as store:
            for each in (session("one", HOSTILE), session("two", "bob"), session("three", "bob")):
                await store.sessions.start(each, None)
            for update in (b"bad", text_update("good after all"), b"worse"):
                assert await store.quarantine.put("notes", update, "refused", HOSTILE) is not None

    asyncio.run(write())
    # Its sessions stay over a restart, which those of --auth none do not.
    tokens = directory / "tokens.toml"
    tokens.write_text("tokens = []\n")
    with administered(directory, "--auth", "token", "--token-file", str(tokens)) as options:
        yield options


def call(*arguments: str) -> Result:
    return CliRunner().invoke(main, arguments, catch_exceptions=False)


def lines(result: Result) -> list[dict[str, Any]]:
    assert result.exit_code == 0, result.output
    return [json.loads(line) for line in result.output.splitlines()]


def test_sessions_are_listed_as_by_the_file(where: list[str], directory: Path) -> None:
    by_file = lines(
        call("sessions", "list", "--json", "--store", f"sqlite:///{directory}/relay.db")
    )
    by_server = lines(call("sessions", "list", "--json", *where))
    assert by_server == by_file
    assert {each["session"] for each in by_server} == {"one", "two", "three"}
    shown = call("sessions", "list", "--user", HOSTILE, *where)
    assert "\\u202e\\x1b[31m" in shown.output
    assert "\x1b" not in shown.output
    assert len(shown.output.splitlines()) == 2


def test_a_list_of_many_pages_is_whole(where: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(records, "ADMIN_PAGE_MAX", 1)
    assert len(lines(call("sessions", "list", "--json", *where))) == 3
    assert len(lines(call("quarantine", "list", "--json", *where))) == 3


def test_sessions_are_revoked_by_what_fits_all(where: list[str]) -> None:
    nobody = call("sessions", "revoke", "two", "--user", "ann", *where)
    assert (nobody.exit_code, nobody.output) == (
        1,
        "Nothing was revoked: no active session fits.\n",
    )
    done = call("sessions", "revoke", "--json", "two", "--user", "bob", *where)
    assert lines(done) == [{"revoked": ["two"], "has_server": True, "unconfirmed": []}]
    done = call("sessions", "revoke", "--user", "bob", *where)
    assert (done.exit_code, done.output) == (0, "revoked  three\n")


def test_refused_updates_are_decided_on_under_the_server(where: list[str], tmp_path: Path) -> None:
    first, second, third = lines(call("quarantine", "list", "--json", *where))
    shown = call("quarantine", "show", str(first["number"]), *where)
    assert shown.output.endswith("00000000  62 61 64\n")
    assert lines(call("quarantine", "show", str(first["number"]), "--json", *where)) == [first]
    out = tmp_path / "out"
    assert call("quarantine", "export", str(third["number"]), str(out), *where).exit_code == 0
    assert out.read_bytes() == b"worse"
    done = call("quarantine", "release", str(second["number"]), *where)
    assert (done.exit_code, done.output) == (0, "released into notes\n")
    assert call("quarantine", "release", str(first["number"]), *where).exit_code == 1
    done = call("quarantine", "discard", "--json", str(first["number"]), *where)
    (told,) = lines(done)
    assert (told["action"], told["document"], told["result"]) == ("discard", "notes", "discarded")
    again = call("quarantine", "discard", str(first["number"]), *where)
    assert (again.exit_code, again.output) == (0, "there is nothing to discard\n")
    for command in ("show", "release"):
        again = call("quarantine", command, str(first["number"]), *where)
        assert again.exit_code == 1
        assert again.output.startswith("Error: ")


def test_who_has_no_token_gets_no_answer(where: list[str], tmp_path: Path) -> None:
    for arguments in (["sessions", "list"], ["quarantine", "list"], ["sessions", "revoke", "one"]):
        done = call(*arguments, *where[:2])
        assert (done.exit_code, done.output) == (1, "Error: a credential is needed\n")
    (tmp_path / "other").write_text("o" * 40)
    done = call("sessions", "list", *where[:2], "--token-file", str(tmp_path / "other"))
    assert done.exit_code == 1
    assert "o" * 40 not in done.output


@pytest.mark.parametrize("said", [{}, {"sessions": {}}, {"sessions": [1]}, {"sessions": [{}]}])
def test_what_is_no_list_is_said(said: dict[str, object]) -> None:
    asked = f"GET /admin/sessions?limit={ADMIN_PAGE_MAX}"
    with Canned({asked: (200, said)}) as server:
        done = call("sessions", "list", "--url", server.url)
    assert done.exit_code == 3
    assert done.output.endswith(" answers what this version does not understand\n")


def test_a_damaged_document_is_salvaged_by_a_server() -> None:
    told = {"action": "salvage", "document": "a/b", "dry_run": True, "facts": {"rows_saved": 2}}
    path = "POST /admin/documents/a%2Fb/"
    answers: dict[str, tuple[int, Any]] = {
        f"{path}salvage?dry_run=1": (200, told | {"result": "would_salvage"}),
        f"{path}salvage?unverified=1": (200, told | {"result": "salvaged"}),
        f"{path}set-aside": (409, {"error": "not_sensible", "message": "salvage it"}),
    }
    with Canned(answers) as server:
        where = ["a/b", "--url", server.url]
        done = call("salvage", *where)
        assert (done.exit_code, done.output) == (0, "a/b  would salvage  rows saved: 2\n")
        done = call("salvage", "--apply", "--unverified", "--json", *where)
        assert lines(done)[0]["result"] == "salvaged"
        done = call("salvage", "--apply", "--give-up", *where)
        assert (done.exit_code, done.output) == (1, "Error: salvage it\n")


def test_what_was_set_aside_is_told_and_discarded_by_a_server() -> None:
    row = {"number": 3, "document": HOSTILE, "reason": "r", "set_aside_ms": 0}
    done = {"action": "discard", "document": None, "dry_run": False, "result": "noop", "facts": {}}
    answers: dict[str, tuple[int, Any]] = {
        "GET /admin/set-aside": (200, {"set_aside": [row]}),
        "POST /admin/set-aside/3/discard": (200, done),
    }
    with Canned(answers) as server:
        shown = call("set-aside", "list", "--url", server.url)
        assert shown.output == "3  \\u202e\\x1b[31m  r\n"
        assert lines(call("set-aside", "list", "--json", "--url", server.url)) == [row]
        discarded = call("set-aside", "discard", "3", "--url", server.url)
        assert (discarded.exit_code, discarded.output) == (0, "the store  nothing to do\n")


def test_what_a_server_could_not_do_is_not_told_as_done() -> None:
    told = {"action": "x", "document": "notes", "dry_run": False, "result": "failed"}
    told |= {"facts": {"because": "\x1b[31m"}}
    row = {"session": "one", "user": "bob", "document": "notes"}
    answers: dict[str, tuple[int, Any]] = {
        "POST /admin/quarantine/3/release": (200, told),
        f"GET /admin/sessions?limit={ADMIN_PAGE_MAX}": (200, {"sessions": [row]}),
        "POST /admin/sessions/one/revoke": (200, told),
    }
    with Canned(answers) as server:
        done = call("quarantine", "release", "3", "--url", server.url)
        assert (done.exit_code, done.output) == (1, "failed  because: \\x1b[31m\n")
        done = call("quarantine", "release", "3", "--json", "--url", server.url)
        assert (done.exit_code, json.loads(done.output)) == (1, told)
        done = call("sessions", "revoke", "one", "--json", "--url", server.url)
        assert (done.exit_code, json.loads(done.output)["revoked"]) == (1, [])
