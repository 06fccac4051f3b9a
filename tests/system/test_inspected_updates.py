"""What inspection lets pass, stock Yjs takes; what it is there for, stock Yjs throws on (P5)."""

import contextlib
import random

from tests.store.oddities import HONEST, ODD, REFUSED
from tests.store.random_updates import random_updates
from yjs_store import UpdateRefused, crdt
from yjs_store.inspection import inspect

from .node import NodeProcess

SEED = 5
RANDOM_CASES = 500


def as_relayed(updates: list[bytes]) -> list[bytes]:
    """What the others get: the decoder has written it anew."""
    return [crdt.merge([update]) for update in updates]


async def test_stock_yjs_takes_what_passes(node: NodeProcess) -> None:
    cases = {name: [update] for name, (update, _) in HONEST.items()} | ODD
    for of_cases in (cases.values(), map(as_relayed, cases.values())):
        errors = await node.take(list(of_cases))
        assert [case for case in zip(cases, errors, strict=True) if case[1] is not None] == []


async def test_stock_yjs_throws_where_inspection_is_needed(node: NodeProcess) -> None:
    needed = ("an origin in itself", "kind 11", "a weak link", "null for options", "tag 0")
    assert None not in await node.take([[REFUSED[name]] for name in needed])


async def test_stock_yjs_takes_what_passes_of_random_updates(node: NodeProcess) -> None:
    source = random.Random(SEED)
    passed: list[list[bytes]] = []
    while len(passed) < RANDOM_CASES:
        updates = random_updates(source)
        with contextlib.suppress(UpdateRefused, crdt.IntegrationFailed):
            replica = crdt.Replica()
            for update in updates:
                inspect(update)
                replica.integrate(update)
            passed.append(updates)
    errors = await node.take(passed)
    thrown = [(error, case) for error, case in zip(errors, passed, strict=True) if error]
    assert [(error, [u.hex() for u in case]) for error, case in thrown] == [], f"seed {SEED}"
