"""How the commands end: one table for all of them."""

import enum


class ExitCode(enum.IntEnum):
    """The exit status of a command, for scripts."""

    DONE = 0
    NO = 1
    """A negative answer: something is damaged, not there, refused, or was not done."""
    USAGE = 2
    UNREACHABLE = 3
    """The store cannot be opened or read, or the server cannot be reached, or gave no answer."""
    INTERRUPTED = 130
