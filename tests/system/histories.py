"""Typing histories as Yjs updates: real ones where the data is at hand, a generated one elsewhere.

The real ones stand beside the checkout and are no part of it. Their positions count Unicode
characters and pycrdt's count bytes; both histories are ASCII, which is checked.
"""

import gzip
import json
import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pycrdt import Doc, Text

from .ywire import decode_state_vector

DATA_DIRECTORY = Path(__file__).resolve().parents[3] / "shared" / "data"
ONE_WRITER_FILE = DATA_DIRECTORY / "automerge-paper.json.gz"
TWO_WRITERS_FILE = DATA_DIRECTORY / "friendsforever.json.gz"
GENERATED_SEED = 20240229
GENERATED_KEYSTROKES = 30_000
GENERATED_TURNS = 600

Patch = tuple[int, int, str]


@dataclass(frozen=True, slots=True)
class Writing:
    """One writer's share of a history: its updates, a transaction each, in order.

    Before update i it had seen the other writer's structs up to clock `needs[i]`.
    """

    client_id: int
    updates: tuple[bytes, ...]
    needs: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class History:
    """Who wrote what, and the text that must come of it."""

    name: str
    writings: tuple[Writing, ...]
    end_content: str


def one_writer_patches() -> tuple[str, Sequence[Patch], str]:
    """One person's keystrokes: where they come from, the patches, and the text they end as."""
    if not ONE_WRITER_FILE.exists():
        return f"generated, seed {GENERATED_SEED}", *generate_typing(GENERATED_KEYSTROKES)
    trace = read_trace(ONE_WRITER_FILE)
    patches = [(at, cut, new) for txn in trace["txns"] for at, cut, new in txn["patches"]]
    return ONE_WRITER_FILE.name, patches, trace["endContent"]


def one_writer_history() -> History:
    name, patches, end_content = one_writer_patches()
    replica = Replica(client_id=1)
    for patch in patches:
        replica.write([patch])
    assert str(replica.text) == end_content, f"{name} does not replay"
    return History(name, (replica.writing(),), end_content)


def two_writers_history() -> History:
    """Two people's transactions; each was made on exactly what its author had seen by then."""
    replicas = (Replica(client_id=1), Replica(client_id=2))
    if TWO_WRITERS_FILE.exists():
        name = TWO_WRITERS_FILE.name
        end_content = replay_conversation(read_trace(TWO_WRITERS_FILE), replicas)
    else:
        name = f"generated, seed {GENERATED_SEED}"
        end_content = generate_conversation(replicas)
    return History(name, tuple(replica.writing() for replica in replicas), end_content)


def read_trace(path: Path) -> dict[str, Any]:
    with gzip.open(path, "rt", encoding="utf-8") as file:
        trace: dict[str, Any] = json.load(file)
    assert trace["endContent"].isascii(), "positions would count something else than pycrdt's"
    return trace


class Replica:
    """One writer's document, and the updates made on it."""

    def __init__(self, client_id: int) -> None:
        self.doc: Doc[Text] = Doc(client_id=client_id)
        self.text = self.doc.get("text", type=Text)
        self.made: list[bytes] = []
        self.seen = 0
        self.clock = 0
        self._needs: list[int] = []
        self._other_clock = 0
        self._event: bytes | None = None
        self._watching = self.doc.observe(self._keep)

    def write(self, patches: Sequence[Patch]) -> None:
        """Make one transaction, which is one update."""
        self._event = None
        with self.doc.transaction():
            for at, cut, new in patches:
                if cut:
                    del self.text[at : at + cut]
                if new:
                    self.text.insert(at, new)
                    self.clock += len(new)
        assert self._event is not None, "a transaction that changes nothing"
        self.made.append(self._event)
        self._needs.append(self._other_clock)

    def see(self, other: "Replica", count: int) -> None:
        """Take in the other's first `count` updates, as far as they are new here."""
        if count <= self.seen:
            return
        for update in other.made[self.seen : count]:
            self.doc.apply_update(update)
        self.seen = count
        self._other_clock = decode_state_vector(self.doc.get_state()).get(other.doc.client_id, 0)

    def writing(self) -> Writing:
        return Writing(self.doc.client_id, tuple(self.made), tuple(self._needs))

    def _keep(self, event: Any) -> None:
        self._event = event.update


def replay_conversation(trace: dict[str, Any], replicas: tuple[Replica, Replica]) -> str:
    """Make every transaction on exactly its causal history, as its parents give it."""
    # For each transaction, how many of each writer's are in its history, itself included.
    histories: list[tuple[int, int]] = []
    for txn in trace["txns"]:
        writer = txn["agent"]
        replica, other = replicas[writer], replicas[1 - writer]
        known = [histories[parent] for parent in txn["parents"]] or [(0, 0)]
        count = [max(one[who] for one in known) for who in (0, 1)]
        assert count[writer] == len(replica.made), "a writer that forgot its own text"
        assert count[1 - writer] >= replica.seen, "a writer that forgot the other's text"
        replica.see(other, count[1 - writer])
        replica.write([(at, cut, new) for at, cut, new in txn["patches"]])
        count[writer] += 1
        histories.append((count[0], count[1]))
    end_content: str = trace["endContent"]
    assert text_of_both(replicas) == end_content, "the history does not replay"
    return end_content


def generate_typing(keystrokes: int) -> tuple[Sequence[Patch], str]:
    """What one person types: mostly onwards, with corrections and jumps; the same every time."""
    chance = random.Random(GENERATED_SEED)
    text = ""
    cursor = 0
    patches: list[Patch] = []
    while len(patches) < keystrokes:
        if chance.random() < 0.02:
            cursor = chance.randrange(len(text) + 1)
        if cursor > 0 and chance.random() < 0.12:
            cursor -= 1
            patches.append((cursor, 1, ""))
            text = text[:cursor] + text[cursor + 1 :]
        else:
            letter = chance.choice("etaoin shrdlu\n")
            patches.append((cursor, 0, letter))
            text = text[:cursor] + letter + text[cursor:]
            cursor += 1
    return patches, text


def generate_conversation(replicas: tuple[Replica, Replica]) -> str:
    """Two people who write at once, and now and then see what the other wrote."""
    chance = random.Random(GENERATED_SEED)
    for turn in range(GENERATED_TURNS):
        replica, other = replicas[turn % 2], replicas[1 - turn % 2]
        if chance.random() < 0.3:
            replica.see(other, len(other.made))
        at = chance.randrange(len(str(replica.text)) + 1)
        for letter in chance.choices("etaoin ", k=chance.randrange(1, 30)):
            replica.write([(at, 0, letter)])
            at += 1
    return text_of_both(replicas)


def text_of_both(replicas: tuple[Replica, Replica]) -> str:
    """The text that a third replica makes of everything both wrote."""
    doc: Doc[Text] = Doc()
    for replica in replicas:
        for update in replica.made:
            doc.apply_update(update)
    return str(doc.get("text", type=Text))
