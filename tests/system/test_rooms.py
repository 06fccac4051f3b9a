"""What the clients of one document see of the server and of each other, frame by frame."""

import asyncio
from contextlib import AsyncExitStack

from yjs_store import open_store

from .conftest import StartServer
from .peers import Peer, document_of, text_of
from .server import RunningServer
from .ywire import (
    AWARENESS,
    EMPTY_STEP2,
    STEP1,
    STEP2,
    SYNC,
    UPDATE,
    AwarenessEntry,
    awareness_message,
    decode_awareness,
    decode_frame,
    query_awareness,
    step1,
    update_message,
)

SECOND = 1.0


async def test_every_message_of_a_frame_is_read_and_answered_in_frames_of_one(
    server: RunningServer,
) -> None:
    async with Peer.open(server.url, "many-in-one") as peer:
        update = peer.change(lambda doc: text_of(doc).insert(0, "x"))
        mine = AwarenessEntry(peer.doc.client_id, 1, '{"a":1}')
        await peer.send(
            awareness_message([mine]) + step1() + update_message(update) + query_awareness()
        )
        await peer.until(lambda: peer.is_synced, "SyncStep2 for the frame's SyncStep1")
        await peer.wait_confirmed(update)
        await peer.until(
            lambda: any(
                m.kind == AWARENESS and decode_awareness(m.payload) == [mine] for m in peer.messages
            ),
            "all states for the frame's QueryAwareness",
        )


async def test_an_empty_document_is_answered_with_an_empty_step2(server: RunningServer) -> None:
    async with Peer.join(server.url, "empty") as peer:
        sync = [m for m in peer.messages if m.kind == SYNC]
        assert [m.step for m in sync] == [STEP1, STEP2]
        assert sync[1] == decode_frame(EMPTY_STEP2)


async def test_an_update_comes_back_to_its_sender_and_reaches_the_others(
    server: RunningServer,
) -> None:
    async with Peer.join(server.url, "echo") as ann, Peer.join(server.url, "echo") as bob:
        update = await ann.insert(0, "seen by both")
        for peer in (ann, bob):
            await peer.wait_confirmed(update)
            assert [m.payload for m in peer.messages if m.step == UPDATE] == [update]
            assert peer.text == "seen by both"


async def test_documents_do_not_hear_each_other(server: RunningServer) -> None:
    async with Peer.join(server.url, "one") as one, Peer.join(server.url, "two") as two:
        await one.announce(AwarenessEntry(one.doc.client_id, 1, '{"in":"one"}'))
        await one.wait_confirmed(await one.insert(0, "one"))
        await two.wait_confirmed(await two.insert(0, "two"))
        assert (one.text, two.text) == ("one", "two")
        assert two.awareness == {}


async def test_document_names_with_slashes_and_escapes_are_one_name(server: RunningServer) -> None:
    name = "team/ünï côde/..%2Fplan?"
    paths = [
        "/ws/team/%C3%BCn%C3%AF%20c%C3%B4de/..%252Fplan%3F",
        "/team%2F%C3%BCn%C3%AF%20c%C3%B4de%2F..%252Fplan%3f?token=ignored",
    ]
    async with (
        Peer.join(server.url, "", path=paths[0]) as ann,
        Peer.join(server.url, "", path=paths[1]) as bob,
    ):
        update = await ann.insert(0, "one document")
        await bob.wait_confirmed(update)
    await server.stop()
    async with open_store(server.store_url) as store:
        assert await store.load(name) == update


async def test_a_client_takes_all_of_its_awareness_with_it_and_no_other(
    server: RunningServer,
) -> None:
    """Field note 21: not everybody's states, and not only the first of its own."""
    async with Peer.join(server.url, "ghosts") as stays, Peer.join(server.url, "ghosts") as watches:
        await stays.announce(AwarenessEntry(1, 5, '"stays"'))
        async with Peer.join(server.url, "ghosts") as leaves:
            await leaves.announce(*(AwarenessEntry(i, i, f'"leaves {i}"') for i in (10, 11)))
            await leaves.announce(AwarenessEntry(12, 12, '"leaves 12"'))
            await watches.until(lambda: len(watches.present()) == 4, "four are there")
        await watches.until(
            lambda: watches.present() == {1: '"stays"'}, "one is there", within_s=SECOND
        )
        async with Peer.join(server.url, "ghosts") as late:
            await late.send(query_awareness())
            await late.until(lambda: late.present() == {1: '"stays"'}, "the late one sees one")


