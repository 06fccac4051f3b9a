"""One line for each event worth knowing, with ids that belong together and nothing typed."""

import contextlib
import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import websockets
from relay_process import ServerProcess
from relay_support import deadline, text_update

from relay.wire import y_websocket as wire

TYPED = "what nobody but its readers may see"
TOKEN = "a-secret-that-opens-everything" + "x" * 20


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ServerProcess]:
    (tmp_path / "token").write_text(TOKEN)
    (tmp_path / "token").chmod(0o600)
    options = ["--enable-admin-routes", "--admin-token-file", str(tmp_path / "token")]
    options += ["--checkpoint-rows", "1", "--room-grace-s", "0"]
    with ServerProcess(tmp_path, *options) as server:
        yield server


async def until_closed(client: websockets.ClientConnection) -> AsyncIterator[object]:
    with contextlib.suppress(websockets.ConnectionClosed):
        while True:
            yield await client.recv()


def lines(server: ServerProcess) -> list[dict[str, Any]]:
    return [json.loads(line) for line in server.log]


async def test_the_life_of_a_document_can_be_read(server: ServerProcess, tmp_path: Path) -> None:
    url = server.url
    async with deadline():
        async with websockets.connect(f"{url}/ws/notes%2Fa?token={TOKEN}", proxy=None) as client:
            for number in range(3):
                update = text_update(TYPED, number + 1)
                await client.send(wire.encode_update(update))
                while wire.decode(await client.recv()) != [wire.Update(update)]:
                    pass
        async with websockets.connect(f"{url}/ws/notes%2Fa", proxy=None) as client:
            await client.send(wire.encode_update(b"\xff\xff"))
            # Until it is closed.
            async for _ in until_closed(client):
                pass
    server.wait_log(lambda entry: entry["event"] == "document unloaded")
    assert server.end() == 0

    said = lines(server)
    events = [entry["event"] for entry in said]
    assert events[0] == "started"
    assert events[-2:] == ["draining", "stopped"]

    def of(event: str) -> list[dict[str, Any]]:
        return [entry for entry in said if entry["event"] == event]

    (started,) = of("started")
    assert started["url"] == url
    assert started["settings"]["admin_token_file"] == str(tmp_path / "token")
    assert started["settings"]["checkpoint_rows"] == 1
    assert "room_grace_s" in started["settings"]
    assert "documents_max" not in started["settings"]
    assert started["version"]

    # The same ids in both lines of a connection.
    opened, closed = of("connection opened"), of("connection closed")
    ids = ("connection", "peer", "user", "session", "document")
    key = [[entry[name] for name in ids] for entry in opened]
    assert key == [[entry[name] for name in ids] for entry in closed]
    assert [each[4] for each in key] == ["notes/a", "notes/a"]
    assert len({each[0] for each in key}) == len({each[3] for each in key}) == 2
    assert [(entry["code"], entry["level"]) for entry in closed] == [
        (1001, "info"),
        (4422, "warning"),
    ]

    assert {entry["document"] for entry in of("document loaded")} == {"notes/a"}
    assert [entry["seq"] for entry in of("document unloaded")][-1] == 3
    made = of("checkpoint")
    assert made
    assert {(entry["document"], entry["reason"]) for entry in made} == {("notes/a", "rows")}
    assert all(entry["snapshot"] and entry["snapshot_bytes"] for entry in made)
    assert len({entry["snapshot"] for entry in made}) == len(made)

    everything = "\n".join(server.log)
    assert TYPED not in everything
    assert TOKEN not in everything


async def test_what_is_shown_to_who_watches_is_in_no_log(tmp_path: Path) -> None:
    """Users, addresses and names, each second: also with the most that can be logged."""
    with ServerProcess(tmp_path, "--log-level", "debug") as server:
        http = server.url.replace("ws://", "http://")
        async with (
            deadline(),
            websockets.connect(f"{server.url}/ws/notes", proxy=None) as client,
            httpx.AsyncClient(trust_env=False) as observer,
        ):
            await client.recv()
            address = f"{http}/debug/stream?document=notes"
            async with observer.stream("GET", address) as stream:
                shown = [line async for line in _until_data(stream)]
        assert '"connection_count":1' in shown[-1]
        assert server.end() == 0
    said = lines(server)
    assert shown[-1] not in "\n".join(str(entry) for entry in said)
    # A library that begins to say what it does is to be looked at, and perhaps silenced.
    known = {"relay", "yjs_store", "filelock"}
    assert {entry["logger"].partition(".")[0] for entry in said} <= known


async def _until_data(stream: httpx.Response) -> AsyncIterator[str]:
    async for line in stream.aiter_lines():
        yield line
        if line.startswith("data:"):
            return
