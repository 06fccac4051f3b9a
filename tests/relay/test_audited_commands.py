"""What a command does to a store by its file is kept: who wanted what, and what came of it."""

import asyncio
import json
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from relay_process import environment, run
from relay_support import text_update

from relay.clock import now_ms
from yjs_store import Permission, Session, SessionStatus, Store, open_store

# A command that says when it has begun to do its act, and never comes to the end of it.
HANGING = """
import asyncio
from relay.cli import main
from yjs_store import Store
async def hang(*_, **__):
    print("in the act", flush=True)
    await asyncio.Event().wait()
Store.salvage = hang
main()
"""


@pytest.fixture
def url(tmp_path: Path) -> str:
    """A store with a document, two sessions, and nothing that anybody did."""
    path = tmp_path / "relay.db"

    async def write() -> None:
        async with open_store(f"sqlite:///{path}") as store:
            await store.append("doc", text_update("one"))
            await store.append("doc", text_update("two", client_id=2))
            for session_id in ("one", "two"):
                await store.sessions.start(session(session_id), None)

    asyncio.run(write())
    return f"sqlite:///{path}"


def session(session_id: str) -> Session:
    now = now_ms()
    return Session(
        session_id=session_id,
        user="ann",
        document="doc",
        permission=Permission.WRITE,
        status=SessionStatus.ACTIVE,
        details={},
        created_ms=now,
        updated_ms=now,
        expires_ms=now + 3_600_000,
    )


def damage(url: str, which: str = "seq = 2") -> None:
    with sqlite3.connect(url.removeprefix("sqlite:///")) as connection:
        connection.execute(f"UPDATE journal SET data = x'00' WHERE {which}")
    connection.close()


def kept(url: str, cwd: Path) -> list[dict[str, Any]]:
    """Every act, the oldest first."""
    lines = run("audit", "--json", "--store", url, cwd=cwd).stdout.splitlines()
    return [json.loads(line) for line in reversed(lines)]


def check_kept(acts: list[dict[str, Any]], action: str, document: str | None, result: str) -> Any:
    """The last act has an intent and a result; return the facts of the latter."""
    intent, done = acts[-2:]
    for act in (intent, done):
        assert (act["action"], act["document"], act["dry_run"]) == (action, document, False)
        assert act["by"].endswith("the command line")
    assert (intent["result"], done["result"]) == ("intent", result)
    assert done["facts"]["intent"] == intent["number"]
    return done["facts"]


def test_salvaging_and_discarding_are_kept(url: str, tmp_path: Path) -> None:
    damage(url)
    assert run("salvage", "doc", "--store", url, cwd=tmp_path).returncode == 0
    assert kept(url, tmp_path) == []  # only looked at
    done = run("salvage", "doc", "--apply", "--unverified", "--store", url, cwd=tmp_path)
    assert done.returncode == 0, done
    facts = check_kept(kept(url, tmp_path), "salvage", "doc", "salvaged")
    assert (facts["lost_count"], facts["rows_saved"]) == (1, 1)
    assert facts["asked"] == {"unverified": True}
    assert run("set-aside", "discard", "1", "--store", url, cwd=tmp_path).returncode == 0
    facts = check_kept(kept(url, tmp_path), "discard-set-aside", "doc", "discarded")
    assert facts["asked"] == {"number": 1}
    assert len(kept(url, tmp_path)) == 4


def test_giving_up_is_kept_and_so_is_that_nothing_can_be_saved(url: str, tmp_path: Path) -> None:
    damage(url, "1")
    refused = run("salvage", "doc", "--apply", "--store", url, cwd=tmp_path)
    assert refused.returncode == 1
    assert "found nothing" in refused.stderr
    facts = check_kept(kept(url, tmp_path), "salvage", "doc", "failed")
    assert "found nothing" in facts["because"]
    done = run("salvage", "doc", "--apply", "--give-up", "--store", url, cwd=tmp_path)
    assert done.returncode == 0, done
    facts = check_kept(kept(url, tmp_path), "set-aside", "doc", "set_aside")
    assert (facts["saves_nothing"], facts["number"]) == (True, 1)


def test_a_revocation_is_kept_beside_a_server_and_without_one(url: str, tmp_path: Path) -> None:
    async def revoke_beside() -> list[str]:
        async with open_store(url) as store:
            told: list[str] = []
            store.sessions.watch(told.extend)
            command = ("sessions", "revoke", "one", "--store", url)
            done = await asyncio.to_thread(run, *command, cwd=tmp_path)
            assert done.returncode == 0, done
            # Who writes goes on doing so.
            await store.append("doc", text_update("three", client_id=3))
            return told

    assert asyncio.run(revoke_beside()) == ["one"]
    facts = check_kept(kept(url, tmp_path), "revoke", None, "revoked")
    assert facts["asked"] == {"session": "one"}
    assert (facts["revoked"], facts["has_server"]) == (["one"], True)
    done = run("sessions", "revoke", "--document", "doc", "--store", url, cwd=tmp_path)
    assert done.returncode == 0, done
    facts = check_kept(kept(url, tmp_path), "revoke", "doc", "revoked")
    assert (facts["revoked"], facts["revoked_count"], facts["has_server"]) == (["two"], 1, False)
    assert run("sessions", "revoke", "--user", "ann", "--store", url, cwd=tmp_path).returncode == 1
    check_kept(kept(url, tmp_path), "revoke", None, "noop")


def test_a_command_that_is_killed_in_the_act_leaves_it_visibly_unfinished(
    url: str, tmp_path: Path
) -> None:
    damage(url)
    arguments = ["salvage", "doc", "--apply", "--store", url]
    with subprocess.Popen(
        [sys.executable, "-c", HANGING, *arguments],
        cwd=tmp_path,
        env=environment(),
        stdout=subprocess.PIPE,
        text=True,
    ) as command:
        assert command.stdout is not None
        while "in the act" not in command.stdout.readline():
            assert command.poll() is None
        command.send_signal(signal.SIGKILL)
    (left,) = kept(url, tmp_path)
    assert (left["action"], left["document"], left["result"]) == ("salvage", "doc", "intent")
    assert run("audit", "--store", url, cwd=tmp_path).stdout.count("UNFINISHED") == 1
    # Done again, it is finished, and the one that was cut short still stands there.
    assert run("salvage", "doc", "--apply", "--store", url, cwd=tmp_path).returncode == 0
    check_kept(kept(url, tmp_path), "salvage", "doc", "salvaged")
    shown = run("audit", "--store", url, cwd=tmp_path).stdout.splitlines()
    assert ["UNFINISHED" in line for line in shown] == [False, False, False, True]


async def test_what_cannot_be_kept_is_not_done(url: str, tmp_path: Path) -> None:
    def spoil() -> None:
        with sqlite3.connect(url.removeprefix("sqlite:///")) as connection:
            connection.execute(
                "CREATE TRIGGER refuse BEFORE INSERT ON audit BEGIN SELECT RAISE(ABORT, 'no'); END"
            )
        connection.close()

    damage(url)
    spoil()
    for command in (
        ("salvage", "doc", "--apply"),
        ("sessions", "revoke", "one"),
    ):
        done = await asyncio.to_thread(run, *command, "--store", url, cwd=tmp_path)
        assert done.returncode != 0, done
    async with open_store(url) as store:
        assert await store.list_set_aside() == []
        assert await is_active(store, "one")


async def is_active(store: Store, session_id: str) -> bool:
    return await store.sessions.find(session_id) is not None
