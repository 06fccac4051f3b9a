"""Who decides is not asked more than it can bear, by nobody's flood of credentials."""

import asyncio
from collections.abc import Iterator, Sequence
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest
import websockets
from relay_process import ServerProcess
from relay_support import deadline, run_ready_tasks

from relay.auth import strangers
from relay.auth.grants import (
    DeciderUnavailable,
    Forbidden,
    Grant,
    TooManyAsking,
    Unauthorized,
)
from relay.auth.strangers import Strangers
from relay.limits import (
    ASKING_PER_NETWORK_MAX,
    ASKING_WAITING_PER_NETWORK_MAX,
    REFUSAL_KEPT_S,
    REFUSALS_BURST,
    REFUSALS_PER_S,
)
from yjs_store import Permission

GRANT = Grant("ann", Permission.WRITE)
GOOD = "a good one"
HOME, ELSEWHERE = "192.0.2.1", "198.51.100.1"


class Deciding:
    """An authority that knows one good credential for one document; it can be held up."""

    needs_credential = True

    def __init__(self) -> None:
        self.version = 0
        self.asked: list[str] = []
        self.error: Exception | None = None
        self.gate = asyncio.Event()
        self.gate.set()

    async def judge(self, credential: str, document: str | None) -> Grant:
        self.asked.append(credential)
        await self.gate.wait()
        if self.error is not None:
            raise self.error
        if credential != GOOD:
            raise Unauthorized("the credential is not valid")
        if document != "doc":
            raise Forbidden("the credential is not for this document")
        return GRANT

    def refresh(self) -> None:
        pass

    async def close(self) -> None:
        pass


class Desk:
    """What a test asks through, and the clock of it."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self.authority = Deciding()
        self.strangers = Strangers(self.authority, lambda: self.now_s)

    async def ask(self, credential: str, document: str = "doc", network: str = HOME) -> Grant:
        async with deadline():
            return await self.strangers.judge(credential, document, network)

    async def refusal(self, credential: str, document: str = "doc", network: str = HOME) -> str:
        try:
            await self.ask(credential, document, network)
        except (Unauthorized, Forbidden, TooManyAsking) as error:
            return type(error).__name__
        return "none"


@pytest.fixture
def desk() -> Iterator[Desk]:
    desk = Desk()
    yield desk
    assert desk.strangers._desks == {}, "nothing is left of those who have asked"


async def test_a_grant_is_asked_for_each_time(desk: Desk) -> None:
    """Field note 24: it may be over a moment later."""
    assert await desk.ask(GOOD) == await desk.ask(GOOD) == GRANT
    assert desk.authority.asked == [GOOD, GOOD]


async def test_a_refusal_counts_for_a_while_for_its_credential_and_document(desk: Desk) -> None:
    for network in (HOME, ELSEWHERE):
        assert await desk.refusal("bad", network=network) == "Unauthorized"
        assert await desk.refusal(GOOD, "other", network) == "Forbidden"
    assert desk.authority.asked == ["bad", GOOD]
    assert await desk.ask(GOOD) == GRANT
    desk.now_s = REFUSAL_KEPT_S
    assert await desk.refusal("bad") == "Unauthorized"
    assert desk.authority.asked == ["bad", GOOD, GOOD, "bad"]


async def test_a_refusal_counts_no_more_when_what_decides_has_changed(desk: Desk) -> None:
    """A file of tokens with the new one in it, say."""
    await desk.refusal("bad")
    desk.authority.version += 1
    await desk.refusal("bad")
    assert desk.authority.asked == ["bad", "bad"]


async def test_a_refusal_of_what_changed_meanwhile_does_not_count_longer(desk: Desk) -> None:
    desk.authority.gate.clear()
    asking = asyncio.create_task(desk.refusal("bad"))
    await run_ready_tasks()
    desk.authority.version += 1
    desk.authority.gate.set()
    await asking
    await desk.refusal("bad")
    assert desk.authority.asked == ["bad", "bad"]


async def test_no_answer_is_no_refusal(desk: Desk) -> None:
    desk.authority.error = DeciderUnavailable("down")
    for _ in range(int(REFUSALS_BURST) + 5):
        with pytest.raises(DeciderUnavailable):
            await desk.ask(GOOD)
    desk.authority.error = None
    assert await desk.ask(GOOD) == GRANT


async def test_who_shows_bad_ones_all_the_time_is_not_asked_about_and_others_are(
    desk: Desk,
) -> None:
    burst = int(REFUSALS_BURST)
    found = [await desk.refusal(f"bad {number}") for number in range(burst + 20)]
    assert found[:burst] == ["Unauthorized"] * burst
    assert found[-19:] == ["TooManyAsking"] * 19
    asked = len(desk.authority.asked)
    assert asked <= burst + 1
    assert await desk.ask(GOOD, network=ELSEWHERE) == GRANT
    # Who is known from a while ago may come from there as well.
    assert await desk.ask(GOOD) == GRANT
    desk.now_s += 10
    found = [await desk.refusal(f"later {number}") for number in range(burst)]
    assert found.count("Unauthorized") == pytest.approx(10 * REFUSALS_PER_S, abs=2)


async def test_who_is_let_into_one_document_cannot_ask_for_all_others(desk: Desk) -> None:
    assert await desk.ask(GOOD) == GRANT
    found = [await desk.refusal(GOOD, f"d {number}") for number in range(int(REFUSALS_BURST) + 20)]
    assert found[-1] == "TooManyAsking"


async def test_a_network_has_its_share_of_the_places_and_waits_for_no_other(desk: Desk) -> None:
    desk.authority.gate.clear()
    flood = [
        asyncio.create_task(desk.refusal(f"bad {number}"))
        for number in range(ASKING_WAITING_PER_NETWORK_MAX)
    ]
    await run_ready_tasks()
    assert len(desk.authority.asked) == ASKING_PER_NETWORK_MAX
    assert await desk.refusal("one more") == "TooManyAsking"
    other = asyncio.create_task(desk.ask(GOOD, network=ELSEWHERE))
    await run_ready_tasks()
    assert desk.authority.asked[-1] == GOOD
    desk.authority.gate.set()
    async with deadline():
        assert await other == GRANT
        found = await asyncio.gather(*flood)
    # Also those who were let wait before it was known how bad they are.
    assert found.count("Unauthorized") <= REFUSALS_BURST + ASKING_PER_NETWORK_MAX
    assert set(found) == {"Unauthorized", "TooManyAsking"}


async def test_one_credential_that_many_show_at_once_is_asked_for_by_few(desk: Desk) -> None:
    desk.authority.gate.clear()
    asking = [asyncio.create_task(desk.refusal("bad")) for _ in range(100)]
    await run_ready_tasks()
    desk.authority.gate.set()
    async with deadline():
        assert set(await asyncio.gather(*asking)) == {"Unauthorized"}
    assert len(desk.authority.asked) == ASKING_PER_NETWORK_MAX


async def test_nobody_waits_longer_than_is_said(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(strangers, "ASKING_WAIT_S", 0.001)
    desk.authority.gate.clear()
    asking = [
        asyncio.create_task(desk.refusal(f"bad {number}"))
        for number in range(ASKING_PER_NETWORK_MAX)
    ]
    await run_ready_tasks()
    assert await desk.refusal("one more") == "TooManyAsking"
    desk.authority.gate.set()
    await asyncio.gather(*asking)


async def test_who_gives_up_frees_the_place(desk: Desk) -> None:
    desk.authority.gate.clear()
    asking = [asyncio.create_task(desk.ask(GOOD)) for _ in range(ASKING_PER_NETWORK_MAX + 1)]
    await run_ready_tasks()
    for task in asking:
        task.cancel()
    await asyncio.gather(*asking, return_exceptions=True)
    desk.authority.gate.set()
    assert await desk.ask(GOOD) == GRANT


async def test_what_is_remembered_is_bounded(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("REFUSALS_REMEMBERED_MAX", "NETWORKS_REMEMBERED_MAX", "GRANTED_REMEMBERED_MAX"):
        monkeypatch.setattr(strangers, name, 3)
    for number in range(9):
        await desk.refusal(f"bad {number}", network=f"192.0.2.{number}")
    tables = (desk.strangers._refused, desk.strangers._refusals)
    assert [len(table) for table in tables] == [3, 3]


# ---- on a server --------------------------------------------------------------------------------

TOKENS = """
[[tokens]]
user = "ann"
token = "ann's token of this test"
documents = ["doc"]
permission = "write"

