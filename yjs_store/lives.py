"""How a document's life ends, and another begins: deleted, forgotten, salvaged, set aside."""

import contextlib
from collections.abc import Awaitable, Callable, Sequence

from yjs_store import format
from yjs_store.backend import Backend
from yjs_store.checkpointer import Checkpointer
from yjs_store.committer import Committer
from yjs_store.errors import (
    Damaged,
    DocumentDeleted,
    DocumentFailed,
    DocumentMissing,
    StoreError,
)
from yjs_store.heads import tombstone
from yjs_store.names import check_name
from yjs_store.opened import OpenDocuments
from yjs_store.records import Head, SetAside
from yjs_store.salvage import SalvagePlan
from yjs_store.salvage_process import plan_elsewhere
from yjs_store.salvaging import carry_out, give_up, load_remains
from yjs_store.switches import Switches
from yjs_store.telemetry import Telemetry


class Lives:
    """The lives of the documents of one store.

    ``over`` hears the name of a document whose life has just ended; ``trim`` removes some of what
    is dead, and says whether more is left.
    """

    def __init__(
        self,
        backend: Backend,
        committer: Committer,
        opened: OpenDocuments,
        checkpointer: Checkpointer,
        clock_ms: Callable[[], int],
        make_uid: Callable[[], bytes],
        over: Callable[[str], None],
        trim: Callable[[], Awaitable[bool]],
        switches: Switches,
        telemetry: Telemetry,
    ) -> None:
        self._backend = backend
        self._committer = committer
        self._opened = opened
        self._checkpointer = checkpointer
        self._clock_ms = clock_ms
        self._make_uid = make_uid
        self._tell_over = over
        self._trim = trim
        self._switches = switches
        self._telemetry = telemetry

    # ---- deleted ----------------------------------------------------------------------------

    async def delete(self, name: str) -> None:
        """See Store.delete."""
        check_name(name)
        async with self._switches.turn:
            await self._committer.run_exclusive(lambda: self._delete_between_commits(name))
        self._tell_over(name)

    async def _delete_between_commits(self, name: str) -> None:
        sealed = await self._backend.load_head(name)
        if sealed is None:
            raise DocumentMissing(name)
        before = format.check_head(sealed)
        after = tombstone(before, self._clock_ms())
        await self._backend.delete(before, format.seal_head(after))
        # Here, since whoever asked may have given up waiting.
        self._switches.drop(before.document_id)
        document = await self._opened.find(name)
        if document is not None:
            document.failed(DocumentDeleted(name))

    async def forget(self, name: str) -> None:
        """See Store.forget."""
        check_name(name)
        sealed = await self._backend.load_head(name)
        if sealed is None:
            raise DocumentMissing(name)
        deleted = format.check_head(sealed)
        if deleted.deleted_ms is None:
            raise DocumentMissing(name)
        # With the lock no checkpoint of the former life has anything staged.
        async with self._checkpointer.lock(name):
            is_more_left = True
            while not await self._backend.forget(deleted):
                if not is_more_left:
                    raise Damaged(name, "tombstone", "nothing of its data", "some left by trimming")
                is_more_left = await self._trim()

    # ---- damaged ----------------------------------------------------------------------------

    async def plan_salvage(self, name: str, *, unverified: bool) -> SalvagePlan:
        """See Store.plan_salvage."""
        check_name(name)
        remains = await load_remains(self._backend, name)
        document = await self._opened.find(name)
        known = list[bytes]()
        if document is not None:
            # What cannot be read in memory either is no reason to save nothing.
            with contextlib.suppress(StoreError):
                known.append(await document.whole())
        return await plan_elsewhere(remains, unverified=unverified, known=known)

    async def salvage(self, planned: SalvagePlan) -> Head:
        """See Store.salvage."""
        now_ms = self._clock_ms()
        async with self._switches.turn:
            head = await carry_out(
                self._backend, planned, self._make_uid(), now_ms, self._committer.run_exclusive
            )
            self._switches.move(planned.remains.sealed_head.head.document_id, head.document_id)
        await self._begin_anew(head.name, "it was salvaged")
        self._telemetry.note(head.name, "salvaged", last_seq=head.last_seq)
        return head

    async def set_aside(self, planned: SalvagePlan) -> None:
        """See Store.set_aside."""
        former = planned.remains.sealed_head.head
        name = former.name
        async with self._switches.turn:
            await give_up(self._backend, planned, self._clock_ms(), self._committer.run_exclusive)
            self._switches.drop(former.document_id)
        await self._begin_anew(name, "it was set aside")
        self._telemetry.note(name, "set aside")

    async def _begin_anew(self, name: str, why: str) -> None:
        """Let those who have the former life of a document open load the new one."""
        self._tell_over(name)
        document = await self._opened.find(name)
        if document is not None:
            document.failed(DocumentFailed(name, why))

    async def list_set_aside(self) -> Sequence[SetAside]:
        """See Store.list_set_aside."""
        return await self._backend.list_set_aside()

    async def discard_set_aside(self, document_id: int) -> bool:
        """See Store.discard_set_aside."""
        return await self._backend.discard_set_aside(document_id)
