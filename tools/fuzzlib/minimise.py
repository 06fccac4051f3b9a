"""Makes what led to a finding small: by playing ever less of it against new servers."""

import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Final

from fuzzlib.cases import Case, joined
from fuzzlib.findings import Finding, Kind

MINIMISING_S: Final = 60.0
# So many of the last cases are tried alone before all are tried together.
_ALONE: Final = 6

Replay = Callable[[Case], Awaitable[Sequence[Finding]]]


async def minimise(finding: Finding, replay: Replay, within_s: float = MINIMISING_S) -> Case | None:
    """Return the smallest case found that shows the same; None if it did not show again."""
    until_s = time.monotonic() + within_s
    case = await _find_culprit(finding, replay, until_s)
    if case is None:
        return None
    size = max(1, len(case.steps) // 2)
    at = 0
    while size >= 1 and time.monotonic() < until_s:
        if at >= len(case.steps):
            size, at = size // 2, 0
            continue
        steps = [*case.steps[:at], *case.steps[at + size :]]
        fewer = replace(case, steps=steps)
        if steps and await _shows(fewer, finding.kind, replay):
            case = fewer
        else:
            at += size
    return case


async def _find_culprit(finding: Finding, replay: Replay, until_s: float) -> Case | None:
    cases = list(finding.cases)
    alone = list(reversed(cases[-_ALONE:]))
    together = [joined(cases)] if len(cases) > 1 else []
    for case in [*alone, *together]:
        if time.monotonic() > until_s:
            return None
        if await _shows(case, finding.kind, replay):
            return case
    return None


async def _shows(case: Case, kind: Kind, replay: Replay) -> bool:
    return any(finding.kind == kind for finding in await replay(case))
