"""Plays a case against a server, and says how it ended for the attackers."""

import asyncio
import contextlib
from collections import Counter
from dataclasses import dataclass, field
from typing import Final

from fuzzlib.cases import Case, Send, Step
from fuzzlib.encoding import one, sized, text
from fuzzlib.frames import BINARY, frame
from fuzzlib.scene import Scene
from fuzzlib.sockets import NotOpened, Session, exchange

# Whoever sent something proper gets a receipt or a close within this time.
ANSWER_S: Final = 40.0
# What is not proper may well get no answer: a frame that never ends has none.
GRACE_S: Final = 0.3
_SYNC: Final = 0


@dataclass(slots=True)
class Outcome:
    """How a case went: the close codes that attackers got, and the ids that have a receipt."""

    codes: Counter[int] = field(default_factory=Counter)
    receipts: dict[int, int] = field(default_factory=dict)
    # With what a session was closed that sent nothing but what an honest client might.
    valid_ends: list[str] = field(default_factory=list)
    silent: int = 0
    not_opened: int = 0

    @property
    def is_accepted(self) -> bool:
        """Whether nobody was closed, and everybody who waited has a receipt."""
        return not self.codes and not self.silent and not self.not_opened


async def play(case: Case, port: int, document: str, scene: Scene) -> Outcome:
    """Send all steps, each session in order; then wait for what comes of them."""
    outcome = Outcome()
    hands: dict[int, _Hand] = {}
    try:
        for step in case.steps:
            if step.send == Send.HTTP:
                await exchange(port, step.data, GRACE_S)
                continue
            if step.send == Send.END:
                await _end(hands, scene)
                continue
            is_valid = step.session in case.valid
            hand = hands.setdefault(step.session, _Hand(port, document, outcome, is_valid))
            await hand.do(step)
        await _end(hands, scene)
    finally:
        await asyncio.gather(*(hand.cut() for hand in hands.values()))
    return outcome


async def _end(hands: dict[int, "_Hand"], scene: Scene) -> None:
    """Wait for what comes of all that was sent, and let everybody go."""
    await asyncio.gather(*(hand.finish(scene) for hand in hands.values()))
    await asyncio.gather(*(hand.cut() for hand in hands.values()))
    hands.clear()


def wrapped(step: Step) -> bytes:
    """Return the bytes that a step puts on the connection."""
    match step.send:
        case Send.UPDATE:
            return frame(BINARY, b"\0\2" + sized(step.data))
        case Send.STEP2:
            return frame(BINARY, b"\0\1" + sized(step.data))
        case Send.FRAME:
            return frame(BINARY, step.data)
    return step.data


class _Hand:
    """One of the attackers: its connection, and what it waits for."""

    def __init__(self, port: int, document: str, outcome: Outcome, is_valid: bool) -> None:
        self._port = port
        self._document = document
        self._outcome = outcome
        self._is_valid = is_valid
        self._session: Session | None = None
        self._is_proper = True
        self._token = b""
        self._echoed = asyncio.Event()

    async def do(self, step: Step) -> None:
        """Do one step, on a new connection where the last one has ended."""
        if step.send == Send.CUT:
            await self.cut()
            return
        if self._session is not None and not self._session.is_open:
            self._note_end(self._session)
            await self.cut()
        if self._session is None:
            try:
                self._session = await Session.open(self._port, self._document, self._take)
            except NotOpened:
                self._outcome.not_opened += 1
                return
            self._is_proper = True
        self._is_proper &= step.send != Send.RAW
        await self._session.send(wrapped(step))

    async def finish(self, scene: Scene) -> None:
        """Wait for the receipt of one more, harmless update, or for the end."""
        session = self._session
        if session is None:
            return
        client = scene.client()
        token = f"<mark {client}>"
        self._token = token.encode()
        if self._is_proper:
            marker = one(client, 0, text(token, parent="marks"))
            await session.send_frame(b"\0\2" + sized(marker))
        ended = asyncio.create_task(session.ended.wait())
        echoed = asyncio.create_task(self._echoed.wait())
        within_s = ANSWER_S if self._is_proper else GRACE_S
        with contextlib.suppress(TimeoutError):
            await asyncio.wait(
                {ended, echoed}, timeout=within_s, return_when=asyncio.FIRST_COMPLETED
            )
        if self._echoed.is_set():
            self._outcome.receipts[client] = len(token)
        elif session.is_open:
            self._outcome.silent += self._is_proper
        else:
            self._note_end(session)
        ended.cancel()
        echoed.cancel()

    async def cut(self) -> None:
        """End the connection, if there is one."""
        if self._session is not None:
            await self._session.cut()
            self._session = None

    def _take(self, message: bytes) -> None:
        if self._token and message[:1] == bytes((_SYNC,)) and self._token in message:
            self._echoed.set()

    def _note_end(self, session: Session) -> None:
        self._outcome.codes[session.close_code or 0] += 1
        if self._is_valid:
            self._outcome.valid_ends.append(f"{session.close_code} {session.close_reason}")
