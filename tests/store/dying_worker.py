"""A trial process that dies, hangs or bloats on updates whose text says so, as a decoder might."""

import os
import signal

from yjs_store import trial_worker
from yjs_store.trial import Bench, Suspect, Verdict

MODULE = "store.dying_worker"
WORDS = ("SIGSEGV", "SIGABRT", "SIGKILL", "HANG", "BLOAT", "SLOW")

_judge = Bench.judge


def judge(bench: Bench, suspect: Suspect, *, is_cleared: bool = False) -> Verdict:
    """Do what the update says, if it says anything."""
    for word in WORDS:
        if word.encode() in suspect.update:
            _act(word)
    return _judge(bench, suspect, is_cleared=is_cleared)


def _act(word: str) -> None:
    if word == "HANG":
        while True:
            pass
    if word == "BLOAT":
        while True:
            _KEPT.append(bytearray(64 << 20))
    if word == "SLOW":
        trial_worker.TRIAL_TURN_S = 0.0
        return
    os.kill(os.getpid(), signal.Signals[word])


_KEPT: list[bytearray] = []

if __name__ == "__main__":
    Bench.judge = judge  # type: ignore[method-assign]
    trial_worker.TRIAL_CPU_S = 1
    trial_worker.main()
