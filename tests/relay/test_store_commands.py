"""The commands that look after a store, as people meet them."""

import asyncio
import json
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from relay_process import environment, run
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


def test_salvage_shows_what_is_lost_then_does_it_and_keeps_the_originals(
    store: Path, tmp_path: Path
) -> None:
    url = f"sqlite:///{store}"

    async def write_more() -> None:
        async with open_store(url) as opened:
            await opened.append("one", text_update("more", client_id=2))

    asyncio.run(write_more())
    with sqlite3.connect(store) as connection:
        connection.execute("UPDATE journal SET data = x'00' WHERE document_id = 1 AND seq = 2")
    connection.close()
    before = store.read_bytes()
    shown = run("salvage", "one", "--store", url, cwd=tmp_path)
    assert shown.returncode == 0
    assert shown.stdout.startswith("one is damaged. Lost:\n  journal row 2, stored 20")
    assert "Saved: 1 journal rows; " in shown.stdout
    assert shown.stdout.endswith("Stop the server and add --apply to do it.\n")
    assert store.read_bytes() == before
    done = run("salvage", "one", "--apply", "--store", url, cwd=tmp_path)
    assert done.returncode == 0, done
    assert "Done." in done.stdout
    assert run("check", "--store", url, cwd=tmp_path).returncode == 0
    again = run("salvage", "one", "--apply", "--store", url, cwd=tmp_path)
    assert again.stdout == "one is sound: there is nothing to salvage.\n"
    aside = run("set-aside", "list", "--store", url, cwd=tmp_path)
    assert aside.stdout.startswith("1  one  journal row 2, stored 20")
    assert run("set-aside", "discard", "1", "--store", url, cwd=tmp_path).stdout == "discarded\n"
    assert run("set-aside", "list", "--store", url, cwd=tmp_path).stdout == ""
    assert run("set-aside", "discard", "1", "--store", url, cwd=tmp_path).returncode == 1


def test_salvage_does_not_take_a_store_from_a_server(store: Path, tmp_path: Path) -> None:
    damage(store)
    url = f"sqlite:///{store}"

    async def salvage_meanwhile() -> tuple[int, str]:
        async with open_store(url):
            done = await asyncio.to_thread(
                run, "salvage", "one", "--apply", "--store", url, cwd=tmp_path
            )
            return done.returncode, done.stderr

    code, complaint = asyncio.run(salvage_meanwhile())
    assert code == 3
    assert (
        complaint
        == f"Error: {store} is open in another process: "
        + "stop the server, or let it do this by --url\n"
    )


def test_a_document_of_which_nothing_is_left_makes_room_when_that_is_wanted(
    store: Path, tmp_path: Path
) -> None:
    damage(store)
    url = f"sqlite:///{store}"
    refused = run("salvage", "one", "--apply", "--store", url, cwd=tmp_path)
    assert refused.returncode == 1
    assert "found nothing" in refused.stderr
    done = run("salvage", "one", "--apply", "--give-up", "--store", url, cwd=tmp_path)
    assert done.returncode == 0, done
    assert run("check", "--store", url, cwd=tmp_path).returncode == 0
    assert run("set-aside", "list", "--store", url, cwd=tmp_path).stdout.startswith("1  one  ")


def test_salvage_of_nothing_says_so(store: Path, tmp_path: Path) -> None:
    done = run("salvage", "three", "--store", f"sqlite:///{store}", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (1, "Error: there is no document 'three'\n")


def test_looking_after_a_store_that_is_not_there_makes_none(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'relay.db'}"
    for arguments in (["salvage", "n", "--apply"], ["set-aside", "list"], ["set-aside", "discard"]):
        number = ["1"] if arguments[-1] == "discard" else []
        assert run(*arguments, *number, "--store", url, cwd=tmp_path).returncode == 3
    assert list(tmp_path.iterdir()) == []


def test_a_check_that_is_interrupted_does_not_say_that_something_is_damaged(
    store: Path, tmp_path: Path
) -> None:
    program = f"""
import signal
from relay import check_command, cli
def wait(plan, depth):
    print("reached", flush=True)
    signal.pause()
    yield
check_command.run_check = wait
cli.main(["check", "--store", "sqlite:///{store}"])
"""
    process = subprocess.Popen(
        [sys.executable, "-c", program],
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "reached\n"
    process.send_signal(signal.SIGINT)
    _, complaint = process.communicate(timeout=20)
    assert process.returncode == 130
    assert complaint == "Interrupted: not everything was checked.\n"


def test_salvage_says_that_a_decoder_ends_of_what_is_stored(store: Path, tmp_path: Path) -> None:
    """An older version may have taken it: 100,000 arrays, each in the next."""
    deep = b"\x01\x01\x07\x00\x08\x01\x01m\x01" + b"\x75\x01" * 100_000 + b"\x7e\x00"
    url = f"sqlite:///{store}"
    with sqlite3.connect(store) as connection:
        connection.execute("UPDATE journal SET data = ? WHERE document_id = 1", (deep,))
    connection.close()
    done = run("salvage", "one", "--unverified", "--apply", "--store", url, cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr == (
        "Error: one has an update that ends the process that decodes it (the salvage process ended"
        " with SIGSEGV); nothing was changed\n"
    )
    assert run("salvage", "one", "--store", url, cwd=tmp_path).returncode == 0


def test_no_name_of_a_document_acts_on_a_terminal(tmp_path: Path) -> None:
    """Clients choose the names; one could turn around or hide what stands beside it."""
    path, name, shown = tmp_path / "relay.db", "a\u202eb\u2028", "a\\u202eb\\u2028"

    async def write() -> None:
        async with open_store(f"sqlite:///{path}") as store:
            await store.append(name, text_update("hello"))

    asyncio.run(write())
    damage(path)
    for command in (
        ("check", "--quick"),
        ("salvage", name),
        ("salvage", name, "--apply", "--give-up"),
        ("set-aside", "list"),
        ("salvage", name),
    ):
        done = run(*command, "--store", f"sqlite:///{path}", cwd=tmp_path)
        lines = (done.stdout + done.stderr).split("\n")
        assert all(map(str.isprintable, lines)), lines
        # An error quotes the name before.
        assert shown in (done.stdout + done.stderr).replace("\\\\", "\\"), command
