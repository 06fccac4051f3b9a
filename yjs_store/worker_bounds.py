"""Bounds that a process of ours sets itself before it reads what may hang, fill or end it."""

import contextlib
import math
import resource
import time

from yjs_store.limits import (
    TRIAL_MEMORY_BASE_BYTES,
    TRIAL_MEMORY_BYTES_MAX,
    TRIAL_MEMORY_PER_BYTE,
    TRIAL_STACK_BYTES,
)


def bound_stack() -> None:
    """Take less stack than the server has; what is started would inherit that."""
    _lower(resource.RLIMIT_STACK, TRIAL_STACK_BYTES)
    leave_no_core()


def leave_no_core() -> None:
    """Write no core file: a process that dies as planned leaves nothing to look at."""
    _lower(resource.RLIMIT_CORE, 0)


def bound_memory(byte_length: int) -> None:
    """Take no more memory than is good for so many bytes of updates; then MemoryError."""
    needed = TRIAL_MEMORY_BASE_BYTES + byte_length * TRIAL_MEMORY_PER_BYTE
    _lower(resource.RLIMIT_DATA, min(needed, TRIAL_MEMORY_BYTES_MAX))


def bound_time(seconds: float) -> None:
    """End the process (SIGXCPU) when it works longer than this from now on."""
    _lower(resource.RLIMIT_CPU, math.ceil(time.process_time() + seconds))


def _lower(which: int, bound: int) -> None:
    """Set a soft limit; the hard one stays, so that the next job may have more."""
    hard = resource.getrlimit(which)[1]
    if hard != resource.RLIM_INFINITY:
        bound = min(bound, hard)
    # A system that knows no such limit has the others.
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(which, (bound, hard))