[[tokens]]
user = "bob"
token = "bob's token of this test"
documents = ["doc"]
permission = "write"
"""


async def ticket_statuses(
    server: ServerProcess, tokens: Sequence[str], address: str = "127.0.0.1"
) -> list[int]:
    """How requests for tickets end, all at once."""
    transport = httpx.AsyncHTTPTransport(local_address=address)
    async with deadline(), httpx.AsyncClient(trust_env=False, transport=transport) as client:
        url = server.url.replace("ws", "http") + "/auth/ticket/doc"
        answers = await asyncio.gather(
            *(client.post(url, headers={"Authorization": f"Bearer {each}"}) for each in tokens)
        )
    return [answer.status_code for answer in answers]


async def status(server: ServerProcess, path: str, token: str) -> int:
    async with deadline(), httpx.AsyncClient(trust_env=False) as client:
        url = server.url.replace("ws", "http") + path
        answer = await client.get(url, headers={"Authorization": f"Bearer {token}"})
    return answer.status_code


async def close_code(server: ServerProcess, token: str, address: str = "127.0.0.1") -> int | None:
    """How a websocket ends; None when it is let in."""
    url = f"{server.url}/doc?token={quote(token)}"
    async with (
        deadline(),
        websockets.connect(url, proxy=None, local_addr=(address, 0)) as socket,
    ):
        try:
            await socket.recv()
        except websockets.ConnectionClosed:
            return socket.close_code
    return None


async def test_a_flood_of_bad_tokens_ends_neither_its_neighbours_nor_anybody_else(
    tmp_path: Path,
) -> None:
    ann, bob = (f"{name}'s token of this test" for name in ("ann", "bob"))
    file = tmp_path / "tokens.toml"
    file.write_text(TOKENS)
    options = ("--auth", "token", "--token-file", str(file), "--enable-admin-routes")
    with ServerProcess(tmp_path, *options) as server:
        assert await close_code(server, ann) is None
        # What it has at first, and what time gives it while this goes on.
        found: list[int] = []
        while 429 not in found:
            found += await ticket_statuses(server, [f"bad {len(found) + n}" for n in range(50)])
        assert set(found) == {401, 429}
        assert found.count(401) >= REFUSALS_BURST
        codes = [await close_code(server, "bad at first")]
        while codes[-1] == 4401:
            codes.append(await close_code(server, f"bad, too {len(codes)}"))
        assert codes[-1] == 4529
        for path in ("/admin/sessions", "/metrics"):
            # One share for all ways: or a network has as many as there are ways.
            found = [await status(server, path, f"bad, {path} {number}") for number in range(20)]
            assert found.count(429) >= 10, path
        assert await close_code(server, ann) is None, "who is known from there"
        assert await close_code(server, bob, "127.0.0.2") is None, "and who is elsewhere"
        assert await ticket_statuses(server, [bob], "127.0.0.2") == [200]
