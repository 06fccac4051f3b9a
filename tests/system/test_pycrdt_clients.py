"""pycrdt's own provider over websockets does what the stock clients do."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Self

from pycrdt import Array, Doc, Map, Provider, Text, XmlElement, XmlFragment, XmlText
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from .peers import Document, array_of, map_of, text_of
from .server import RunningServer
from .waiting import DEADLINE_S, Changes


class Channel:
    """A websocket as pycrdt's provider wants it."""

    def __init__(self, socket: ClientConnection, path: str) -> None:
        self._socket = socket
        self.path = path

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        try:
            return await self.recv()
        except ConnectionClosed:
            raise StopAsyncIteration from None

    async def send(self, message: bytes) -> None:
        await self._socket.send(message)

    async def recv(self) -> bytes:
        message = await self._socket.recv()
        assert isinstance(message, bytes)
        return message


class PycrdtClient:
    """A document, and a provider for it while it is online."""

    def __init__(self, server: RunningServer, document: str) -> None:
        self.doc: Document = Doc()
        self._url = f"{server.url}/ws/{document}"
        self._changes = Changes()
        self._watching = self.doc.observe(lambda _event: self._changes.announce())

    @asynccontextmanager
    async def online(self) -> AsyncIterator[None]:
        async with (
            connect(self._url, proxy=None) as socket,
            Provider(self.doc, Channel(socket, self._url)) as provider,
        ):
            async with asyncio.timeout(DEADLINE_S):
                await provider.synced.wait()
            yield

    async def wait(self, **content: Any) -> None:
        await self._changes.until(
            lambda: content.items() <= self.content().items(),
            f"the content is {content}",
            now=lambda: str(self.content()),
        )

    def content(self) -> dict[str, Any]:
        return {
            "text": str(text_of(self.doc)),
            "map": map_of(self.doc).to_py(),
            "array": array_of(self.doc).to_py(),
            "xml": str(xml_of(self.doc)),
        }


def xml_of(doc: Document) -> XmlFragment:
    return doc.get("xml", type=XmlFragment)


async def test_two_pycrdt_clients_editing_at_once_end_equal(server: RunningServer) -> None:
    ann, bob = PycrdtClient(server, "pycrdt"), PycrdtClient(server, "pycrdt")
    async with ann.online(), bob.online():
        for i in range(20):
            text_of(ann.doc).insert(0, f"a{i};")
            text_of(bob.doc).insert(0, f"b{i};")
            map_of(ann.doc)[f"ann-{i}"] = float(i)
            map_of(bob.doc)[f"bob-{i}"] = Array([Text("nested"), Map({"n": None})])
            array_of(ann.doc).append(f"ann-{i}")
            await asyncio.sleep(0)
        xml_of(ann.doc).children.append(XmlElement("p", {"id": "one"}, [XmlText("Plan")]))
        await bob.wait(xml='<p id="one">Plan</p>', array=[f"ann-{i}" for i in range(20)])
        done = array_of(bob.doc)
        done.append("done")
        await ann.wait(array=[*(f"ann-{i}" for i in range(20)), "done"])
        del map_of(ann.doc)["bob-3"]
        await bob.wait(**ann.content())
        await ann.wait(**bob.content())
    content = ann.content()
    assert sorted(content["text"].split(";")[:-1]) == sorted(
        f"{who}{i}" for who in "ab" for i in range(20)
    )
    nested = ["nested", {"n": None}]
    assert content["map"] == {f"ann-{i}": i for i in range(20)} | {
        f"bob-{i}": nested for i in range(20) if i != 3
    }


async def test_pycrdt_clients_meet_again_after_editing_offline(server: RunningServer) -> None:
    ann, bob = PycrdtClient(server, "offline"), PycrdtClient(server, "offline")
    async with ann.online(), bob.online():
        text_of(ann.doc).insert(0, "shared.")
        await bob.wait(text="shared.")
    text_of(ann.doc).insert(7, " Ann was away.")
    del text_of(bob.doc)[0:1]
    map_of(bob.doc)["bob"] = True
    async with ann.online(), bob.online():
        await ann.wait(text="hared. Ann was away.", map={"bob": True})
        await bob.wait(text="hared. Ann was away.", map={"bob": True})


async def test_pycrdt_client_reads_what_it_wrote_after_a_restart(server: RunningServer) -> None:
    ann = PycrdtClient(server, "restart")
    bob = PycrdtClient(server, "restart")
    async with ann.online(), bob.online():
        text_of(ann.doc).insert(0, "kept")
        await bob.wait(text="kept")
    await server.restart()
    late = PycrdtClient(server, "restart")
    async with late.online():
        await late.wait(text="kept")
