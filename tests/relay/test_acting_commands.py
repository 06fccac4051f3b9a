"""What operators do to a store by commands: twice is as once, and a dry run changes nothing."""

import asyncio
import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from canned import Canned
from click.testing import CliRunner, Result
from relay_process import ServerProcess, run
from relay_support import text_of, text_update

from relay.cli import main
from yjs_store import (
    DocumentDeleted,
    FoldFailed,
    NoRoom,
    SpaceChange,
    Store,
    StoreSpace,
    observe_stored,
    open_store,
)
from yjs_store.keeper import Keeper
from yjs_store.observing import Observation

HOSTILE = "../\u202e[red]\\"


def call(*arguments: str, typed: str | None = None) -> Result:
    return CliRunner().invoke(main, arguments, catch_exceptions=False, input=typed)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "relay.db"

    async def write() -> None:
        async with open_store(f"sqlite:///{path}") as opened:
            for name in ("one", "two", HOSTILE):
                await opened.append(name, text_update(name, 1))
                await opened.append(name, text_update("!", 2))

    asyncio.run(write())
    return path


@pytest.fixture
def store(path: Path) -> str:
    return f"sqlite:///{path}"


def facts(store: str, name: str) -> dict[str, Any]:
    return dict(json.loads(call("show", name, "--json", "--store", store).output))


def records(store: str) -> list[tuple[str, str | None, str]]:
    """What the store keeps of what came of acts, the oldest first."""

    async def read() -> list[tuple[str, str | None, str]]:
        async with observe_stored(store, lambda: 0) as observation:
            page = await observation.acts(None, 100)
        assert page.damaged == 0
        return [
            (each.action, each.document, each.result)
            for each in reversed(page.acts)
            if each.result != "intent"
        ]

    return asyncio.run(read())


def said(result: Result) -> dict[str, Any]:
    return dict(json.loads(result.output))


# ---- each act ------------------------------------------------------------------------------------


def test_compact_folds_the_journal_and_is_then_nothing_to_do(store: str) -> None:
    done = said(call("compact", HOSTILE, "--json", "--store", store))
    assert (done["action"], done["document"], done["result"]) == ("compact", HOSTILE, "compacted")
    assert done["facts"]["journal_rows_before"] == 2
    assert done["facts"]["journal_rows_after"] == 0
    assert facts(store, HOSTILE)["cut_seq"] == 2
    again = call("compact", HOSTILE, "--store", store)
    assert (again.exit_code, again.output.split("  ")[:2]) == (
        0,
        ["../\\u202e[red]\\\\", "nothing to do"],
    )
    assert records(store) == [("compact", HOSTILE, "compacted"), ("compact", HOSTILE, "noop")]
    assert text_of(asyncio.run(load(store, HOSTILE))) in (HOSTILE + "!", "!" + HOSTILE)


async def load(store: str, name: str) -> bytes:
    async with open_store(store) as opened:
        return await opened.load(name)


