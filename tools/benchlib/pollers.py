"""Asks routes again and again over plain HTTP, each on a connection of its own."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

from benchlib.errors import RunFailed

_ANSWER_S = 10.0


@dataclass
class Polled:
    """What came of it: how often each route answered, with how many bytes, and the slowest."""

    answers: dict[str, int] = field(default_factory=dict)
    byte_lengths: dict[str, int] = field(default_factory=dict)
    slowest_s: float = 0.0
    events: int = 0

    def note(self, path: str, byte_length: int, took_s: float) -> None:
        self.answers[path] = self.answers.get(path, 0) + 1
        self.byte_lengths[path] = byte_length
        self.slowest_s = max(self.slowest_s, took_s)


@asynccontextmanager
async def polling(
    url: str, rates: Mapping[str, float], polled: Polled, watched: str | None
) -> AsyncIterator[None]:
    """Ask each path so often a second while the block runs, and watch a stream of events.

    Raises:
        RunFailed: one did not answer, or not with 200.
    """
    host, _, port = url.partition("://")[2].rpartition(":")
    tasks = [
        asyncio.create_task(_poll(host, int(port), path, per_s, polled))
        for path, per_s in rates.items()
    ]
    if watched is not None:
        tasks.append(asyncio.create_task(_watch(host, int(port), watched, polled)))
    try:
        yield
        for task in tasks:
            if task.done():
                task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _poll(host: str, port: int, path: str, per_s: float, polled: Polled) -> None:
    clock = asyncio.get_running_loop().time
    reader, writer = await asyncio.open_connection(host, port, limit=1 << 20)
    request = _request(host, port, path)
    due_s = clock()
    try:
        while True:
            due_s += 1 / per_s
            began_s = clock()
            writer.write(request)
            body_bytes = await _read_answer(reader, path)
            polled.note(path, body_bytes, clock() - began_s)
            await asyncio.sleep(due_s - clock())
    finally:
        writer.close()


async def _watch(host: str, port: int, path: str, polled: Polled) -> None:
    reader, writer = await asyncio.open_connection(host, port, limit=1 << 20)
    writer.write(_request(host, port, path))
    try:
        await _read_head(reader, path)
        while line := await reader.readline():
            polled.events += line.startswith(b"event:")
    finally:
        writer.close()


def _request(host: str, port: int, path: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: {host}:{port}\r\n\r\n".encode()


async def _read_answer(reader: asyncio.StreamReader, path: str) -> int:
    head = await _read_head(reader, path)
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            return len(await reader.readexactly(int(value)))
    raise RunFailed(f"{path} does not say how long its answer is")


async def _read_head(reader: asyncio.StreamReader, path: str) -> bytes:
    with suppress(TimeoutError):
        async with asyncio.timeout(_ANSWER_S):
            head = await reader.readuntil(b"\r\n\r\n")
            if not head.startswith(b"HTTP/1.1 200 "):
                raise RunFailed(f"{path} answered {head[:40]!r}")
            return head
    raise RunFailed(f"{path} did not answer in {_ANSWER_S:g} s")
