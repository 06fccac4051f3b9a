"""The storage measurements as one program with a command for each."""

from typing import Any

import click

from benchlib import (
    storage_amplification,
    storage_append,
    storage_checkpoint,
    storage_cold_load,
    storage_pages,
    storage_savings,
)
from benchlib.storage_program import StorageSetup, run_storage_program, storage_options

_SETTINGS = {"help_option_names": ["-h", "--help"], "show_default": True}
# A whole session with a larger document takes many minutes.
_SESSION_BYTES_MAX = 5_000_000


@click.group(context_settings=_SETTINGS)
def main() -> None:
    """Measure the storage engine alone, without a server around it."""


@main.command(context_settings=_SETTINGS)
@storage_options
def savings(**options: Any) -> None:
    """Measure what folding through a Doc saves on the real histories."""
    run_storage_program("savings", storage_savings.measure, options)


@main.command(context_settings=_SETTINGS)
@click.option("--journal-rows", type=click.IntRange(0, 1_000_000), multiple=True, default=(0, 1000))
@storage_options
def cold_load(journal_rows: tuple[int, ...], **options: Any) -> None:
    """Measure a load to the first byte of SyncStep2 against reading and checking alone."""

    async def scenario(setup: StorageSetup) -> None:
        await storage_cold_load.measure(setup, journal_rows)

    run_storage_program("cold-load", scenario, options)


@main.command(context_settings=_SETTINGS)
@click.option("--documents", type=click.IntRange(100), multiple=True, default=(10_000, 100_000))
@storage_options
def pages(documents: tuple[int, ...], **options: Any) -> None:
    """Measure pages of the list of documents, and what an index for each order would cost."""

    async def scenario(setup: StorageSetup) -> None:
        await storage_pages.measure(setup, documents)

    run_storage_program("pages", scenario, options)


@main.command(context_settings=_SETTINGS)
@click.option("--bytes", "byte_length", type=click.IntRange(200_000), default=10_000_000)
@storage_options
def checkpoint(byte_length: int, **options: Any) -> None:
    """Measure time and memory of a checkpoint against load, merge and write alone."""

    async def scenario(setup: StorageSetup) -> None:
        await storage_checkpoint.measure(setup, byte_length)

    run_storage_program("checkpoint", scenario, options)


@main.command(context_settings=_SETTINGS)
@click.option("--documents", type=click.IntRange(1, 10_000), default=50)
@click.option("--rate", type=click.FloatRange(1, 100_000), default=300.0, help="Keystrokes/s, all.")
@click.option("--seconds", type=click.FloatRange(0.5, 600), default=8.0, help="Of each phase.")
@click.option(
    "--bytes",
    "sizes",
    type=click.IntRange(200_000),
    multiple=True,
    default=(10_000_000, 50_000_000),
    help="Of the document that is checkpointed.",
)
@storage_options
def append_latency(
    documents: int, rate: float, seconds: float, sizes: tuple[int, ...], **options: Any
) -> None:
    """Measure p50 and p99 of appends, by turns alone and with checkpoints beside them."""

    async def scenario(setup: StorageSetup) -> None:
        await storage_append.measure(setup, storage_append.Load(documents, rate, seconds), sizes)

    run_storage_program("append-latency", scenario, options)


@main.command(context_settings=_SETTINGS)
@click.option(
    "--bytes",
    "sizes",
    type=click.IntRange(1000),
    multiple=True,
    default=(10_000, 1_000_000, 50_000_000),
    help="Of the document that is typed into.",
)
@click.option("--rows", type=click.IntRange(10, 400_000), default=2000, help="Commits measured.")
@click.option(
    "--session-checkpoints",
    type=click.IntRange(0, 1000),
    default=2,
    help="Length of the whole session that the figures are checked against, below 5 MB.",
)
@storage_options
def amplification(
    sizes: tuple[int, ...], rows: int, session_checkpoints: int, **options: Any
) -> None:
    """Measure bytes written to disk for each byte accepted, and the load just before a fold.

    What is written is what the kernel counts for this process (write_bytes in /proc/self/io):
    SQLite's WAL, its wal_checkpoints into the database file and the trims are in it; the fold
    process writes nothing but its pipe.
    """

    async def scenario(setup: StorageSetup) -> None:
        await storage_amplification.measure(setup, sizes, rows)
        for size in sizes:
            if session_checkpoints and size <= _SESSION_BYTES_MAX:
                await storage_amplification.session(setup, size, session_checkpoints)

    run_storage_program("amplification", scenario, options)
