"""Says what came of acts, and ends the command with that."""

import json
from collections.abc import Sequence
from typing import Final, NoReturn

import click

from relay.commands.acts import FAILED, INCOMPLETE, NOOP, Answer
from relay.commands.views import shown_bytes
from relay.exit_codes import ExitCode
from relay.terminal import printable, shown_time

# No act takes a year; a number of milliseconds above this is a moment since 1970.
_LONGEST_MS: Final = 366 * 24 * 3600 * 1000


def end_with(answers: Sequence[Answer], as_json: bool) -> NoReturn:
    """Say what came of it, and end the command with that."""
    for answer in answers:
        click.echo(json.dumps(answer) if as_json else _line(answer))
    if not answers and not as_json:
        click.echo("There is nothing to do.")
    is_failed = any(answer.get("result") in (FAILED, INCOMPLETE) for answer in answers)
    raise SystemExit(ExitCode.NO if is_failed else ExitCode.DONE)


def _line(answer: Answer) -> str:
    """Return an answer for a person; a server's may hold anything."""
    document, result = answer.get("document"), str(answer.get("result"))
    subject = "the store" if document is None else str(document)
    what = "nothing to do" if result == NOOP else result.replace("_", " ")
    facts = answer.get("facts")
    shown = _flat(facts) if isinstance(facts, dict) else []
    return "  ".join(map(printable, [subject, what, *shown]))


def _flat(facts: dict[str, object], before: str = "") -> list[str]:
    lines: list[str] = []
    for name, value in facts.items():
        label = before + name.replace("_", " ")
        if isinstance(value, dict):
            lines += _flat(value, f"{label} ")
        elif type(value) is int and name.rpartition("_bytes")[1]:
            lines.append(f"{label.replace(' bytes', '')}: {shown_bytes(value)}")
        elif type(value) is int and name.endswith("_ms") and value > _LONGEST_MS:
            lines.append(f"{label.removesuffix(' ms')}: {shown_time(value)}")
        elif value is not None:
            lines.append(f"{label}: {value}")
    return lines
