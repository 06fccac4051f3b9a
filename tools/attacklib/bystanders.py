"""Two clients who type to each other in a document of their own; run as a program.

Arguments: the server's URL. They write a letter every 50 ms, and note how long it takes to the
other. For each line on standard input they write one: how it went since the line before, as JSON.
"""

import asyncio
import json
import sys
import time

from pycrdt import Doc, Text
from system.ywire import STEP1, SYNC, decode_frame, step1, step2, update_message
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

EVERY_S = 0.05


class Pair:
    """The two, and the delays since they were asked for last."""

    def __init__(self) -> None:
        self.delays_ms: list[float] = []
        self.reconnects = -1
        # When each letter was sent that has not arrived, by how many there are with it.
        self._sent_s: dict[int, float] = {}
        self._doc: Doc[Text] = Doc()
        self._text = self._doc.get("text", type=Text)
        self._arrived: Doc[Text] = Doc()

    async def run(self, url: str) -> None:
        while True:
            self.reconnects += 1
            try:
                async with (
                    connect(url, **OPTIONS) as writer,
                    connect(url, **OPTIONS) as reader,
                    asyncio.TaskGroup() as tasks,
                ):
                    tasks.create_task(self._write(writer))
                    tasks.create_task(self._read(reader))
                    tasks.create_task(self._drop(writer))
            except* (OSError, ConnectionClosed, TimeoutError):
                await asyncio.sleep(0.2)

    async def _write(self, socket: ClientConnection) -> None:
        # After a reconnect some may be missing that were sent into a socket that was dying.
        await socket.send(step2(self._doc.get_update()))
        while True:
            before = self._doc.get_state()
            self._text += "x"
            update = self._doc.get_update(before)
            self._sent_s[len(self._text)] = time.monotonic()
            await socket.send(update_message(update))
            await asyncio.sleep(EVERY_S)

    async def _read(self, socket: ClientConnection) -> None:
        await socket.send(step1(self._arrived.get_state()))
        while True:
            frame = await socket.recv()
            message = decode_frame(frame) if isinstance(frame, bytes) else None
            if message is None or message.kind != SYNC or message.step == STEP1:
                continue
            self._arrived.apply_update(message.payload)
            length = len(self._arrived.get("text", type=Text))
            for number in [number for number in self._sent_s if number <= length]:
                self.delays_ms.append(1000 * (time.monotonic() - self._sent_s.pop(number)))

    @staticmethod
    async def _drop(socket: ClientConnection) -> None:
        while True:
            await socket.recv()

    def report(self) -> str:
        """What is on its way for long counts as long as it is: a stall is not left out."""
        now_s = time.monotonic()
        waiting = [1000 * (now_s - sent_s) for sent_s in self._sent_s.values()]
        delays = sorted(self.delays_ms + [ms for ms in waiting if ms > 200]) or [0.0]
        self.delays_ms.clear()
        return json.dumps(
            {
                "count": len(delays),
                "p50_ms": delays[len(delays) // 2],
                "p99_ms": delays[min(len(delays) - 1, int(0.99 * len(delays)))],
                "max_ms": delays[-1],
                "reconnects": self.reconnects,
            }
        )


OPTIONS = {"proxy": None, "compression": None, "max_size": None, "ping_interval": None}


async def main(url: str) -> None:
    pair = Pair()
    running = asyncio.create_task(pair.run(url))
    reader = asyncio.StreamReader()
    protocol = asyncio.StreamReaderProtocol(reader)
    await asyncio.get_running_loop().connect_read_pipe(lambda: protocol, sys.stdin)
    while await reader.readline():
        print(pair.report(), flush=True)
    running.cancel()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
