"""Progress bars for people: on standard error, and only where that is a terminal."""

import contextlib
import sys
from collections.abc import Callable, Iterator

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn


def is_shown() -> bool:
    """Say whether anybody would see a bar."""
    return sys.stderr.isatty()


@contextlib.contextmanager
def progress(label: str, total: int) -> Iterator[Callable[[int], None]]:
    """Show a bar for ``total`` steps; what it yields is told of each that is done."""
    bar = Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TaskProgressColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        disable=not is_shown(),
        transient=True,
    )
    with bar:
        task = bar.add_task(label, total=max(total, 1))
        yield lambda steps: bar.advance(task, steps)
