"""`yjs-relay sessions` and `yjs-relay quarantine`, as people meet them."""

import asyncio
import hashlib
import json
import sqlite3
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import pytest
from relay_process import run
from relay_support import text_of, text_update

from yjs_store import Permission, Session, SessionStatus, Store, open_store
from yjs_store.opening import now_ms

_Result = TypeVar("_Result")

HOSTILE = "\x1b[2J ann\u202e"
SHOWN = "\\x1b[2J ann\\u202e"


@pytest.fixture
def url(tmp_path: Path) -> str:
    """Where the store is; nothing is there yet."""
    return f"sqlite:///{tmp_path / 'relay.db'}"


def with_store(url: str, work: Callable[[Store], Awaitable[_Result]]) -> _Result:
    """Open the store, do something with it, and close it."""

    async def do() -> _Result:
        async with open_store(url) as store:
            return await work(store)

    return asyncio.run(do())


def session(session_id: str, user: str = "ann", document: str = "notes") -> Session:
    now = now_ms()
    return Session(
        session_id=session_id,
        user=user,
        document=document,
        permission=Permission.WRITE,
        status=SessionStatus.ACTIVE,
        details={"address": "192.0.2.1"},
        created_ms=now,
        updated_ms=now,
        expires_ms=now + 3_600_000,
    )


async def start(store: Store, *sessions: Session) -> None:
    for each in sessions:
        await store.sessions.start(each, None)


async def refuse(store: Store, document: str, update: bytes, reason: str = "it is bad") -> None:
    assert await store.quarantine.put(document, update, reason, HOSTILE) is not None


# ---- sessions -----------------------------------------------------------------------------------


