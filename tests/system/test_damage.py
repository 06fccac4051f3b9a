"""A document that was damaged while an editor has it open comes back whole, by salvage."""

import asyncio
import sqlite3
import sys

from .node import NodeProcess, step
from .server import RunningServer, environment
from .waiting import DEADLINE_S


async def run_command(server: RunningServer, *arguments: str) -> tuple[int, str]:
    """Run `yjs-relay` on the server's store; return its exit code and output."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "relay", *arguments, "--store", server.store_url),
        cwd=server.directory,
        env=environment(),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    async with asyncio.timeout(DEADLINE_S):
        output, _ = await process.communicate()
    assert process.returncode is not None
    return process.returncode, output.decode()


def break_second_row(server: RunningServer) -> None:
    with sqlite3.connect(server.store_path) as connection:
        row = "document_id = (SELECT id FROM documents WHERE name = 'notes') AND seq = 2"
        assert connection.execute(f"UPDATE journal SET data = x'00' WHERE {row}").rowcount == 1
    connection.close()


async def test_a_connected_editor_gives_back_what_was_lost(
    server: RunningServer, node: NodeProcess
) -> None:
    """Field note 11: first it is refused by name, and never an empty document."""
    ann = await node.join("ann", server.url, "notes")
    reader = await node.join("reader", server.url, "notes")
    other = await node.join("other", server.url, "other")
    text = ""
    for word in ("one ", "two ", "three"):
        await ann.edit(step("insert", "text", at=len(text), text=word))
        text += word
        await reader.wait(content={"text": text})
    await reader.close()
    await server.stop()
    break_second_row(server)

    code, output = await run_command(server, "check")
    assert code == 1
    assert "DAMAGED  notes  journal row 2" in output

    await server.start(port=server.port)
    await other.wait(synced=True, connected=True)
    bob = await node.open("bob", server.url, "notes")
    await bob.wait(lost=4502)
    status = await bob.status()
    assert not any(event.get("synced") for event in status["history"])
    await other.edit(step("insert", "text", at=0, text="works"))
    again = await node.join("again", server.url, "other")
    await again.wait(content={"text": "works"})
    await server.stop()

    code, output = await run_command(server, "salvage", "notes", "--apply")
    assert code == 0, output
    assert "journal row 2" in output
    await server.start(port=server.port)
    for editor in (ann, bob):
        await editor.wait(synced=True, connected=True)
    await bob.wait(equalTo=ann)
    assert (await bob.content())["text"] == text
    await server.stop()
    assert (await run_command(server, "check"))[0] == 0