def test_compact_takes_those_that_are_due(store: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert call("compact", "--due", "--store", store).output == "There is nothing to do.\n"
    monkeypatch.setenv("YJS_RELAY_CHECKPOINT_ROWS", "1")
    call("compact", "one", "--store", store)
    lines = call("compact", "--due", "--json", "--store", store).output.splitlines()
    assert [json.loads(line)["document"] for line in lines] == [HOSTILE, "two"]
    assert {json.loads(line)["result"] for line in lines} == {"compacted"}


def test_a_checkpoint_that_fails_is_said_and_recorded(
    store: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(_: Keeper, name: str, _reason: str) -> None:
        raise FoldFailed(name, "no memory")

    monkeypatch.setattr(Keeper, "attempt", fail)
    done = call("compact", "one", "--store", store)
    assert done.exit_code == 1
    assert done.output.startswith("one  failed  ")
    assert "no memory" in done.output
    assert records(store) == [("compact", "one", "failed")]


def test_deleted_is_deleted_until_it_is_forgotten(store: str) -> None:
    """P9."""
    assert said(call("delete", "one", "--yes", "--json", "--store", store))["result"] == "deleted"
    with pytest.raises(DocumentDeleted):
        asyncio.run(load(store, "one"))
    assert said(call("delete", "one", "--yes", "--json", "--store", store))["result"] == "noop"
    assert call("compact", "one", "--store", store).exit_code == 1
    assert said(call("forget", "one", "--yes", "--json", "--store", store))["result"] == "forgotten"
    assert call("show", "one", "--store", store).exit_code == 1
    assert said(call("forget", "two", "--yes", "--json", "--store", store))["result"] == "noop"
    assert records(store) == [
        ("delete", "one", "deleted"),
        ("delete", "one", "noop"),
        ("compact", "one", "refused"),
        ("forget", "one", "forgotten"),
        ("forget", "two", "noop"),
    ]


def test_nothing_is_deleted_unasked(store: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for action in ("delete", "forget"):
        done = call(action, "one", "--store", store)
        assert done.exit_code == 2
        assert "--yes" in done.output
    monkeypatch.setattr("relay.commands.acting._can_be_asked", lambda: True)
    done = call("delete", HOSTILE, "--store", store, typed="n\n")
    assert done.exit_code == 1
    assert "Delete ../\\u202e[red]\\\\ for good?" in done.output
    assert facts(store, HOSTILE)["deleted_ms"] is None
    assert call("delete", "one", "--store", store, typed="y\n").exit_code == 0
    assert facts(store, "one")["deleted_ms"] is not None


def test_read_only_is_kept_in_the_store(store: str) -> None:
    assert call("read-only", "one", "--reason", "review", "--store", store).exit_code == 0
    switch = facts(store, "one")["read_only"]
    assert switch["reason"] == "review"
    assert switch["by"].endswith("the command line")
    assert "READ ONLY  since " in call("show", "one", "--store", store).output
    assert said(call("read-only", "one", "--json", "--store", store))["result"] == "noop"
    assert said(call("read-only", "--all", "--json", "--store", store))["result"] == "read_only"
    assert "READ ONLY" in call("info", "--store", store).output
    for options in (["one"], ["--all"]):
        lifted = said(call("read-only", *options, "--off", "--json", "--store", store))
        assert (lifted["action"], lifted["result"]) == ("writable", "writable")
        again = said(call("read-only", *options, "--off", "--json", "--store", store))
        assert again["result"] == "noop"
    assert facts(store, "one")["read_only"] is None
    assert [record[0] for record in records(store) if record[2] != "noop"] == [
        *["read-only"] * 2,
        *["writable"] * 2,
    ]


def test_unload_of_a_store_that_no_server_has_is_nothing_to_do(store: str) -> None:
    done = call("unload", "one", "--store", store)
    assert (done.exit_code, done.output) == (0, "one  nothing to do\n")


def test_vacuum_gives_free_pages_back(store: str, path: Path) -> None:
    async def fill() -> None:
        async with open_store(store) as opened:
            await opened.append("large", text_update("x" * 1_000_000))

    asyncio.run(fill())
    call("delete", "large", "--yes", "--store", store)
    # Opening trims what was deleted.
    call("compact", "two", "--store", store)
    before = path.stat().st_size
    dry = said(call("vacuum", "--dry-run", "--json", "--store", store))
    assert (dry["result"], path.stat().st_size) == ("would_vacuum", before)
    done = said(call("vacuum", "--json", "--store", store))
    assert done["result"] == "vacuumed"
    assert done["facts"]["after"]["file_bytes"] < done["facts"]["before"]["file_bytes"]
    assert path.stat().st_size < before
    assert records(store)[-1] == ("vacuum", None, "vacuumed")


def test_vacuum_without_room_is_refused(store: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async def refuse(_: object) -> None:
        raise NoRoom(1000, 10)

    async def space(_: object) -> StoreSpace:
        return StoreSpace(4096, 0, 4096, 1 << 40)

    monkeypatch.setattr(Store, "vacuum", refuse)
    monkeypatch.setattr(Observation, "space", space)
    done = call("vacuum", "--store", store)
    assert done.exit_code == 1
    assert done.output.startswith("Error: ")
    assert records(store) == [("vacuum", None, "refused")]


def test_the_wal_is_cut_to_nothing(store: str) -> None:
    dry = said(call("truncate-wal", "--dry-run", "--json", "--store", store))
    assert dry["result"] == "noop"
    # That it is wanted is kept first, in the WAL.
    done = said(call("truncate-wal", "--json", "--store", store))
    assert (done["result"], done["facts"]["after"]["wal_bytes"]) == ("truncated", 0)


def test_a_wal_that_others_hold_is_said_to_be_cut_in_part(
    store: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def cut(_: object) -> SpaceChange:
        space = StoreSpace(4096, 10, 0, 1 << 40)
        return SpaceChange(space, space, "somebody reads")

    monkeypatch.setattr(Store, "truncate_wal", cut)
    done = call("truncate-wal", "--store", store)
    assert done.exit_code == 1
    assert done.output.startswith("the store  incomplete  ")
    assert "incomplete: somebody reads" in done.output


# ---- what was done -------------------------------------------------------------------------------


def test_what_was_done_is_listed_the_newest_first(store: str) -> None:
    call("compact", HOSTILE, "--store", store)
    call("read-only", "one", "--reason", "\x1b[31m", "--store", store)
    heading, newest, _, oldest, _ = call("audit", "--store", store).output.splitlines()
    assert heading.split() == ["NUMBER", "WHEN", "WHO", "ACTION", "DOCUMENT", "RESULT", "FACTS"]
    assert "read-only  one" in newest
    assert "reason=\\x1b[31m" in newest
    assert "compact    ../\\u202e[red]\\\\" in oldest
    lines = call("audit", "--json", "--document", "one", "--store", store).output.splitlines()
    facts, _ = map(json.loads, lines)
    assert (facts["action"], facts["result"], facts["dry_run"]) == ("read-only", "read_only", False)
    assert len(call("audit", "--json", "--limit", "1", "--store", store).output.splitlines()) == 1


def test_a_damaged_record_hides_no_other(store: str, path: Path) -> None:
    call("compact", "one", "--store", store)
    call("compact", "two", "--store", store)
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE audit SET data = x'00' WHERE number = 1")
    connection.close()
    done = call("audit", "--store", store)
    assert "compact" in done.output
    assert done.output.endswith("1 records are damaged, and not shown.\n")


def test_what_was_done_is_told_by_a_server() -> None:
    act = {"number": 7, "at_ms": 0, "by": "ann\x1b", "action": "vacuum", "document": None}
    act |= {"dry_run": True, "result": "noop", "facts": {"a": 1}}
    asked = "GET /admin/audit?document=x&limit=100"
    with Canned({asked: (200, {"acts": [act], "damaged": 2, "next": None})}) as server:
        done = call("audit", "--document", "x", "--url", server.url)
        assert done.exit_code == 0
        assert done.output.splitlines()[1].startswith("7       1970-01-01 00:00:00Z  ann")
        assert "ann\\x1b  vacuum (dry run)  the store  noop" in done.output
        assert "2 records are damaged" in done.output
        server.answers[asked] = (200, {})
        assert call("audit", "--document", "x", "--url", server.url).exit_code == 3


# ---- all of them ---------------------------------------------------------------------------------

EVERY_ACT = [
    ("compact", "one"),
    ("delete", "one"),
    ("forget", "one"),
    ("unload", "one"),
    ("read-only", "one"),
    ("read-only", "--all"),
    ("read-only", "--all", "--off"),
    ("truncate-wal",),
    ("vacuum",),
]


@pytest.mark.parametrize("act", EVERY_ACT, ids=" ".join)
def test_a_dry_run_changes_nothing_also_beside_a_server(
    act: tuple[str, ...], store: str, path: Path
) -> None:
    async def beside() -> Result:
        async with open_store(store):
            return await asyncio.to_thread(call, *act, "--dry-run", "--json", "--store", store)

    before = path.read_bytes()
    dry = call(*act, "--dry-run", "--json", "--store", store)
    assert dry.exit_code == 0, dry.output
    assert said(dry)["dry_run"] is True
    assert path.read_bytes() == before
    assert records(store) == []
    beside_it = said(asyncio.run(beside()))
    # A store that is open has a WAL.
    assert act == ("truncate-wal",) or beside_it["result"] == said(dry)["result"]


@pytest.mark.parametrize(
    "act", [("compact", "one"), ("delete", "one", "--yes"), ("read-only", "one")], ids=" ".join
)
def test_a_server_is_not_robbed_of_its_store(act: tuple[str, ...], store: str) -> None:
    async def beside() -> Result:
        async with open_store(store):
            return await asyncio.to_thread(call, *act, "--store", store)

    done = asyncio.run(beside())
    assert done.exit_code == 3
    (line,) = done.output.splitlines()
    assert line.startswith("Error: ")
    assert line.endswith("is open in another process: stop the server, or let it do this by --url")


@pytest.mark.parametrize("act", EVERY_ACT, ids=" ".join)
def test_no_store_is_made_by_acting(act: tuple[str, ...], tmp_path: Path) -> None:
    none = f"sqlite:///{tmp_path}/none.db"
    options = ["--yes"] if act[0] in ("delete", "forget") else []
    done = call(*act, *options, "--store", none)
    assert (done.exit_code, done.output) == (
        3,
        f"Error: there is no store at {tmp_path}/none.db\n",
    )
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("act", [("compact",), ("delete", "--yes"), ("read-only",)], ids=" ".join)
def test_nothing_is_done_to_a_document_that_is_not_there(act: tuple[str, ...], store: str) -> None:
    done = call(*act, "nobody", "--store", store)
    assert (done.exit_code, done.output) == (1, "Error: there is no document 'nobody'\n")


@pytest.mark.parametrize(
    "act", [("forget", "--yes"), ("unload",), ("read-only", "--off")], ids=" ".join
)
def test_what_would_undo_is_done_already_where_there_is_no_document(
    act: tuple[str, ...], store: str
) -> None:
    for options in ([], ["--dry-run"]):
        done = call(*act, "nobody", *options, "--json", "--store", store)
        assert (done.exit_code, said(done)["result"]) == (0, "noop")


def test_what_is_wanted_is_kept_before_it_is_done(store: str) -> None:
    call("compact", "one", "--store", store)
    lines = call("audit", "--json", "--store", store).output.splitlines()
    result, intent = map(json.loads, lines)
    assert (intent["action"], intent["result"]) == ("compact", "intent")
    assert (result["result"], result["facts"]["intent"]) == ("compacted", intent["number"])


def test_what_the_engine_says_meanwhile_is_no_part_of_the_answer(
    store: str, tmp_path: Path, path: Path
) -> None:
    """Programs read standard output; and a name acts on no terminal here, either."""
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE journal SET data = x'00' WHERE document_id = 3")
    connection.close()
    done = run("compact", HOSTILE, "--json", "--store", store, cwd=tmp_path)
    assert done.returncode == 1
    (line,) = done.stdout.splitlines()
    assert json.loads(line)["result"] == "failed"
    assert "checkpoint breaker" not in done.stdout
    assert "\u202e" not in done.stderr


# ---- by a server ---------------------------------------------------------------------------------

ROUTES = [
    (("compact", "a/b"), "/admin/documents/a%2Fb/compact"),
    (("compact", "--due"), "/admin/compact-due"),
    (("delete", "..", "--yes"), "/admin/documents/%2E%2E/delete"),
    (("forget", "x", "--yes"), "/admin/documents/x/forget"),
    (("load", "x"), "/admin/documents/x/load"),
    (("unload", "x"), "/admin/documents/x/unload"),
    (("read-only", "x", "--reason", "a b"), "/admin/documents/x/read-only?reason=a%20b"),
    (("read-only", "x", "--off"), "/admin/documents/x/writable"),
    (("read-only", "--all", "--reason", "r"), "/admin/store/read-only?reason=r"),
    (("read-only", "--all", "--off"), "/admin/store/writable"),
    (("truncate-wal",), "/admin/store/truncate-wal"),
    (("vacuum",), "/admin/store/vacuum"),
]


@pytest.mark.parametrize(("arguments", "route"), ROUTES, ids=[each[1] for each in ROUTES])
def test_a_server_is_asked_to_do_it(arguments: tuple[str, ...], route: str, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("secret")
    answer = {"action": "x", "document": None, "dry_run": False, "result": "done", "facts": {}}
    path, _, query = route.partition("?")
    dry = f"POST {path}?dry_run=1{'&' + query if query else ''}"
    plain = {f"POST {route}", f"POST {route.replace('%20', '+')}"}
    answers = dict.fromkeys([*plain, dry, dry.replace("%20", "+")], (200, answer))
    with Canned(answers) as server:
        where = ["--json", "--url", server.url, "--token-file", str(tmp_path / "token")]
        done = call(*arguments, *where)
        assert (done.exit_code, said(done)) == (0, answer)
        dried = call(*arguments, "--dry-run", *where)
        assert (dried.exit_code, said(dried)) == (0, answer)
        assert server.tokens == ["Bearer secret"] * 2


def test_what_a_server_answers_acts_on_no_terminal_and_failed_is_1() -> None:
    answer = {
        "action": "compact",
        "document": "x\x1b[31m",
        "result": "failed",
        "facts": {
            "because": "\u202e",
            "snapshot_bytes": 2048,
            "before": {"file_bytes": 1},
            "since_ms": 1_000_000_000_000,
            "took_ms": 12,
            "nothing": None,
        },
    }
    with Canned({"POST /admin/documents/x/compact": (200, answer)}) as server:
        done = call("compact", "x", "--url", server.url)
    assert done.exit_code == 1
    assert done.output == (
        "x\\x1b[31m  failed  because: \\u202e  snapshot: 2 KiB  before file: 1 B"
        "  since: 2001-09-09 01:46:40Z  took ms: 12\n"
    )


def test_a_server_without_admin_routes_says_how_to_have_them(tmp_path: Path) -> None:
    with ServerProcess(tmp_path) as server:
        done = call("compact", "x", "--url", server.url)
    assert done.exit_code == 1
    assert done.output.endswith(" has no admin routes: start it with --enable-admin-routes\n")


@pytest.mark.parametrize(
    "arguments",
    [
        ("compact",),
        ("compact", "x", "--due"),
        ("read-only",),
        ("read-only", "x", "--all"),
        ("read-only", "x", "--off", "--reason", "r"),
        ("delete", ""),
        ("unload", "a\nb"),
        ("load", "one"),
    ],
    ids=repr,
)
def test_wrong_usage_is_2(arguments: tuple[str, ...], store: str) -> None:
    assert call(*arguments, "--store", store).exit_code == 2
