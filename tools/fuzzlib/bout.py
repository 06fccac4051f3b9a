"""One server from its start to the inspection of its store, with any number of documents."""

import asyncio
import contextlib
import random
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from system.node import NodeProcess
from system.server import RunningServer, ServerFailed, environment

from fuzzlib.arbiter import blames_yrs, is_known_trouble
from fuzzlib.arena import Arena, Settled, difference, replica_name
from fuzzlib.cases import Case
from fuzzlib.findings import Finding, Kind, shortened
from fuzzlib.honest import Prober
from fuzzlib.judge import JudgeDied, judge, write_updates
from fuzzlib.lib0 import read_sync
from fuzzlib.sockets import NotOpened, Session
from fuzzlib.watching import Watch

# Checkpoints come after few rows, so that what was attacked is folded, too.
SERVER_OPTIONS: Final = ("--log-format", "json", "--checkpoint-rows", "10", "--room-grace-s", "1")
LOAD_S: Final = 30.0
CHECK_S: Final = 300.0
# A server stores what it was sent before it ends; it gives up by itself before this.
DRAIN_S: Final = 90.0


class Bout:
    """A server under attack. Call ``start``, then use arenas, then ``finish`` or ``abandon``."""

    def __init__(self, directory: Path) -> None:
        self.server = RunningServer(directory, *SERVER_OPTIONS)
        self.prober = Prober()
        self.settled: list[Settled] = []
        self._directory = directory
        self._watch: Watch | None = None

    async def start(self) -> None:
        """Start the server, and watch it."""
        await self.server.start()
        self.prober.start(self.server.port, self.server.process_id)
        self._watch = Watch(self.server, self.prober)

    @property
    def watch(self) -> Watch:
        """Who watches the server."""
        assert self._watch is not None, "started"
        return self._watch

    def arena(
        self,
        document: str,
        chance: random.Random,
        node: NodeProcess | None,
        bystanders: Sequence[int] = (),
    ) -> Arena:
        """Return a document that is not open yet; the ids of its honest clients may be given."""
        place = self._directory / document
        place.mkdir()
        return Arena(document, lambda: self.server.port, chance, place, node, bystanders)

    def look(self, suspects: Sequence[Case]) -> list[Finding]:
        """Return what is newly wrong with the server; the suspects are what was sent lately."""
        return [Finding(kind, detail, "", list(suspects)) for kind, detail in self.watch.look()]

    async def abandon(self) -> None:
        """End the server, dead or alive, and look no further."""
        await self.prober.stop()
        # What it logged is known by now.
        with contextlib.suppress(ServerFailed):
            await self.server.kill()

    async def finish(self) -> list[Finding]:
        """Stop the server, start it again, and see that everything is as it was; then check it."""
        await self.prober.stop()
        findings = self.look([])
        try:
            await self.server.restart(same_port=True, within_s=DRAIN_S)
        except ServerFailed as error:
            await self.abandon()
            return [*findings, Finding(Kind.STORE_UNSOUND, shortened(str(error)), "", [])]
        for settled in self.settled:
            findings += await self._verify(settled)
        with contextlib.suppress(ServerFailed):
            await self.server.stop(within_s=DRAIN_S)
        if self.server.is_running:
            await self.abandon()
        return [*findings, *await self._check()]

    async def _verify(self, settled: Settled) -> list[Finding]:
        """Compare a document with what it was before the restart."""

        def finding(kind: Kind, detail: str) -> list[Finding]:
            return [Finding(kind, detail, settled.document, settled.cases)]

        update = await _load(self.server.port, settled.document)
        if isinstance(update, str):
            return finding(Kind.STORE_UNSOUND, update)
        path = self._directory / settled.document / "stored"
        write_updates(path, [update])
        try:
            (stored,) = await judge(path)
        except JudgeDied as error:
            return finding(Kind.PYCRDT_HURT, f"when loaded: {error}")
        if stored.trouble:
            excused = await is_known_trouble(stored, path)
            kind = Kind.YRS_ERRS if excused else Kind.PYCRDT_HURT
            return finding(kind, f"when loaded: {'; '.join(stored.trouble)}"[:1500])
        lost = {
            client: (clock, stored.clocks.get(client, 0))
            for client, clock in settled.receipts.items()
            if stored.clocks.get(client, 0) < clock
        }
        if lost:
            return finding(Kind.STORE_DIFFERS, f"receipts for what is not stored: {lost}"[:1500])
        if settled.verdict is not None and stored != settled.verdict:
            live = path.with_name(replica_name(0))
            excused = await blames_yrs(live, path)
            kind = Kind.YRS_ERRS if excused else Kind.STORE_DIFFERS
            return finding(kind, difference(settled.verdict, stored))
        return []

    async def _check(self) -> list[Finding]:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "relay", "check", "--store", self.server.store_url),
            cwd=self._directory,
            env=environment(),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        try:
            async with asyncio.timeout(CHECK_S):
                output, _ = await process.communicate()
        except TimeoutError:
            process.kill()
            await process.wait()
            return [Finding(Kind.STORE_UNSOUND, f"check took over {CHECK_S:g} s", "", [])]
        if process.returncode == 0:
            return []
        return [Finding(Kind.STORE_UNSOUND, shortened(output.decode(errors="replace")), "", [])]


async def _load(port: int, document: str) -> bytes | str:
    """Return all of a document as a new client gets it, or why it does not."""
    loaded: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    def take(message: bytes) -> None:
        step, update = read_sync(message)
        if step == 1 and update is not None and not loaded.done():
            loaded.set_result(update)

    try:
        session = await Session.open(port, document, take)
    except NotOpened as error:
        return f"it cannot be opened after a restart: {error}"
    try:
        await session.send_frame(b"\0\0\1\0")
        ended = asyncio.create_task(session.ended.wait())
        await asyncio.wait({ended, loaded}, timeout=LOAD_S, return_when=asyncio.FIRST_COMPLETED)
        ended.cancel()
        if loaded.done():
            return loaded.result()
        code, reason = session.close_code, session.close_reason
        return f"it does not load after a restart: {code} {reason}"
    finally:
        await session.cut()
