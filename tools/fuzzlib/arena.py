"""One document under attack: two bystanders and a stock client in it, and what they notice."""

import asyncio
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from system.node import NodeClient, NodeFailed, NodeProcess, step

from fuzzlib.arbiter import blames_yrs, blames_yrs_beside, is_known_trouble
from fuzzlib.attacking import Outcome, play
from fuzzlib.authoring import CLIENT_IDS
from fuzzlib.cases import Case
from fuzzlib.findings import Finding, Kind
from fuzzlib.honest import Bystander
from fuzzlib.judge import JudgeDied, Verdict, judge, write_updates
from fuzzlib.quiet import wait_quiet
from fuzzlib.scene import Scene

# A bystander's edit has its receipt within this time, whatever the attackers do.
RECEIPT_S_MAX: Final = 10.0
STOCK_TYPING_S: Final = 0.5
STOCK_READS_S: Final = 15.0
BYSTANDERS: Final = 2
# Above the rows after which a server under attack makes a checkpoint, two typing at once.
CHECKPOINT_EDITS: Final = 12


@dataclass(slots=True)
class Settled:
    """What a document has to be from now on, also after a restart."""

    document: str
    cases: list[Case]
    # Client ids with the clocks up to which there are receipts.
    receipts: dict[int, int]
    # What the bystanders have; None where that is not known, or not the same for everybody.
    verdict: Verdict | None
    latencies_s: list[float] = field(default_factory=list)


