"""Commands that look and act, by a running server: what they say is what the server did.

What was done is looked at by the file: a server may tell of a moment ago.
"""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from relay_process import ADMIN_TOKEN, administered
from relay_support import text_update

from relay.cli import main
from yjs_store import open_store

HOSTILE = "../\u202e[red]\\"
NAMES = (HOSTILE, "compacted", "deleted", "notes/one", "switched")


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("by-url")


@pytest.fixture(scope="module")
def where(directory: Path) -> Iterator[list[str]]:
    """A server with documents, as options of a command."""

    async def write() -> None:
        async with open_store(f"sqlite:///{directory}/relay.db") as store:
            for name in NAMES:
                await store.append(name, text_update(name, 1))
                await store.append(name, text_update("!", 2))

    asyncio.run(write())
    with administered(directory) as options:
        yield options


@pytest.fixture(scope="module")
def store(directory: Path) -> list[str]:
    """The file of that server."""
    return ["--store", f"sqlite:///{directory}/relay.db"]


def call(*arguments: str) -> Result:
    return CliRunner().invoke(main, arguments, catch_exceptions=False)


def said(*arguments: str) -> dict[str, Any]:
    done = call(*arguments, "--json")
    assert done.exit_code == 0, done.output
    return dict(json.loads(done.output))


def shown(name: str, where: list[str]) -> dict[str, Any]:
    return said("show", name, *where)


def test_info_tells_of_the_store_and_of_what_runs(where: list[str], store: list[str]) -> None:
    by_server, by_file = said("info", *where), said("info", *store)
    assert by_server["sizes"]["documents"] == by_file["sizes"]["documents"] == len(NAMES)
    assert by_server["schema_version"] == by_file["schema_version"]
    assert ADMIN_TOKEN not in call("info", *where).output


def test_documents_are_listed_as_by_the_file(where: list[str], store: list[str]) -> None:
    by_server, by_file = (call("documents", *place).output for place in (where, store))
    assert by_server.splitlines()[0].split() == by_file.splitlines()[0].split()
    lines = call("documents", "--json", *where).output.splitlines()
    assert {json.loads(line)["name"] for line in lines} >= set(NAMES)
    assert "../\\u202e[red]\\\\" in by_server
    assert "\u202e" not in by_server


def test_a_document_is_shown_by_any_name(where: list[str], store: list[str]) -> None:
    for name in (HOSTILE, "notes/one"):
        by_server, by_file = shown(name, where), shown(name, store)
        assert by_server["name"] == name
        assert by_server["last_seq"] == by_file["last_seq"] == 2
        assert call("show", name, *where).exit_code == 0
    nobody = call("show", "nobody", *where)
    assert (nobody.exit_code, nobody.output) == (1, "Error: there is no document 'nobody'\n")


def test_one_look_of_watch(where: list[str]) -> None:
    line = call("watch", "--looks", "1", *where)
    assert line.exit_code == 0, line.output
    assert len(line.output.splitlines()) == 1
    look = said("watch", "--looks", "1", *where)
    assert look["storage"]["sizes"]["documents"] >= len(NAMES) - 1
    assert look["documents"]


def test_compact_says_what_it_would_do_and_does_it(where: list[str], store: list[str]) -> None:
    would = said("compact", "compacted", "--dry-run", *where)
    beside = said("compact", "compacted", "--dry-run", *store)
    assert would == beside
    assert (would["result"], would["dry_run"]) == ("would_compact", True)
    assert shown("compacted", store)["journal"]["rows"] == 2
    done = said("compact", "compacted", *where)
    assert (done["result"], done["facts"]["journal_rows_before"]) == ("compacted", 2)
    assert shown("compacted", store)["journal"]["rows"] == 0
    again = call("compact", "compacted", *where)
    assert (again.exit_code, again.output.split("  ")[:2]) == (0, ["compacted", "nothing to do"])
    assert said("compact", "--due", *where)["result"] == "noop"
    assert call("compact", "nobody", *where).exit_code == 1


def test_deleted_is_deleted_until_it_is_forgotten(where: list[str], store: list[str]) -> None:
    """P9."""
    assert said("delete", "deleted", "--dry-run", *where)["result"] == "would_delete"
    assert shown("deleted", store)["deleted_ms"] is None
    assert said("delete", "deleted", "--yes", *where)["result"] == "deleted"
    assert shown("deleted", store)["deleted_ms"] is not None
    assert said("delete", "deleted", "--yes", *where)["result"] == "noop"
    assert call("compact", "deleted", *where).exit_code == 1
    assert said("forget", "deleted", "--yes", *where)["result"] == "forgotten"
    assert call("show", "deleted", *store).exit_code == 1
    assert said("forget", "deleted", "--yes", *where)["result"] == "noop"


def test_read_only_goes_on_and_off(where: list[str], store: list[str]) -> None:
    done = said("read-only", "switched", "--reason", "under review", *where)
    assert (done["result"], done["facts"]["reason"]) == ("read_only", "under review")
    assert shown("switched", store)["read_only"]["reason"] == "under review"
    assert said("read-only", "switched", *where)["facts"]["reason"] == "under review"
    assert said("read-only", "switched", "--off", *where)["result"] == "writable"
    assert shown("switched", store)["read_only"] is None
    assert said("read-only", "--all", *where)["result"] == "read_only"
    assert "READ ONLY" in call("info", *store).output
    assert said("read-only", "--all", "--off", *where)["result"] == "writable"


def test_memory_and_disk_are_given_back(where: list[str]) -> None:
    assert said("load", "notes/one", *where)["result"] in ("loaded", "noop")
    assert said("unload", "notes/one", *where)["result"] == "unloaded"
    assert said("unload", "notes/one", *where)["result"] == "noop"
    assert said("truncate-wal", *where)["result"] == "truncated"
    assert said("vacuum", *where)["result"] in ("vacuumed", "noop")


def test_what_was_done_is_listed_as_by_the_file(where: list[str], store: list[str]) -> None:
    said("compact", HOSTILE, *where)
    by_server, by_file = (
        call("audit", "--json", "--document", HOSTILE, *place).output for place in (where, store)
    )
    assert by_server == by_file
    newest, intent = map(json.loads, by_server.splitlines()[:2])
    assert (newest["result"], intent["result"]) == ("compacted", "intent")
    assert newest["facts"]["intent"] == intent["number"]
    assert "../\\u202e[red]\\\\" in call("audit", *where).output


@pytest.mark.parametrize(
    "arguments", [("compact", "notes/one"), ("audit",), ("delete", "notes/one", "--yes")], ids=repr
)
def test_who_has_no_token_does_nothing(arguments: tuple[str, ...], where: list[str]) -> None:
    done = call(*arguments, *where[:2])
    assert (done.exit_code, done.output) == (1, "Error: a credential is needed\n")
