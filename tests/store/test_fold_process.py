"""yjs_store.fold_process: whatever becomes of the process, there is an answer and it goes on."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from yjs_store import (
    Damaged,
    StoreError,
    UpdateTooLarge,
    crdt,
    fold_process,
    format,
    worker,
    worker_pipe,
    worker_process,
)
from yjs_store.errors import FoldFailed
from yjs_store.fold_pipe import PIECE_BYTES
from yjs_store.fold_process import FoldProcess
from yjs_store.limits import FOLD_INLINE_BYTES
from yjs_store.records import Head, JournalRow, StoredDocument

from .editing import Editor, letters, read

UPDATE = Editor(7).write("x" * 2 * FOLD_INLINE_BYTES)


@pytest.fixture
async def folds() -> AsyncIterator[FoldProcess]:
    folds = FoldProcess()
    yield folds
    await folds.close()


def stored(*updates: bytes, name: str = "n") -> StoredDocument:
    """A document as a backend gives it, with these updates as its rows."""
    uid = b"u" * format.UID_BYTES
    rows = [format.seal_row(uid, seq, 1, update) for seq, update in enumerate(updates, start=1)]
    head = Head(
        document_id=1,
        name=name,
        uid=uid,
        last_seq=len(rows),
        cut_seq=0,
        journal_bytes=sum(map(len, updates)),
        snapshot_id=None,
        snapshot_bytes=0,
        created_ms=1,
        updated_ms=1,
        deleted_ms=None,
        oversized_count=0,
    )
    return StoredDocument(format.seal_head(head), None, (), tuple(rows))


async def fold(folds: FoldProcess, *updates: bytes, extra: bytes | None = None) -> bytes:
    """Fold updates; return the candidate."""
    document = stored(*updates or (UPDATE,))
    folded = await folds.fold_stored(document, extra, 1)
    return format.join_snapshot(document.sealed_head.head, folded.snapshot, folded.chunks)


def pid_of(folds: FoldProcess) -> int | None:
    return folds.worker.pid


async def started(folds: FoldProcess) -> int:
    """Give it a first job; return the process id."""
    await fold(folds)
    pid = pid_of(folds)
    assert pid is not None
    return pid


async def half_way(folds: FoldProcess) -> "asyncio.Future[bytes]":
    """Begin a job that gets no answer, since the process stands still."""
    os.kill(await started(folds), signal.SIGSTOP)
    folding = asyncio.ensure_future(fold(folds))
    while not folds.worker.is_busy:  # noqa: ASYNC110  (a lock announces nothing)
        await asyncio.sleep(0)
    return folding


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.fixture
def put_worker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Puts another program in the place of the fold worker."""

    def put(program: str) -> None:
        directory = tmp_path / "yjs_store"
        directory.mkdir(exist_ok=True)
        (directory / "__init__.py").touch()
        (directory / "fold_worker.py").write_text(program, encoding="utf-8")
        monkeypatch.setattr(worker_process, "__file__", str(directory / "worker_process.py"))

    return put


# ---- answers ------------------------------------------------------------------------------------


async def test_a_large_document_is_folded_in_the_process(folds: FoldProcess) -> None:
    document = stored(UPDATE)
    extra = Editor(8).write("more")
    folded = await folds.fold_stored(document, extra, 1)
    head = document.sealed_head.head
    update = format.join_snapshot(head, folded.snapshot, folded.chunks)
    assert read(update) == read(UPDATE, extra)
    assert folded.snapshot.cut_seq == 2
    assert pid_of(folds) is not None


async def test_a_small_document_needs_no_process(folds: FoldProcess) -> None:
    update = Editor(7).write("small")
    assert read(await fold(folds, update)) == read(update)
    assert read(await folds.whole(stored(update))) == read(update)
    assert pid_of(folds) is None