async def test_a_removed_state_does_not_come_back_with_an_old_clock(server: RunningServer) -> None:
    """Field note 21: the clock outlives the state, or a late frame leaves a ghost cursor."""
    async with Peer.join(server.url, "late-state") as watches:
        async with Peer.join(server.url, "late-state") as leaves:
            await leaves.announce(AwarenessEntry(7, 3, '"here"'))
            await watches.until(lambda: watches.present() == {7: '"here"'}, "it is there")
        await watches.until(lambda: watches.present() == {}, "it is gone", within_s=SECOND)
        async with Peer.join(server.url, "late-state") as repeats:
            await repeats.announce(AwarenessEntry(7, 2, '"stale"'), AwarenessEntry(8, 1, '"new"'))
            await watches.until(lambda: 8 in watches.present(), "the new one is there")
            assert watches.present() == {8: '"new"'}


async def test_no_client_of_a_cold_document_sees_it_empty(server: RunningServer) -> None:
    """Field note 29: however many ask at once, nothing is answered before the load is done."""
    async with Peer.join(server.url, "cold") as writer:
        for i in range(300):
            await writer.insert(0, f"{i:03} " * 50)
        await writer.until(lambda: writer.text_length == 300 * 200, "all of it is confirmed")
        text = writer.text
    await server.restart()
    async with AsyncExitStack() as stack:
        peers = await asyncio.gather(
            *(stack.enter_async_context(Peer.join(server.url, "cold")) for _ in range(30))
        )
        for peer in peers:
            # The first SyncStep2 is all that it was sent so far.
            assert len(peer.updates) == 1
            assert peer.text == text


async def test_fifty_documents_opened_at_once_on_an_empty_database_are_all_kept(
    server: RunningServer,
) -> None:
    """Field note 31: they race in creating the schema, and later "database is locked"."""

    async def write(i: int) -> None:
        async with Peer.join(server.url, f"doc-{i}") as peer:
            await peer.wait_confirmed(await peer.insert(0, f"text of {i}"))

    await asyncio.gather(*(write(i) for i in range(50)))
    await server.stop()
    assert not [line for line in server.log if "locked" in line]
    async with open_store(server.store_url) as store:
        for i in range(50):
            doc = document_of(await store.load(f"doc-{i}"))
            assert str(text_of(doc)) == f"text of {i}"


async def test_who_joins_in_the_middle_of_a_burst_misses_nothing(server: RunningServer) -> None:
    async with AsyncExitStack() as stack:
        writer = await stack.enter_async_context(Peer.join(server.url, "burst"))
        readers: list[Peer] = []
        for i in range(400):
            await writer.insert(i, "abcdefgh"[i % 8])
            if i % 20 == 0:
                readers.append(await stack.enter_async_context(Peer.join(server.url, "burst")))
        for peer in (writer, *readers):
            await peer.wait_text("abcdefgh" * 50)


async def test_a_reader_that_stops_reading_ends_with_everything(server: RunningServer) -> None:
    """Field note 20: it delays nobody, and what it did not take in time is not lost to it."""
    async with (
        Peer.join(server.url, "slow") as writer,
        Peer.join(server.url, "slow") as quick,
        Peer.join(server.url, "slow") as slow,
    ):
        slow.pause_reading()
        for i in range(3000):
            await writer.insert(0, f"{i:04}" * 1000)
        size = 3000 * 4000
        await asyncio.gather(
            *(p.until(lambda p=p: p.text_length == size, "all of it") for p in (writer, quick))
        )
        assert slow.text_length < size
        slow.resume_reading()
        await slow.until(lambda: slow.text_length == size, "all of it, late")
        assert slow.text == quick.text == writer.text


async def test_leaving_right_after_the_last_update_loses_nothing(start_server: StartServer) -> None:
    """A room that is empty goes, but not with what is still on its way to the store."""
    server = await start_server("--room-grace-s", "0")
    for i in range(30):
        async with Peer.join(server.url, "leaving") as peer:
            assert peer.text == "".join(f"{n} " for n in range(i))
            await peer.insert(len(peer.text), f"{i} ")
