"""What a benchmark says: a table for people, JSON lines for programs."""

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from statistics import median


class Report:
    """Prints as it goes; with a path it also appends one JSON object per fact to that file."""

    def __init__(self, scenario: str, date: str, path: Path | None) -> None:
        self._common = {"scenario": scenario, "date": date}
        self._path = path

    def note(self, kind: str, facts: Mapping[str, object]) -> None:
        """Keep facts for programs."""
        if self._path is None:
            return
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps({**self._common, "kind": kind, **facts}) + "\n")

    def say(self, text: str = "") -> None:
        """Print a line at once: a benchmark takes a while."""
        print(text, flush=True)


def medians(rows: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Return the median of each figure over all runs."""
    return {name: median(row[name] for row in rows) for name in rows[0]}


def format_table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table; the first column is text, the others are figures."""
    lines = [tuple(heads), *map(tuple, rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if index else cell.ljust(width)
            for index, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    )
