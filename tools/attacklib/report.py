"""Tells outcomes as lines and as a page."""

from collections.abc import Sequence

from attacklib.figures import Figures
from attacklib.run import Outcome
from attacklib.stalled import StalledRun

MIB = 1 << 20


def as_line(outcome: Outcome) -> str:
    """One line for the terminal."""
    return (
        f"{outcome.name:22} {_ends(outcome):40} {_memory(outcome):24} cpu {outcome.cpu:4.0%}"
        f"  bystanders {_delays(outcome)} {outcome.failure.splitlines()[:1] or ''}"
    )


def as_page(figures: Figures, date: str) -> str:
    """The page."""
    rows = [
        f"| `{each.name}`: {each.what} | {each.bound} | {_ends(each)} | {_memory(each)} |"
        f" {each.cpu:.0%} | {_delays(each)} |{' ' + each.failure if each.failure else ''}"
        for each in figures.in_order()
    ]
    stalled = stalled_table(figures.stalled)
    return PAGE.format(date=date, rows="\n".join(rows), stalled=stalled)


def stalled_table(runs: Sequence[StalledRun]) -> str:
    """A table of runs without and with stalled readers, in the order in which they were made."""
    rows = [
        f"| {each.stalled} | {each.samples:,} | {each.p50_ms:.1f} | {each.p99_ms:.1f} |"
        f" {each.max_ms:.0f} | {each.memory_bytes / MIB:.0f} |"
        for each in runs
    ]
    head = "| stalled of 1,000 | samples | p50 ms | p99 ms | max ms | memory MiB |"
    return "\n".join([head, "| ---: | ---: | ---: | ---: | ---: | ---: |", *rows])


def _ends(outcome: Outcome) -> str:
    return ", ".join(f"{count} {how}" for how, count in outcome.outcomes.items()) or "all left"


def _memory(outcome: Outcome) -> str:
    before, peak, after = (
        round(each / MIB)
        for each in (outcome.rss_before_bytes, outcome.rss_peak_bytes, outcome.rss_after_bytes)
    )
    return f"{before} → {peak} → {after} MiB"


def _delays(outcome: Outcome) -> str:
    calm, during = outcome.calm, outcome.bystanders
    text = (
        f"{calm['p50_ms']:.1f} / {calm['p99_ms']:.0f} → {during['p50_ms']:.1f} /"
        f" {during['p99_ms']:.0f} / {during['max_ms']:.0f} ms"
    )
    reconnects = during["reconnects"]
    return f"{text}, {reconnects:.0f} reconnects" if reconnects else text


PAGE = """# Attacks, and what they cost

Written by `tools/attack_relay` on {date}; `tools/attack_relay --only NAME` repeats one.

Each attack meets a server of its own with the default settings. *Ended*: how the server ended the
attackers' sockets: a close code, an HTTP status, `cut` without a word, `open` not at all. *Memory*
is of the server's process: before, at most, and two seconds after the attackers left. *CPU* is the
server's, of one core. *Bystanders* are two clients who type to each other in another document,
twenty letters a second: median and p99 before → median, p99 and longest during the attack. The
attackers run on the same machine (two cores) and take the second core for themselves.

| attack | bound | ended | memory | CPU | bystanders |
| --- | --- | --- | ---: | ---: | ---: |
{rows}

## Readers who read nothing

1,000 readers of one document, and one who types twenty letters a second. Of the readers none, and
then some, have stopped reading and have all their buffers full: more was pasted than they hold.
The delay is that of a letter to each of the others, over all letters and readers, in the order in
which the runs were made.

{stalled}
"""
