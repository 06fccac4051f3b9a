"""Tells senders that their update was refused, and telemetry that one was. Pure."""

from collections.abc import Iterable

from yjs_store.errors import ReadOnlyNow, StoreError
from yjs_store.submissions import Sender, Submission
from yjs_store.telemetry import Telemetry


class Refusals:
    """The refusals of one document."""

    __slots__ = ("_name", "_telemetry")

    def __init__(self, name: str, telemetry: Telemetry) -> None:
        self._name = name
        self._telemetry = telemetry

    def refuse(self, update: bytes, sender: Sender, error: StoreError) -> None:
        """Tell one."""
        self._telemetry.refused += 1
        if not isinstance(error, ReadOnlyNow):
            # The kind alone: what is said of bytes may be part of them.
            kind = type(error).__name__
            self._telemetry.note(self._name, "update refused", error=kind, bytes=len(update))
        sender.refused(update, error)

    def refuse_all(self, submissions: Iterable[Submission], error: StoreError) -> None:
        """Tell several of the same error."""
        for submission in submissions:
            self.refuse(submission.update, submission.sender, error)

    def refuse_each(self, refused: Iterable[tuple[Submission, StoreError]]) -> None:
        """Tell several, each of its own."""
        for submission, error in refused:
            self.refuse(submission.update, submission.sender, error)
