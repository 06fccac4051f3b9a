"""A server as a black box: started by a command, watched from outside, stopped or killed."""

import asyncio
import contextlib
import os
import re
import shlex
import signal
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benchlib.errors import RunFailed
from benchlib.machine import pinned
from benchlib.project_python import CHECKOUT, TOOLS

START_S: Final = 30.0
STOP_S: Final = 30.0
_URL = re.compile(rb"ws://[^\s/]+")
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Command:
    """How a server is started. It has to print its URL, ``ws://host:port``, in one line.

    ``{python}`` stands for this Python and ``{directory}`` for where it may keep its data;
    ``path`` is what comes before a document's name in a URL.
    """

    template: str
    path: str
    working_directory: Path = CHECKOUT

    def arguments(self, directory: Path) -> list[str]:
        """Return the words of the command line."""
        names = {"python": sys.executable, "directory": str(directory)}
        return [word.format(**names) for word in shlex.split(self.template)]


RELAY: Final = Command(
    "{python} -m relay serve --host 127.0.0.1 --port 0 --store sqlite:///{directory}/relay.db",
    "/ws/",
)
ECHO_SINK: Final = Command("{python} -m benchlib.echo_sink", "/", TOOLS)
ASGI_SINK: Final = Command("{python} -m benchlib.asgi_sink", "/", TOOLS)


@dataclass(frozen=True, slots=True)
class Usage:
    """What a server has used since it was started, its child processes included."""

    cpu_s: float
    written_bytes: int
    memory_peak_bytes: int


class ServerProcess:
    """A running server. Made by ``start``."""

    def __init__(self, process: asyncio.subprocess.Process, log: Path) -> None:
        self.url = ""
        self._process = process
        self._log = log
        self._listening: asyncio.Future[str | None] = asyncio.get_running_loop().create_future()
        self._reading = asyncio.create_task(self._read())

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    async def wait_listening(self) -> None:
        """Wait until it has said where it listens; ``url`` is set then.

        Raises:
            RunFailed: it ended instead; its last lines are in the text.
        """
        url = await asyncio.shield(self._listening)
        if url is None:
            raise RunFailed(f"the server did not start; {last_lines(self._log)}")
        self.url = url

    async def _read(self) -> None:
        """Read what it says to the end, so that it never waits for a full pipe."""
        assert self._process.stdout is not None, "a pipe"
        async for line in self._process.stdout:
            found = _URL.search(line)
            if found and not self._listening.done():
                self._listening.set_result(found.group().decode())
        if not self._listening.done():
            self._listening.set_result(None)

    def usage(self) -> Usage:
        """Return what it has used so far.

        Raises:
            RunFailed: it is gone.
        """
        try:
            tree = _process_tree(self.pid)
            return Usage(
                cpu_s=sum(map(_cpu_s, tree)),
                written_bytes=sum(_number_in(f"/proc/{pid}/io", "write_bytes:") for pid in tree),
                memory_peak_bytes=1024
                * sum(_number_in(f"/proc/{pid}/status", "VmHWM:") for pid in tree),
            )
        except OSError as error:
            raise RunFailed(f"the server is gone; {last_lines(self._log)}") from error

    async def stop(self) -> None:
        """Ask it to end and wait for that; kill it when it takes too long."""
        with contextlib.suppress(ProcessLookupError):
            self._process.terminate()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(STOP_S):
                await self._process.wait()
        await self.kill()

    async def kill(self) -> None:
        """End it, and all it has started, without a warning."""
        # It leads a process group of its own, so nobody else is hit.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        await self._process.wait()
        await self._reading


async def start_server(command: Command, directory: Path, core: int) -> ServerProcess:
    """Start a server on one core; on return it has said where it listens.

    Raises:
        RunFailed: it ended, or said nothing in time.
    """
    log = directory / "server.log"
    with log.open("ab") as errors, pinned(core):
        process = await asyncio.create_subprocess_exec(
            *command.arguments(directory),
            cwd=command.working_directory,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=errors,
            start_new_session=True,
        )
    server = ServerProcess(process, log)
    try:
        async with asyncio.timeout(START_S):
            await server.wait_listening()
    except BaseException as error:
        await server.kill()
        if isinstance(error, TimeoutError):
            raise RunFailed(f"the server said nothing in {START_S:g} s") from error
        raise
    assert os.sched_getaffinity(server.pid) == {core}, "a server stays on the core it got"
    return server


def last_lines(log: Path) -> str:
    """Return the end of a log in one line."""
    lines = log.read_text(errors="replace").splitlines()[-5:]
    return "its last words: " + " | ".join(lines) if lines else "it logged nothing"


def _process_tree(pid: int) -> list[int]:
    tree = [pid]
    for parent in tree:
        for thread in Path(f"/proc/{parent}/task").iterdir():
            # A thread may end meanwhile.
            with contextlib.suppress(FileNotFoundError):
                tree.extend(map(int, (thread / "children").read_text().split()))
    return tree


def _cpu_s(pid: int) -> float:
    # The name, the second field, may hold anything; fields are counted from behind it.
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS_PER_S


def _number_in(path: str, label: str) -> int:
    for line in Path(path).read_text().splitlines():
        if line.startswith(label):
            return int(line.split()[1])
    raise RunFailed(f"{path} has no {label}")
