"""A trial process that dies, hangs or bloats on updates whose text says so, as a decoder might."""

import os
import signal

from yjs_store import trial_worker
from yjs_store.inspection import Findings
from yjs_store.trial import Bench, Suspect

MODULE = "store.dying_worker"
WORDS = ("SIGSEGV", "SIGABRT", "SIGKILL", "HANG", "BLOAT", "SLOW")

_enter = Bench._enter


def enter(bench: Bench, suspect: Suspect, findings: Findings, *, is_cleared: bool) -> object:
    """Do what the update says, if it says anything."""
    for word in WORDS:
        if word.encode() in suspect.update:
            _act(word)
    return _enter(bench, suspect, findings, is_cleared=is_cleared)


def _act(word: str) -> None:
    if word == "HANG":
        while True:
            pass
    if word == "BLOAT":
        while True:
            # Nothing is written there, so that on no machine the time runs out before the memory.
            _KEPT.append(bytes(64 << 20))
    if word == "SLOW":
        trial_worker.TRIAL_TURN_S = 0.0
        return
    os.kill(os.getpid(), signal.Signals[word])


_KEPT: list[bytes] = []

if __name__ == "__main__":
    Bench._enter = enter  # type: ignore[assignment,method-assign]
    # Well above what is given to the quick: the two bounds are not kept to the same millisecond.
    trial_worker.TRIAL_CPU_S = 2
    trial_worker.main()