async def test_a_large_document_is_read_in_the_process_with_what_waits_in_it(
    folds: FoldProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    """P2; and the decoder keeps nobody in this process waiting meanwhile."""
    large = Editor(7).write("x" * 2 * PIECE_BYTES)
    waits = letters("ab", 8)[1]
    monkeypatch.setattr(crdt, "fold", None)
    update = await folds.whole(stored(large, waits))
    monkeypatch.undo()
    assert len(update) > 2 * PIECE_BYTES
    assert read(update) == read(large)
    assert crdt.difference(crdt.fold([large, waits])[1], update) is None


async def test_what_cannot_be_read_is_told_by_the_process_and_by_this_one(
    folds: FoldProcess,
) -> None:
    for garbage in (b"\xff", b"\xff" * 2 * FOLD_INLINE_BYTES):
        with pytest.raises(Damaged, match="content: expected Yjs updates"):
            await folds.whole(stored(garbage))


async def test_a_process_that_is_killed_while_it_reads_says_nothing_of_the_document(
    folds: FoldProcess,
) -> None:
    os.kill(await started(folds), signal.SIGSTOP)
    reading = asyncio.ensure_future(folds.whole(stored(UPDATE)))
    while not folds.worker.is_busy:  # noqa: ASYNC110  (a lock announces nothing)
        await asyncio.sleep(0)
    pid = pid_of(folds)
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    with pytest.raises(FoldFailed, match="SIGKILL"):
        await reading


async def test_one_process_serves_all_who_ask_at_once(folds: FoldProcess) -> None:
    updates = [Editor(client).write("abcd"[client] * 2 * FOLD_INLINE_BYTES) for client in range(4)]
    found = await asyncio.gather(*(fold(folds, update) for update in updates))
    assert [read(update) for update in found] == [read(update) for update in updates]


async def test_an_error_is_the_answer_and_the_process_goes_on(folds: FoldProcess) -> None:
    pid = await started(folds)
    row = stored(UPDATE).rows[0]
    broken = JournalRow(
        row.seq, row.created_ms, row.byte_length, row.checksum, row.data[:-1] + b"!"
    )
    document = stored(UPDATE)
    damaged = StoredDocument(document.sealed_head, None, (), (broken,))
    with pytest.raises(Damaged) as caught:
        await folds.fold_stored(damaged, None, 1)
    assert (caught.value.document, "row 1" in caught.value.part) == ("n", True)
    await fold(folds)
    assert pid_of(folds) == pid


async def test_errors_cross_over_with_their_facts() -> None:
    """What a caller reads of an error it must be able to read of one that has travelled."""
    sent: list[StoreError] = [Damaged("n", "part", "a", "b"), UpdateTooLarge("it", 2, 1)]
    for error in sent:
        data = worker_pipe.pack(error)
        received = worker_pipe.unpack(data[worker_pipe.LENGTH.size :])
        assert (type(received), str(received)) == (type(error), str(error))
        assert vars(received) == vars(error)


# ---- no answers ---------------------------------------------------------------------------------


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSEGV])
async def test_a_process_that_dies_half_way_is_an_error_that_says_how(
    folds: FoldProcess, how: signal.Signals
) -> None:
    folding = await half_way(folds)
    pid = pid_of(folds)
    assert pid is not None
    os.kill(pid, how)
    os.kill(pid, signal.SIGCONT)
    with pytest.raises(FoldFailed, match=how.name) as caught:
        await folding
    assert caught.value.document == "n"
    assert read(await fold(folds)) == read(UPDATE)


async def test_a_process_that_died_while_nobody_asked_is_replaced(folds: FoldProcess) -> None:
    pid = await started(folds)
    assert folds.worker._process is not None
    os.kill(pid, signal.SIGKILL)
    await folds.worker._process.wait()
    assert read(await fold(folds)) == read(UPDATE)


async def test_a_job_at_the_moment_of_its_death_has_an_answer_or_an_error(
    folds: FoldProcess,
) -> None:
    os.kill(await started(folds), signal.SIGKILL)
    (outcome,) = await asyncio.gather(fold(folds), return_exceptions=True)
    assert isinstance(outcome, bytes | FoldFailed)
    assert read(await fold(folds)) == read(UPDATE)


