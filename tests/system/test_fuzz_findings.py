"""What the fuzzer has found is refused, and nobody but its sender notices; each case kept."""

import pytest

from relay.limits import AWARENESS_CLIENTS_PER_CONNECTION_MAX

from .fuzz_findings import (
    DELETES_IN_DISORDER,
    HALF_OF_A_CHARACTER,
    REFUSED,
    children_of,
)
from .node import NodeProcess, step
from .peers import Peer
from .server import RunningServer
from .ywire import AwarenessEntry

UPDATE_REFUSED = 4422


@pytest.mark.parametrize("name", REFUSED)
async def test_a_kept_case_hurts_only_its_sender(
    name: str, node: NodeProcess, server: RunningServer
) -> None:
    """P5. The stock client would complain, and the fixture fails when it does."""
    found = REFUSED[name]
    stock = await node.join("ann", server.url, "kept")
    async with Peer.join(server.url, "kept") as bystander:
        await bystander.insert(0, "before")
        async with Peer.join(server.url, "kept") as sender:
            for update in found.accepted:
                await sender.send_update(update)
                await sender.wait_confirmed(update)
            for update in found.refused:
                await sender.send_update(update)
            code, _ = await sender.wait_closed()
            assert code == UPDATE_REFUSED
        await bystander.wait_confirmed(await bystander.insert(0, "after "))
        await bystander.wait_text("after before")
        await stock.wait(content={"text": "after before"})
        assert bystander.closed is None
    await server.restart()
    async with Peer.join(server.url, "kept") as later:
        assert later.text == "after before"


async def test_half_of_a_character_that_is_deleted_changes_nothing_else(
    node: NodeProcess, server: RunningServer
) -> None:
    """P3. yrs loses the other half when it encodes, and shifts all that its author wrote later."""
    emojis, half, later = HALF_OF_A_CHARACTER
    async with Peer.join(server.url, "half") as writer:
        for update in (emojis, half, later):
            await writer.send_update(update)
        await writer.until(lambda: b"later" in b"".join(writer.updates), "what came last")
        live = await node.summarize(*writer.updates)
    for _ in range(2):
        async with Peer.join(server.url, "half") as joiner:
            joined = await node.summarize(*joiner.updates)
        assert joined["stateVector"] == live["stateVector"]
        assert _whole(joined["text"]) == _whole(live["text"]) == "😀😀later"
        await server.restart()


async def test_who_refers_to_what_is_not_written_yet_does_not_make_its_writer_be_refused(
    node: NodeProcess, server: RunningServer
) -> None:
    """P5. What waited for the honest client's text found it to be no type, and it was blamed.

    All who look on are stock clients: yrs itself raises when the text comes, in pycrdt clients too.
    """
    ann, bob = (
        await node.join("ann", server.url, "blamed"),
        await node.join("bob", server.url, "blamed"),
    )
    await ann.edit(step("insert", "text", at=0, text="ab"))
    await bob.wait(content={"text": "ab"})
    async with Peer.open(server.url, "blamed") as sender:
        for update in children_of((await ann.status())["clientId"]):
            await sender.send_update(update)
        await ann.edit(step("insert", "text", at=2, text="cdefgh"))
        await bob.wait(content={"text": "abcdefgh"})
    await bob.edit(step("insert", "text", at=0, text="more "))
    await ann.wait(content={"text": "more abcdefgh"})
    for stock in (ann, bob):
        events = (await stock.status())["history"]
        assert [each for each in events if each["event"] == "connection-close"] == []
    await server.restart()
    async with Peer.join(server.url, "blamed") as later:
        assert later.text == "more abcdefgh"


async def test_states_that_a_stock_client_repeats_after_others_do_not_close_it(
    node: NodeProcess, server: RunningServer
) -> None:
    """P5. y-websocket announces every state that it hears of: a crowd passed a bound through it."""
    stock = await node.join("ann", server.url, "crowd")
    async with Peer.join(server.url, "crowd") as sender:
        count = AWARENESS_CLIENTS_PER_CONNECTION_MAX
        await sender.announce(*(AwarenessEntry(1_000 + n, 1, "{}") for n in range(count)))
        # Repeated by the stock client before its edit, so looked at before the edit is.
        await stock.wait(sees=[1_000])
        await stock.edit(step("insert", "text", at=0, text="still here"))
        async with Peer.join(server.url, "crowd") as bystander:
            await bystander.wait_text("still here")
    assert [e for e in (await stock.status())["history"] if e["event"] == "connection-close"] == []


@pytest.mark.parametrize("clock", [2**53 - 1, 2**31 - 1, 1_000_000])
async def test_a_clock_that_others_announce_for_a_stock_client_does_not_take_it_away(
    node: NodeProcess, server: RunningServer, clock: int
) -> None:
    """P5. y-protocols takes it over: its next own one was refused, and the client closed for good.

    The attacker shows the client as its own first, which is allowed, and then goes on.
    """
    stock = await node.join("ann", server.url, "pushed")
    async with Peer.join(server.url, "pushed") as attacker:
        await attacker.until(lambda: stock.client_id in attacker.present(), "ann is there")
        stolen = attacker.awareness[stock.client_id].clock + 1
        for pushed, state in (
            (clock, "{}"),
            (stolen, '{"mine":1}'),
            (clock, "{}"),
            (clock, "null"),
        ):
            await attacker.announce(AwarenessEntry(stock.client_id, pushed, state))
        await stock.wait(state={"clientId": stock.client_id, "equals": {"mine": 1}})
        async with Peer.join(server.url, "pushed") as bystander:
            for name in ("first", "second"):
                await stock.announce({"name": name})
                shown = f'{{"name":"{name}"}}'
                await bystander.until(
                    lambda shown=shown: bystander.present().get(stock.client_id) == shown,
                    "ann is shown",
                )
            assert bystander.awareness[stock.client_id].clock < stolen + 10
    assert [e for e in (await stock.status())["history"] if e["event"] == "connection-close"] == []


async def test_deletes_in_disorder_reach_only_what_their_author_wrote(
    node: NodeProcess, server: RunningServer
) -> None:
    """Yjs keeps deletes that wait by their differences, which must not be negative: what waits in
    disorder deletes something else there. That is only of the clocks of the same author; everybody
    else's text stays, and whoever comes later gets them in order and agrees with the server.

    They are not refused: `merge_updates` writes such, so honest pycrdt clients send them.
    """
    ranges, text = DELETES_IN_DISORDER
    stock = await node.join("ann", server.url, "disorder")
    async with Peer.join(server.url, "disorder") as bystander:
        for update in (ranges, text):
            async with Peer.join(server.url, "disorder") as sender:
                await sender.send_update(update)
                await sender.insert(0, "|")
                await sender.until(lambda s=sender: s.closed or len(s.text) > 0, "an answer")
        await stock.edit(step("insert", "text", at=0, text="begin "))
        await bystander.until(lambda: "begin " in bystander.text, "the beginning")
        await bystander.insert(0, "end ")
        await bystander.until(lambda: "end " in bystander.text, "the end")
        later = await node.join("bob", server.url, "disorder")
        await later.wait(content={"text": bystander.text})
        whole = (await node.summarize(*bystander.updates))["text"]
        assert all(own in whole for own in ("begin ", "end "))
    for one in (stock, later):
        events = (await one.status())["history"]
        assert [each for each in events if each["event"] == "connection-close"] == []


def _whole(text: str) -> str:
    return text.replace("\N{REPLACEMENT CHARACTER}", "")
