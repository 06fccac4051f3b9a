"""What is kept for operators in memory; each change is made as a whole or not at all."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from yjs_store.limits import (
    ACTS_KEPT_MAX,
    CHECKPOINTS_KEPT_MAX,
    CHECKPOINTS_KEPT_PER_DOCUMENT,
    KEPT_REMOVED_STEP,
    TRACES_KEPT_MAX,
    TRACES_KEPT_PER_DOCUMENT,
)
from yjs_store.observing_records import StoredNote

# Of one document, and of all together.
_BOUNDS: Final = {
    "checkpoints": (CHECKPOINTS_KEPT_PER_DOCUMENT, CHECKPOINTS_KEPT_MAX),
    "traces": (TRACES_KEPT_PER_DOCUMENT, TRACES_KEPT_MAX),
}


@dataclass(slots=True)
class NoteBook:
    """Notes of one kind by number, oldest first, each with its document."""

    kind: str
    rows: dict[int, StoredNote] = field(default_factory=dict)
    made: int = 0

    def add(self, notes: Sequence[StoredNote]) -> None:
        """Keep notes; remove what is above the bounds, in a step."""
        for note in notes:
            self.made += 1
            self.rows[self.made] = replace(note, number=self.made)
        of_one_max, of_all_max = _BOUNDS[self.kind]
        step = KEPT_REMOVED_STEP + len(notes)
        for document_id in {note.document_id for note in notes}:
            above = self.of(document_id)[of_one_max:]
            self._remove([note.number for note in reversed(above)][:step])
        self._remove([number for number in self.rows if number <= self.made - of_all_max][:step])

    def _remove(self, numbers: Sequence[int]) -> None:
        for number in numbers:
            del self.rows[number]

    def of(self, document_id: int) -> list[StoredNote]:
        """Return those of a document, newest first."""
        found = [note for note in self.rows.values() if note.document_id == document_id]
        return found[::-1]

    def give(self, document_id: int, successor_id: int | None) -> None:
        """Let another document have those of this one; None removes them."""
        for note in self.of(document_id):
            if successor_id is None:
                del self.rows[note.number]
            else:
                self.rows[note.number] = replace(note, document_id=successor_id)


@dataclass(slots=True)
class NoteTables:
    """All of it. ``acts`` have the document they were done to beside them, by number."""

    checkpoints: NoteBook = field(default_factory=lambda: NoteBook("checkpoints"))
    traces: NoteBook = field(default_factory=lambda: NoteBook("traces"))
    acts: dict[int, tuple[str | None, StoredNote]] = field(default_factory=dict)
    switches: dict[int, StoredNote] = field(default_factory=dict)
    acts_made: int = 0

    def give(self, document_id: int, successor_id: int | None) -> None:
        """Let everything of a document belong to another; None removes it (P9)."""
        self.checkpoints.give(document_id, successor_id)
        self.traces.give(document_id, successor_id)
        switch = self.switches.pop(document_id, None)
        if switch is not None and successor_id is not None:
            self.switches[successor_id] = replace(switch, document_id=successor_id)

    def owners(self) -> dict[str, list[int]]:
        """Return the documents that rows belong to, by table."""
        return {
            "checkpoints": [note.document_id for note in self.checkpoints.rows.values()],
            "traces": [note.document_id for note in self.traces.rows.values()],
            "switches": [document_id for document_id in self.switches if document_id],
        }

    def add_act(self, document: str | None, note: StoredNote) -> int:
        """See ObservingRecords.add_act."""
        self.acts_made += 1
        self.acts[self.acts_made] = (document, replace(note, number=self.acts_made))
        old = [number for number in self.acts if number <= self.acts_made - ACTS_KEPT_MAX]
        for number in old[:KEPT_REMOVED_STEP]:
            del self.acts[number]
        return self.acts_made
