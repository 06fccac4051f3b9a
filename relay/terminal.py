"""What clients had a hand in, made safe to print for a person."""

from collections.abc import Sequence
from datetime import UTC, datetime


def printable(text: str) -> str:
    """Return the text with everything that acts on a terminal, or cannot be seen, escaped.

    So that no name or reason can move the cursor, hide what follows or begin a line. A backslash
    is escaped, too: what is printed stands for one text only.
    """
    return "".join(
        each if each.isprintable() and each != "\\" else each.encode("unicode_escape").decode()
        for each in text
    )


def table(rows: Sequence[Sequence[str]]) -> list[str]:
    """Return lines with columns below each other, all of it printable."""
    shown = [[printable(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*shown, strict=True)]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in shown
    ]


def shown_time(time_ms: int) -> str:
    """Return a time in UTC, or the number where a damaged one is no time."""
    try:
        return datetime.fromtimestamp(time_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%SZ")
    except (OverflowError, ValueError, OSError):
        return f"{time_ms} ms"
