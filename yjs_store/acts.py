"""What operators do to documents and to the store, beside ending lives; see ``lives``."""

from collections.abc import Callable, Sequence

from yjs_store import format
from yjs_store.backend import Backend
from yjs_store.committer import Committer
from yjs_store.errors import (
    Damaged,
    DocumentDeleted,
    DocumentMissing,
    StoreClosed,
    StoreError,
)
from yjs_store.facts import (
    AuditRecord,
    CompactOutcome,
    CompactResult,
    SpaceChange,
    UnloadResult,
)
from yjs_store.keeper import Keeper
from yjs_store.limits import LIST_PAGE_MAX
from yjs_store.living import load_living_head
from yjs_store.names import check_name
from yjs_store.observing_format import seal_act
from yjs_store.opened import OpenDocuments
from yjs_store.records import Head
from yjs_store.telemetry import Telemetry
from yjs_store.vacuuming import check_room


class Acts:
    """The acts of one store; each says what came of it, and may be done again."""

    def __init__(
        self,
        backend: Backend,
        committer: Committer,
        opened: OpenDocuments,
        keeper: Keeper,
        telemetry: Telemetry,
        timer_s: Callable[[], float],
    ) -> None:
        self._backend = backend
        self._committer = committer
        self._opened = opened
        self._keeper = keeper
        self._telemetry = telemetry
        self._timer_s = timer_s

    # ---- checkpoints ------------------------------------------------------------------------

    async def compact(self, name: str) -> CompactOutcome:
        """See Store.compact."""
        before = await load_living_head(self._backend, name)
        self._keeper.reset(name)
        began_s = self._timer_s()
        try:
            result = await self._keeper.attempt(name, "operator")
        except (DocumentMissing, DocumentDeleted, StoreClosed):
            raise
        except StoreError as error:
            why = str(error) or type(error).__name__
            after = self._live_head(name) or before
            return _outcome(before, after, CompactResult.FAILED, self._timer_s() - began_s, why)
        found = CompactResult.COMPACTED if result.published else CompactResult.NOOP
        return _outcome(before, result.head, found, self._timer_s() - began_s, None)

    def _live_head(self, name: str) -> Head | None:
        live = self._opened.peek(name)
        return None if live is None else live[0].head

    async def list_due(self) -> Sequence[Head]:
        """See Store.list_due."""
        due: list[Head] = []
        after: str | None = None
        while page := await self._backend.list_heads("", after, LIST_PAGE_MAX):
            after = page[-1].head.name
            for sealed in page:
                try:
                    head = format.check_head(sealed)
                except Damaged:
                    continue  # it cannot be folded, and others say so
                if head.deleted_ms is None and head.journal_rows and self._keeper.is_due(head):
                    due.append(head)
        return due

    async def compact_due(self) -> Sequence[CompactOutcome]:
        """See Store.compact_due."""
        outcomes: list[CompactOutcome] = []
        for head in await self.list_due():
            try:
                outcomes.append(await self.compact(head.name))
            except (DocumentMissing, DocumentDeleted):
                continue  # meanwhile
        return outcomes

    # ---- memory -----------------------------------------------------------------------------

    async def load_now(self, name: str) -> None:
        """See Store.load_now."""
        await load_living_head(self._backend, name)
        document = await self._opened.open(name)
        self._opened.release(document)

    async def unload(self, name: str) -> UnloadResult:
        """See Store.unload."""
        if self._opened.peek(check_name(name)) is None:
            return UnloadResult.NOT_LOADED
        if not self._opened.unload(name):
            return UnloadResult.IN_USE
        self._telemetry.note(name, "unloaded")
        return UnloadResult.UNLOADED

    # ---- room -------------------------------------------------------------------------------

    async def truncate_wal(self) -> SpaceChange:
        """See Store.truncate_wal."""
        return await self._committer.run_exclusive(self._backend.truncate_wal)

    async def vacuum(self) -> SpaceChange:
        """See Store.vacuum."""

        async def vacuum() -> SpaceChange:
            check_room(await self._backend.observing.space())
            return await self._backend.vacuum()

        return await self._committer.run_exclusive(vacuum)

    # ---- the record of all this -------------------------------------------------------------

    async def audit(self, record: AuditRecord) -> int:
        """See Store.audit."""
        self._telemetry.version += 1
        return await self._backend.observing.add_act(record.document, seal_act(record))


def _outcome(
    before: Head, after: Head, result: CompactResult, took_s: float, error: str | None
) -> CompactOutcome:
    return CompactOutcome(
        document=before.name,
        result=result,
        journal_rows_before=before.journal_rows,
        journal_rows_after=after.journal_rows,
        journal_bytes_before=before.journal_bytes,
        journal_bytes_after=after.journal_bytes,
        snapshot_bytes_before=before.snapshot_bytes,
        snapshot_bytes_after=after.snapshot_bytes,
        duration_ms=round(took_s * 1000, 3),
        error=error,
    )
