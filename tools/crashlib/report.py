"""Counts what the crash matrix did, and tells it as a page."""

import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import apsw
from store.crash_matrix.matrix import KINDS, Crash, Loss
from store.crash_matrix.recording import Point


@dataclass(slots=True)
class Tally:
    """What was done, by kind of work."""

    torn: int
    recoveries: int
    points: Counter[str] = field(default_factory=Counter)
    states: Counter[str] = field(default_factory=Counter)
    different: Counter[str] = field(default_factory=Counter)
    losses: Counter[str] = field(default_factory=Counter)
    _seen: set[bytes] = field(default_factory=set)

    @property
    def lost(self) -> int:
        """How many of the crashes lost something."""
        return self.losses.total()

    def add_points(self, points: Sequence[Point]) -> None:
        """Count the points of a recording."""
        self.points.update(point.kind for point in points)

    def new(self, crashes: Iterable[Crash]) -> Iterator[Crash]:
        """Count them all; give those that left something that was not there before."""
        for crash in crashes:
            self.states[crash.kind] += 1
            if crash.fingerprint not in self._seen:
                self._seen.add(crash.fingerprint)
                self.different[crash.kind] += 1
                yield crash

    def add_losses(self, losses: Sequence[Loss]) -> None:
        """Count what was lost."""
        self.losses.update(loss.kind for loss in losses)


def report_text(tally: Tally) -> str:
    """The page."""
    rows = [
        f"| {kind} | {tally.points[kind]:,} | {tally.states[kind]:,} |"
        f" {tally.different[kind]:,} | {tally.losses[kind] or 'nothing'} |"
        for kind in KINDS
    ]
    total = (
        f"| **together** | {tally.points.total():,} | {tally.states.total():,} |"
        f" {tally.different.total():,} | **{tally.lost or 'nothing'}** |"
    )
    return _PAGE.format(
        table="\n".join([*rows, total]),
        variants=2 + tally.torn,
        torn=tally.torn,
        recoveries=tally.recoveries,
        recorded_with=apsw.sqlite_lib_version(),
        opened_with=sqlite3.sqlite_version,
    )


_PAGE = """# The crash matrix

Written by `tools/crash_matrix`; `tests/store/test_crash_matrix.py` runs a sample of it with every
run of the tests.

| what was being done | points to crash at | states of the files | different ones, opened | lost |
| --- | ---: | ---: | ---: | --- |
{table}

## How it is made

Scripts do every kind of work on a store (`tests/store/crash_matrix/scripts.py`). Under SQLite lies
a VFS that notes every creation, write, truncation, sync and removal of the database, its WAL and
its rollback journal, in order (`tests/store/disk/vfs.py`); that nothing goes past it is checked
against the files at the end. A crash comes after every one of these operations, and at every
acknowledgement. Each is computed {variants} times (`tests/store/disk/power.py`):

- the process is killed: everything written is there;
- the power is cut, and exactly what was synced is there;
- {torn} times, each with a seed of its own, the power is cut and of what was not synced anything
  is there: some writes and not others, in another order, torn at the borders of sectors of 512
  bytes; truncations, new names and removed names likewise; where a file grew and was not written,
  zeros or rubbish.

The -shm file never survives. What is the same as another with as much acknowledged is opened once.

Each is opened by the store as it is shipped. Everything acknowledged must be there, and what was
under way as a whole or not at all. The rows must be without gaps and `PRAGMA integrity_check`
content. Then two
documents are appended to and checkpointed, everything dead is trimmed and nothing dead may be
left, and the store is opened and compared once more.

*{wal_checkpoint}* is what SQLite does to the database file and at the start of the WAL while
something else goes on; in one recording the WAL is copied back after every third page, also beside
a reader that lets only a part be copied. *Opening after a crash* opens {recoveries} of the other
states under the recorder, and crashes that at every point. *Migration of the schema* begins with a
store of every schema version there has been (`tests/store/data`); after the newest comes one that
is made up, which moves the journal to a new table.

## What it does not simulate

- Disks that lie: what they said is on the disk is there, and bytes at rest stay as they are. That
  is for checksums (`format.md`).
- Sectors of more than 512 bytes that are destroyed beyond what was written to them (SQLite, too,
  takes disks for safe from that), and file systems that lose a name although its directory was
  synced. Which syncs reach the directory is taken from SQLite's sources: the VFS does not see it.
- The directory of a new store itself, which nobody syncs into the one above it.
- Another version of SQLite writes than in the field: recorded with {recorded_with} (the one in
  apsw), opened with {opened_with} (Python's).
- Operations that fail while the process lives: `tests/store/test_storage_faults.py`.
""".replace("{wal_checkpoint}", "SQLite's wal_checkpoint")
