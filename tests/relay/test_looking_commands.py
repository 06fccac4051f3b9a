"""What a store holds, told by its file or by a server, in one shape."""

import asyncio
import json
import socket
import sqlite3
from pathlib import Path
from typing import Any

import pycrdt
import pytest
from canned import Canned
from click.testing import CliRunner, Result
from relay_process import ServerProcess
from relay_support import text_update

from relay.cli import main
from relay.debug import models
from yjs_store import open_store

HOSTILE = "evil\u202e\x9b".replace("\x9b", "") + "\\ [red]x[/red] \u2028"


def call(*arguments: str) -> Result:
    return CliRunner().invoke(main, arguments, catch_exceptions=False)


def rich_update() -> bytes:
    doc: pycrdt.Doc[Any] = pycrdt.Doc(client_id=5)
    text = doc.get("text", type=pycrdt.Text)
    text += "Grüße\n\x1b[31mred"
    page = doc.get("page", type=pycrdt.XmlFragment)
    paragraph = page.children.append(pycrdt.XmlElement("p", {"class": "c"}))
    paragraph.children.append(pycrdt.XmlText("para"))
    state = doc.get("state", type=pycrdt.Map)
    state["list"] = pycrdt.Array([1, 2.5, True, None, "x"])
    state["bytes"] = b"\x00\xff"
    doc.get("items", type=pycrdt.Array).append(pycrdt.Map({"k": pycrdt.Text("deep")}))
    return doc.get_update()


@pytest.fixture
def store(tmp_path: Path) -> str:
    url = f"sqlite:///{tmp_path}/relay.db"

    async def write() -> None:
        async with open_store(url) as opened:
            await opened.append("rich", rich_update())
            await opened.append("notes/a", text_update("x" * 2000))
            await opened.append("notes/a", text_update("y" * 2000, 2))
            await opened.checkpoint("notes/a")
            await opened.append("notes/b", text_update("z"))
            await opened.append(HOSTILE, text_update("h"))
            await opened.append("gone", text_update("g"))
            await opened.delete("gone")

    asyncio.run(write())
    return url


# ---- by the file ---------------------------------------------------------------------------------


def test_info_says_how_large_a_store_is(store: str, tmp_path: Path) -> None:
    shown = call("info", "--store", store)
    assert shown.exit_code == 0
    assert "documents   4, and 1 deleted\n" in shown.output
    said = json.loads(call("info", "--json", "--store", store).output)
    assert said["sizes"]["documents"] == 4
    assert said["sizes"]["deleted_documents"] == 1
    assert said["sizes"]["file_bytes"] == (tmp_path / "relay.db").stat().st_size
    # One shape: what is told of a file has the keys of the debug endpoint.
    more = {"disk_free_bytes"}
    assert said.keys() - more <= models.Storage.model_fields.keys()


def test_documents_are_listed_by_name_with_what_is_wrong(store: str) -> None:
    shown = call("documents", "--store", store)
    heading, *lines = shown.output.splitlines()
    assert heading.split() == [
        *("DOCUMENT", "HEALTH", "ROWS", "JOURNAL", "SNAPSHOT", "UPDATED", "CONNECTIONS")
    ]
    assert [line.split()[0] for line in lines[1:]] == ["gone", "notes/a", "notes/b", "rich"]
    assert lines[0].startswith("evil\\u202e\\\\ [red]x[/red] \\u2028  ok")
    assert lines[1].split()[1:5] == ["deleted:", "it", "was", "deleted"]
    assert "\u202e" not in shown.output


def test_documents_are_sorted_chosen_and_counted(store: str) -> None:
    def names(*options: str) -> list[str]:
        output = call("documents", "--json", "--store", store, *options).output
        return [json.loads(line)["name"] for line in output.splitlines()]

    assert names("--prefix", "notes/") == ["notes/a", "notes/b"]
    assert names("--sort", "bytes", "--limit", "1") == ["notes/a"]
    assert names("--sort", "journal", "--limit", "1") == ["rich"]
    assert names("--trouble") == []


