"""Log lines on standard error, of ours and of the libraries, in one shape."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from relay_process import environment

PROGRAM = """
import asyncio, logging, sys
import structlog
from relay.log import configure_logging

configure_logging(*sys.argv[1:])
log = structlog.get_logger("relay.test")
for level in ("debug", "info", "warning", "error"):
    getattr(log, level)(f"a {level}", document="Z\\u00fcrich", code=4400)
logging.getLogger("some.library").warning("a library's %s", "warning")
logging.getLogger("uvicorn.error").info("a server started")
try:
    1 / 0
except ZeroDivisionError as error:
    log.critical("broken", exc_info=error)
"""


def lines(
    level: str, log_format: str, tmp_path: Path, program: str = PROGRAM, code: int = 0
) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", program, level, log_format],
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        encoding="utf-8",
    )
    assert done.returncode == code, done.stderr
    assert done.stdout == "", "standard output has the one line with the URL, and nothing else"
    return done.stderr.removesuffix("\n").split("\n")


def test_json_lines_hold_level_logger_time_and_facts(tmp_path: Path) -> None:
    entries = [json.loads(line) for line in lines("info", "json", tmp_path)]
    first = entries[0]
    assert first.pop("timestamp").endswith("Z")
    assert first == {
        "event": "a info",
        "level": "info",
        "logger": "relay.test",
        "document": "Zürich",
        "code": 4400,
    }
    # The server's own lines repeat what ours say; those of other libraries have our shape.
    assert [entry["event"] for entry in entries[3:]] == ["a library's warning", "broken"]
    assert entries[3]["logger"] == "some.library"
    assert "ZeroDivisionError" in entries[4]["exception"]


@pytest.mark.parametrize(
    ("level", "expected"),
    [
        ("debug", ["a debug", "a info", "a warning", "a error", "a library's warning", "broken"]),
        ("warning", ["a warning", "a error", "a library's warning", "broken"]),
        ("error", ["a error", "broken"]),
    ],
)
def test_less_severe_events_are_left_out(level: str, expected: list[str], tmp_path: Path) -> None:
    entries = [json.loads(line) for line in lines(level, "json", tmp_path)]
    assert [entry["event"] for entry in entries] == expected


@pytest.mark.parametrize("log_format", ["human", "json"])
def test_nothing_that_a_client_said_acts_on_a_terminal(log_format: str, tmp_path: Path) -> None:
    """Paths, reasons of close frames and names come from anybody."""
    program = PROGRAM.replace("Z\\u00fcrich", "\\x1b[2J\\x9b\\u202e\\nx").replace(
        "a library's", "a \\x1b[2J\\n"
    )
    done = lines("info", log_format, tmp_path, program)
    assert "\\u202e" in done[0]
    assert "".join(done).isprintable()
    assert any("Traceback" in line for line in done)


FORGED = "2026-11-21T12:00:00Z [info     ] all is well   [relay.server] user=root"
HOSTILE = f"x\n{FORGED}\r{FORGED}\x1b[2J\u2028{FORGED}"
RAISING = f"""
import sys, threading, warnings
import structlog
from relay.log import configure_logging

configure_logging(*sys.argv[1:])
log = structlog.get_logger("relay.test")
HOSTILE = {HOSTILE!r}

class Shown:
    def __repr__(self):
        return HOSTILE

def fail():
    try:
        raise KeyError(HOSTILE)
    except KeyError as error:
        raise ValueError(HOSTILE) from error

def deleted():
    class Kept:
        def __del__(self):
            fail()
    Kept()

for value in (HOSTILE, Shown(), [Shown()], ValueError(HOSTILE)):
    log.warning("a value", value=value)
log.warning(HOSTILE, **{{HOSTILE: 1}})
try:
    fail()
except ValueError:
    log.exception("an exception", stack_info=True)
warnings.warn(HOSTILE)
deleted()
thread = threading.Thread(target=fail)
thread.start()
thread.join()
fail()
"""


@pytest.mark.parametrize("log_format", ["human", "json"])
def test_nobody_can_forge_a_line(log_format: str, tmp_path: Path) -> None:
    """By a value, by an exception or by what describes itself; also where nobody catches it."""
    done = lines("info", log_format, tmp_path, RAISING, code=1)
    assert "".join(done).isprintable()
    if log_format == "json":
        begun = [json.loads(line)["event"] for line in done]
    else:
        begun = [line for line in done if not line.startswith("    | ")]
        assert [line for line in begun if line.startswith(FORGED[:19])] == []
        assert all("relay." in line or "py.warnings" in line for line in begun)
        assert sum("| Traceback" in line for line in done) > 3
    assert len(begun) == len(["value"] * 4) + len(["event", "exception", "warning"]) + len(
        ["unraisable", "thread", "uncaught"]
    )


def test_a_value_cannot_be_taken_for_more_fields(tmp_path: Path) -> None:
    first, *_ = lines("info", "human", tmp_path, PROGRAM.replace("Z\\u00fcrich", "a user=root"))
    assert "document='a user=root'" in first


def test_human_lines_are_one_line_each_without_colours_in_a_file(tmp_path: Path) -> None:
    first, *_ = lines("info", "human", tmp_path)
    assert "\x1b" not in first
    for part in ("info", "a info", "relay.test", "document=Zürich", "code=4400"):
        assert part in first
