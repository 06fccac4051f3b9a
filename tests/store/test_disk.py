"""The disk under the crash tests: what it says a crash leaves, and that it misses nothing."""

from pathlib import Path
from random import Random

import pytest

from .crash_matrix.recording import record
from .crash_matrix.scripts import append, checkpoint
from .disk.operations import Created, Deleted, Files, Operation, Synced, SyncFailed, Written
from .disk.operations import Truncated as Cut
from .disk.power import SECTOR_BYTES, Disk
from .editing import letters

SEEDS = range(300)


def disk_after(*operations: Operation, start: Files | None = None) -> Disk:
    disk = Disk(start)
    for operation in operations:
        disk.apply(operation)
    return disk


def torn(disk: Disk) -> list[Files]:
    return [disk.after_torn_power_cut(Random(seed)) for seed in SEEDS]


def test_a_kill_leaves_what_was_written_and_a_power_cut_what_was_synced() -> None:
    disk = disk_after(
        Written("", 0, b"ab"), Synced("", False), Written("", 1, b"cd"), start={"": b""}
    )
    assert disk.after_kill() == {"": b"acd"}
    assert disk.after_power_cut() == {"": b"ab"}


def test_a_torn_power_cut_leaves_any_part_of_what_was_not_synced() -> None:
    disk = disk_after(
        Written("", 0, b"a" * SECTOR_BYTES + b"b" * SECTOR_BYTES),
        Written("", 2 * SECTOR_BYTES, b"c"),
        start={"": b"-" * (2 * SECTOR_BYTES + 1)},
    )
    left = {files[""][::SECTOR_BYTES] for files in torn(disk)}
    assert left == {
        first + second + third
        for first in (b"-", b"a")
        for second in (b"-", b"b")
        for third in (b"-", b"c")
    }


def test_what_was_synced_survives_every_power_cut() -> None:
    disk = disk_after(
        Written("", 0, b"kept"), Synced("", False), Written("", 4, b"not"), start={"": b""}
    )
    assert all(files[""].startswith(b"kept") for files in torn(disk))


def test_writes_that_were_not_synced_may_reach_the_disk_in_another_order() -> None:
    disk = disk_after(Written("", 0, b"1"), Written("", 0, b"2"), start={"": b"0"})
    assert {files[""] for files in torn(disk)} == {b"0", b"1", b"2"}


def test_a_truncation_that_was_not_synced_may_be_undone() -> None:
    disk = disk_after(Cut("", 1), start={"": b"abc"})
    assert disk.after_kill() == {"": b"a"}
    assert disk.after_power_cut() == {"": b"abc"}
    assert {files[""] for files in torn(disk)} == {b"a", b"abc"}


def test_a_name_is_there_for_good_once_its_directory_is_synced() -> None:
    disk = disk_after(Created("-wal"), Written("-wal", 0, b"x"), Synced("-wal", False))
    assert disk.after_power_cut() == {}
    assert {tuple(files) for files in torn(disk)} == {(), ("-wal",)}
    disk.apply(Synced("-wal", True))
    assert disk.after_power_cut() == {"-wal": b"x"}


def test_a_removed_file_may_come_back_until_its_directory_is_synced() -> None:
    start = {"-wal": b"old"}
    disk = disk_after(Deleted("-wal", False), start=start)
    assert disk.after_kill() == {}
    assert disk.after_power_cut() == start
    assert disk_after(Deleted("-wal", True), start=start).after_power_cut() == {}


def test_a_sync_after_one_that_failed_says_nothing_of_what_was_written_before() -> None:
    disk = disk_after(
        Written("", 0, b"a"),
        SyncFailed(""),
        Written("", 1, b"b"),
        Synced("", False),
        start={"": b"--"},
    )
    assert disk.after_kill() == {"": b"ab"}
    assert disk.after_power_cut() == {"": b"-b"}


@pytest.mark.parametrize("wal_autocheckpoint", [1, 1000])
async def test_what_is_recorded_is_what_happened(tmp_path: Path, wal_autocheckpoint: int) -> None:
    """``record`` compares it with the files; here it is seen that it is not nothing."""
    script = [*(append("n", update) for update in letters("ab")), checkpoint("n")]
    recording = await record(
        tmp_path / "live", script, opening="opening", wal_autocheckpoint=wal_autocheckpoint
    )
    written = {type(point.operation) for point in recording.points}
    assert written >= {Created, Written, Synced, Deleted, Cut}
    assert recording.points[-1].done == len(script)