def test_sessions_are_listed_for_people_and_their_names_cannot_act(
    url: str, tmp_path: Path
) -> None:
    with_store(url, lambda store: start(store, session("one", HOSTILE), session("two", "bob")))
    done = run("sessions", "list", "--store", url, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    headings, first, second = done.stdout.splitlines()
    assert headings.split()[:5] == ["SESSION", "USER", "DOCUMENT", "PERMISSION", "STATUS"]
    assert first.startswith(f"one      {SHOWN}  notes     write       active  ")
    assert first.endswith("  address: 192.0.2.1")
    assert second.startswith("two      bob ")


def test_sessions_are_listed_as_json_those_that_are_over_when_asked_for(
    url: str, tmp_path: Path
) -> None:
    async def fill(store: Store) -> None:
        await start(store, session("one"), session("two", "bob", "plans"), session("three"))
        await store.sessions.end("one")

    with_store(url, fill)
    with sqlite3.connect(tmp_path / "relay.db") as connection:
        connection.execute("UPDATE sessions SET permission = 'admin' WHERE id = 'three'")
    connection.close()

    def listed(*options: str) -> dict[str, str]:
        done = run("sessions", "list", "--json", *options, "--store", url, cwd=tmp_path)
        assert done.returncode == 0
        lines = [json.loads(line) for line in done.stdout.splitlines()]
        return {line["session"]: line["status"] for line in lines}

    assert listed() == {"two": "active", "three": "damaged"}
    assert listed("--ended") == {"one": "ended", "two": "active", "three": "damaged"}
    assert listed("--user", "bob") == listed("--document", "plans") == {"two": "active"}


def test_a_session_is_revoked_beside_a_server_that_hears_of_it(url: str, tmp_path: Path) -> None:
    async def revoke(store: Store) -> list[str]:
        told: list[str] = []
        store.sessions.watch(told.extend)
        await start(store, session("one"), session("two", HOSTILE))
        done = await asyncio.to_thread(
            run, "sessions", "revoke", "--user", HOSTILE, "--store", url, cwd=tmp_path
        )
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout == (
            f"revoked  two  {SHOWN}  notes\nThe server has closed what they had open.\n"
        )
        assert await store.sessions.find("two") is None
        assert await store.sessions.find("one") is not None
        return told

    assert with_store(url, revoke) == ["two"]


def test_a_session_is_revoked_without_a_server(url: str, tmp_path: Path) -> None:
    with_store(url, lambda store: start(store, session("one")))
    done = run("sessions", "revoke", "one", "--json", "--store", url, cwd=tmp_path)
    assert done.returncode == 0
    assert json.loads(done.stdout) == {"revoked": ["one"], "has_server": False, "unconfirmed": []}
    again = run("sessions", "revoke", "one", "--store", url, cwd=tmp_path)
    assert (again.returncode, again.stdout) == (1, "")
    assert again.stderr == "Nothing was revoked: no active session fits.\n"


def test_who_is_meant_must_be_said(url: str, tmp_path: Path) -> None:
    assert run("sessions", "revoke", "--store", url, cwd=tmp_path).returncode == 2


@pytest.mark.parametrize(
    "arguments",
    [
        ("sessions", "list"),
        ("sessions", "revoke", "one"),
        ("quarantine", "list"),
        ("quarantine", "show", "1"),
        ("quarantine", "export", "1", "-"),
        ("quarantine", "release", "1"),
        ("quarantine", "discard", "1"),
    ],
)
def test_a_store_that_is_not_there_is_not_made(
    url: str, tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    done = run(*arguments, "--store", url, cwd=tmp_path)
    assert done.returncode == 3
    assert done.stderr == f"Error: there is no store at {tmp_path / 'relay.db'}\n"
    assert list(tmp_path.iterdir()) == []


# ---- quarantine ---------------------------------------------------------------------------------


def test_what_was_refused_is_listed_beside_a_server_and_its_texts_cannot_act(
    url: str, tmp_path: Path
) -> None:
    async def look(store: Store) -> None:
        await refuse(store, "notes", b"bad", "line\nbreak")
        await refuse(store, "plans", b"worse")
        done = await asyncio.to_thread(run, "quarantine", "list", "--store", url, cwd=tmp_path)
        assert (done.returncode, done.stderr) == (0, "")
        headings, first, second = done.stdout.splitlines()
        assert headings.split()[:4] == ["NUMBER", "DOCUMENT", "BYTES", "TIMES"]
        assert first.startswith("1       notes     3      1      ")
        assert first.endswith(f"{SHOWN}  line\\nbreak")
        assert second.endswith("it is bad")
        done = await asyncio.to_thread(
            run, "quarantine", "list", "--json", "--document", "plans", "--store", url, cwd=tmp_path
        )
        (facts,) = map(json.loads, done.stdout.splitlines())
        assert (facts["number"], facts["sender"], facts["problem"]) == (2, HOSTILE, None)
        assert facts["sha256"] == hashlib.sha256(b"worse").hexdigest()

    with_store(url, look)


def test_an_entry_is_shown_and_exported(url: str, tmp_path: Path) -> None:
    update = bytes(range(256)) * 2
    with_store(url, lambda store: refuse(store, "notes", update))
    shown = run("quarantine", "show", "1", "--store", url, cwd=tmp_path)
    assert shown.returncode == 0
    assert "byte length  512\n" in shown.stdout
    assert shown.stdout.endswith(f"000000f0  {update[240:256].hex(' ')}\n")
    done = run("quarantine", "export", "1", "out.bin", "--store", url, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "out.bin").read_bytes() == update
    missing = run("quarantine", "export", "2", "other.bin", "--store", url, cwd=tmp_path)
    assert (missing.returncode, missing.stderr) == (
        1,
        "Error: the quarantine has no entry 2\n",
    )
    assert not (tmp_path / "other.bin").exists()


def test_a_damaged_entry_is_named_and_its_bytes_are_not_given_out(url: str, tmp_path: Path) -> None:
    with_store(url, lambda store: refuse(store, "notes", b"bad"))
    with sqlite3.connect(tmp_path / "relay.db") as connection:
        connection.execute("UPDATE quarantine SET data = x'00', seen_count = 2")
    connection.close()
    listed = run("quarantine", "list", "--store", url, cwd=tmp_path)
    assert listed.stdout.endswith("DAMAGED: its checksum does not match\n")
    for command in ("release", "export"):
        file = ["out.bin"] if command == "export" else []
        done = run("quarantine", command, "1", *file, "--store", url, cwd=tmp_path)
        assert done.returncode == 1
        assert "its checksum does not match" in done.stderr


def test_an_update_is_released_into_its_document_or_stays(url: str, tmp_path: Path) -> None:
    async def fill(store: Store) -> None:
        await refuse(store, "notes", text_update("hello"))
        await refuse(store, "notes", b"bad")

    with_store(url, fill)
    done = run("quarantine", "release", "1", "--store", url, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, "released into notes\n")
    assert text_of(with_store(url, lambda store: store.load("notes"))) == "hello"
    refused = run("quarantine", "release", "2", "--store", url, cwd=tmp_path)
    assert refused.returncode == 1
    assert refused.stderr.startswith("Error: ")
    (left,) = run("quarantine", "list", "--json", "--store", url, cwd=tmp_path).stdout.splitlines()
    assert json.loads(left)["number"] == 2


def test_an_entry_is_discarded_for_good(url: str, tmp_path: Path) -> None:
    with_store(url, lambda store: refuse(store, "notes", b"bad"))
    done = run("quarantine", "discard", "1", "--store", url, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, "discarded\n")
    again = run("quarantine", "discard", "1", "--store", url, cwd=tmp_path)
    assert (again.returncode, again.stdout) == (0, "there is nothing to discard\n")
    assert run("quarantine", "list", "--store", url, cwd=tmp_path).stdout == ""


def test_deciding_on_an_entry_does_not_take_the_store_from_a_server(
    url: str, tmp_path: Path
) -> None:
    async def decide(store: Store) -> None:
        await refuse(store, "notes", b"bad")
        for command in ("release", "discard"):
            done = await asyncio.to_thread(
                run, "quarantine", command, "1", "--store", url, cwd=tmp_path
            )
            assert done.returncode == 3
            assert "is open in another process: stop the server, or let it" in done.stderr
        assert len(await store.quarantine.list()) == 1

    with_store(url, decide)