async def test_a_process_that_hangs_is_ended_after_a_while(
    folds: FoldProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    folding = await half_way(folds)
    pid = pid_of(folds)
    folding.cancel()
    await asyncio.gather(folding, return_exceptions=True)
    monkeypatch.setattr(fold_process, "FOLD_TIMEOUT_S", 0.01)
    with pytest.raises(FoldFailed, match="did not answer"):
        await fold(folds)
    assert pid is not None
    assert not is_alive(pid)
    monkeypatch.undo()
    assert read(await fold(folds)) == read(UPDATE)


async def test_one_who_gives_up_half_way_leaves_no_answer_to_the_next(folds: FoldProcess) -> None:
    folding = await half_way(folds)
    pid = pid_of(folds)
    folding.cancel()
    with pytest.raises(asyncio.CancelledError):
        await folding
    assert pid is not None
    assert not is_alive(pid)
    other = Editor(9).write("y" * 2 * FOLD_INLINE_BYTES)
    assert read(await fold(folds, other)) == read(other)


async def test_one_who_gives_up_before_its_turn_disturbs_nobody(folds: FoldProcess) -> None:
    folding = await half_way(folds)
    pid = pid_of(folds)
    assert pid is not None
    waiting = asyncio.ensure_future(fold(folds))
    await asyncio.sleep(0)
    waiting.cancel()
    os.kill(pid, signal.SIGCONT)
    assert read(await folding) == read(UPDATE)
    assert pid_of(folds) == pid


GARBAGE = {
    "text": "print('hello, this is no message at all', flush=True)",
    "a length of nearly everything": "os.write(1, b'\\xff' * 8)",
    "bytes that are no pickle": "os.write(1, struct.pack('<Q', 5) + b'12345')",
    "a pickle of what is not there": "os.write(1, struct.pack('<Q', 9) + b'cno\\nthere\\n')",
    "a pickle that ends early": "os.write(1, struct.pack('<Q', 2) + b'\\x80\\x05')",
}


@pytest.mark.parametrize("answer", GARBAGE.values(), ids=GARBAGE)
async def test_garbage_for_an_answer_ends_the_process(
    folds: FoldProcess, put_worker: Callable[[str], None], answer: str
) -> None:
    put_worker(f"import os, struct, sys\nsys.stdin.buffer.read(8)\n{answer}\nsys.stdin.read()\n")
    with pytest.raises(FoldFailed, match="no message"):
        await fold(folds)
    assert pid_of(folds) is None


@pytest.mark.parametrize(
    ("program", "reason"),
    [("raise SystemExit(3)", "exit code 3"), ("import os; os.abort()", "SIGABRT")],
)
async def test_a_process_that_does_not_come_up_is_an_error(
    folds: FoldProcess, put_worker: Callable[[str], None], program: str, reason: str
) -> None:
    put_worker(program)
    with pytest.raises(FoldFailed, match=reason):
        await fold(folds)


async def test_a_python_that_is_gone_is_an_error(
    folds: FoldProcess, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(worker_process.sys, "executable", str(tmp_path / "python"))
    with pytest.raises(FoldFailed, match="did not start"):
        await fold(folds)
    monkeypatch.undo()
    assert read(await fold(folds)) == read(UPDATE)


# ---- its end ------------------------------------------------------------------------------------


async def test_an_idle_process_is_ended_and_the_next_job_starts_another(
    folds: FoldProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker_process, "WORKER_IDLE_S", 0)
    pid = await started(folds)
    while is_alive(pid):  # noqa: ASYNC110  (the kernel announces this to nobody)
        await asyncio.sleep(0)
    assert read(await fold(folds)) == read(UPDATE)


async def test_a_process_that_was_given_much_is_ended_for_what_decoders_keep(
    folds: FoldProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    """P6: yrs lets no document go that has another within it."""
    pid = await started(folds)
    assert await started(folds) == pid
    monkeypatch.setattr(worker_process, "WORKER_BYTES_MAX", 1)
    assert pid_of(folds) == pid
    assert read(await fold(folds)) == read(UPDATE)
    assert pid_of(folds) is None
    while is_alive(pid):  # noqa: ASYNC110  (nobody else is told of it)
        await asyncio.sleep(0)


async def test_jobs_right_when_it_is_ended_for_idleness_are_done(
    folds: FoldProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At no moment is one that is about to end given work."""
    monkeypatch.setattr(worker_process, "WORKER_IDLE_S", 0)
    await started(folds)
    for turns in range(8):
        for _ in range(turns):
            await asyncio.sleep(0)
        assert read(await fold(folds)) == read(UPDATE)


async def test_closing_ends_it(folds: FoldProcess) -> None:
    pid = await started(folds)
    await folds.close()
    assert not is_alive(pid)
    await folds.close()


async def test_it_ends_with_its_parent(folds: FoldProcess) -> None:
    """However the parent dies, the kernel closes its end of the pipe."""
    await started(folds)
    process = folds.worker._process
    assert process is not None
    assert process.stdin is not None
    process.stdin.close()
    assert await process.wait() == 0


@pytest.mark.parametrize("kept", [0, 2, 8, 100])
def test_the_worker_reads_jobs_until_its_input_ends(tmp_path: Path, kept: int) -> None:
    """Also in the middle of one, as a parent that is killed leaves it."""
    path = tmp_path / "jobs"
    document = stored(UPDATE)
    job = worker_pipe.pack(("fold_stored", (document, None, 1)))
    path.write_bytes(job + job[:kept])
    with path.open("rb") as jobs:
        assert worker.read_message(jobs) == ("fold_stored", (document, None, 1))
        assert worker.read_message(jobs) is None


def test_no_pending_is_left_out_by_a_fold() -> None:
    """Field note 2, for what the process is asked to do."""
    waiting = Editor(8)
    waiting.write("first")
    later = waiting.write("second")
    folded = fold_process.folding.fold_stored(stored(UPDATE, later), None, 1)
    update = format.join_snapshot(stored(UPDATE).sealed_head.head, folded.snapshot, folded.chunks)
    assert crdt.difference(crdt.fold([UPDATE, later])[1], update) is None
