"""Drives stock Yjs clients in a Node process, by the JSON lines that client.mjs understands."""

import asyncio
import json
import shutil
from collections.abc import Sequence
from itertools import count
from pathlib import Path
from typing import Any, Self

from .waiting import DEADLINE_S

NODE_DIRECTORY = Path(__file__).resolve().parents[1] / "node"
LINE_BYTES_MAX = 64 * 1024 * 1024


class NodeFailed(AssertionError):
    """A command failed in Node, or Node itself did."""


class NodeProcess:
    """One Node process with any number of clients in it."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._ids = count(1)
        self._open: dict[int, asyncio.Future[Any]] = {}
        self._complaints: list[str] = []
        self._readers = [
            asyncio.create_task(self._read_answers()),
            asyncio.create_task(self._read_complaints()),
        ]

    @property
    def complaints(self) -> list[str]:
        """What it wrote to standard error so far; a proper client has nothing to complain of."""
        return self._complaints

    @classmethod
    async def start(cls) -> Self:
        """Start Node; the packages of the lock file are installed first where they are missing."""
        await install_packages()
        process = await asyncio.create_subprocess_exec(
            *("node", "client.mjs"),
            cwd=NODE_DIRECTORY,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            limit=LINE_BYTES_MAX,
        )
        return cls(process)

    async def call(self, command: str, **options: Any) -> Any:
        """Run one command and return its value.

        Raises:
            NodeFailed: the command failed, Node ended, or no answer came.
        """
        number = next(self._ids)
        answer = self._open[number] = asyncio.get_running_loop().create_future()
        if self._readers[0].done():
            raise NodeFailed(self._describe(f"Node ended before {command}"))
        assert self._process.stdin is not None
        line = json.dumps({"id": number, "do": command, **options})
        self._process.stdin.write(line.encode() + b"\n")
        await self._process.stdin.drain()
        try:
            async with asyncio.timeout(2 * DEADLINE_S):
                return await answer
        except TimeoutError:
            raise NodeFailed(self._describe(f"no answer to {command}")) from None
        finally:
            del self._open[number]

    async def open(self, name: str, url: str, document: str, **options: Any) -> "NodeClient":
        """Open a provider on a new document; `url` may end in a path."""
        options = {"url": url, "document": document} | options
        client_id = await self.call("open", client=name, **options)
        return NodeClient(self, name, client_id)

    async def join(self, name: str, url: str, document: str, **options: Any) -> "NodeClient":
        """Open a provider and wait until it is synchronized."""
        client = await self.open(name, url, document, **options)
        await client.wait(synced=True)
        return client

    async def decode(self, *updates: bytes) -> dict[str, Any]:
        """Apply updates to a new document, in this order, and describe it."""
        answer: dict[str, Any] = await self.call("decode", updates=[u.hex() for u in updates])
        return answer

    async def take(self, cases: Sequence[Sequence[bytes]]) -> list[str | None]:
        """Let a new client take the updates of each case; return what it would throw, if so."""
        hexed = [[update.hex() for update in updates] for updates in cases]
        errors: list[str | None] = await self.call("take", cases=hexed)
        return errors

    async def summarize(self, *updates: bytes) -> dict[str, Any]:
        """Apply updates to a new document, in this order, and summarize it; see NodeClient."""
        hexed = [update.hex() for update in updates]
        answer: dict[str, Any] = await self.call("decode", updates=hexed, summary=True)
        return answer

    async def kill(self) -> None:
        """kill -9: its sockets end without a word."""
        if self._process.returncode is None:
            self._process.kill()
        await self._reap()

    async def close(self) -> None:
        """End it, and see that no client had anything to complain about.

        Raises:
            NodeFailed: something was written to its standard error, as stock providers do about
                a message that they cannot read.
        """
        assert self._process.stdin is not None
        self._process.stdin.close()
        await self._reap()
        if self._complaints:
            raise NodeFailed(self._describe("Node complained"))

    async def _reap(self) -> None:
        await self._process.wait()
        await asyncio.gather(*self._readers)

    async def _read_answers(self) -> None:
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            answer = json.loads(line)
            future = self._open.get(answer.get("id"))
            if future is None or future.done():
                continue
            if "error" in answer:
                future.set_exception(NodeFailed(answer["error"]))
            else:
                future.set_result(answer["value"])
        for future in self._open.values():
            if not future.done():
                future.set_exception(NodeFailed(self._describe("Node ended")))

    async def _read_complaints(self) -> None:
        assert self._process.stderr is not None
        async for line in self._process.stderr:
            self._complaints.append(line.decode(errors="replace").rstrip("\n"))

    def _describe(self, what: str) -> str:
        return f"{what}; exit code {self._process.returncode}; {self._complaints[-30:]}"


class NodeClient:
    """One stock client: a document and its provider."""

    def __init__(self, node: NodeProcess, name: str, client_id: int) -> None:
        self._node = node
        self.name = name
        self.client_id = client_id

    async def edit(self, *steps: dict[str, Any]) -> None:
        """Edit in one transaction; client.mjs lists the steps."""
        await self._call("edit", steps=list(steps))

    async def type(self, patches: list[tuple[int, int, str]]) -> None:
        """Apply [position, deleted, inserted] patches to `text`, a transaction each."""
        await self._call("type", patches=patches)

    async def wait(self, *, within_s: float = DEADLINE_S, **until: Any) -> None:
        """Wait until all the named conditions of client.mjs hold at once."""
        if isinstance(until.get("equalTo"), NodeClient):
            until["equalTo"] = until["equalTo"].name
        await self._call("wait", until=until, withinMs=within_s * 1000)

    async def go_offline(self) -> None:
        await self._call("disconnect")

    async def go_online(self) -> None:
        await self._call("connect")

    async def set_params(self, **params: str) -> None:
        """Set what stands behind the ? from the next connection on, a token say."""
        await self._call("setParams", params=params)

    async def cut_socket(self) -> None:
        """End the connection without a closing handshake, and stay offline."""
        await self._call("terminate")

    async def announce(self, state: dict[str, Any] | None) -> None:
        await self._call("setAwareness", state=state)

    async def awareness(self) -> dict[int, Any]:
        states = await self._call("awareness")
        return {int(client_id): state for client_id, state in states.items()}

    async def status(self) -> dict[str, Any]:
        answer: dict[str, Any] = await self._call("status")
        return answer

    async def dump(self) -> dict[str, Any]:
        answer: dict[str, Any] = await self._call("dump")
        return answer

    async def summary(self) -> dict[str, Any]:
        """Its text, clocks, and whether something is pending: readable whatever else is in it."""
        answer: dict[str, Any] = await self._call("summarize")
        return answer

    async def content(self) -> dict[str, Any]:
        answer: dict[str, Any] = (await self.dump())["content"]
        return answer

    async def update(self) -> bytes:
        """The whole document as one update, by JavaScript Yjs."""
        return bytes.fromhex((await self.dump())["update"])

    async def close(self) -> None:
        await self._call("close")

    async def _call(self, command: str, **options: Any) -> Any:
        return await self._node.call(command, client=self.name, **options)


async def install_packages() -> None:
    """Install what the lock file names, unless it is installed.

    Raises:
        NodeFailed: Node or npm is missing, or npm failed.
    """
    installed = NODE_DIRECTORY / "node_modules" / ".package-lock.json"
    locked = NODE_DIRECTORY / "package-lock.json"
    if installed.exists() and installed.stat().st_mtime >= locked.stat().st_mtime:
        return
    npm = shutil.which("npm")
    if npm is None or shutil.which("node") is None:
        raise NodeFailed("node and npm are needed; YJS_RELAY_TEST_WITHOUT_NODE=1 goes without")
    process = await asyncio.create_subprocess_exec(
        *(npm, "ci", "--no-audit", "--no-fund"),
        cwd=NODE_DIRECTORY,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    if process.returncode != 0:
        raise NodeFailed(f"npm ci failed:\n{output.decode(errors='replace')}")


def step(op: str, *on: str | int, **options: Any) -> dict[str, Any]:
    """One step of an edit: what to do, and the path of the shared type to do it to."""
    return {"op": op, "on": list(on), **options}
