"""Opens and closes one document of a store again and again; prints how much memory that took."""

import asyncio
import sys
from pathlib import Path

from yjs_store import crdt, open_store

from .stores import url
from .update_builder import integer, item, letters, mapping, one, sub_document, values

TIMES = 4
STRUCTS = 30_000
_STATM_PAGE_BYTES = 4096


def resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * _STATM_PAGE_BYTES


async def open_often(path: str, *, with_sub_document: bool) -> int:
    """Return how much was added after the first two times."""
    begun = 0
    many = [item(values(integer(n % 50)), parent="map", key=f"k{n}") for n in range(STRUCTS)]
    async with open_store(url(Path(path))) as store:
        await store.append("often", one(*many))
        if with_sub_document:
            meta = mapping([("meta", mapping([]))])
            await store.append(
                "often", one(item(sub_document("guid", meta), parent="array"), client=8)
            )
    for number in range(TIMES + 2):
        if number == 2:
            begun = resident_bytes()
        # A store keeps a document for a while.
        async with open_store(url(Path(path))) as store, store.document("often") as document:
            letter = one(item(letters("x")), client=100 + number)
            assert (await document.append(letter)).seq
            assert len(document.diff(crdt.EMPTY_STATE_VECTOR)) > STRUCTS
    return resident_bytes() - begun


if __name__ == "__main__":
    print(asyncio.run(open_often(sys.argv[1], with_sub_document=sys.argv[2] == "with")))
