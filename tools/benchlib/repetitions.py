"""Repeats a run, prints each as a row, and lets only those count that were checked."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from benchlib.errors import RunFailed
from benchlib.program import Setup
from benchlib.report import format_table, medians

Figures = dict[str, float]
"""Of one run; ``other_share`` is always among them."""

Columns = Mapping[str, Callable[[Figures], str]]
"""Head of a column, and how its cell is made of a run's figures."""

# The kernel's own threads take a percent or two on the server's behalf.
_UNDISTURBED_SHARE: Final = 0.05


async def repeat(
    setup: Setup, run: Callable[[Path], Awaitable[Figures]]
) -> tuple[list[Figures], bool]:
    """Run as often as wanted, each in a fresh directory.

    Returns the figures of the runs that count, and whether all of them do.
    """
    counted: list[Figures] = []
    for number in range(1, setup.repetitions + 1):
        with setup.run_directory() as directory:
            try:
                figures = await run(directory)
            except RunFailed as error:
                setup.report.note("refused run", {"run": number, "why": str(error)})
                setup.report.say(f"run {number} DOES NOT COUNT: {error}")
                continue
        setup.report.note("run", {"run": number, **figures})
        counted.append(figures)
    return counted, len(counted) == setup.repetitions


def summarize(setup: Setup, columns: Columns, runs: Sequence[Figures]) -> Figures | None:
    """Print a row for each run and one of medians; return the medians."""
    if not runs:
        setup.report.say("no run counts")
        return None
    middle = medians(runs)
    rows = [(str(number), figures) for number, figures in enumerate(runs, 1)]
    rows.append(("median", middle))
    setup.report.say(
        format_table(
            ["run", *columns],
            [[name, *(cell(figures) for cell in columns.values())] for name, figures in rows],
        )
    )
    disturbed = max(figures["other_share"] for figures in runs)
    if disturbed > _UNDISTURBED_SHARE:
        setup.report.say(
            f"DISTURBED: others took up to {disturbed:.0%} of the server's core in a run; what is"
            " per second of CPU holds, what is per second is too low"
        )
    setup.report.note("median", {"runs": len(runs), **middle})
    return middle
