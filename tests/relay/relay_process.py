"""Runs the command line as its users do, in processes of its own."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import IO, Any, Self

from relay_support import DEADLINE_S

ADMIN_TOKEN = "t" * 40
CHECKOUT = Path(__file__).resolve().parents[2]


def environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """This process's environment, with the checkout importable and no setting of a relay in it."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("YJS_RELAY_")}
    paths = [str(CHECKOUT), *filter(None, [os.environ.get("PYTHONPATH")])]
    return kept | {"PYTHONPATH": os.pathsep.join(paths)} | dict(extra or {})


def run(
    *arguments: str, cwd: Path, extra: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run `yjs-relay` to its end."""
    return subprocess.run(
        [sys.executable, "-m", "relay", *arguments],
        cwd=cwd,
        env=environment(extra),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
    )


class Process:
    """A command that goes on until it is ended; its lines are kept as they come."""

    def __init__(self, *arguments: str, cwd: Path, extra: Mapping[str, str] | None = None) -> None:
        self.output: list[str] = []
        self.log: list[str] = []
        self._changed = threading.Condition()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "relay", *arguments],
            cwd=cwd,
            env=environment(extra),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout is not None
        assert self._process.stderr is not None
        self._readers = [
            threading.Thread(target=self._keep, args=(self._process.stdout, self.output)),
            threading.Thread(target=self._keep, args=(self._process.stderr, self.log)),
        ]
        for reader in self._readers:
            reader.start()

    def _keep(self, stream: IO[str], lines: list[str]) -> None:
        with stream:
            for line in stream:
                with self._changed:
                    lines.append(line.rstrip("\n"))
                    self._changed.notify_all()
        with self._changed:
            self._changed.notify_all()

    def wait_output(self, count: int = 1) -> str:
        """Wait for that many lines on standard output; return the last of them."""
        self._wait(lambda: len(self.output) >= count)
        return self.output[count - 1]

    def wait_log(self, found: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """Wait for a line of the log, as JSON, that is what is looked for."""

        def look() -> dict[str, Any] | None:
            return next((entry for entry in map(json.loads, self.log) if found(entry)), None)

        self._wait(lambda: look() is not None)
        entry = look()
        assert entry is not None
        return entry

    def _wait(self, condition: Callable[[], bool]) -> None:
        with self._changed:
            met = self._changed.wait_for(
                lambda: condition() or not any(map(threading.Thread.is_alive, self._readers)),
                DEADLINE_S,
            )
            assert met, f"output {self.output}, log {self.log}"
            assert condition(), f"it ended; output {self.output}, log {self.log}"

    def send(self, how: signal.Signals) -> None:
        """Signal it, and wait for nothing."""
        if self._process.poll() is None:
            self._process.send_signal(how)

    def kill(self) -> None:
        """End it as no process can refuse."""
        self._process.kill()
        self._process.wait()
        for reader in self._readers:
            reader.join()

    def end(self, how: signal.Signals = signal.SIGTERM, within_s: float = DEADLINE_S) -> int:
        """Signal it and wait for its end; return the exit code."""
        self.send(how)
        try:
            code = self._process.wait(within_s)
        except subprocess.TimeoutExpired:
            self.kill()
            raise
        for reader in self._readers:
            reader.join()
        return code

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.end()


class ServerProcess(Process):
    """`yjs-relay serve` on a free port and a store of its own."""

    def __init__(
        self, directory: Path, *options: str, extra: Mapping[str, str] | None = None
    ) -> None:
        self.store_url = f"sqlite:///{directory}/relay.db"
        super().__init__(
            *("serve", "--port", "0", "--store", self.store_url, "--log-format", "json"),
            *options,
            cwd=directory,
            extra=extra,
        )

    @property
    def url(self) -> str:
        return self.wait_output().rpartition(" ")[2]

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])


@contextlib.contextmanager
def administered(directory: Path, *options: str) -> Iterator[list[str]]:
    """A server with admin routes, as options of a command; its store is relay.db."""
    file = directory / "token"
    file.write_text(ADMIN_TOKEN)
    file.chmod(0o600)
    gate = ("--enable-admin-routes", "--admin-token-file", str(file))
    with ServerProcess(directory, *gate, *options) as server:
        yield ["--url", server.url, "--token-file", str(file)]
