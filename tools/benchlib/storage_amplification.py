"""Bytes written to disk for each byte accepted, and what the journal costs a cold load.

Two parts are measured: what rows of the journal write, and what one checkpoint writes. A policy
only says how many rows come to one checkpoint; so one pair of parts gives the amplification of
every policy. `session` checks that against a whole session under one of them.
"""

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from benchlib.amplification_policies import POLICIES, rows_until_due
from benchlib.big_documents import MIXED, make_document
from benchlib.engine import open_engine, put_document
from benchlib.history import type_history
from benchlib.markdown import format_markdown, size_text
from benchlib.process_accounts import written_bytes
from benchlib.storage_program import StorageSetup
from yjs_store import CheckpointPolicy, Document, crdt
from yjs_store.document import Submission
from yjs_store.policy import checkpoint_due
from yjs_store.records import JournalRow

_NAME: Final = "typed into"
# Any row at all makes a load build a Doc, which a folded document does without.
_FEW: Final = 5
_LOADS: Final = 3


@dataclass(frozen=True, slots=True)
class Typing:
    """How keystrokes arrive: so many that each commit carries that many of them."""

    name: str
    keystrokes_per_commit: int


LONE: Final = Typing("lone keystrokes", 1)
BURSTS: Final = Typing("bursts of 20", 20)


@dataclass(frozen=True, slots=True)
class Parts:
    """What was measured of one document and one way of typing."""

    document_bytes: int
    rows: int
    keystrokes: int
    accepted_bytes: int
    row_bytes: int
    journal_written: int
    checkpoint_written: int
    checkpoint_s: float
    load_folded_s: float
    load_few_s: float
    load_journal_s: float

    @property
    def row_load_s(self) -> float:
        """What one more row costs a cold load."""
        return max(0.0, self.load_journal_s - self.load_few_s) / (self.rows - _FEW)


async def measure(setup: StorageSetup, sizes: Sequence[int], rows: int) -> None:
    """Print the parts, then each policy for each document and way of typing."""
    parts: list[tuple[str, Parts]] = []
    for size in sizes:
        for typing in (LONE, BURSTS):
            with setup.run_directory() as directory:
                found = await _measure_parts(setup, directory / "store.db", size, typing, rows)
            setup.report.note("parts", {"typing": typing.name, **asdict(found)})
            parts.append((f"{size_text(size)}, {typing.name}", found))
    setup.report.say(format_markdown(["parts", *_PART_HEADS], [_part_row(*one) for one in parts]))
    setup.report.say()
    table = []
    for label, one in parts:
        for policy_name, policy in POLICIES.items():
            table.append([f"{label}: {policy_name}", *_policy_cells(setup, label, policy, one)])
    setup.report.say(format_markdown(["document: policy", *_POLICY_HEADS], table))


_PART_HEADS: Final = (
    "accepted per row",
    "written per row",
    "a checkpoint writes",
    "and takes",
    "load, folded",
    "with a row",
    "each row adds",
)


def _part_row(label: str, parts: Parts) -> list[str]:
    return [
        label,
        f"{parts.accepted_bytes / parts.rows:,.0f} B",
        f"{parts.journal_written / parts.rows:,.0f} B",
        size_text(parts.checkpoint_written),
        f"{parts.checkpoint_s * 1e3:,.0f} ms",
        f"{parts.load_folded_s * 1e3:,.1f} ms",
        f"{parts.load_few_s * 1e3:,.1f} ms",
        f"{parts.row_load_s * 1e6:,.1f} us",
    ]


_POLICY_HEADS: Final = ("rows to a checkpoint", "journal", "checkpoints", "in all", "longest load")


def _policy_cells(
    setup: StorageSetup, label: str, policy: CheckpointPolicy | int, parts: Parts
) -> list[str]:
    due = rows_until_due(policy, parts.document_bytes, parts.row_bytes / parts.rows)
    journal = parts.journal_written / parts.accepted_bytes
    checkpoints = parts.checkpoint_written / (due * parts.accepted_bytes / parts.rows)
    load_s = parts.load_few_s + due * parts.row_load_s
    facts = {"rows": due, "journal": journal, "checkpoints": checkpoints, "load_s": load_s}
    setup.report.note("policy", {"document": label, "policy": str(policy), **facts})
    return [
        f"{due:,}",
        f"{journal:,.0f}x",
        f"{checkpoints:,.1f}x",
        f"{journal + checkpoints:,.0f}x",
        f"{load_s * 1e3:,.0f} ms",
    ]


