"""Options that every benchmark has."""

from pathlib import Path

import click

from benchlib.project_python import CHECKOUT

OUTPUT_OPTIONS = (
    click.option(
        "--directory",
        type=click.Path(path_type=Path, file_okay=False),
        default=CHECKOUT / ".cache" / "bench",
        show_default=".cache/bench of the checkout",
        help="Where stores are made, and removed again; its disk is measured, too.",
    ),
    click.option(
        "--json",
        "json_path",
        type=click.Path(path_type=Path, dir_okay=False),
        help="Append every figure to this file as JSON lines.",
    ),
    click.option("--date", help="Date that the figures are filed under; now, when not given."),
)
