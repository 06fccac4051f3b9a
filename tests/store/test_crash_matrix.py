"""A sample of the crash matrix: of every kind of work, of every way to crash.

``tools/crash_matrix`` goes through all of it, and writes ``engineering/crash-matrix.md``.
"""

import asyncio
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from yjs_store.backends.sqlite_connect import Connect
from yjs_store.backends.sqlite_schema import SCHEMA_VERSION

from .crash_matrix.matrix import (
    CREATION,
    KINDS,
    POWER_CUT,
    VARIANTS,
    Crash,
    crashes_of,
    find_losses,
    record_all,
    sample,
)
from .crash_matrix.recording import record, write_files
from .crash_matrix.schemas import DATA, old_store
from .crash_matrix.scripts import append, checkpoint
from .crashes import check_recovery
from .editing import letters

POINTS_PER_KIND = 4
TORN_PER_POINT = 2
RECOVERIES = 4


@pytest.fixture(scope="module")
def sampled(tmp_path_factory: pytest.TempPathFactory) -> list[Crash]:
    """Some crashes of every kind in every recording, in every variant; always the same ones."""
    recordings = asyncio.run(record_all(tmp_path_factory.mktemp("recordings"), RECOVERIES))
    return [
        crash
        for recording in recordings
        for crash in sample(recording, POINTS_PER_KIND, TORN_PER_POINT)
    ]


@pytest.mark.parametrize("kind", KINDS)
async def test_nothing_acknowledged_is_lost(
    tmp_path: Path, sampled: list[Crash], kind: str
) -> None:
    """P1: it is there, and what was under way is there as a whole or not at all."""
    crashes = [crash for crash in sampled if crash.kind == kind]
    assert {crash.variant for crash in crashes} == set(VARIANTS)
    assert await find_losses(crashes, tmp_path) == []


def test_every_kind_has_a_name(sampled: list[Crash]) -> None:
    assert {crash.kind for crash in sampled} == set(KINDS)


@pytest.mark.parametrize("version", range(1, SCHEMA_VERSION + 1))
async def test_a_store_of_every_version_opens_with_all_it_has(tmp_path: Path, version: int) -> None:
    """A migration that is added brings a store of the version before; see schemas.py."""
    assert {path.name for path in DATA.glob(f"schema-{version}.*")} == {
        f"schema-{version}.db",
        f"schema-{version}.json",
    }
    files, model = old_store(version)
    write_files(tmp_path / "store.db", files)
    await check_recovery(tmp_path / "store.db", [model], f"version {version}")


def unsafe(replaced: str, replacement: str) -> Any:
    """Connections that do something else than the store asks for."""

    def wrap(connect: Connect) -> Connect:
        def connect_unsafely(path: Path) -> sqlite3.Connection:
            connection: Any = connect(path)
            execute = connection.execute

            def execute_unsafely(sql: str, *parameters: object) -> object:
                return execute(sql.replace(replaced, replacement), *parameters)

            connection.execute = execute_unsafely
            return connection

        return connect_unsafely

    return wrap


@pytest.mark.parametrize(
    ("replaced", "replacement"),
    [("synchronous = FULL", "synchronous = NORMAL"), ("synchronous = FULL", "synchronous = OFF")],
)
async def test_a_store_that_does_not_sync_is_found_out(
    tmp_path: Path, replaced: str, replacement: str
) -> None:
    """What the matrix finds nothing in would lose something, were it not as it is."""
    script = [*(append("n", update) for update in letters("abc")), checkpoint("n")]
    recording = await record(
        tmp_path / "live", script, opening=CREATION, wrap=unsafe(replaced, replacement)
    )
    crashes = [crash for crash in crashes_of(recording, 0) if crash.variant == POWER_CUT]
    assert await find_losses(crashes[::5], tmp_path)
