"""Each act: its dry run changes nothing, then it is done, then it is done again; all of it kept."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from admin_table import HEADERS, TOKEN
from listening import Raw, listening
from relay_support import (
    ORIGINS,
    GatedBackend,
    Member,
    anonymous_admission,
    deadline,
    retries_at_once,
    run_ready_tasks,
    text_of,
    text_update,
    typed,
)
from starlette.types import ASGIApp

from relay.admin.performing import INTENT
from relay.admin_gate import AdminGate
from relay.app import create_app
from relay.auth.anonymous import Anonymous
from relay.errors import CloseCode
from relay.hub import Hub
from yjs_store import (
    CheckpointPolicy,
    Permission,
    ReadOnlyNow,
    Session,
    SessionStatus,
    Store,
    StoreFailing,
    StoreSpace,
    UpdateRefused,
)
from yjs_store.backends.sqlite import SqliteBackend
from yjs_store.opening import new_uid, now_ms

BY = "the holder of the admin token"
# Written by the act's own record, or by time.
NOT_COMPARED = {"audit", "traces", "sqlite_sequence"}


@dataclass
class World:
    """A store with admin routes, and the file beside it."""

    path: Path
    backend: GatedBackend
    store: Store
    hub: Hub
    app: ASGIApp
    client: httpx.AsyncClient

    async def act(self, path: str, **asked: Any) -> httpx.Response:
        return await self.client.post(f"/admin/{path}", headers=HEADERS, **asked)

    async def do(self, path: str, **asked: Any) -> dict[str, Any]:
        """Do an act that must have an outcome; it must be kept, its intent before it."""
        answered = await self.act(path, **asked)
        assert answered.status_code == 200, answered.text
        told: dict[str, Any] = answered.json()
        result, intent = (await self.store.list_audit(limit=2)).acts
        assert (intent.result, result.result) == (INTENT, told["result"])
        assert result.facts["intent"] == intent.number
        for act in (result, intent):
            assert (act.by, act.action, act.document) == (BY, told["action"], told["document"])
            assert not act.is_dry_run
        assert told["facts"].items() <= result.facts.items()
        return told

    async def try_(self, path: str) -> dict[str, Any]:
        """Make a dry run, which must change nothing and be kept."""
        await self.rest()
        before = content_of(self.path)
        query = "&dry_run=1" if "?" in path else "?dry_run=1"
        answered = await self.act(path + query)
        assert content_of(self.path) == before
        assert answered.status_code == 200, answered.text
        told: dict[str, Any] = answered.json()
        (act,) = (await self.store.list_audit(limit=1)).acts
        assert (act.is_dry_run, act.result, act.by) == (True, told["result"], BY)
        assert told["dry_run"]
        return told

    async def rest(self) -> None:
        """Wait until nothing goes on in the background."""
        await self.store.wait_settled()
        while await self.store._parts.trim():
            pass
        await run_ready_tasks()

    async def run(self, statement: str, *values: object) -> None:
        """Change the file beside the store."""
        with sqlite3.connect(self.path) as connection:
            assert connection.execute(statement, values).rowcount != 0
        connection.close()


def content_of(path: Path) -> dict[str, list[tuple[object, ...]]]:
    """Every row of every table, but what the record of an act changes."""
    connection = sqlite3.connect(path)
    try:
        tables = [
            name
            for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")
            if name not in NOT_COMPARED
        ]
        return {
            table: connection.execute(f"SELECT * FROM {table} ORDER BY 1").fetchall()
            for table in tables
        }
    finally:
        connection.close()


def plain_uid() -> bytes:
    """A uid with which a checkpoint is due exactly at the bounds of the policy."""
    return b"\0" + new_uid()[1:]


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    path = tmp_path / "relay.db"
    token_file = tmp_path / "token"
    token_file.write_text(TOKEN)
    token_file.chmod(0o600)
    backend = GatedBackend(SqliteBackend(path))
    await backend.open()
    # What was written by another process is due, and this one does not know until it looks.
    before = Store(backend, CheckpointPolicy(), now_ms, plain_uid)
    for update in typed("long due"):
        await before.append("due", update)
    await before.append("due too", text_update("due"))
    await before.close()
    await backend.open()
    store = Store(backend, CheckpointPolicy(rows_max=6), now_ms, plain_uid)
    hub = Hub(store)
    gate = AdminGate(Anonymous(), token_file)
    app = create_app(hub, store, anonymous_admission(hub), ORIGINS, gate)
    transport = httpx.ASGITransport(app)  # type: ignore[arg-type]
    async with httpx.AsyncClient(transport=transport, base_url="http://relay") as client:
        yield World(path, backend, store, hub, app, client)
    backend.append_error = None
    backend.open_gates()
    await hub.close()
    await store.close()


# ---- the acts, one by one ------------------------------------------------------------------------


async def write(world: World) -> None:
    await world.store.append("doc", text_update("text"))


async def write_and_unload(world: World) -> None:
    await write(world)
    await world.store.unload("doc")


async def switch(world: World) -> None:
    await write(world)
    await world.store.set_read_only("doc", "why", "who")


async def switch_all(world: World) -> None:
    await world.store.set_read_only(None, "why", "who")


async def delete(world: World) -> None:
    await write(world)
    await world.store.delete("doc")


async def damage(world: World) -> None:
    for update in typed("text"):
        await world.store.append("doc", update)
    await world.store.unload("doc")
    await world.run("UPDATE journal SET data = x'0000' WHERE seq = 4 AND document_id = 3")


async def ruin(world: World) -> None:
    await write_and_unload(world)
    await world.run("UPDATE journal SET data = x'ff' WHERE document_id = 3")


async def ruin_and_set_aside(world: World) -> None:
    await ruin(world)
    await world.store.set_aside(await world.store.plan_salvage("doc"))


async def log_in(world: World) -> None:
    session = Session(
        *("one", "ann", "doc", Permission.WRITE, SessionStatus.ACTIVE, {}),
        *(now_ms(), now_ms(), now_ms() + 60_000),
    )
    await world.store.sessions.start(session, None)


async def quarantine(world: World) -> None:
    assert await world.store.quarantine.put("doc", text_update("kept"), "why", "who") == 1


async def free_pages(world: World) -> None:
    for number in range(4):
        await world.store.append(f"large {number}", text_update("x" * 500_000))
        await world.store.delete(f"large {number}")
    await world.rest()


@dataclass(frozen=True)
class Case:
    path: str
    prepare: Callable[[World], Awaitable[None]]
    dry: str
    done: str
    again: str = "noop"
    document: str | None = "doc"


CASES = [
    Case("documents/doc/compact", write, "would_compact", "compacted"),
    Case("documents/doc/load", write_and_unload, "would_load", "loaded"),
    Case("documents/doc/unload", write, "would_unload", "unloaded"),
    Case("documents/doc/read-only", write, "would_read_only", "read_only"),
    Case("documents/doc/writable", switch, "would_writable", "writable"),
    Case("documents/doc/delete", write, "would_delete", "deleted"),
    Case("documents/doc/forget", delete, "would_forget", "forgotten"),
    Case("documents/doc/salvage", damage, "would_salvage", "salvaged"),
    Case("documents/doc/set-aside", ruin, "would_set_aside", "set_aside"),
    Case("compact-due", write, "would_compact", "compacted", document=None),
    Case("store/read-only", write, "would_read_only", "read_only", document=None),
    Case("store/writable", switch_all, "would_writable", "writable", document=None),
    Case("store/vacuum", free_pages, "would_vacuum", "vacuumed", document=None),
    # Its own record is in the WAL.
    Case(
        *("store/truncate-wal", write, "would_truncate_wal", "truncated", "truncated"),
        document=None,
    ),
    Case("sessions/one/revoke", log_in, "would_revoke", "revoked"),
    Case("quarantine/1/discard", quarantine, "would_discard", "discarded"),
    Case("set-aside/3/discard", ruin_and_set_aside, "would_discard", "discarded"),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.path)
async def test_a_dry_run_changes_nothing_and_an_act_may_be_repeated(
    world: World, case: Case
) -> None:
    await case.prepare(world)
    tried = await world.try_(case.path)
    assert (tried["result"], tried["document"]) == (case.dry, case.document)
    assert (await world.try_(case.path))["result"] == case.dry
    before = content_of(world.path)
    done = await world.do(case.path, json={"reason": "because"})
    assert (done["result"], done["document"], done["dry_run"]) == (case.done, case.document, False)
    if case.path not in ("documents/doc/load", "documents/doc/unload", "store/truncate-wal"):
        assert content_of(world.path) != before or case.path == "store/vacuum"
    await world.rest()
    again = await world.do(case.path)
    assert again["result"] == case.again
    if case.again == "noop":
        assert (await world.try_(case.path))["result"] == "noop"


async def test_a_released_update_is_in_its_document(world: World) -> None:
    await quarantine(world)
    tried = await world.try_("quarantine/1/release")
    assert (tried["result"], tried["facts"]["refused_because"]) == ("would_release", "why")
    assert (await world.do("quarantine/1/release"))["result"] == "released"
    assert text_of(await world.store.load("doc")) == "kept"
    assert (await world.act("quarantine/1/release")).status_code == 404


# ---- what they do, and what they answer ----------------------------------------------------------


async def test_compacting_answers_what_was_before_and_after_and_closes_the_breaker(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await write(world)
    publish = world.backend._backend.publish
    monkeypatch.setattr(world.backend._backend, "publish", _failing)
    failed = await world.do("documents/doc/compact")
    assert (failed["result"], failed["facts"]["because"]) == ("failed", "the disk is broken")
    monkeypatch.setattr(world.backend._backend, "publish", publish)
    facts = (await world.do("documents/doc/compact"))["facts"]
    assert (facts["journal_rows_before"], facts["journal_rows_after"]) == (1, 0)
    assert facts["journal_bytes_before"] > 0 == facts["journal_bytes_after"]
    assert facts["snapshot_bytes_before"] == 0 < facts["snapshot_bytes_after"]
    assert facts["breaker_after"] == "closed"
    assert text_of(await world.store.load("doc")) == "text"


async def _failing(*_: object) -> None:
    raise StoreFailing("the disk is broken")


async def test_all_that_are_due_are_compacted_and_no_others(world: World) -> None:
    await write(world)
    tried = await world.try_("compact-due")
    assert tried["facts"] == {"due": 1, "documents": ["due"]}
    facts = (await world.do("compact-due"))["facts"]
    assert facts == {"due": 1, "compacted": 1, "noop": 0, "failed": 0, "failures": {}}
    for name, rows in (("due", 0), ("due too", 1), ("doc", 1)):
        head = await world.store.head(name)
        assert head is not None
        assert head.journal_rows == rows


async def test_an_act_is_carried_out_though_who_asked_hangs_up(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish, reached, gate = world.backend._backend.publish, asyncio.Event(), asyncio.Event()

    async def wait_and_publish(*arguments: Any) -> Any:
        reached.set()
        await gate.wait()
        return await publish(*arguments)

    monkeypatch.setattr(world.backend._backend, "publish", wait_and_publish)
    async with listening(world.app) as server:
        async with Raw.open(server.port) as raw:
            credential = f"Authorization: {HEADERS['Authorization']}"
            await raw.send(
                "POST /admin/compact-due HTTP/1.1\r\nHost: relay\r\nContent-Length: 0\r\n"
                f"{credential}\r\n\r\n".encode()
            )
            await reached.wait()
        await server.wait_count(0)
        gate.set()
        async with deadline():
            while (kept := (await world.store.list_audit(limit=1)).acts[0]).result == INTENT:
                await run_ready_tasks()
    assert (kept.result, kept.facts["compacted"], kept.facts["intent"]) == ("compacted", 1, 1)


async def test_deleting_closes_its_clients_for_good_and_bars_its_name(world: World) -> None:
    member = await Member.join(world.hub, "doc")
    member.frames()
    member.send_update(text_update("text"))
    await member.next_update()
    assert (await world.try_("documents/doc/delete"))["facts"]["connections"] == 1
    told = await world.do("documents/doc/delete")
    assert (await member.wait_ending())[0] == CloseCode.DELETED
    head = await world.store.head("doc")
    assert head is not None
    assert told["facts"]["deleted_ms"] == head.deleted_ms
    again = await world.do("documents/doc/delete")
    assert again["facts"] == {"deleted_ms": head.deleted_ms}
    # P9: also what its client still had on its way.
    answered = await world.act("documents/doc/compact")
    assert (answered.status_code, answered.json()["error"]) == (410, "deleted")
    assert (await world.do("documents/doc/forget"))["result"] == "forgotten"
    await world.store.append("doc", text_update("new"))
    assert text_of(await world.store.load("doc")) == "new"


async def test_unloading_saves_first_and_its_clients_come_back(world: World) -> None:
    member = await Member.join(world.hub, "doc")
    world.backend.append_gate.clear()
    member.send_update(text_update("text"))
    await world.backend.wait_appends(1)
    unloading = asyncio.create_task(world.act("documents/doc/unload"))
    assert (await member.wait_ending())[0] == CloseCode.DOCUMENT_FAILED
    # Who comes meanwhile is sent away, too.
    another = await Member.join(world.hub, "doc")
    assert not unloading.done()
    world.backend.append_gate.set()
    told = (await unloading).json()
    assert (told["result"], told["facts"]) == ("unloaded", {"connections_closed": 1})
    assert (await another.wait_ending())[0] == CloseCode.DOCUMENT_FAILED
    for each in (member, another):
        each.leave()
    assert (await world.store.observation.document_facts("doc")).live is None
    assert text_of(await world.store.load("doc")) == "text"
    back = await Member.join(world.hub, "doc")
    assert back.connection.ending is None
    back.leave()


@retries_at_once
async def test_what_cannot_be_saved_is_not_unloaded(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("relay.hub.UNLOAD_S", 0.0)
    member = await Member.join(world.hub, "doc")
    world.backend.append_gate.clear()
    member.send_update(text_update("text"))
    await world.backend.wait_appends(1)
    told = await world.do("documents/doc/unload")
    assert told["result"] == "failed"
    assert "durable" in told["facts"]["because"]
    world.backend.append_gate.set()
    await world.store.wait_settled()
    assert text_of(await world.store.load("doc")) == "text"
    member.leave()


async def test_read_only_refuses_and_asks_for_what_was_typed_meanwhile(world: World) -> None:
    member = await Member.join(world.hub, "doc")
    member.frames()
    member.send_update(text_update("text"))
    await member.next_update()
    told = await world.do("documents/doc/read-only", json={"reason": "under review"})
    assert told["facts"]["reason"] == "under review"
    assert told["facts"]["by"] == BY
    again = await world.do("documents/doc/read-only", json={"reason": "another"})
    assert again["facts"] == told["facts"]
    with pytest.raises(ReadOnlyNow):
        await world.store.append("doc", text_update("late", client_id=2))
    assert member.connection.ending is None
    member.frames()
    assert (await world.do("documents/doc/writable"))["result"] == "writable"
    await member.next()
    await world.store.append("doc", text_update("late", client_id=2))
    member.leave()


async def test_the_switch_of_the_store_is_not_that_of_a_document(world: World) -> None:
    await write(world)
    await world.do("store/read-only")
    assert (await world.do("documents/doc/writable"))["result"] == "noop"
    assert (await world.do("documents/doc/read-only"))["result"] == "read_only"
    assert (await world.do("store/writable"))["result"] == "writable"
    with pytest.raises(ReadOnlyNow):
        await world.store.append("doc", text_update("late", client_id=2))


async def test_salvage_says_what_is_lost_and_refuses_what_would_lose_more(world: World) -> None:
    await damage(world)
    facts = (await world.try_("documents/doc/salvage?unverified=0"))["facts"]
    assert facts["lost_count"] == len(facts["lost"]) == 1
    answered = await world.act("documents/doc/set-aside")
    assert (answered.status_code, answered.json()["error"]) == (409, "not_sensible")
    assert answered.json()["facts"]["rows_saved"] == 3
    assert (await world.do("documents/doc/salvage"))["result"] == "salvaged"
    assert text_of(await world.store.load("doc")) == "tex"


async def test_nothing_takes_the_place_of_a_document_of_which_nothing_is_left(
    world: World,
) -> None:
    await ruin(world)
    before = content_of(world.path)
    answered = await world.act("documents/doc/salvage")
    assert (answered.status_code, answered.json()["error"]) == (409, "not_sensible")
    assert content_of(world.path) == before
    done = await world.do("documents/doc/set-aside")
    listed = (await world.client.get("/admin/set-aside", headers=HEADERS)).json()["set_aside"]
    assert [(each["number"], each["document"]) for each in listed] == [(3, "doc")]
    assert done["facts"]["number"] == 3


async def test_the_file_is_not_written_anew_where_there_is_no_room(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await free_pages(world)
    space = await world.store.observation.space()
    small = StoreSpace(space.file_bytes, space.wal_bytes, space.free_bytes, disk_free_bytes=1000)

    async def little() -> StoreSpace:
        return small

    monkeypatch.setattr(world.backend._backend.observing, "space", little, raising=True)
    for query in ("", "?dry_run=1"):
        answered = await world.act(f"store/vacuum{query}")
        assert (answered.status_code, answered.json()["error"]) == (507, "no_room")
        facts = answered.json()["facts"]
        assert facts["free_bytes"] == 1000
        assert facts["needed_bytes"] >= 2 * space.file_bytes
        (act,) = (await world.store.list_audit(limit=1)).acts
        assert act.result == "refused"
    assert (await world.store.observation.space()).file_bytes == small.file_bytes


async def test_making_room_answers_how_much(world: World) -> None:
    await free_pages(world)
    facts = (await world.do("store/vacuum"))["facts"]
    assert facts["after"]["file_bytes"] < facts["before"]["file_bytes"]
    assert facts["before"]["free_bytes"] > 0 == facts["after"]["free_bytes"]
    await write(world)
    facts = (await world.do("store/truncate-wal"))["facts"]
    assert facts["before"]["wal_bytes"] > 0 == facts["after"]["wal_bytes"]


@pytest.mark.parametrize(
    ("path", "status"),
    [
        *((f"documents/none/{act}", 404) for act in ("compact", "load", "read-only", "delete")),
        *((f"documents/none/{act}", 404) for act in ("salvage", "set-aside")),
        *((f"documents/gone/{act}", 410) for act in ("compact", "load", "read-only", "salvage")),
        ("sessions/none/revoke", 404),
        ("quarantine/7/release", 404),
        ("quarantine/1/release", 422),
    ],
)
async def test_what_cannot_be_done_is_refused_and_kept(
    world: World, path: str, status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    await quarantine(world)
    await world.store.append("gone", text_update("text"))
    await world.store.delete("gone")
    monkeypatch.setattr(world.store, "append", _refusing)
    world.store.quarantine._append = _refusing  # type: ignore[assignment]
    await world.rest()
    before = content_of(world.path)
    answered = await world.act(path)
    assert answered.status_code == status, answered.text
    assert set(answered.json()) == {"error", "message", "facts"}
    assert content_of(world.path) == before
    result, intent = (await world.store.list_audit(limit=2)).acts
    assert (intent.result, result.result) == (INTENT, "refused")
    assert result.facts["because"] == answered.json()["message"]


async def _refusing(*_: object) -> None:
    raise UpdateRefused("it is refused again")


@pytest.mark.parametrize("act", ["unload", "writable", "forget"])
async def test_undoing_what_is_not_done_is_nothing(world: World, act: str) -> None:
    assert (await world.do(f"documents/none/{act}"))["result"] == "noop"


# ---- what is kept --------------------------------------------------------------------------------


async def test_acts_are_listed_newest_first_page_by_page(world: World) -> None:
    for name in ("one", "two"):
        await world.store.append(name, text_update("text"))
        await world.do(f"documents/{name}/compact", params={"reason": "tidy"})

    async def listed(query: str) -> tuple[list[tuple[str, str]], int | None]:
        found = (await world.client.get(f"/admin/audit?{query}", headers=HEADERS)).json()
        assert found["damaged"] == 0
        return [(each["document"], each["result"]) for each in found["acts"]], found["next"]

    acts, following = await listed("limit=3")
    assert acts == [("two", "compacted"), ("two", "intent"), ("one", "compacted")]
    assert (await listed(f"before={following}"))[0] == [("one", "intent")]
    assert (await listed("document=one"))[0] == [("one", "compacted"), ("one", "intent")]
    assert await listed("document=none") == ([], None)


async def test_an_act_that_cannot_be_kept_is_not_done(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await write(world)
    await world.rest()
    before = content_of(world.path)
    monkeypatch.setattr(world.backend._backend.observing, "add_act", _failing)
    for case in CASES:
        for query in ("", "?dry_run=1"):
            answered = await world.act(case.path + query)
            assert (answered.status_code, answered.json()["error"]) == (503, "storage"), case.path
    assert content_of(world.path) == before


async def test_an_act_whose_result_cannot_be_kept_leaves_its_intent(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a crash between the act and its result would."""
    await write(world)
    keep = world.backend._backend.observing.add_act
    kept = []

    async def keep_the_first(*arguments: Any) -> int:
        kept.append(await keep(*arguments) if not kept else await _failing())
        return kept[0] or 0

    monkeypatch.setattr(world.backend._backend.observing, "add_act", keep_the_first)
    answered = await world.act("documents/doc/delete")
    assert (answered.status_code, answered.json()["error"]) == (500, "unrecorded")
    assert answered.json()["facts"]["result"] == "deleted"
    (intent,) = (await world.store.list_audit()).acts
    assert (intent.number, intent.result) == (answered.json()["facts"]["act"], INTENT)
    head = await world.store.head("doc")
    assert head is not None
    assert head.deleted_ms is not None


