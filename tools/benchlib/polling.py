"""What it costs to be looked at: durable ingest by turns without and with pollers."""

from pathlib import Path
from typing import Any, Final

import click

from benchlib.history import type_history
from benchlib.ingest import Load, run_load
from benchlib.pollers import Polled, polling
from benchlib.program import Setup, common_options, run_program
from benchlib.repetitions import Columns, Figures, repeat, summarize
from benchlib.stream import Stream

ROUTES: Final = (
    "/debug/storage",
    "/debug/documents",
    "/debug/documents/bench-0",
    "/debug/me",
)
# Prometheus comes every 15 s or so.
SCRAPED: Final = "/metrics"
SCRAPES_PER_S: Final = 1.0
STREAM: Final = "/debug/stream"


@click.command(context_settings={"help_option_names": ["-h", "--help"], "show_default": True})
@click.option("--documents", type=click.IntRange(1, 10_000), default=50, help="One writer each.")
@click.option(
    "--updates", type=click.IntRange(1, 1_000_000), default=16_000, help="Keystrokes per document."
)
@click.option(
    "--window", type=click.IntRange(1, 100_000), default=200, help="Unacknowledged per writer."
)
@click.option(
    "--seconds", type=click.FloatRange(0.1, 600), default=15.0, help="Bound of the typing."
)
@click.option(
    "--per-second", type=click.FloatRange(0.1, 10_000), default=50.0, help="Of each route."
)
@click.option(
    "--loss-max", type=click.FloatRange(0, 1), default=0.03, help="What may be lost by it."
)
@common_options
def main(
    documents: int,
    updates: int,
    window: int,
    seconds: float,
    per_second: float,
    loss_max: float,
    **options: Any,
) -> None:
    """Measure how much durable ingest is lost while every debug route is polled.

    Runs without and with pollers take turns, so that a machine that grows slower hits both alike.
    With pollers each debug route is asked so often, and /metrics every second, and one client
    watches the stream of events. The exit status is 1 when a run does not count, or more is lost
    of what the server makes durable in a second of its CPU than may be.
    """

    async def scenario(setup: Setup) -> bool:
        setup.report.say(
            f"{documents} documents x 1 writer, {updates} keystrokes each, at most {seconds:g} s;"
            f" by turns without and with {len(ROUTES)} routes polled {per_second:g} times a second"
        )
        streams = [
            Stream(type_history(updates, setup.seed * 1_000_000 + index))
            for index in range(documents)
        ]
        return await _compare(setup, Load(streams, window, seconds), per_second, loss_max)

    run_program("polling", scenario, options)


async def _compare(setup: Setup, load: Load, per_s: float, loss_max: float) -> bool:
    runs, is_good = await repeat(setup, lambda directory: _run_both(setup, load, per_s, directory))
    setup.report.say()
    middle = summarize(setup, _COLUMNS, runs)
    if middle is None:
        return False
    # Of medians, so that one disturbed run counts for nothing.
    loss_by_cpu = 1 - middle["polled_per_cpu_s"] / middle["alone_per_cpu_s"]
    loss_by_time = 1 - middle["polled_per_s"] / middle["alone_per_s"]
    setup.report.note("loss", {"by_cpu": loss_by_cpu, "by_time": loss_by_time})
    setup.report.say(
        f"lost by polling: {loss_by_cpu:.1%} by CPU, {loss_by_time:.1%} by time"
        f" (may be {loss_max:.0%} by CPU)"
    )
    return is_good and loss_by_cpu <= loss_max


async def _run_both(setup: Setup, load: Load, per_s: float, directory: Path) -> Figures:
    """Type everything into a fresh server alone, then into another one that is polled.

    Raises:
        RunFailed: one of them does not count.
    """
    polled = Polled()
    rates = dict.fromkeys(ROUTES, per_s) | {SCRAPED: SCRAPES_PER_S}
    found: list[Figures] = []
    for name in ("alone", "polled"):
        place = directory / name
        place.mkdir()
        if name == "alone":
            found.append(await run_load(setup, setup.command, load, place, is_checked=True))
            continue
        figures = await run_load(
            setup,
            setup.command,
            load,
            place,
            is_checked=True,
            beside=lambda url: polling(url, rates, polled, STREAM),
        )
        found.append(figures)
    alone, with_pollers = found
    answers = sum(polled.answers.values())
    return {
        "alone_per_s": alone["updates_per_s"],
        "polled_per_s": with_pollers["updates_per_s"],
        "alone_per_cpu_s": alone["updates_per_server_cpu_s"],
        "polled_per_cpu_s": with_pollers["updates_per_server_cpu_s"],
        "other_share": max(alone["other_share"], with_pollers["other_share"]),
        "answers_per_s": answers / with_pollers["wall_s"],
        "answer_bytes": sum(polled.byte_lengths.values()) / len(rates),
        "slowest_answer_ms": polled.slowest_s * 1000,
        "events": polled.events,
        "wall_s": alone["wall_s"] + with_pollers["wall_s"],
    }


_COLUMNS: Columns = {
    "updates/s": lambda run: f"{run['alone_per_s']:,.0f}",
    "polled": lambda run: f"{run['polled_per_s']:,.0f}",
    "per server CPU s": lambda run: f"{run['alone_per_cpu_s']:,.0f}",
    "polled ": lambda run: f"{run['polled_per_cpu_s']:,.0f}",
    "loss by CPU": lambda run: f"{1 - run['polled_per_cpu_s'] / run['alone_per_cpu_s']:.1%}",
    "answers/s": lambda run: f"{run['answers_per_s']:.0f}",
    "B/answer": lambda run: f"{run['answer_bytes']:,.0f}",
    "slowest ms": lambda run: f"{run['slowest_answer_ms']:.0f}",
    "events": lambda run: f"{run['events']:.0f}",
    "others there": lambda run: f"{run['other_share']:.0%}",
    "seconds": lambda run: f"{run['wall_s']:.1f}",
}
