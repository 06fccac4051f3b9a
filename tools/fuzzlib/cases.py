"""A case: what hostile clients send, step by step; and its JSON, in which findings are kept."""

import base64
import json
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

_FORMAT: Final = 1
# Longer bytes are deflated in a file: a poison is mostly the same thing over and over.
_HEX_BYTES_MAX: Final = 4096


class Send(StrEnum):
    """In what wrapping the bytes of a step go out."""

    UPDATE = "update"  # as a sync message
    STEP2 = "step2"  # as the answer to a SyncStep1
    FRAME = "frame"  # as the payload of a binary frame
    RAW = "raw"  # on a websocket's connection as they are
    HTTP = "http"  # on a connection of their own, before any handshake
    CUT = "cut"  # no bytes: the connection ends without a word
    END = "end"  # no bytes: all have their answer, and leave


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that one session does."""

    send: Send
    data: bytes = b""
    session: int = 0


@dataclass(frozen=True, slots=True)
class Case:
    """What is sent to one document. Its ``attack`` names the kind of thing that it is.

    A case that ``forges`` writes under the ids of others, or twice under one id: then replicas
    differ by the rules of Yjs, and only liveness is judged. ``bystanders`` are the ids of the
    honest clients that it was made for; none for those that refer to nobody. The sessions that are
    ``valid`` send nothing but what an honest client might.
    """

    strategy: str
    attack: str
    steps: Sequence[Step]
    forges: bool = False
    bystanders: Sequence[int] = ()
    valid: Sequence[int] = ()

    @property
    def size(self) -> int:
        """How many bytes it sends."""
        return sum(len(step.data) for step in self.steps)


def updates_case(
    strategy: str,
    attack: str,
    updates: Sequence[bytes],
    *,
    forges: bool = False,
    is_valid: bool = False,
) -> Case:
    """Return the case that sends updates from one session."""
    steps = [Step(Send.UPDATE, update) for update in updates]
    return Case(strategy, attack, steps, forges, valid=[0] if is_valid else [])


def as_session(case: Case, number: int, steps_max: int | None = None) -> Case:
    """Return the case of one session with another number for it, and so many steps at most."""
    steps = [replace(step, session=number) for step in case.steps[:steps_max]]
    return replace(case, steps=steps, valid=[number] if case.valid else [])


def joined(cases: Sequence[Case]) -> Case:
    """Return one case that does what several did, one after the other."""
    steps: list[Step] = []
    valid: list[int] = []
    first = 0
    for case in cases:
        # A refusal of one must not take along what another sent, nor be taken for that.
        steps += [replace(step, session=first + step.session) for step in case.steps]
        steps.append(Step(Send.END))
        valid += [first + session for session in case.valid]
        first += 1 + max((step.session for step in case.steps), default=0)
    forges = any(case.forges for case in cases)
    return replace(cases[-1], steps=steps[:-1], forges=forges, valid=valid)


def write_case(path: Path, case: Case, found: Sequence[str]) -> None:
    """Write a case and what was found with it."""
    steps = [_step_as_json(step) for step in case.steps]
    content = {
        "format": _FORMAT,
        "strategy": case.strategy,
        "attack": case.attack,
        "forges": case.forges,
        "bystanders": list(case.bystanders),
        "valid": list(case.valid),
        "found": list(found),
        "steps": steps,
    }
    path.write_text(json.dumps(content, indent=1) + "\n", "utf-8")


def read_case(path: Path) -> Case:
    """Read a case that ``write_case`` wrote.

    Raises:
        ValueError: it is of another format.
    """
    return case_of(json.loads(path.read_text("utf-8")))


def case_of(content: dict[str, Any]) -> Case:
    """Return the case that is in the JSON of a file; see ``read_case``."""
    if content.get("format") != _FORMAT:
        raise ValueError(f"not a case of format {_FORMAT}")
    steps = [_step_of(step) for step in content["steps"]]
    return Case(
        content["strategy"],
        content["attack"],
        steps,
        content["forges"],
        content["bystanders"],
        # Files of before this was told have nothing that is.
        content.get("valid", []),
    )


def _step_as_json(step: Step) -> dict[str, Any]:
    content: dict[str, Any] = {"send": str(step.send), "session": step.session}
    if len(step.data) <= _HEX_BYTES_MAX:
        return content | {"hex": step.data.hex()}
    return content | {"deflated": base64.b64encode(zlib.compress(step.data, 9)).decode()}


def _step_of(content: dict[str, Any]) -> Step:
    if "deflated" in content:
        data = zlib.decompress(base64.b64decode(content["deflated"]))
    else:
        data = bytes.fromhex(content.get("hex", ""))
    return Step(Send(content["send"]), data, content["session"])