@retries_at_once
async def test_acts_while_storage_fails_are_failures_and_work_goes_on_after(world: World) -> None:
    """What reads goes on; a document that waits for the disk is neither lost nor dropped."""
    await write(world)
    world.backend.append_error = StoreFailing("the disk is broken")
    world.backend.load_error = StoreFailing("the disk is broken")
    assert (await world.do("documents/doc/compact"))["result"] == "failed"
    answered = await world.act("documents/due/load")
    assert (answered.status_code, answered.json()["error"]) == (503, "storage")
    assert (await world.store.list_audit(limit=1)).acts[0].result == "failed"
    world.backend.append_error = world.backend.load_error = None
    assert (await world.do("documents/doc/compact"))["result"] == "compacted"
    assert (await world.do("documents/due/load"))["result"] == "loaded"
    assert text_of(await world.store.load("doc")) == "text"


async def test_acts_on_one_document_come_one_after_the_other(world: World) -> None:
    await write(world)
    paths = ["compact", "delete", "delete", "compact", "forget", "unload", "load", "read-only"]
    async with deadline():
        answers = await asyncio.gather(*(world.act(f"documents/doc/{path}") for path in paths))
    assert [answer.status_code for answer in answers] == [200, 200, 200, 410, 200, 200, 404, 404]
    results = [answer.json()["result"] for answer in answers if answer.status_code == 200]
    assert results == ["compacted", "deleted", "noop", "forgotten", "noop"]
    acts = (await world.store.list_audit()).acts
    # No act begins between another's intent and its result.
    assert [act.result == INTENT for act in reversed(acts)] == [True, False] * len(paths)


async def test_acts_on_other_documents_do_not_wait(world: World) -> None:
    await write(world)
    world.backend.load_gate.clear()
    before = len(world.backend.loads)
    loading = asyncio.create_task(world.act("documents/due/load"))
    await world.backend.wait_loads(before + 1)
    async with deadline():
        assert (await world.act("documents/doc/delete")).json()["result"] == "deleted"
    world.backend.load_gate.set()
    assert (await loading).json()["result"] == "loaded"
