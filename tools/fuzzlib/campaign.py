"""The run: servers one after the other, each attacked by all strategies at once for a while."""

import asyncio
import random
import re
import shutil
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from system.node import NodeProcess

from fuzzlib import awareness_cases, session_cases, wire_cases
from fuzzlib.arena import Arena
from fuzzlib.bout import Bout
from fuzzlib.cases import Case, joined, write_case
from fuzzlib.findings import Finding, Kind
from fuzzlib.minimise import minimise
from fuzzlib.replay import replay
from fuzzlib.scene import Scene
from fuzzlib.sockets import NotOpened
from fuzzlib.tally import Tally
from fuzzlib.update_cases import UpdateCases

STRATEGIES: Final = ("wire", "updates", "awareness", "sessions")
BOUT_S: Final = 100.0
LOOK_S: Final = 0.25
# A document is given up, and judged, after so much.
CASES_PER_DOCUMENT: Final = 40
RECEIVED_BYTES_MAX: Final = 24 * 1024 * 1024
# What may have hurt a server: the last cases in each of its documents.
SUSPECTS: Final = 8

Maker = Callable[[Scene], Case]


class Campaign:
    """Everything that a run does, and counts in its tally."""

    def __init__(
        self,
        strategies: Sequence[str],
        tally: Tally,
        findings_directory: Path,
        histories: Sequence[Sequence[bytes]],
        say: Callable[[str], None],
        *,
        with_node: bool = True,
    ) -> None:
        # What is known to end the server is not tried again: the others want their turn.
        updates = UpdateCases(histories, tally.muted)
        makers: Mapping[str, Maker] = {
            "wire": wire_cases.make,
            "updates": updates.make,
            "awareness": awareness_cases.make,
            "sessions": lambda scene: session_cases.make(scene, updates),
        }
        self._makers = {name: makers[name] for name in strategies}
        self._tally = tally
        self._directory = findings_directory
        self._say = say
        self._with_node = with_node
        self._chance = random.Random(tally.seed)
        self._tried: set[tuple[Kind, str]] = set()
        self._began_s = time.monotonic()

    async def run(self, seconds: float) -> None:
        """Attack until the time is over."""
        self._began_s = time.monotonic()
        self._directory.mkdir(parents=True, exist_ok=True)
        while (left_s := seconds - self._elapsed_s) > 0:
            found = await self._bout(min(BOUT_S, left_s))
            self._tally.findings += [finding for finding in found if finding.is_of_server]
            self._tally.yrs_errors += [finding for finding in found if not finding.is_of_server]
            self._tally.seconds = self._elapsed_s
            for finding in found:
                await self._keep(finding, can_minimise=self._elapsed_s < seconds)
            self._say(self._progress())
        self._tally.seconds = self._elapsed_s

    @property
    def _elapsed_s(self) -> float:
        return time.monotonic() - self._began_s

    def _progress(self) -> str:
        tally = self._tally
        return (
            f"{self._elapsed_s:5.0f} s  {tally.cases:,} cases in {tally.documents:,} documents,"
            f" {len(tally.findings)} findings of {len(tally.findings_by_cause())} causes"
        )

    async def _bout(self, seconds: float) -> list[Finding]:
        directory = Path(tempfile.mkdtemp(prefix="fuzz-relay-"))
        bout = Bout(directory)
        self._tally.servers += 1
        try:
            await bout.start()
            return await self._fight(bout, seconds)
        finally:
            await bout.abandon()
            self._tally.memory_peak_bytes = max(
                self._tally.memory_peak_bytes, bout.watch.memory_peak_bytes
            )
            self._tally.pings_s += bout.prober.waits_s
            shutil.rmtree(directory)

    async def _fight(self, bout: Bout, seconds: float) -> list[Finding]:
        until_s = time.monotonic() + seconds
        corners = [
            _Corner(bout, name, make, self._tally, random.Random(self._chance.random()))
            for name, make in self._makers.items()
        ]
        tasks = [asyncio.create_task(c.run(until_s, with_node=self._with_node)) for c in corners]
        findings: list[Finding] = []
        try:
            while not all(task.done() for task in tasks):
                await asyncio.wait(tasks, timeout=LOOK_S)
                suspects = [case for corner in corners for case in corner.suspects]
                found = bout.look(suspects)
                findings += found
                if any(finding.kind == Kind.SERVER_DIED for finding in found):
                    return findings
        finally:
            for task in tasks:
                task.cancel()
            ends = await asyncio.gather(*tasks, return_exceptions=True)
            findings += [finding for corner in corners for finding in corner.findings]
        for end in ends:
            if isinstance(end, BaseException):
                raise end
        self._tally.receipts_checked += sum(len(settled.receipts) for settled in bout.settled)
        return [*findings, *await bout.finish()]

    async def _keep(self, finding: Finding, *, can_minimise: bool) -> None:
        """Say what was found, and write down the smallest case for the first of its cause."""
        self._say(
            f"FOUND {finding.kind}; {finding.attack}: {' '.join(finding.detail.split())[:200]}"
        )
        cause = (finding.kind, finding.attack)
        if cause in self._tried or not finding.cases:
            return
        self._tried.add(cause)
        case = None
        if can_minimise and finding.is_of_server:
            case = await minimise(finding, lambda each: replay(each, self._tally.seed))
        if case is not None and finding.kind == Kind.SERVER_DIED:
            self._tally.muted.add(case.attack)
        kept = case or joined(finding.cases)
        name = re.sub(r"[^a-z0-9]+", "-", f"{finding.kind} {kept.attack}".lower())[:100]
        path = self._directory / f"{name}-{len(self._tried)}.json"
        write_case(path, kept, [f"{finding.kind}: {finding.detail}"])
        word = "shows again alone, kept" if case else "did not show again alone; all is kept"
        self._tally.minimised[cause] = f"{word} in `{path.name}`, {len(kept.steps)} steps"
        self._say(f"      {self._tally.minimised[cause]}")