class Arena:
    """A document, its honest clients, and all that was done to it."""

    def __init__(
        self,
        document: str,
        port: Callable[[], int],
        chance: random.Random,
        directory: Path,
        node: NodeProcess | None,
        bystanders: Sequence[int] = (),
    ) -> None:
        self.document = document
        self.cases: list[Case] = []
        self.is_exact = True
        self._port = port
        self._directory = directory
        self._node = node
        self._stock: NodeClient | None = None
        self._stock_typing: asyncio.Task[None] | None = None
        self._complaints = len(node.complaints) if node else 0
        self._stock_failed = ""
        self._stock_ends: list[dict[str, Any]] = []
        self._stock_ends_told = 0
        ids = bystanders or [chance.randrange(2**16, CLIENT_IDS) for _ in range(BYSTANDERS)]
        self._bystanders = [Bystander(port, document, each) for each in ids]
        self._closes = [0] * len(ids)
        self._is_late = False
        self._receipts: dict[int, int] = {}
        self.scene = Scene(chance, {})

    @property
    def received_bytes(self) -> int:
        """How much each honest client was sent; large documents are given up."""
        return self._bystanders[0].received_bytes

    async def open(self) -> None:
        """Let the honest clients in.

        Raises:
            NotOpened: the server does not take them.
        """
        for bystander in self._bystanders:
            await bystander.join()
        if self._node is not None:
            try:
                url = f"ws://127.0.0.1:{self._port()}"
                self._stock = await self._node.join(self.document, url, self.document)
                self._stock_typing = asyncio.create_task(self._type_in_stock_client(self._stock))
            except NodeFailed as error:
                self._stock_failed = str(error)

    async def attack(self, case: Case) -> Outcome:
        """Play a case; on return the attackers are gone."""
        self.cases.append(replace(case, bystanders=[b.client for b in self._bystanders]))
        self.is_exact &= not case.forges
        self.scene.victims = self.clocks()
        outcome = await play(case, self._port(), self.document, self.scene)
        self._receipts |= outcome.receipts
        return outcome

    async def wait_checkpoint(self) -> None:
        """Let the honest clients type on until what was sent must be in a checkpoint."""
        await self._bystanders[0].wait_receipts(CHECKPOINT_EDITS, RECEIPT_S_MAX)

    def clocks(self) -> Mapping[int, int]:
        """The clocks that the honest clients have got to."""
        return {bystander.client: bystander.typed for bystander in self._bystanders}

    def take_worst_wait_s(self) -> float:
        """Return how long an honest client waited for a receipt since this was last asked."""
        return max(bystander.take_worst_s() for bystander in self._bystanders)

    def look(self) -> Iterator[Finding]:
        """Yield what the honest clients newly complain of."""
        for number, bystander in enumerate(self._bystanders):
            closes = bystander.closes[self._closes[number] :]
            self._closes[number] += len(closes)
            if closes:
                yield self._finding(Kind.BYSTANDER_CLOSED, str(closes))
        wait_s = max(bystander.oldest_wait_s() for bystander in self._bystanders)
        if wait_s > RECEIPT_S_MAX and not self._is_late:
            self._is_late = True
            yield self._finding(Kind.NO_RECEIPT, f"for {wait_s:.1f} s")
        if self._node is not None:
            complaints = self._node.complaints[self._complaints :]
            self._complaints += len(complaints)
            if complaints or self._stock_failed:
                detail = "\n".join([*complaints, self._stock_failed])[:1500]
                self._stock_failed = ""
                yield self._finding(Kind.STOCK_HURT, detail)
            ends = self._stock_ends[self._stock_ends_told :]
            self._stock_ends_told += len(ends)
            if ends:
                yield self._finding(Kind.BYSTANDER_CLOSED, f"a stock client: {ends}")

    async def settle(self) -> tuple[Settled, list[Finding]]:
        """Let the honest clients finish, and compare what each has when nothing waits any more."""
        findings = []
        await self._stop_stock_typing()
        came = await asyncio.gather(*(b.stop_typing(RECEIPT_S_MAX) for b in self._bystanders))
        # What attackers have sent comes in at any time until then.
        waits = await wait_quiet(self._port(), self.document)
        if waits:
            self.is_exact = False
            findings.append(self._finding(Kind.NO_ANSWER, f"what they sent still waits: {waits}"))
        came += await asyncio.gather(*(b.say_last(RECEIPT_S_MAX) for b in self._bystanders))
        if not all(came) and not self._is_late:
            findings.append(
                self._finding(Kind.NO_RECEIPT, f"within {RECEIPT_S_MAX:g} s at the end")
            )
        verdict = await self._compare(findings)
        receipts = self._receipts | {b.client: b.confirmed for b in self._bystanders}
        latencies_s = [one_s for b in self._bystanders for one_s in b.latencies_s]
        exact = verdict if self.is_exact else None
        return Settled(self.document, self.cases, receipts, exact, latencies_s), findings

    async def close(self) -> None:
        """Let everybody go."""
        await self._stop_stock_typing()
        await asyncio.gather(*(bystander.leave() for bystander in self._bystanders))
        if self._stock is not None:
            try:
                await self._stock.close()
            except NodeFailed as error:
                self._stock_failed = str(error)

    # ---- comparing --------------------------------------------------------------------------

    async def _compare(self, findings: list[Finding]) -> Verdict | None:
        """Compare all replicas; what was typed last may be a moment on its way to each."""
        until_s = asyncio.get_running_loop().time() + STOCK_READS_S
        while True:
            found: list[Finding] = []
            verdict = await self._judge(found)
            if verdict is not None:
                found += await self._compare_stock_client(verdict)
            differ = any(finding.kind == Kind.REPLICAS_DIFFER for finding in found)
            if not differ or asyncio.get_running_loop().time() > until_s:
                findings += found
                return verdict
            await asyncio.sleep(0.3)

    async def _judge(self, findings: list[Finding]) -> Verdict | None:
        """Have read what each bystander was sent; None where that hurts."""
        paths = [self._directory / replica_name(n) for n in range(len(self._bystanders))]
        for path, bystander in zip(paths, self._bystanders, strict=True):
            write_updates(path, bystander.received)
        try:
            verdicts = await judge(*paths)
        except JudgeDied as error:
            findings.append(self._finding(Kind.PYCRDT_HURT, str(error)))
            return None
        first = verdicts[0]
        for path, verdict in zip(paths, verdicts, strict=True):
            if verdict.trouble:
                excused = await is_known_trouble(verdict, path)
                kind = Kind.YRS_ERRS if excused else Kind.PYCRDT_HURT
                findings.append(self._finding(kind, "; ".join(verdict.trouble)[:1500]))
                return None
            if self.is_exact and verdict != first:
                excused = await blames_yrs(paths[0], path)
                kind = Kind.YRS_ERRS if excused else Kind.REPLICAS_DIFFER
                findings.append(self._finding(kind, difference(first, verdict)))
        return first

    async def _compare_stock_client(self, expected: Verdict) -> list[Finding]:
        if self._stock is None:
            return []
        try:
            summary = await self._stock.summary()
        except NodeFailed as error:
            return [self._finding(Kind.STOCK_HURT, str(error)[:1500])]
        # What waits for its predecessor yrs shows already, and Yjs does not.
        if not self.is_exact or summary["pending"] or _is_like(summary, expected):
            return []
        texts = expected.texts | {"text": summary["text"]}
        stock = Verdict(_clocks_of(summary), texts, ())
        detail = f"stock client and pycrdt: {difference(expected, stock)}"
        live = self._directory / replica_name(0)
        excused = await blames_yrs_beside(stock, live)
        return [self._finding(Kind.YRS_ERRS if excused else Kind.REPLICAS_DIFFER, detail)]

    async def _type_in_stock_client(self, stock: NodeClient) -> None:
        try:
            while True:
                await asyncio.sleep(STOCK_TYPING_S)
                await stock.edit(step("insert", "text", at=0, text="s"))
                status = await stock.status()
                ends = [e for e in status["history"] if e["event"] == "connection-close"]
                self._stock_ends += ends[len(self._stock_ends) :]
        except NodeFailed as error:
            self._stock_failed = str(error)

    async def _stop_stock_typing(self) -> None:
        if self._stock_typing is not None:
            self._stock_typing.cancel()
            await asyncio.gather(self._stock_typing, return_exceptions=True)

    def _finding(self, kind: Kind, detail: str) -> Finding:
        return Finding(kind, detail, self.document, list(self.cases))


def replica_name(number: int) -> str:
    """Return the name of the file with all that this bystander was sent."""
    return f"replica-{number}"


def difference(one: Verdict, other: Verdict) -> str:
    """Say in what two replicas differ."""
    clients = sorted(one.clocks.keys() | other.clocks.keys())
    pairs = {client: (one.clocks.get(client), other.clocks.get(client)) for client in clients}
    if differing := {client: pair for client, pair in pairs.items() if pair[0] != pair[1]}:
        return f"clocks {dict(list(differing.items())[:10])}"
    for name, text in one.texts.items():
        theirs = other.texts.get(name, "")
        if text != theirs:
            both = enumerate(zip(text, theirs, strict=False))
            at = next((n for n, (a, b) in both if a != b), min(len(text), len(theirs)))
            return f"{name} from {at}: {text[at : at + 60]!r}, {theirs[at : at + 60]!r}"
    return "nothing"


def _clocks_of(summary: dict[str, Any]) -> dict[int, int]:
    return {int(client): clock for client, clock in summary["stateVector"].items() if clock}


def _is_like(summary: dict[str, Any], expected: Verdict) -> bool:
    return _clocks_of(summary) == expected.clocks and summary["text"] == expected.texts["text"]
