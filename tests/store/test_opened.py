"""yjs_store.opened: one load however many ask, and nobody's giving up is another's loss."""

import asyncio
from typing import cast

import pytest

from yjs_store import Document, StoreBusy, StoreError
from yjs_store.heads import fresh_head
from yjs_store.limits import RESTING_DOCUMENTS_MAX
from yjs_store.opened import OpenDocuments


class FakeDocument:
    """What OpenDocuments looks at."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.head = fresh_head(name, bytes(16))
        self.error: StoreError | None = None
        self.is_settled = True


class Loader:
    """Loads when it is let; each load can fail."""

    def __init__(self) -> None:
        self.count = 0
        self.error: StoreError | None = None
        self.go = asyncio.Event()

    async def __call__(self, name: str) -> Document:
        self.count += 1
        await self.go.wait()
        if self.error is not None:
            raise self.error
        return cast("Document", FakeDocument(name))


@pytest.fixture
async def loader() -> Loader:
    return Loader()


@pytest.fixture
async def documents(loader: Loader) -> OpenDocuments:
    return OpenDocuments(loader)


async def test_many_who_ask_get_one_document(documents: OpenDocuments, loader: Loader) -> None:
    asking = [asyncio.create_task(documents.open("n")) for _ in range(5)]
    await asyncio.sleep(0)
    loader.go.set()
    assert len({id(document) for document in await asyncio.gather(*asking)}) == 1
    assert loader.count == 1


async def test_one_who_gives_up_in_the_moment_it_is_loaded_leaves_it_to_rest(
    documents: OpenDocuments, loader: Loader
) -> None:
    asking = asyncio.create_task(documents.open("n"))
    await asyncio.sleep(0)
    loader.go.set()
    while (document := documents._entries["n"].document) is None:  # noqa: ASYNC110
        await asyncio.sleep(0)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    assert documents._resting == {"n": document}
    for number in range(RESTING_DOCUMENTS_MAX):
        documents.release(await documents.open(str(number)))
    assert "n" not in documents._entries, "a document that rests makes room for others"


async def test_a_failed_document_is_released_whoever_has_its_place(
    documents: OpenDocuments, loader: Loader
) -> None:
    loader.go.set()
    failed = await documents.open("n")
    failed.error = StoreBusy("")
    documents.drop_when_unused(failed)
    loader.error = StoreBusy("cannot be loaded again")
    loader.go.clear()
    next_one = asyncio.create_task(documents.open("n"))
    await asyncio.sleep(0)
    documents.release(failed)
    loader.go.set()
    with pytest.raises(StoreBusy):
        await next_one
    documents.release(failed)
    assert await documents.find("n") is None
    loader.error = None
    assert (await documents.open("n")).error is None


async def test_what_is_not_settled_does_not_leave_memory(
    documents: OpenDocuments, loader: Loader
) -> None:
    loader.go.set()
    document = cast("FakeDocument", await documents.open("n"))
    document.is_settled = False
    documents.release(cast("Document", document))
    assert documents._resting == {}
    assert await documents.find("n") is document
    document.is_settled = True
    documents.drop_when_unused(cast("Document", document))
    assert documents._resting == {"n": document}


async def test_close_waits_for_what_is_on_its_way(documents: OpenDocuments, loader: Loader) -> None:
    asking = asyncio.create_task(documents.open("n"))
    await asyncio.sleep(0)
    closing = asyncio.create_task(documents.close())
    await asyncio.sleep(0)
    assert not closing.done()
    loader.go.set()
    await asking
    await closing
    assert await documents.find("n") is None
