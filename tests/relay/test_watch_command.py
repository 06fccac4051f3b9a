"""A store as it changes: a screen on a terminal, lines without one."""

import asyncio
import json
import os
import pty
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from relay_process import Process, environment
from relay_support import DEADLINE_S, text_update

from relay.cli import main
from relay.commands.watch import _sparkline
from yjs_store import open_store

HOSTILE = "\u202e[red]\\"


@pytest.fixture
def store(tmp_path: Path) -> str:
    url = f"sqlite:///{tmp_path}/relay.db"

    async def write() -> None:
        async with open_store(url) as opened:
            await opened.append(HOSTILE, text_update("x"))

    asyncio.run(write())
    return url


def test_without_a_terminal_each_look_is_a_line(store: str) -> None:
    done = CliRunner().invoke(
        main, ["watch", "--looks", "2", "--every", "0.1", "--store", store], catch_exceptions=False
    )
    first, second = done.output.splitlines()
    assert first.startswith("1 documents  1 rows  file ")
    assert first.endswith("  first \\u202e[red]\\\\")
    assert second == first


def test_a_look_is_json_for_programs(store: str) -> None:
    done = CliRunner().invoke(
        main, ["watch", "--json", "--looks", "1", "--store", store], catch_exceptions=False
    )
    look = json.loads(done.output)
    assert look["storage"]["sizes"]["documents"] == 1
    assert [each["name"] for each in look["documents"]] == [HOSTILE]


def test_a_writer_is_seen_beside_it_and_an_interrupt_ends_it_well(
    store: str, tmp_path: Path
) -> None:
    async def write_more() -> None:
        async with open_store(store) as opened:
            await opened.append("new", text_update("y"))

    with Process("watch", "--every", "0.1", "--store", store, cwd=tmp_path) as watching:
        assert watching.wait_output(1).startswith("1 documents")
        asyncio.run(write_more())
        while not watching.output[-1].startswith("2 documents"):
            watching.wait_output(len(watching.output) + 1)
        assert watching.end(signal.SIGINT) == 0
        assert watching.log == []


def test_a_terminal_gets_a_screen_on_which_no_name_acts(store: str, tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "relay", "watch", "--looks", "1", "--store", store]
    watching = subprocess.Popen(
        command,
        cwd=tmp_path,
        env=environment({"TERM": "xterm", "COLUMNS": "150", "LINES": "40"}),
        stdin=subprocess.DEVNULL,
        stdout=theirs,
        stderr=subprocess.PIPE,
    )
    os.close(theirs)
    shown = b""
    try:
        while part := os.read(ours, 4096):
            shown += part
    except OSError:
        pass  # how a terminal says that the other side is gone
    os.close(ours)
    assert watching.stderr is not None
    with watching.stderr as complaints:
        assert (watching.wait(DEADLINE_S), complaints.read()) == (0, b"")
    text = shown.decode()
    assert "documents" in text
    assert "\\u202e[red]\\\\" in text
    assert "\u202e" not in text
    assert "WRITES" in text


def test_a_sparkline_shows_what_is_little_and_what_is_much() -> None:
    assert _sparkline([0] * 30) == ""
    assert _sparkline([]) == ""
    assert _sparkline([0, 1, 50, 100]) == " ▁▄█"


def test_a_store_that_is_not_there_is_3(tmp_path: Path) -> None:
    done = CliRunner().invoke(main, ["watch", "--store", f"sqlite:///{tmp_path}/none.db"])
    assert done.exit_code == 3
