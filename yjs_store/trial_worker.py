"""The trial process: one document and the updates to try on it at a time; see ``worker``.

What it is given may kill it, and it is bounded so that nobody else notices: in memory, processor
time and stack. It says what it begins, so that the parent knows of what it died.
"""

import signal
import time
from collections.abc import Sequence
from dataclasses import replace

from yjs_store import crdt
from yjs_store.assembling import assemble_cut
from yjs_store.errors import StoreError
from yjs_store.fold_pipe import read_job
from yjs_store.limits import (
    TRIAL_CPU_BYTES_PER_S,
    TRIAL_CPU_S,
    TRIAL_QUICK_CPU_S,
    TRIAL_TURN_S,
)
from yjs_store.mending import mend
from yjs_store.records import StoredDocument
from yjs_store.trial import Bench, Failed, Order, Ready, Suspect, Verdict
from yjs_store.worker import Read, Write, serve
from yjs_store.worker_bounds import bound_memory, bound_stack, bound_time


def main() -> None:
    """Work until standard input ends."""
    bound_stack()
    serve(work)


def work(order: Order, read: Read, write: Write) -> None:
    """Do one job, as long as it may take."""
    # It ends the process by SIGPROF; unlike a limit, less than a second can be had.
    signal.setitimer(signal.ITIMER_PROF, TRIAL_QUICK_CPU_S if order.is_quick else 0)
    try:
        _work(order, read, write)
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)


def _work(order: Order, read: Read, write: Write) -> None:
    """Write that the document is ready, then verdicts on the first suspects."""
    stored, _, _ = read_job(read(), read)
    byte_length = stored.sealed_head.head.journal_bytes + stored.sealed_head.head.snapshot_bytes
    assumed = [read() for _ in range(order.assumed_count)]
    byte_length += sum(map(len, assumed))
    suspects = [read() for _ in range(order.suspect_count)]
    bound = byte_length + max((len(suspect.update) for suspect in suspects), default=0)
    bound_memory(bound)
    _bound_time(bound)
    if order.is_mending:
        _mend(stored, assumed, write)
        return
    try:
        bench = Bench(assemble_cut(stored), time.process_time)
        del stored
        for update in assumed:
            bench.assume(update)
        if order.is_check:
            bench.check()
        nesting = None if suspects or order.is_check else bench.nesting()
    except StoreError as error:
        write(error)
        return
    except (crdt.IntegrationFailed, MemoryError) as error:
        write(Failed(_words(error)))
        return
    write(Ready(nesting))
    began_s = time.monotonic()

    def is_enough() -> bool:
        return time.monotonic() - began_s > TRIAL_TURN_S

    _bound_time(bound)
    passed = bench.judge_together(suspects, is_enough) if order.is_together else []
    for verdict in passed:
        _write_verdict(verdict, write)
    for suspect in () if passed else suspects:
        _bound_time(bound)
        _write_verdict(_judge(bench, suspect, order), write)
        if is_enough():
            break
    write(None)


def _mend(stored: StoredDocument, assumed: Sequence[bytes], write: Write) -> None:
    """Write that the document is ready, how many pieces it has now, and these and the others."""
    try:
        durable = assemble_cut(stored)
        mended = mend([*durable, *assumed])
    except StoreError as error:
        write(error)
        return
    write(Ready(None))
    write((len(durable), len(mended)))
    for piece in mended:
        write(piece)


def _judge(bench: Bench, suspect: Suspect, order: Order) -> Verdict:
    try:
        return bench.judge(suspect, is_cleared=order.is_recovery)
    except MemoryError as error:
        return Failed(_words(error))


def _words(error: BaseException) -> str:
    return "it takes too much memory" if isinstance(error, MemoryError) else str(error)


def _write_verdict(verdict: Verdict, write: Write) -> None:
    """Write a verdict, and its pieces one by one: so nobody has them twice."""
    if isinstance(verdict, Failed):
        write((verdict, 0))
        return
    write((replace(verdict, pieces=()), len(verdict.pieces)))
    for piece in verdict.pieces:
        write(piece)


def _bound_time(byte_length: int) -> None:
    bound_time(TRIAL_CPU_S + byte_length / TRIAL_CPU_BYTES_PER_S)


if __name__ == "__main__":
    main()
