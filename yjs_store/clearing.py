"""Decides which updates may be integrated untried. Pure.

A keystroke is recognised by one regular expression. What is not as plain is inspected, as far as
that takes no time that others would notice; the rest must be tried in the trial process.
"""

from yjs_store.inspection import TooMuchToInspect, inspect, is_plain
from yjs_store.limits import (
    DELETES_INLINE_MAX,
    INLINE_BYTES_MAX,
    INLINE_WORK_MAX,
    ROW_STRUCTS_MAX,
    TYPE_BYTES_MIN,
    TYPE_NESTING_MAX,
)


class Clearing:
    """The rule for one document, which knows a bound of how deep its types are nested.

    The bound is what a trial found and every type that came after it: each might be within the
    one before, in however many updates they came.
    """

    __slots__ = ("_nesting", "_types_since_trial")

    def __init__(self, stored_bytes: int) -> None:
        """Begin with a document that takes this many bytes, and may be all types."""
        self._nesting = stored_bytes // TYPE_BYTES_MIN
        self._types_since_trial = 0

    def clear(self, update: bytes, structs_max: int = ROW_STRUCTS_MAX) -> int | None:
        """Return what an update has that may be integrated; None if it must be tried.

        That is the number of its structs and of the clocks that it deletes. It must be tried, too,
        when it has more structs than ``structs_max``.

        Raises:
            UpdateRefused: it may not be integrated at all.
        """
        if is_plain(update):
            return 1
        if len(update) > INLINE_BYTES_MAX:
            return None
        try:
            findings = inspect(update, INLINE_WORK_MAX)
        except TooMuchToInspect:
            return None
        if findings.deletes > DELETES_INLINE_MAX or findings.structs > structs_max:
            return None
        if findings.types:
            if self._nesting + findings.types > TYPE_NESTING_MAX:
                return None
            self._nesting += findings.types
            self._types_since_trial += findings.types
        return findings.structs + findings.deletes

    def begin_trial(self) -> None:
        """Hear that what has been cleared until now is looked at by a trial."""
        self._types_since_trial = 0

    def end_trial(self, nesting: int) -> None:
        """Hear how deep the types are that it has looked at."""
        self._nesting = nesting + self._types_since_trial
