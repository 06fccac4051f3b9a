"""Every field of the debug JSON moves on a real store, by what it tells of.

The tests are driven by the fields of the models: one that is new and that nothing moves fails.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest
from debug_fields import CONSTANT_FIELDS
from debug_movers import CHANGED, MOVERS, Mover
from debug_paths import at, paths_of
from debug_world import World, opened
from relay_process import ServerProcess
from relay_support import deadline

from relay.debug import models

# What another process has otherwise: a test below starts one.
BY_A_RESTART = {
    "process.pid",
    "process.started_ms",
    "configuration",
}
# What only another version of the program has otherwise; see test_debug_fields.
BY_AN_UPGRADE = {"process.version", "schema_version"}
# The disk decides in which part of its tally the next one falls; debug_fields moves them.
BY_THE_DISK = {f"commits.fsync_ms.{name}" for name in ("p50", "p90", "p99")}
SUMMARY = models.DocumentSummary.model_fields.keys()


def test_every_field_of_a_document_has_a_mover() -> None:
    moved = {path for mover in MOVERS for path in mover.of_document}
    assert set(paths_of(models.Document)) == moved | CONSTANT_FIELDS.keys()


def test_every_field_of_the_store_has_a_mover() -> None:
    moved = {path for mover in MOVERS for path in mover.of_storage}
    assert set(paths_of(models.Storage)) == moved | BY_A_RESTART | BY_AN_UPGRADE | BY_THE_DISK


@pytest.fixture
def fast_scrubbing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything is read again and again."""
    monkeypatch.setattr("yjs_store.scrubber.SCRUB_FIRST_S", 0.01)
    monkeypatch.setattr("yjs_store.scrubber.SCRUB_PASS_S", 0.0)


@pytest.fixture(params=MOVERS, ids=lambda mover: mover.name)
def mover(request: pytest.FixtureRequest, fast_scrubbing: None) -> Mover:
    found: Mover = request.param
    return found


@pytest.fixture
async def world(mover: Mover, tmp_path: Path) -> AsyncIterator[World]:
    async with opened(tmp_path, **mover.options) as world:
        await mover.before(world)
        yield world


async def test_a_mover_moves_what_it_says(mover: Mover, world: World) -> None:
    in_list = {
        path: value for path, value in mover.of_document.items() if path.split(".")[0] in SUMMARY
    }
    looks: list[tuple[Mapping[str, Any], Callable[[], Awaitable[Any]]]] = [
        (mover.of_document, world.document),
        (in_list, world.summary),
        (mover.of_storage, world.storage),
    ]
    before = [await look() for _, look in looks]
    for (expected, _), found in zip(looks, before, strict=True):
        standing = [path for path, value in expected.items() if at(found, path) == value]
        assert not standing, "it stood there before anything happened"
    await mover.act(world)
    for (expected, look), found in zip(looks, before, strict=True):
        await wait_moved(expected, look, found)


async def wait_moved(
    expected: Mapping[str, Any], look: Callable[[], Awaitable[Any]], before: Any
) -> None:
    """Look until everything has moved; what happens in the background takes its time."""
    unmoved: dict[str, Any] = {}
    try:
        async with deadline():
            while True:
                found = await look()
                unmoved = dict(_unmoved(expected, before, found))
                if not unmoved:
                    return
    except TimeoutError:
        raise AssertionError(f"is, and should be: {unmoved}") from None


def _unmoved(expected: Mapping[str, Any], before: Any, found: Any) -> Iterator[tuple[str, Any]]:
    for path, value in expected.items():
        now = at(found, path)
        if now == at(before, path) or value not in (CHANGED, now):
            yield path, (now, value)


def test_a_restart_moves_what_is_the_process_own(tmp_path: Path) -> None:
    def storage(*options: str) -> Any:
        with ServerProcess(tmp_path, *options) as server:
            return httpx.get(f"http://127.0.0.1:{server.port}/debug/storage").json()

    before, found = storage(), storage("--room-grace-s", "5")
    assert [path for path in BY_A_RESTART if at(before, path) == at(found, path)] == []
