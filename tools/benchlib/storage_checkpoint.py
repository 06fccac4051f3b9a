"""What a checkpoint costs beside the bare work, and how much memory it takes."""

import asyncio
import json
import os
import sys
from dataclasses import asdict
from pathlib import Path
from statistics import median

from benchlib.big_documents import KINDS, Kind, make_document
from benchlib.checkpoint_run import CheckpointFigures
from benchlib.engine import open_engine, put_document
from benchlib.errors import RunFailed
from benchlib.markdown import format_markdown, size_text
from benchlib.project_python import CHECKOUT, TOOLS
from benchlib.storage_program import StorageSetup

NAME = "large"


async def measure(setup: StorageSetup, byte_length: int) -> None:
    """Print a row for each kind of document."""
    table = [await _measure_kind(setup, kind, byte_length) for kind in KINDS.values()]
    setup.report.say(
        format_markdown(
            [
                "document",
                "bytes",
                "bare",
                "checkpoint",
                "ratio",
                "range",
                "of CPU",
                "Doc alone",
                "fold process",
                "store's process",
                "both / bytes",
            ],
            table,
        )
    )


async def _measure_kind(setup: StorageSetup, kind: Kind, byte_length: int) -> list[str]:
    runs = []
    with setup.run_directory() as directory:
        path = directory / "store.db"
        async with open_engine(path) as engine:
            await put_document(engine, NAME, make_document(kind, byte_length, setup.seed))
        for _ in range(setup.repetitions):
            figures = await _run(path)
            runs.append(figures)
            setup.report.note("checkpoint run", {"kind": kind.name, **asdict(figures)})
    size = runs[0].document_bytes
    ratios = sorted(run.checkpoint_s / run.bare_s for run in runs)
    cpu_ratio = median(run.checkpoint_cpu_s / run.bare_cpu_s for run in runs)
    memory = [
        median(getattr(run, name) for run in runs) / size
        for name in ("doc_bytes", "fold_peak_bytes", "store_peak_bytes")
    ]
    return [
        kind.name,
        size_text(size),
        f"{median(run.bare_s for run in runs) * 1e3:,.0f} ms",
        f"{median(run.checkpoint_s for run in runs) * 1e3:,.0f} ms",
        f"{median(ratios):.2f}",
        f"{ratios[0]:.2f}-{ratios[-1]:.2f}",
        f"{cpu_ratio:.2f}",
        *(f"{times:.1f}x" for times in memory),
        f"{memory[1] + memory[2]:.1f}x",
    ]


async def _run(path: Path) -> CheckpointFigures:
    """Measure in a fresh process: memory that an earlier run left would hide growth."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "benchlib.checkpoint_run",
        str(path),
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(CHECKOUT), str(TOOLS)])},
    )
    output, _ = await process.communicate()
    if process.returncode != 0:
        raise RunFailed(f"a run ended with exit code {process.returncode}")
    return CheckpointFigures(**json.loads(output))
