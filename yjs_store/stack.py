"""Gives this process more stack than a trial has, so that it survives what the trial survived."""

import contextlib
import sys
import threading

from yjs_store.limits import SERVER_STACK_BYTES


def raise_stack() -> None:
    """Raise the bound of the main thread's stack, and that of threads not started yet.

    Only address space is taken; a system that forbids it leaves what there is.
    """
    threading.stack_size(SERVER_STACK_BYTES)
    if sys.platform == "win32":
        # Where the size of the main thread's stack is part of the program.
        return
    import resource  # noqa: PLC0415  (not on every system)

    soft, hard = resource.getrlimit(resource.RLIMIT_STACK)
    wanted = SERVER_STACK_BYTES
    if hard != resource.RLIM_INFINITY:
        wanted = min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_STACK, (wanted, hard))