def test_a_list_goes_on_behind_its_pages(store: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("relay.commands.looking.DEBUG_PAGE_MAX", 2)
    for sort in ("name", "bytes", "journal", "updated"):
        output = call("documents", "--json", "--sort", sort, "--store", store).output
        names = [json.loads(line)["name"] for line in output.splitlines()]
        assert sorted(names) == sorted([HOSTILE, "gone", "notes/a", "notes/b", "rich"])
    assert len(call("documents", "--store", store, "--limit", "3").output.splitlines()) == 4


def test_a_damaged_document_hides_no_other(store: str, tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "relay.db") as connection:
        connection.execute("UPDATE documents SET last_seq = 77 WHERE name = 'notes/b'")
    connection.close()
    shown = call("documents", "--store", store)
    assert shown.exit_code == 0
    (line,) = [line for line in shown.output.splitlines() if line.startswith("notes/b")]
    assert "unavailable: damaged: head" in line
    assert len(shown.output.splitlines()) == 6
    shown = call("show", "notes/b", "--store", store)
    assert shown.exit_code == 1
    assert "unavailable: damaged: head" in shown.output
    assert call("show", "notes/b", "--content", "--store", store).exit_code == 1


def test_show_says_everything_about_a_document(store: str) -> None:
    shown = call("show", "notes/a", "--store", store)
    assert shown.exit_code == 0, shown.output
    assert "head      row 2, snapshot up to row 2\n" in shown.output
    assert "in 1 chunks (zstd)" in shown.output
    said = json.loads(call("show", "notes/a", "--json", "--store", store).output)
    assert said.keys() == models.Document.model_fields.keys()
    assert (said["last_seq"], said["cut_seq"], said["live"]) == (2, 2, None)
    assert said["snapshot"]["cut_seq"] == 2
    assert (
        json.loads(call("show", "gone", "--json", "--store", store).output)["health"] == "deleted"
    )


def test_looking_changes_nothing(store: str, tmp_path: Path) -> None:
    before = (tmp_path / "relay.db").read_bytes()
    for arguments in (["info"], ["documents"], ["show", "rich"], ["show", "rich", "--text"]):
        assert call(*arguments, "--store", store).exit_code == 0
    assert (tmp_path / "relay.db").read_bytes() == before


def test_what_is_not_there_is_said(store: str, tmp_path: Path) -> None:
    done = call("show", "nobody", "--store", store)
    assert (done.exit_code, done.output) == (1, "Error: there is no document 'nobody'\n")
    assert call("show", "nobody", "--text", "--store", store).exit_code == 1
    none = f"sqlite:///{tmp_path}/none.db"
    for arguments in (["info"], ["documents"], ["show", "x"], ["show", "x", "--content"]):
        done = call(*arguments, "--store", none)
        assert (done.exit_code, done.output) == (
            3,
            f"Error: there is no store at {tmp_path}/none.db\n",
        )


def test_a_name_that_can_be_none_is_wrong_usage(store: str) -> None:
    assert call("show", "a\x1b[31m", "--store", store).exit_code == 2


# ---- content -------------------------------------------------------------------------------------


def test_content_is_shown_by_root(store: str) -> None:
    done = call("show", "rich", "--content", "--store", store)
    assert done.exit_code == 0, done.output
    assert json.loads(done.output) == {
        "items": {"type": "array", "value": [{"k": "deep"}]},
        "page": {"type": "xml", "value": '<p class="c">para</p>'},
        "state": {
            "type": "map",
            "value": {"bytes": {"bytes": "AP8="}, "list": [1, 2.5, True, None, "x"]},
        },
        "text": {"type": "text", "value": "Grüße\n\x1b[31mred"},
    }
    assert "\x1b" not in done.output
    assert (
        len(call("show", "rich", "--content", "--json", "--store", store).output.splitlines()) == 1
    )


def test_content_is_shown_as_text(store: str, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = [
        'items: [{"k": "deep"}]',
        'page: <p class="c">para</p>',
        'state: {"bytes": {"bytes": "AP8="}, "list": [1, 2.5, true, null, "x"]}',
    ]
    plain = call("show", "rich", "--text", "--store", store).output
    # To a file it goes as it is; nothing of it acts on a terminal.
    assert plain.splitlines() == [*expected, "text: Grüße", "\x1b[31mred"]
    from relay.commands import looking  # noqa: PLC0415

    assert looking.shown_text(plain).splitlines() == [*expected, "text: Grüße", "\\x1b[31mred"]


def test_content_comes_from_a_running_server_as_to_an_editor(tmp_path: Path) -> None:
    with ServerProcess(tmp_path) as server:
        assert call("connect", server.url, "a/b", "--send", "typed").exit_code == 0
        done = call("show", "a/b", "--text", "--url", server.url)
        assert (done.exit_code, done.output) == (0, "text: typed\n")
        # And beside it, by the file.
        done = call("show", "a/b", "--text", "--store", server.store_url)
        assert (done.exit_code, done.output) == (0, "text: typed\n")
        assert call("info", "--store", server.store_url).exit_code == 0


def test_content_and_text_are_not_both_shown(store: str) -> None:
    assert call("show", "rich", "--content", "--text", "--store", store).exit_code == 2


# ---- by a server ---------------------------------------------------------------------------------


@pytest.fixture
def said(store: str) -> dict[str, Any]:
    """What a server says of a document, made of what the file says."""
    return dict(json.loads(call("show", "notes/a", "--json", "--store", store).output))


def test_a_server_is_asked_with_its_token(said: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "token").write_text("secret\n")
    path = "GET /debug/documents/notes%2Fa"
    with Canned({path: (200, said | {"of_tomorrow": 1})}) as server:
        options = ["--url", server.url, "--token-file", str(tmp_path / "token")]
        done = call("show", "notes/a", "--json", *options)
        assert (done.exit_code, json.loads(done.output)) == (0, said)
        assert (server.asked, server.tokens) == ([path], ["Bearer secret"])
    shown = call("show", "notes/a", "--store", f"sqlite:///{tmp_path}/relay.db")
    assert "health    ok\n" in shown.output


@pytest.mark.parametrize(
    ("answer", "code", "line"),
    [
        ((404, {"error": "not_found", "message": "x"}), 1, "Error: there is no document 'a'\n"),
        (
            (401, {"error": "unauthorized", "message": "a credential \x1b"}),
            1,
            "Error: a credential \\x1b\n",
        ),
        ((404, None), 1, "Error: {url} answered 404 to /debug/documents/a\n"),
        ((200, {}), 3, "Error: {url} answers what this version does not understand\n"),
        ((200, []), 3, "Error: {url} is no yjs-relay: it answers with no JSON\n"),
        ((500, {"error": 1}), 1, "Error: {url} answered 500 to /debug/documents/a\n"),
    ],
)
def test_what_a_server_says_otherwise_is_told(
    answer: tuple[int, Any], code: int, line: str
) -> None:
    with Canned({"GET /debug/documents/a": answer}) as server:
        done = call("show", "a", "--url", server.url)
        assert (done.exit_code, done.output) == (code, line.format(url=server.url))


def test_pages_of_a_server_are_followed(said: dict[str, Any]) -> None:
    summary = {name: said[name] for name in models.DocumentSummary.model_fields}
    first = {"documents": [summary], "next": "50.7", "total": 2}
    last = {"documents": [summary | {"name": "z"}], "next": None, "total": 2}
    asked = "GET /debug/documents?prefix=n%2F&sort=bytes&{}limit=500&trouble=1"
    answers = {
        asked.format(""): (200, first),
        asked.format("after=50.7&"): (200, last),
    }
    with Canned(answers) as server:
        done = call(
            *("documents", "--url", server.url, "--prefix", "n/", "--sort", "bytes", "--trouble")
        )
    assert done.exit_code == 0, done.output
    heading, *lines = done.output.splitlines()
    assert heading.startswith("DOCUMENT")
    assert [line.split()[0] for line in lines] == ["notes/a", "z"]


@pytest.mark.parametrize("name", ["..", ".", "a/../b", "a?b#c%2F", "\u202e"])
def test_a_name_is_one_segment_whatever_it_is(name: str) -> None:
    with Canned() as server:
        call("show", name, "--url", server.url)
        (asked,) = server.asked
    assert asked.startswith("GET /debug/documents/")
    segment = asked.removeprefix("GET /debug/documents/")
    assert not set(segment) & set("/?#")
    assert segment not in (".", "..")


def test_a_server_that_is_not_there_is_said() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    for arguments in (["info"], ["documents"], ["show", "x"], ["show", "x", "--text"]):
        done = call(*arguments, "--url", f"http://127.0.0.1:{port}")
        assert done.exit_code == 3
        assert f"http://127.0.0.1:{port}" in done.output or f"ws://127.0.0.1:{port}" in done.output


def test_a_place_is_one(store: str, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("secret")
    assert call("info", "--store", store, "--url", "http://127.0.0.1:1").exit_code == 2
    assert call("info", "--store", store, "--token-file", str(tmp_path / "token")).exit_code == 2