class _Corner:
    """One strategy within a bout: one document after the other."""

    def __init__(
        self, bout: Bout, strategy: str, make: Maker, tally: Tally, chance: random.Random
    ) -> None:
        self.findings: list[Finding] = []
        self._bout = bout
        self._strategy = strategy
        self._make = make
        self._tally = tally
        self._chance = chance
        self._arena: Arena | None = None
        self._is_orderly = False

    @property
    def suspects(self) -> Sequence[Case]:
        """What was done lately, newest last."""
        return [] if self._arena is None else self._arena.cases[-SUSPECTS:]

    async def run(self, until_s: float, *, with_node: bool) -> None:
        """Attack documents until the time is over."""
        node: NodeProcess | None = None
        number = 0
        try:
            while time.monotonic() < until_s:
                if with_node and node is None:
                    node = await NodeProcess.start()
                number += 1
                arena = self._bout.arena(f"{self._strategy}-{number}", self._chance, node)
                hurt = await self._attack(arena, until_s)
                if hurt and node is not None:
                    await node.kill()
                    node = None
        finally:
            if node is not None:
                await node.kill()

    async def _attack(self, arena: Arena, until_s: float) -> bool:
        """Attack one document; returns whether its stock client is no more to be trusted."""
        self._tally.documents += 1
        self._arena = arena
        # What forges makes replicas differ by right: every other document is without it.
        self._is_orderly = self._tally.documents % 2 == 0
        found: list[Finding] = []
        try:
            await arena.open()
            while (
                time.monotonic() < until_s
                and len(arena.cases) < CASES_PER_DOCUMENT
                and arena.received_bytes < RECEIVED_BYTES_MAX
                and not found
            ):
                await self._play(arena, found)
            settled, differences = await arena.settle()
            found += [*differences, *arena.look()]
            self._bout.settled.append(settled)
            self._tally.latencies_s += settled.latencies_s
        except NotOpened as error:
            if self._bout.watch.is_alive:
                detail = f"an honest client does not get in: {error}"
                found.append(Finding(Kind.NO_RECEIPT, detail, arena.document, list(arena.cases)))
        finally:
            self.findings += found
            await arena.close()
        return any(finding.kind == Kind.STOCK_HURT for finding in found)

    async def _play(self, arena: Arena, found: list[Finding]) -> None:
        # In a thread, so that honest clients are not kept waiting by a large poison.
        arena.scene.victims = arena.clocks()
        case = await asyncio.to_thread(self._make, arena.scene)
        while self._is_orderly and case.forges:
            case = await asyncio.to_thread(self._make, arena.scene)
        outcome = await arena.attack(case)
        self._tally.count(case, outcome, arena.take_worst_wait_s())
        if outcome.silent:
            found.append(Finding(Kind.NO_ANSWER, "", arena.document, list(arena.cases)))
        if outcome.valid_ends:
            detail = "; ".join(outcome.valid_ends)
            found.append(Finding(Kind.VALID_REFUSED, detail, arena.document, list(arena.cases)))
        found += arena.look()
