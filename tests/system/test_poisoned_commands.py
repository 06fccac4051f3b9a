"""Commands that decode are not ended by what ends a decoder; they say which document it was."""

import asyncio
import json
from pathlib import Path

import pycrdt
import pytest
from click.testing import CliRunner, Result
from store.intents import append, fresh, opened
from store.poison import DEPTH, deep_value

from relay.cli import main
from yjs_store import open_store
from yjs_store.backends.sqlite import SqliteBackend


def words() -> bytes:
    doc: pycrdt.Doc[object] = pycrdt.Doc()
    text = doc.get("text", type=pycrdt.Text)
    text += "words"
    return doc.get_update()


def call(*arguments: str) -> Result:
    return CliRunner().invoke(main, arguments, catch_exceptions=False)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Rows written below the guard, as an older version has them, beside a sound document."""
    path = tmp_path_factory.mktemp("poisoned") / "relay.db"
    url = f"sqlite:///{path}"

    async def write() -> None:
        async with open_store(url) as opened_store:
            await opened_store.append("sound", words())
        async with opened(SqliteBackend(path)) as backend:
            await append(backend, fresh("deep"), deep_value(DEPTH))

    asyncio.run(write())
    return url


def test_show_says_that_it_ends_the_process_that_reads_it(store: str) -> None:
    done = call("show", "deep", "--content", "--store", store)
    assert done.exit_code == 1
    assert done.output == (
        "Error: deep: document 'deep' is poisoned: it ends the process that reads it\n"
    )
    # Its facts need no decoder.
    assert call("show", "deep", "--store", store).exit_code == 0
    assert call("show", "sound", "--text", "--store", store).output == "text: words\n"


def test_an_export_leaves_it_out_and_goes_on(store: str, tmp_path: Path) -> None:
    out = tmp_path / "out"
    done = call("export", "--all", "--store", store, str(out))
    assert done.exit_code == 1
    assert "LEFT OUT  deep  document 'deep' is poisoned" in done.output
    names = [each["name"] for each in json.loads((out / "manifest.json").read_text())["documents"]]
    assert names == ["sound"]
