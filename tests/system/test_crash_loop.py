"""tools/crash_loop runs, finds nothing where nothing is wrong, and finds what is."""

import asyncio
import importlib
import random
import sys
from pathlib import Path
from typing import Any

import pytest

from .peers import Document, array_of, document_of, map_of, text_of
from .server import CHECKOUT, environment

TOOLS = CHECKOUT / "tools"
MINUTES = 0.1


@pytest.fixture
def crashlib(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Imports a module of the tool."""
    monkeypatch.syspath_prepend(TOOLS)
    return lambda name: importlib.import_module(f"crashlib.{name}")


def client_with(clients: Any, client_id: int, *updates: bytes) -> Any:
    """A client of the tool that was sent all of its document."""
    client = clients.new_client("n", client_id, random.Random(1), pastes_at_all=False)
    for update in updates:
        client.doc.apply_update(update)
        client.replicas.confirmed.apply_update(update)
    return client


def written() -> Document:
    doc = document_of()
    text_of(doc).insert(0, "text")
    array_of(doc).append("token")
    map_of(doc)["key"] = "value"
    return doc


async def test_a_few_kills_lose_nothing_and_are_reported(tmp_path: Path) -> None:
    report = tmp_path / "report.md"
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, TOOLS / "crash_loop", "--minutes", str(MINUTES), "--seed", "1"),
        *("--directory", tmp_path / "stores", "--report", report),
        env=environment(),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output = (await process.communicate())[0].decode()
    assert process.returncode == 0, output
    assert "seed 1\n" in output
    rows = dict(row.split(" | ") for row in report.read_text().replace("**", "").splitlines()[4:])
    figures = {what.strip("| "): figure.strip("| ") for what, figure in rows.items()}
    assert figures["lost"] == "0"
    assert int(figures["kills with SIGKILL"]) >= 1
    assert figures["updates acknowledged (echoed) before their kill"] != "0"
    assert list((tmp_path / "stores").iterdir()) == []


@pytest.mark.parametrize(
    "loss",
    [
        lambda doc: text_of(doc).clear(),  # a delete that nobody made
        lambda doc: array_of(doc).append("invented"),
    ],
)
def test_what_nobody_wrote_is_found(crashlib: Any, loss: Any) -> None:
    everything = written().get_update()
    clients = [client_with(crashlib("clients"), 7, everything)]
    stored = document_of(everything)
    check = crashlib("checks").check_document
    assert list(check("n", stored.get_update(), clients, second_decoder=False)) == []
    loss(stored)
    (found,) = check("n", stored.get_update(), clients, second_decoder=False)
    assert "no client wrote" in found


def test_an_edit_or_a_deletion_that_is_missing_is_found(crashlib: Any) -> None:
    doc = written()
    before = doc.get_update()
    state = doc.get_state()
    del text_of(doc)[0:2]
    deletion = doc.get_update(state)
    clients = [client_with(crashlib("clients"), 7, before, deletion)]
    checks = crashlib("checks")
    for stored, verified in ((b"\0\0", 0), (before, 1), (doc.get_update(), 2)):
        found = list(checks.check_document("n", stored, clients, second_decoder=False))
        assert len(found) == (verified < 2)
        assert checks.count_verified(stored, [[before, deletion]]) == verified


def test_a_client_that_ends_with_other_content_is_found(crashlib: Any) -> None:
    everything = written().get_update()
    clients = [client_with(crashlib("clients"), 7, everything)]
    check = crashlib("checks").check_equal
    assert list(check("n", document_of(everything), clients)) == []
    assert len(list(check("n", document_of(), clients))) == 1
