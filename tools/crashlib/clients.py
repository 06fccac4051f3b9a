"""Clients that outlive the server: they come back with all they have, and go on."""

import asyncio
import random
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

from pycrdt import merge_updates
from system.crashing import edit_at_random, unconfirmed
from system.peers import (
    Document,
    Peer,
    Replicas,
    document_of,
    is_missing_something,
    new_replicas,
    text_of,
)
from websockets.exceptions import ConnectionClosed

# How far ahead of its receipts a writer types.
UNCONFIRMED_MAX: Final = 100
# A paste of the first goes round the journal; the second is a row like any other.
PASTE_BYTES: Final = (1_700_000, 2_600_000)
LARGE_EDIT_BYTES: Final = 200_000
# A text beyond this is cut down, so that the documents stay what people have.
TEXT_BYTES_MAX: Final = 6_000_000
PASTE_SHARE: Final = 0.004
LARGE_EDIT_SHARE: Final = 0.005
KEYSTROKE_SHARE: Final = 0.6


@dataclass(slots=True)
class Client:
    """One client of one document, over all its connections."""

    document: str
    replicas: Replicas
    chance: random.Random
    pastes_at_all: bool
    made: list[bytes] = field(default_factory=list)
    received: list[bytes] = field(default_factory=list)
    pastes: int = 0

    @property
    def doc(self) -> Document:
        """What it edits."""
        return self.replicas.doc

    @property
    def seen(self) -> bytes:
        """All that any server ever sent it: its receipts, and what others wrote."""
        return merge_updates(self.replicas.confirmed.get_update(), *self.received)

    async def write(self, peer: Peer, tag: str, pasting: Callable[[], None]) -> None:
        """Edit until the connection ends, not waiting for each echo, never far ahead of them."""
        number = 0
        with suppress(ConnectionClosed):
            while peer.closed is None:
                number += 1
                token = f"{tag}/{self.doc.client_id}/{number}"
                update = peer.change(lambda doc, token=token: self._edit(doc, token))
                # Noted first: what a dying server may have got need not be there, but may.
                self.made.append(update)
                await peer.send_update(update)
                if len(update) > PASTE_BYTES[0]:
                    self.pastes += 1
                    pasting()
                await asyncio.sleep(0)
                await peer.until(
                    lambda: peer.closed is not None or unconfirmed(peer) < UNCONFIRMED_MAX, "echoes"
                )

    def _edit(self, doc: Document, token: str) -> None:
        kind = self.chance.random()
        text = text_of(doc)
        length = len(text)
        if length > TEXT_BYTES_MAX:
            del text[100 : length - 1000]
        elif kind < PASTE_SHARE and self.pastes_at_all:
            size = self.chance.randrange(*PASTE_BYTES)
            text.insert(self.chance.randrange(length + 1), _filled(token, size))
        elif kind < PASTE_SHARE + LARGE_EDIT_SHARE and self.pastes_at_all:
            text.insert(self.chance.randrange(length + 1), _filled(token, LARGE_EDIT_BYTES))
        elif kind < KEYSTROKE_SHARE:
            text.insert(self.chance.randrange(length + 1), self.chance.choice("etaoin shrdlu"))
        else:
            edit_at_random(doc, self.chance, token)


def new_client(
    document: str, client_id: int, chance: random.Random, *, pastes_at_all: bool
) -> Client:
    """Return a client with an empty document."""
    replicas = new_replicas(client_id)
    return Client(document, replicas, random.Random(chance.random()), pastes_at_all)


def present(doc: Document, updates: Sequence[bytes]) -> list[bool]:
    """Say of each update whether all of it, its deletions included, is in the document.

    They are given oldest first and are of one client.
    """
    copy = document_of(doc.get_update())
    announced: list[bytes] = []
    watching = copy.observe(lambda event: announced.append(event.update))
    found = []
    for update in updates:
        announced.clear()
        # Looked at first: what is missing would become pending, and be in the copy then.
        is_there = not is_missing_something(copy, update)
        if is_there:
            copy.apply_update(update)
        found.append(is_there and not announced)
    copy.unobserve(watching)
    return found


def _filled(token: str, size: int) -> str:
    return (f"<{token}> " * (size // len(token) + 1))[:size]
