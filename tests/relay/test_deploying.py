"""The files for systemd and for containers say what the program understands."""

import configparser
import json
import re
import shutil
import subprocess
from pathlib import Path

import click
import pytest
from relay_process import CHECKOUT

from relay.cli import main
from relay.config import Settings
from relay.limits import (
    DRAIN_READING_MAX_S,
    DRAIN_SENDING_MAX_S,
    DRAIN_STORING_MAX_S,
    TICK_S,
)
from yjs_store.limits import SERVER_STACK_BYTES

UNIT = CHECKOUT / "tools/deploy/yjs-relay.service"
CONTAINER = CHECKOUT / "tools/deploy/Containerfile"
DRAIN_S = DRAIN_READING_MAX_S + DRAIN_STORING_MAX_S + DRAIN_SENDING_MAX_S


class Unit(configparser.RawConfigParser):
    """A unit file, in which a key may stand several times."""

    def __init__(self) -> None:
        super().__init__(strict=False, interpolation=None, delimiters=("=",))
        self.read_string(UNIT.read_text(encoding="utf-8"))
        self.environment = re.findall(r"^#?Environment=(.*)$", UNIT.read_text(), re.MULTILINE)

    def optionxform(self, optionstr: str) -> str:
        return optionstr


@pytest.fixture
def service() -> dict[str, str]:
    return dict(Unit()["Service"])


def test_the_unit_speaks_the_protocol_of_the_server(service: dict[str, str]) -> None:
    assert service["Type"] == "notify"
    assert float(service["WatchdogSec"]) > 10 * TICK_S
    assert float(service["TimeoutStopSec"]) > DRAIN_S
    assert int(service["LimitSTACK"]) == SERVER_STACK_BYTES


def test_the_unit_runs_a_command_that_there_is(service: dict[str, str]) -> None:
    program, *arguments = service["ExecStart"].split()
    assert Path(program).name == "yjs-relay"
    assert arguments[0] in main.list_commands(click.Context(main))


def test_the_store_is_where_the_unit_may_write(service: dict[str, str]) -> None:
    (store,) = [line for line in Unit().environment if line.startswith("YJS_RELAY_STORE=")]
    assert store.endswith(f"sqlite:////var/lib/{service['StateDirectory']}/relay.db")
    assert service["DynamicUser"] == service["NoNewPrivileges"] == "yes"
    assert service["ProtectSystem"] == "strict"
    assert service["CapabilityBoundingSet"] == ""


def test_every_setting_in_the_files_is_one() -> None:
    text = UNIT.read_text(encoding="utf-8") + CONTAINER.read_text(encoding="utf-8")
    named = {name.lower() for name in re.findall(r"YJS_RELAY_([A-Z_]+)", text)}
    assert named
    assert named <= Settings.model_fields.keys()


def test_systemd_takes_the_unit_where_there_is_one(tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        return
    copy = tmp_path / "yjs-relay.service"
    copy.write_text(UNIT.read_text().replace("/opt/yjs-relay/bin/yjs-relay", "/bin/true"))
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(copy)],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def instructions() -> list[tuple[str, str]]:
    joined = re.sub(r"\\\n", " ", CONTAINER.read_text(encoding="utf-8"))
    lines = [line for line in joined.splitlines() if line and not line.startswith("#")]
    return [(line.split()[0], line.split(None, 1)[1].strip()) for line in lines]


def test_the_container_is_not_root_and_is_looked_after() -> None:
    last_stage = instructions()
    last_stage = last_stage[[name for name, _ in last_stage].index("FROM", 1) :]
    found = dict(last_stage)
    user = found["USER"].split(":")[0]
    assert int(user) > 0
    run = found["RUN"]
    assert f"--uid {user}" in run
    assert f"--owner={user}" in run
    assert found["VOLUME"] == "/data"
    assert "sqlite:////data/relay.db" in found["ENV"]
    assert "YJS_RELAY_PORT=1234" in found["ENV"]
    assert found["EXPOSE"] == "1234"
    command = json.loads(found["HEALTHCHECK"].partition("CMD ")[2])
    assert command[0] == "yjs-relay"
    assert command[1] in main.list_commands(click.Context(main))


def test_the_container_starts_the_server_itself() -> None:
    """Without a shell in between, which would keep SIGTERM to itself."""
    found = dict(instructions())
    assert json.loads(found["ENTRYPOINT"]) == ["yjs-relay"]
    assert json.loads(found["CMD"]) == ["serve"]


def test_what_the_container_copies_is_there() -> None:
    copied = [rest for name, rest in instructions() if name == "COPY" and "--from" not in rest]
    for line in copied:
        *sources, _target = line.split()
        assert all((CHECKOUT / source).exists() for source in sources), line
