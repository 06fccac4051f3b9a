"""Values of keys that take several clocks: what stock Yjs makes of them, whole and parted."""

import random

import pytest

from tests.store.long_values import HOLD, HOLDER, INHERITED, SECOND_DELETED, TWO, UNDONE
from tests.store.update_builder import delete_set, integer, item, one, update, values
from yjs_store import crdt

from .node import NodeProcess

SEED = 9
RANDOM_CASES = 200

CASES = {
    "as undone": UNDONE,
    "the second is deleted": [TWO, SECOND_DELETED],
    "the key comes from what they stand beside": [HOLD, *INHERITED],
}


def parted(source: random.Random) -> list[bytes]:
    """A few values of a key, each after some clock of another, and some deletes."""
    length = source.randint(2, 4)
    updates = [one(item(values(*map(integer, range(length))), parent=HOLDER, key="k"))]
    for clock in range(source.randrange(3)):
        origin = (7, source.randrange(length))
        updates.append(one(item(values(integer(9)), origin=origin), client=8, clock=clock))
    deleted = [source.randrange(length) for _ in range(source.randrange(3))]
    updates += [update(deletes=delete_set((7, [(clock, 1)]))) for clock in deleted]
    return [HOLD, *updates]


@pytest.mark.parametrize("updates", CASES.values(), ids=CASES)
async def test_stock_yjs_reads_in_a_fold_what_it_reads_in_the_updates(
    node: NodeProcess, updates: list[bytes]
) -> None:
    folded, content = crdt.fold(updates)
    assert crdt.difference(content, folded) is None
    assert (await node.decode(folded))["content"] == (await node.decode(*updates))["content"]


async def test_it_does_so_however_values_are_parted(node: NodeProcess) -> None:
    source = random.Random(SEED)
    for _ in range(RANDOM_CASES):
        updates = parted(source)
        folded, content = crdt.fold(updates)
        assert crdt.difference(content, folded) is None
        read = await node.decode(*updates)
        case = [one_of.hex() for one_of in updates]
        assert (await node.decode(folded))["content"] == read["content"], f"seed {SEED}: {case}"
