"""Stock Yjs as the arbiter, where pycrdt clients differ: yrs itself errs with some orders."""

from pathlib import Path
from typing import Final

from system.node import NODE_DIRECTORY

from fuzzlib.judge import JUDGE_S, JudgeDied, Verdict, have_read

# What yrs says of the child of what later turns out to be a letter; Yjs takes it.
KNOWN_TROUBLE: Final = "must be deleted or shared ref type"


async def ask_stock(*paths: Path, within_s: float = JUDGE_S) -> list[Verdict]:
    """Have files of updates read by stock Yjs clients.

    Raises:
        JudgeDied: it died, or took too long.
    """
    command = ("node", str(NODE_DIRECTORY / "read_updates.mjs"))
    return await have_read("stock Yjs", command, paths, within_s)


async def blames_yrs(of_one: Path, of_other: Path) -> bool:
    """Whether stock Yjs reads both alike, where two pycrdt clients do not.

    Clocks, texts, and what was sent at all: of what waits for a predecessor yrs shows more or
    less, and a Doc may go on holding it back once the predecessor is there.
    """
    fair = await _fair_verdicts(of_one, of_other)
    return len(fair) > 0 and fair[0] == fair[1]


async def blames_yrs_beside(stock: Verdict, received: Path) -> bool:
    """Whether stock Yjs, given what a pycrdt client was sent, has what the stock client has."""
    fair = await _fair_verdicts(received)
    return len(fair) > 0 and (
        fair[0].clocks == stock.clocks and fair[0].texts["text"] == stock.texts["text"]
    )


async def is_known_trouble(verdict: Verdict, path: Path) -> bool:
    """Whether a pycrdt client stumbled over what stock Yjs takes, in a way that is known."""
    # What comes after the first is only that its document cannot be used any more.
    return KNOWN_TROUBLE in verdict.trouble[0] and len(await _fair_verdicts(path)) > 0


async def _fair_verdicts(*paths: Path) -> list[Verdict]:
    """Return what stock Yjs has; nothing where that has no say, as it stumbles as well."""
    try:
        verdicts = await ask_stock(*paths)
    except (JudgeDied, FileNotFoundError):
        # Also where there is no Node to ask.
        return []
    return [] if any(verdict.trouble for verdict in verdicts) else verdicts
