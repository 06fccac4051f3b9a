"""Reads what was relayed, or stored, with pycrdt: in a process of its own, which may well die.

``python -m fuzzlib.judge FILE...`` prints a line of JSON for each file of updates: clocks, texts,
and what it stumbled over.
"""

import asyncio
import json
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pycrdt import Doc, Text

from fuzzlib.lib0 import read_state_vector

JUDGE_S: Final = 30.0
_LENGTH_BYTES: Final = 8
_TOOLS: Final = Path(__file__).resolve().parents[1]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a client has after these updates. ``trouble`` is what it stumbled over."""

    clocks: dict[int, int]
    # By the name of the root, as far as it is a text.
    texts: dict[str, str]
    trouble: tuple[str, ...]
    # Client, start and end of what was sent; told by stock Yjs, not by pycrdt.
    sent: tuple[tuple[int, ...], ...] = ()


class JudgeDied(Exception):
    """A client that takes these updates dies, or is never done."""


def write_updates(path: Path, updates: Iterable[bytes]) -> None:
    """Write updates for the judge."""
    with path.open("wb") as file:
        for update in updates:
            file.write(len(update).to_bytes(_LENGTH_BYTES) + update)


async def judge(*paths: Path, within_s: float = JUDGE_S) -> list[Verdict]:
    """Have files of updates read by pycrdt clients.

    Raises:
        JudgeDied: it died, or took too long.
    """
    return await have_read("pycrdt", (sys.executable, "-m", "fuzzlib.judge"), paths, within_s)


async def have_read(
    reader: str, command: Sequence[str], paths: Sequence[Path], within_s: float
) -> list[Verdict]:
    """Have files of updates read by a command.

    Raises:
        JudgeDied: it died, or took too long.
    """
    process = await asyncio.create_subprocess_exec(
        *(*command, *map(str, paths)),
        cwd=_TOOLS,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        async with asyncio.timeout(within_s):
            output, _ = await process.communicate()
    except TimeoutError:
        process.kill()
        await process.wait()
        raise JudgeDied(f"{reader} is not done after {within_s:g} s") from None
    if process.returncode != 0:
        raise JudgeDied(f"{reader} ended with {process.returncode}")
    return [_verdict_of(json.loads(line)) for line in output.splitlines()]


def _verdict_of(content: dict[str, Any]) -> Verdict:
    clocks = {int(client): clock for client, clock in content["clocks"].items()}
    sent = tuple(map(tuple, content.get("sent", ())))
    return Verdict(clocks, content["texts"], tuple(content["trouble"]), sent)


def _read_updates(path: Path) -> list[bytes]:
    data = path.read_bytes()
    updates = []
    at = 0
    while at < len(data):
        start = at + _LENGTH_BYTES
        at = start + int.from_bytes(data[at:start])
        updates.append(data[start:at])
    return updates


def _look(updates: Sequence[bytes]) -> dict[str, Any]:
    doc: Doc[Any] = Doc()
    roots = {name: doc.get(name, type=Text) for name in ("text", "rich", "marks")}
    trouble: list[str] = []
    for update in updates:
        _try(lambda update=update: doc.apply_update(update), trouble)  # type: ignore[misc]
    # Only texts are read: yrs never ends when it reads an array in which somebody has put a format,
    # and pycrdt has no `undefined`. Which ids are deleted is not compared: what was put into a
    # deleted type counts as deleted only once it has been stored and loaded.
    texts = {
        name: _try(lambda root=root: str(root), trouble)  # type: ignore[misc]
        for name, root in roots.items()
    }
    return {
        # A client of whom nothing is there yet may be in it or not.
        "clocks": {client: n for client, n in read_state_vector(doc.get_state()).items() if n},
        "texts": texts,
        "trouble": trouble,
    }


def _try(work: Callable[[], object], trouble: list[str]) -> object:
    try:
        return work()
    except BaseException as error:  # noqa: BLE001
        # A panic in yrs is no Exception; here everything that a client trips over is a finding.
        trouble.append(f"{type(error).__name__}: {error}"[:300])
        return None


if __name__ == "__main__":
    for name in sys.argv[1:]:
        print(json.dumps(_look(_read_updates(Path(name)))))
