"""A server whose store another process has taken says so, and makes room (P7, P8)."""

import asyncio

from .peers import Peer, Replicas
from .server import RunningServer
from .waiting import DEADLINE_S


async def test_a_server_that_can_never_write_again_ends(server: RunningServer) -> None:
    """Clients would load their documents from it again and again, while it says that it is ready.

    A lock file that is removed keeps nobody out; the epoch in the database does.
    """
    async with Peer.join(server.url, "notes") as ann:
        await ann.wait_confirmed(await ann.insert(0, "one "))
        server.store_path.with_name(server.store_path.name + ".lock").unlink()
        successor = RunningServer(server.directory)
        await successor.start()
        try:
            await ann.insert(0, "two ")
            async with asyncio.timeout(DEADLINE_S):
                assert await server.exit_code() == 1
            server.check_log()
            assert any("another process has taken over the store" in line for line in server.log)
            earlier = Replicas(ann.doc, ann.confirmed)
            async with Peer.join(successor.url, "notes", earlier=earlier) as back:
                await back.wait_text("two one ")
        finally:
            await successor.stop()
