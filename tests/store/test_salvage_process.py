"""yjs_store.salvage_process: what remains of a document is read where it hurts nobody."""

import asyncio
import os
import signal
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from yjs_store import FoldFailed, Poisoned, crdt, format, plan_salvage, salvage_process
from yjs_store.backends.sqlite import SqliteBackend
from yjs_store.limits import FOLD_PIPE_ROWS, SNAPSHOT_CHUNK_BYTES
from yjs_store.records import Remains, SnapshotRemains
from yjs_store.salvage import SalvagePlan, plan
from yjs_store.salvage_pipe import plan_messages, read_plan
from yjs_store.salvage_process import plan_elsewhere
from yjs_store.worker_pipe import LENGTH, pack, unpack
from yjs_store.worker_process import WorkerProcess

from .editing import Editor, letters, read
from .poison import (
    DEEP_VALUE,
    PANIC_FIRST,
    PANIC_SECOND,
    delete_first,
    nested_types,
    one_letter_each,
)
from .stores import store_over, url
from .test_folding import NOW_MS, stored
from .test_vouching import write_unguarded

KILLERS = {
    "a deep value": [DEEP_VALUE],
    "nested types and their deletion": [nested_types(100_000), delete_first()],
    "nested types that nobody has deleted yet": [nested_types(100_000)],
}


def remains_of(updates: Sequence[bytes], snapshots: tuple[SnapshotRemains, ...] = ()) -> Remains:
    document = stored(updates)
    return Remains(document.sealed_head, snapshots, document.rows, ("a table",), "refused")


def broken_snapshot(update: bytes) -> SnapshotRemains:
    """One that lacks its last chunk, and has a number that is none."""
    chunks = tuple(format.cut_chunks(bytes(16), update))
    manifest = format.snapshot_manifest(bytes(16), 0, NOW_MS, update, chunks)
    lost = replace(chunks[0], byte_length="many")  # type: ignore[arg-type]
    return SnapshotRemains(7, manifest, (lost, *chunks[1:-1]))


@pytest.mark.parametrize("row_count", [0, 1, FOLD_PIPE_ROWS + 1])
def test_what_remains_arrives_as_it_was_sent(row_count: int) -> None:
    snapshots = (broken_snapshot(b"u" * 3 * SNAPSHOT_CHUNK_BYTES), SnapshotRemains(8, None, ()))
    remains = remains_of([b"row %d" % number for number in range(row_count)], snapshots)
    wire = iter([pack(each) for each in plan_messages(remains, [b"one", b"two"], unverified=True)])

    def receive() -> object:
        return unpack(next(wire)[LENGTH.size :])

    order = receive()
    assert order.unverified  # type: ignore[attr-defined]
    assert read_plan(order, receive) == (remains, [b"one", b"two"])  # type: ignore[arg-type]
    assert not list(wire)


async def test_the_plan_is_the_one_that_would_have_been_made_here() -> None:
    editor = Editor(7)
    large = editor.write("x" * 3 * SNAPSHOT_CHUNK_BYTES)
    remains = remains_of([large, letters("abc", 8)[2], b"no update"])
    known = letters("de", 9)
    planned = await plan_elsewhere(remains, known=known)
    assert planned == plan(remains, known=known)
    assert (planned.missing, len(planned.lost)) == ({8: [(0, 2)]}, 2)
    assert read(planned.update).text == read(large, *known).text


@pytest.mark.parametrize("what", KILLERS)
async def test_what_ends_the_process_that_reads_it_is_named_and_changes_nothing(
    path: Path, what: str
) -> None:
    """P5, field note 18: the server lives, and who asked hears why there is no plan."""
    await write_unguarded(path, {"n": KILLERS[what], "sound": letters("abc")})
    async with store_over(SqliteBackend(path)) as store:
        for planning in (store.plan_salvage("n"), plan_salvage(url(path), "n")):
            with pytest.raises(Poisoned, match="the salvage process ended with SIGSEGV") as caught:
                await planning
            assert caught.value.document == "n"
        assert (await store.plan_salvage("sound")).lost == ()
        assert read(await store.load("sound")).text == "abc"


async def test_what_panics_is_left_out(path: Path) -> None:
    await write_unguarded(path, {"n": [*letters("abc", 5), PANIC_FIRST, PANIC_SECOND]})
    async with store_over(SqliteBackend(path)) as store:
        planned = await store.plan_salvage("n")
    assert len(planned.lost) == 1
    assert crdt.parse_state_vector(crdt.Replica([planned.update]).state_vector())[5] == 3


async def test_a_process_that_works_for_ever_is_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is bounded in processor time: here, in none at all."""
    program = (
        "from yjs_store import salvage_worker as w;"
        "w.SALVAGE_CPU_S = 0; w.SALVAGE_CPU_BYTES_PER_S = 1 << 40; w.main()"
    )
    (tmp_path / "hurried_worker.py").write_text(program)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))

    def hurried(_module: str, name: str) -> WorkerProcess:
        return WorkerProcess("hurried_worker", name)

    monkeypatch.setattr(salvage_process, "WorkerProcess", hurried)
    with pytest.raises(Poisoned, match="SIGXCPU"):
        await plan_elsewhere(remains_of([one_letter_each(40_000)] * 20))


async def test_a_process_that_is_killed_says_nothing_of_the_document(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    workers: list[WorkerProcess] = []

    def remembered(module: str, name: str) -> WorkerProcess:
        workers.append(WorkerProcess(module, name))
        return workers[0]

    monkeypatch.setattr(salvage_process, "WorkerProcess", remembered)
    planning: asyncio.Task[SalvagePlan] = asyncio.create_task(plan_elsewhere(remains_of([])))
    while not workers or workers[0].pid is None:  # noqa: ASYNC110  (it tells nobody)
        await asyncio.sleep(0)
    os.kill(workers[0].pid, signal.SIGKILL)
    with pytest.raises(FoldFailed, match="SIGKILL"):
        await planning