async def _measure_parts(
    setup: StorageSetup, path: Path, size: int, typing: Typing, rows: int
) -> Parts:
    """Type, load, checkpoint, load; the store is closed between, so that its WAL is counted."""
    updates = type_history(rows * typing.keystrokes_per_commit, setup.seed).updates
    async with open_engine(path) as engine:
        await put_document(engine, _NAME, make_document(MIXED, size, setup.seed))
    written = written_bytes()
    few = _FEW * typing.keystrokes_per_commit
    async with open_engine(path) as engine, engine.store.document(_NAME) as document:
        await _type(document, updates[:few], typing.keystrokes_per_commit)
    load_few_s = await _cold_load(path)
    async with open_engine(path) as engine, engine.store.document(_NAME) as document:
        await _type(document, updates[few:], typing.keystrokes_per_commit)
        head = document.head
    journal_written = written_bytes() - written
    load_journal_s = await _cold_load(path)
    written = written_bytes()
    async with open_engine(path) as engine:
        began = time.perf_counter()
        await engine.store.checkpoint(_NAME)
        checkpoint_s = time.perf_counter() - began
        await engine.trim()
    return Parts(
        document_bytes=head.snapshot_bytes,
        rows=head.journal_rows,
        keystrokes=len(updates),
        accepted_bytes=sum(map(len, updates)),
        row_bytes=head.journal_bytes,
        journal_written=journal_written,
        checkpoint_written=written_bytes() - written,
        checkpoint_s=checkpoint_s,
        load_folded_s=await _cold_load(path),
        load_few_s=load_few_s,
        load_journal_s=load_journal_s,
    )


class _Quiet:
    """A sender and listener that hears nothing."""

    def stored(self, update: bytes, receipt: object, *, news: bool) -> None:
        """Nobody waits for it."""

    def refused(self, update: bytes, error: Exception) -> None:
        """A keystroke that is refused ends the measurement."""
        raise error

    def committed(self, row: JournalRow, stored: Sequence[Submission]) -> None:
        """Nobody follows."""


async def _type(document: Document, updates: Sequence[bytes], per_commit: int) -> None:
    """Hand in so many at once, and wait until they are durable, as one row."""
    sender = _Quiet()
    for start in range(0, len(updates), per_commit):
        for update in updates[start : start + per_commit]:
            document.submit(update, sender)
        await document.wait_settled()


async def _cold_load(path: Path) -> float:
    """Return the seconds to SyncStep2 in a store that was just opened, the best of a few.

    Whatever else runs on the machine only slows it.
    """
    durations_s = []
    for _ in range(_LOADS):
        async with open_engine(path) as engine:
            began = time.perf_counter()
            async with engine.store.document(_NAME) as document:
                document.diff(crdt.EMPTY_STATE_VECTOR)
            durations_s.append(time.perf_counter() - began)
    return min(durations_s)


async def session(setup: StorageSetup, size: int, checkpoints: int) -> None:
    """Type lone keystrokes under the present policy until it has made so many checkpoints."""
    policy = CheckpointPolicy()
    accepted = made = rows = 0
    with setup.run_directory() as directory:
        path = directory / "store.db"
        async with open_engine(path) as engine:
            await put_document(engine, _NAME, make_document(MIXED, size, setup.seed))
        keystrokes = iter(type_history(400_000, setup.seed).updates)
        before = written_bytes()
        async with open_engine(path) as engine, engine.store.document(_NAME) as document:
            while made < checkpoints:
                update = next(keystrokes)
                await document.append(update)
                accepted += len(update)
                rows += 1
                if checkpoint_due(document.head, policy) is not None:
                    await engine.store.checkpoint(_NAME)
                    await engine.trim()
                    made += 1
        times = (written_bytes() - before) / accepted
    facts = {"size": size, "rows": rows, "checkpoints": made, "amplification": times}
    setup.report.note("session", facts)
    setup.report.say(
        f"a session of {rows:,} lone keystrokes into {size_text(size)}: {made} checkpoints,"
        f" {times:,.0f} bytes written for each accepted"
    )
