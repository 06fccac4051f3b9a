"""Runs `yjs-relay serve` as its users do: a process of its own, with a store of its own."""

import asyncio
import os
import re
import signal
import sys
from pathlib import Path

from .waiting import DEADLINE_S, Changes

CHECKOUT = Path(__file__).resolve().parents[2]
LISTENING = re.compile(r"ws://([^\s:/]+):(\d+)")
LOG_LINES_SHOWN = 30


class ServerFailed(AssertionError):
    """The server did not start, did not stop, or died; says why as far as its log does."""


class RunningServer:
    """One store directory and, between `start` and `stop` or `kill`, the process serving it.

    Only the process that it started is ever signalled.
    """

    def __init__(self, directory: Path, *options: str) -> None:
        self.directory = directory
        self.store_path = directory / "relay.db"
        self.store_url = f"sqlite:///{self.store_path}"
        self.options = options
        self.log: list[str] = []
        self._output: list[str] = []
        self._changes = Changes()
        self._process: asyncio.subprocess.Process | None = None
        self._readers: list[asyncio.Task[None]] = []
        self._port = 0

    @property
    def pid(self) -> int:
        return self._running().pid

    @property
    def port(self) -> int:
        return self._port

    @property
    def process_id(self) -> int:
        return self._running().pid

    @property
    def memory_peak_bytes(self) -> int:
        """What it has held in memory at most, without its fold process."""
        status = Path(f"/proc/{self._running().pid}/status").read_text()
        return 1024 * int(re.findall(r"VmHWM:\s+(\d+) kB", status)[0])

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.returncode is None

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self._port}"

    async def start(self, *, port: int = 0) -> None:
        """Start it and return when it says that it accepts connections."""
        assert not self.is_running, "this server is running already"
        self._output.clear()
        self._process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "relay", "serve", "--host", "127.0.0.1", "--port", str(port)),
            *("--store", self.store_url, *self.options),
            cwd=self.directory,
            env=environment(),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        assert self._process.stdout is not None
        assert self._process.stderr is not None
        self._readers = [
            asyncio.create_task(self._keep_lines(self._process.stdout, self._output)),
            asyncio.create_task(self._keep_lines(self._process.stderr, self.log)),
        ]
        # An output that ended is a process that died: fail at once, not at the deadline.
        await self._changes.until(
            lambda: self._announced() or self._readers[0].done(),
            "the server says where it listens",
            now=self.describe,
        )
        found = self._announced()
        if found is None:
            await self._reap()
            raise ServerFailed(f"the server ended instead of listening; {self.describe()}")
        self._port = int(found[2])

    async def stop(self, *, within_s: float = DEADLINE_S) -> None:
        """Ask it to end, and see that it drains, exits 0 and raised nothing."""
        self.terminate()
        await self.wait_ended(within_s)

    def terminate(self, how: signal.Signals = signal.SIGTERM) -> None:
        """Ask it to end; `wait_ended` says what came of it."""
        self._running().send_signal(how)

    def freeze(self) -> None:
        """Stop it in its tracks (SIGSTOP); what is sent to it now waits in its sockets."""
        self._running().send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on; signals that came meanwhile reach it first."""
        self._running().send_signal(signal.SIGCONT)

    async def wait_ended(self, within_s: float = DEADLINE_S) -> None:
        """Wait for the end of a process that was asked to end.

        Raises:
            ServerFailed: it did not end in time (and is killed), or ended with another code than
                0, or wrote a traceback.
        """
        process = self._running()
        try:
            async with asyncio.timeout(within_s):
                await process.wait()
        except TimeoutError:
            await self.kill()
            failure = f"the server did not end in {within_s:g} s"
            raise ServerFailed(f"{failure}; {self.describe()}") from None
        await self._reap()
        if process.returncode != 0:
            raise ServerFailed(f"the server exited {process.returncode}; {self.describe()}")
        self.check_log()

    async def exit_code(self) -> int:
        """Wait for the end of a process that ends by itself; return its exit code."""
        code = await self._running().wait()
        await self._reap()
        return code

    async def kill(self) -> None:
        """kill -9: no handler runs, nothing is flushed."""
        if self.is_running:
            self.strike()
        await self._reap()
        self.check_log()

    def strike(self) -> None:
        """Send SIGKILL this instant; `kill` does the rest."""
        self._running().kill()

    async def restart(self, *, same_port: bool = False, within_s: float = DEADLINE_S) -> None:
        """Stop it, in that time, and start it on the same store."""
        await self.stop(within_s=within_s)
        await self.start(port=self._port if same_port else 0)

    async def wait_log(self, pattern: str, *, after: int = 0) -> re.Match[str]:
        """Wait for a line of the log, from line number `after` on, that the pattern finds."""
        compiled = re.compile(pattern)

        def find() -> re.Match[str] | None:
            found = (compiled.search(line) for line in self.log[after:])
            return next((match for match in found if match), None)

        match = await self._changes.until(find, f"a log line like {pattern!r}", now=self.describe)
        assert match is not None
        return match

    def check_log(self) -> None:
        """No exception ended as a traceback in the log: each has an owner that knows what it means.

        Raises:
            ServerFailed: one did.
        """
        if any("Traceback" in line for line in self.log):
            raise ServerFailed("the server logged a traceback:\n" + "\n".join(self.log[-200:]))

    def describe(self) -> str:
        code = None if self._process is None else self._process.returncode
        tail = "\n".join(self.log[-LOG_LINES_SHOWN:])
        return f"exit code {code}; standard output {self._output}; end of its log:\n{tail}"

    def _running(self) -> asyncio.subprocess.Process:
        assert self._process is not None, "this server was never started"
        return self._process

    def _announced(self) -> re.Match[str] | None:
        return LISTENING.search("\n".join(self._output))

    async def _keep_lines(self, stream: asyncio.StreamReader, lines: list[str]) -> None:
        try:
            async for line in stream:
                lines.append(line.decode(errors="replace").rstrip("\n"))
                self._changes.announce()
        finally:
            # Whoever waits must see that this task is done, which it is one step later.
            asyncio.get_running_loop().call_soon(self._changes.announce)

    async def _reap(self) -> None:
        await self._running().wait()
        await asyncio.gather(*self._readers)


def environment() -> dict[str, str]:
    """This process's environment, with the checkout importable and no setting of a server in it."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("YJS_RELAY_")}
    paths = [str(CHECKOUT), *filter(None, [os.environ.get("PYTHONPATH")])]
    return kept | {"PYTHONPATH": os.pathsep.join(paths)}
