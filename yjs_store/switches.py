"""The word of operators that nothing is to be written: stored, and known in memory."""

import asyncio
from collections.abc import Callable

import structlog

from yjs_store.backend import Backend
from yjs_store.errors import Damaged, DocumentMissing
from yjs_store.facts import Switch
from yjs_store.limits import LIST_PAGE_MAX, NOTE_TEXT_MAX
from yjs_store.living import load_living_head
from yjs_store.observing_format import seal_switch, shown_switch
from yjs_store.observing_records import StoredNote
from yjs_store.records import Head
from yjs_store.telemetry import Telemetry

log = structlog.get_logger("yjs_store.switches")

# Of the store as a whole.
_STORE = 0


class Switches:
    """Every switch of one store, by document_id. ``apply`` brings open documents up to date.

    They are changed one after the other, on the disk first: what is said here holds after a
    restart.
    """

    def __init__(
        self,
        backend: Backend,
        clock_ms: Callable[[], int],
        apply: Callable[[], None],
        telemetry: Telemetry,
    ) -> None:
        self._backend = backend
        self._clock_ms = clock_ms
        self._apply = apply
        self._telemetry = telemetry
        self.turn = asyncio.Lock()
        """Held by who ends a life until ``drop`` or ``move``, so that nothing is set meanwhile."""
        # As they are stored: what one says is for a document only if it names that document.
        self._notes: dict[int, StoredNote] = {}
        self.unread_because: str | None = None
        """Why it is not known what was switched before this process; None when it is."""

    async def load(self) -> None:
        """Read all of them, before the first document is opened.

        Raises:
            StoreUnavailable: they cannot be read now.
        """
        async with self.turn:
            found: dict[int, StoredNote] = {}
            after_id = -1
            try:
                while page := await self._backend.observing.list_switches(after_id, LIST_PAGE_MAX):
                    found |= {note.document_id: note for note in page}
                    after_id = page[-1].document_id
            except Damaged as error:
                # Every document can be read without; somebody has to look, and is told.
                self.unread_because = str(error)
                log.error("switches to read-only cannot be read", error=str(error))  # noqa: TRY400
            else:
                self._notes = found

    def move(self, document_id: int, successor_id: int) -> None:
        """Hear that what was a document's belongs to the one in its place."""
        note = self._notes.pop(document_id, None)
        if note is not None:
            self._notes[successor_id] = note
            self._apply()

    def drop(self, document_id: int) -> None:
        """Hear that a document is gone, and what was stored with it (P9)."""
        self._notes.pop(document_id, None)

    def find(self, name: str, document_id: int) -> Switch | None:
        """Return the switch of a document, else that of the store."""
        note = None if document_id == _STORE else self._notes.get(document_id)
        return self.of_store if note is None else shown_switch(name, note)

    @property
    def of_store(self) -> Switch | None:
        """The switch of the store."""
        note = self._notes.get(_STORE)
        return None if note is None else shown_switch(None, note)

    @property
    def document_count(self) -> int:
        """How many documents have one of their own."""
        return len(self._notes) - (_STORE in self._notes)

    def reason_for(self, head: Head) -> str | None:
        """Return why nothing may be written to a document; None when it may."""
        switch = self.find(head.name, head.document_id)
        return None if switch is None else switch.reason

    async def set(self, name: str | None, reason: str, by: str) -> Switch:
        """See Store.set_read_only."""
        async with self.turn:
            document_id = await self._find_key(name)
            switch = Switch(name, reason[:NOTE_TEXT_MAX], by[:NOTE_TEXT_MAX], self._clock_ms())
            note = seal_switch(switch, document_id)
            if not await self._backend.observing.set_switch(note):
                assert name is not None, "the store is always there"
                raise DocumentMissing(name)
            self._notes[document_id] = note
            self._change(name, "switched to read-only", by=switch.by)
        return switch

    async def lift(self, name: str | None) -> Switch | None:
        """See Store.lift_read_only."""
        async with self.turn:
            document_id = await self._find_key(name)
            await self._backend.observing.lift_switch(document_id)
            lifted = self._notes.pop(document_id, None)
            if lifted is None:
                return None
            self._change(name, "read-only was lifted")
        return shown_switch(name, lifted)

    def _change(self, name: str | None, event: str, **facts: str) -> None:
        self._apply()
        self._telemetry.version += 1
        if name is not None:
            self._telemetry.note(name, event, **facts)

    async def _find_key(self, name: str | None) -> int:
        if name is None:
            return _STORE
        return (await load_living_head(self._backend, name)).document_id
