"""Tables for people that are Markdown for documents, too."""

from collections.abc import Iterable, Sequence


def format_markdown(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table; the first column is text, the others are figures."""
    lines = [tuple(heads), *map(tuple, rows)]
    widths = [max(3, *map(len, column)) for column in zip(*lines, strict=True)]
    ruler = ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])]
    padded = [
        [
            cell.rjust(width) if index else cell.ljust(width)
            for index, (cell, width) in enumerate(zip(line, widths, strict=True))
        ]
        for line in lines
    ]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in [padded[0], ruler, *padded[1:]])


def size_text(byte_length: float) -> str:
    """Return a size as a person says it: 25 B, 12.3 KB, 1.0 MB."""
    for unit, factor in (("MB", 1e6), ("KB", 1e3)):
        if byte_length >= factor:
            return f"{byte_length / factor:,.1f} {unit}"
    return f"{byte_length:,.0f} B"
