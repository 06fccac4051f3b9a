"""The commands that look after a store, as people meet them."""

import asyncio
import json
import sqlite3
from pathlib import Path

import pytest
from relay_process import run
from relay_support import text_update

from yjs_store import open_store


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """A closed store with two documents."""
    path = tmp_path / "relay.db"

    async def write() -> None:
        async with open_store(f"sqlite:///{path}") as store:
            for name in ("one", "two"):
                await store.append(name, text_update("hello"))

    asyncio.run(write())
    return path


def damage(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE journal SET data = x'00' WHERE document_id = 1")
    connection.close()


def test_check_says_that_all_is_sound(store: Path, tmp_path: Path) -> None:
    done = run("check", "--store", f"sqlite:///{store}", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("2 documents, ")
    assert done.stdout.endswith(" bytes stored: all sound\n")


def test_check_names_what_is_damaged(store: Path, tmp_path: Path) -> None:
    damage(store)
    done = run("check", "--quick", "--store", f"sqlite:///{store}", cwd=tmp_path)
    assert done.returncode == 1
    first, last = done.stdout.splitlines()
    assert first.startswith("DAMAGED  one  journal row 1: expected ")
    assert last.endswith(": 1 damaged")


def test_check_takes_the_store_from_the_environment_and_prints_json(
    store: Path, tmp_path: Path
) -> None:
    extra = {"YJS_RELAY_STORE": f"sqlite:///{store}"}
    done = run("check", "--json", "two", cwd=tmp_path, extra=extra)
    assert done.returncode == 0
    assert json.loads(done.stdout)["document"] == "two"


def test_check_says_when_there_is_no_store(tmp_path: Path) -> None:
    done = run("check", cwd=tmp_path)
    assert done.returncode == 3
    assert done.stderr == "Error: there is no store at data/relay.db\n"
    assert list(tmp_path.iterdir()) == []


def test_check_cannot_be_quick_and_independent(tmp_path: Path) -> None:
    assert run("check", "--quick", "--independent", cwd=tmp_path).returncode == 2
