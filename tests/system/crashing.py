"""What kill -9 tests do and look at: edits that leave marks, and what must be there afterwards.

Used by test_kill_nine and by tools/crash_loop.
"""

import random
import sqlite3
from collections.abc import Iterable

from pycrdt import merge_updates

from yjs_store import open_store

from .peers import Document, Peer, array_of, covers, document_of, map_of, text_of
from .server import RunningServer
from .ywire import decode_state_vector


def edit_at_random(doc: Document, chance: random.Random, token: str) -> None:
    """Only delete, now and then; otherwise leave a token for good, and more that may go."""
    text = text_of(doc)
    if len(text) > 200 and chance.random() < 0.3:
        del text[chance.randrange(100) : chance.randrange(101, 200)]
        return
    array_of(doc).append(token)
    map_of(doc)[f"key {chance.randrange(20)}"] = token
    text.insert(chance.randrange(len(text) + 1), f"<{token}>")


def unconfirmed(peer: Peer) -> int:
    """How many of its own structs a client has no receipt for."""
    own = peer.doc.client_id
    made, back = (decode_state_vector(doc.get_state()) for doc in (peer.doc, peer.confirmed))
    return made.get(own, 0) - back.get(own, 0)


async def read_store(server: RunningServer, names: Iterable[str]) -> dict[str, Document]:
    """Open the store as it was left behind, and read these documents of it."""
    async with open_store(server.store_url) as store:
        documents = {name: document_of(await store.load(name)) for name in names}
    database = sqlite3.connect(server.store_path)
    try:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    finally:
        database.close()
    return documents


def check_nothing_is_missing(peers: list[Peer], stored: Document) -> None:
    """Compare what is stored of one document with what each of its clients was sent."""
    tokens = set(array_of(stored).to_py() or [])
    for peer in peers:
        missing = set(array_of(peer.confirmed).to_py() or []) - tokens
        assert not missing, f"{peer.document}: {len(missing)} seen, e.g. {sorted(missing)[:5]}"
    seen = merge_updates(*{update for peer in peers for update in peer.updates})
    is_complete = covers(stored, seen)
    assert is_complete, f"{peers[0].document}: structs or deletions that were seen"


def content_of(doc: Document) -> tuple[object, object, str]:
    return array_of(doc).to_py(), map_of(doc).to_py(), str(text_of(doc))
