"""Plays one case against a server of its own, with all judges in place."""

import random
import shutil
import tempfile
from pathlib import Path

from system.node import NodeProcess

from fuzzlib.bout import Bout
from fuzzlib.cases import Case
from fuzzlib.findings import Finding, Kind
from fuzzlib.sockets import NotOpened


async def replay(case: Case, seed: int, *, with_node: bool = True) -> list[Finding]:
    """Return everything that is found when this case alone is played."""
    directory = Path(tempfile.mkdtemp(prefix="fuzz-replay-"))
    node = await NodeProcess.start() if with_node else None
    bout = Bout(directory)
    try:
        await bout.start()
        # Other ids than the case may have been made with, by the same seed.
        return await _play(bout, case, random.Random(f"replay {seed}"), node)
    finally:
        await bout.abandon()
        if node is not None:
            await node.kill()
        shutil.rmtree(directory)


async def _play(
    bout: Bout, case: Case, chance: random.Random, node: NodeProcess | None
) -> list[Finding]:
    arena = bout.arena("replayed", chance, node, case.bystanders)
    findings: list[Finding] = []
    try:
        await arena.open()
        outcome = await arena.attack(case)
        if outcome.valid_ends:
            detail = "; ".join(outcome.valid_ends)
            findings.append(Finding(Kind.VALID_REFUSED, detail, arena.document, [case]))
        if outcome.silent:
            findings.append(Finding(Kind.NO_ANSWER, "", arena.document, [case]))
        findings += bout.look([case])
        if any(finding.kind == Kind.SERVER_DIED for finding in findings):
            return findings
        await arena.wait_checkpoint()
        settled, differences = await arena.settle()
        bout.settled.append(settled)
        findings += [*arena.look(), *differences, *bout.look([case])]
    except NotOpened as error:
        findings += bout.look([case]) or [
            Finding(Kind.NO_RECEIPT, f"nobody gets in: {error}", arena.document, [case])
        ]
        return findings
    finally:
        await arena.close()
    if any(finding.kind == Kind.SERVER_DIED for finding in findings):
        return findings
    return [*findings, *await bout.finish()]
