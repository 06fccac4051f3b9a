"""Runs one attack against a server of its own, and measures it and its bystanders."""

import asyncio
import json
import os
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchlib.project_python import CHECKOUT, TOOLS
from system.server import RunningServer, environment

from attacklib.attacks import Attack
from attacklib.sockets import Sockets

TICKS_PER_S = os.sysconf("SC_CLK_TCK")
CALM_S = 3.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """What happened. Bytes are of the server's process, ``cpu`` is its share of a core."""

    name: str
    what: str
    bound: str
    outcomes: dict[str, int]
    rss_before_bytes: int
    rss_peak_bytes: int
    rss_after_bytes: int
    seconds: float
    cpu: float
    calm: dict[str, float]
    bystanders: dict[str, float]
    failure: str


class Bystanders:
    """The program beside which the server is attacked."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    @classmethod
    async def start(cls, url: str, directory: Path) -> "Bystanders":
        paths = [str(TOOLS), str(CHECKOUT / "tests"), environment()["PYTHONPATH"]]
        return cls(
            await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "attacklib.bystanders", f"{url}/ws/bystanders"),
                cwd=directory,
                env=environment() | {"PYTHONPATH": os.pathsep.join(paths)},
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
            )
        )

    async def report(self) -> dict[str, float]:
        """How it went since the last report."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(b"\n")
        report: dict[str, float] = json.loads(await self._process.stdout.readline())
        return report

    async def stop(self) -> None:
        if self._process.returncode is None:
            self._process.kill()
        await self._process.wait()


async def run_attack(attack: Attack) -> Outcome:
    """Start a server, look at it in calm, attack it, and look again."""
    with tempfile.TemporaryDirectory(prefix="attack-") as name:
        server = RunningServer(Path(name), *attack.options)
        await server.start()
        bystanders = await Bystanders.start(server.url, Path(name))
        try:
            return await _measure(attack, server, bystanders)
        finally:
            await bystanders.stop()
            if server.is_running:
                await server.kill()


async def _measure(attack: Attack, server: RunningServer, bystanders: Bystanders) -> Outcome:
    await asyncio.sleep(1)
    await bystanders.report()
    await asyncio.sleep(CALM_S)
    calm = await bystanders.report()
    pid = server.pid
    before, cpu_before = memory(pid, "VmRSS"), cpu_s(pid)
    clock = asyncio.get_running_loop().time
    begun_s = clock()
    failure = ""
    async with Sockets(server.port) as sockets:
        await attack.act(sockets, attack.seconds)
        seconds = clock() - begun_s
        cpu = (cpu_s(pid) - cpu_before) / seconds if server.is_running else 0.0
        during = await bystanders.report()
        await sockets.look()
        outcomes = sockets.outcomes()
    if not server.is_running:
        failure = f"the server ended: {server.describe()}"
    peak = memory(pid, "VmHWM") if server.is_running else 0
    await asyncio.sleep(2)
    after = memory(pid, "VmRSS") if server.is_running else 0
    if any("Traceback" in line for line in server.log):
        failure = failure or "a traceback in the log"
    return Outcome(
        *(attack.name, attack.what, attack.bound, outcomes, before, peak, after, seconds, cpu),
        *(calm, during, failure),
    )


def memory(pid: int, label: str) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(label):
            return 1024 * int(line.split()[1])
    return 0


def cpu_s(pid: int) -> float:
    fields: list[Any] = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS_PER_S
