"""Whether a store is whole: every promise that can be read off what it holds."""

from store.intents import opened, trim_all

from yjs_store import format
from yjs_store.backend import Backend, Reader

from .places import Place


async def check_whole(place: Place) -> None:
    """Open what is there and check it; then trim to the end and check that nothing is dead."""
    async with opened(place.backend()) as backend:
        await _check_documents(backend)
        await trim_all(backend)
        await _check_documents(backend)
        await _check_tidy(place, backend)


async def _check_documents(reader: Reader) -> None:
    """Each document is found by name and by key, and everything of it is what was written."""
    assert list(await reader.audit()) == []
    sealed_heads = await reader.list_heads("", None, 1 << 20)
    for sealed in sealed_heads:
        head = format.check_head(sealed)
        stored = await reader.load(head.name)
        assert stored is not None
        assert stored == await reader.load_by_id(head.document_id)
        assert stored.sealed_head == sealed
        if head.deleted_ms is None:
            format.assemble(stored)
            seqs = [row.seq for row in stored.rows]
            assert seqs == list(range(head.cut_seq + 1, head.last_seq + 1))
        else:
            assert (stored.snapshot, stored.chunks, stored.rows) == (None, (), ())
    extents = await reader.list_extents(0, 1 << 20)
    assert [extent.document_id for extent in extents] == sorted(
        sealed.head.document_id for sealed in sealed_heads
    )


async def _check_tidy(place: Place, backend: Backend) -> None:
    """Only what a head names is held, and what was set aside."""
    held = place.held()
    aside = {each.document_id for each in await backend.list_set_aside()}
    assert held.set_aside.keys() == aside
    assert held.trims == set()
    heads = {sealed.head.document_id: sealed.head for sealed in await _all_heads(backend)}
    for document_id, seq in held.rows:
        if document_id not in aside:
            assert seq > heads[document_id].cut_seq, (document_id, seq)
    for snapshot_id, (document_id, state, _) in held.snapshots.items():
        if document_id not in aside:
            assert state == "published"
            assert heads[document_id].snapshot_id == snapshot_id
    assert {snapshot_id for snapshot_id, _ in held.chunks} <= held.snapshots.keys()


async def _all_heads(reader: Reader) -> list[format.SealedHead]:
    return list(await reader.list_heads("", None, 1 << 20))
