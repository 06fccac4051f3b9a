"""Real editing histories as Yjs updates, one for each transaction, in an order that happened."""

import gzip
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pycrdt

from benchlib.errors import RunFailed
from benchlib.history import ROOT, type_history

AUTOMERGE_PAPER: Final = "automerge-paper"
FRIENDSFOREVER: Final = "friendsforever"
_GENERATED_KEYSTROKES: Final = 100_000


@dataclass(frozen=True, slots=True)
class RealHistory:
    """What people typed, as their clients would have sent it."""

    name: str
    updates: list[bytes]


def read_history(directory: Path, name: str, seed: int) -> RealHistory:
    """Return a history of the data; a typed one where there is no such file.

    Raises:
        RunFailed: it does not come to the text that it should.
    """
    path = directory / f"{name}.json.gz"
    if not path.exists():
        typed = type_history(_GENERATED_KEYSTROKES, seed)
        return RealHistory(f"typed in place of {name}", typed.updates)
    with gzip.open(path, "rt", encoding="utf-8") as file:
        trace: dict[str, Any] = json.load(file)
    if not trace["endContent"].isascii():
        raise RunFailed(f"{path} has positions that pycrdt counts otherwise")
    updates = _replay_concurrent(trace) if trace.get("kind") == "concurrent" else _replay(trace)
    if _text_of(updates) != trace["endContent"]:
        raise RunFailed(f"{path} does not come to its text")
    return RealHistory(name, updates)


class _Writer:
    """One person's replica; ``made`` are its updates."""

    def __init__(self, client_id: int) -> None:
        self.doc: pycrdt.Doc[Any] = pycrdt.Doc(client_id=client_id)
        self.text = self.doc.get(ROOT, type=pycrdt.Text)
        self.made: list[bytes] = []
        self.seen = 0

    def write(self, patches: Iterable[tuple[int, int, str]]) -> bytes:
        """Make one transaction; return its update."""
        seen: list[bytes] = []
        subscription = self.doc.observe(lambda event: seen.append(event.update))
        with self.doc.transaction():
            for at, cut, new in patches:
                if cut:
                    del self.text[at : at + cut]
                if new:
                    self.text.insert(at, new)
        self.doc.unobserve(subscription)
        self.made.append(seen[0])
        return seen[0]


# As JavaScript clients choose them: five bytes as a varUint.
_CLIENT_IDS: Final = (2_718_281_828, 3_141_592_653)


def _replay(trace: dict[str, Any]) -> list[bytes]:
    writer = _Writer(_CLIENT_IDS[0])
    return [writer.write([patch]) for txn in trace["txns"] for patch in txn["patches"]]


def _replay_concurrent(trace: dict[str, Any]) -> list[bytes]:
    """Make each transaction on exactly what its author had seen, as its parents say."""
    writers = tuple(_Writer(client_id) for client_id in _CLIENT_IDS)
    # For each transaction, how many of each writer's are in its history, itself included.
    known: list[tuple[int, ...]] = []
    updates: list[bytes] = []
    for txn in trace["txns"]:
        who = txn["agent"]
        writer, other = writers[who], writers[1 - who]
        parents = [known[parent] for parent in txn["parents"]] or [(0, 0)]
        count = [max(of_parent[index] for of_parent in parents) for index in (0, 1)]
        for update in other.made[writer.seen : count[1 - who]]:
            writer.doc.apply_update(update)
        writer.seen = max(writer.seen, count[1 - who])
        updates.append(writer.write(txn["patches"]))
        count[who] = len(writer.made)
        known.append(tuple(count))
    return updates


def _text_of(updates: Sequence[bytes]) -> str:
    doc: pycrdt.Doc[Any] = pycrdt.Doc()
    for update in updates:
        doc.apply_update(update)
    return str(doc.get(ROOT, type=pycrdt.Text))
