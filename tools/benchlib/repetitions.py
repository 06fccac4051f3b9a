"""Repeats a run, prints each as a row, and lets only those count that were checked."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from benchlib.errors import RunFailed
from benchlib.program import Setup
from benchlib.report import format_table, medians

Figures = dict[str, float]
"""Of one run; ``other_share`` is always among them."""

Columns = Mapping[str, Callable[[Figures], str]]
"""Head of a column, and how its cell is made of a run's figures."""

# The kernel's own threads take a percent or two on the server's behalf.
_UNDISTURBED_SHARE: Final = 0.05


class Run(NamedTuple):
    """A run that was checked."""

    number: int
    figures: Figures

    @property
    def is_disturbed(self) -> bool:
        """Whether others took more of the server's core than can be overlooked."""
        return self.figures["other_share"] > _UNDISTURBED_SHARE


async def repeat(setup: Setup, run: Callable[[Path], Awaitable[Figures]]) -> tuple[list[Run], bool]:
    """Run as often as wanted, each in a fresh directory.

    Returns the runs that were checked, and whether all were. A disturbed run is made up for by
    another one as far as ``setup.patience`` goes; one that failed never is.
    """
    runs: list[Run] = []
    failed = 0
    for number in range(1, setup.repetitions + setup.patience + 1):
        with setup.run_directory() as directory:
            try:
                figures = await run(directory)
            except RunFailed as error:
                failed += 1
                setup.report.note("refused run", {"run": number, "why": str(error)})
                setup.report.say(f"run {number} DOES NOT COUNT: {error}")
            else:
                runs.append(Run(number, figures))
                setup.report.note("run", {"run": number, **figures})
        good = sum(not one.is_disturbed for one in runs)
        if good + failed >= setup.repetitions:
            break
    return runs, failed == 0


def summarize(setup: Setup, columns: Columns, runs: Sequence[Run]) -> Figures | None:
    """Print a row for each run and one of medians; return the medians.

    With patience they are over the undisturbed runs, if there is one; otherwise over all.
    """
    if not runs:
        setup.report.say("no run counts")
        return None
    undisturbed = [run for run in runs if not run.is_disturbed]
    chosen = undisturbed if setup.patience and undisturbed else runs
    middle = medians([run.figures for run in chosen])
    rows = [(f"{run.number}{' !' if run.is_disturbed else ''}", run.figures) for run in runs]
    setup.report.say(
        format_table(
            ["run", *columns],
            [
                [name, *(cell(figures) for cell in columns.values())]
                for name, figures in [*rows, (f"median of {len(chosen)}", middle)]
            ],
        )
    )
    if len(undisturbed) < len(runs):
        setup.report.say(
            f"! DISTURBED: others took more than {_UNDISTURBED_SHARE:.0%} of the server's core;"
            " what is per second of its CPU holds, what is per second of time is too low"
        )
    setup.report.note("median", {"runs": len(chosen), **middle})
    return middle
