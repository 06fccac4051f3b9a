"""A hook decides; whatever goes wrong with it, nobody is let in."""

import asyncio
import contextlib
import sys
import threading
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import structlog
from relay_support import deadline, run_ready_tasks

from relay.auth.grants import (
    AdmissionRefused,
    DeciderUnavailable,
    Forbidden,
    Grant,
    Unauthorized,
)
from relay.auth.hook import Hook
from relay.auth.http_hook import HttpDecider
from relay.auth.python_hook import PythonDecider
from relay.errors import ConfigError
from relay.limits import (
    HOOK_ANSWER_BYTES_MAX,
    HOOK_CONCURRENT_MAX,
    HOOK_OUTAGE_LEAST_S,
    HOOK_WAITING_MAX,
)
from yjs_store import Permission

NOW_MS = 1_000_000
SECRET = "the-credential-of-this-test"
YES = {"user": "ann", "permission": "write", "ttl_s": 60}
OUTAGE_MS = int(HOOK_OUTAGE_LEAST_S * 1000)
GRANT = Grant("ann", Permission.WRITE, NOW_MS + 60_000)


class Answering:
    """A Decider that does what a test says."""

    def __init__(self, act: Callable[[], Any]) -> None:
        self._act = act

    async def ask(self, credential: str, document: str | None) -> Mapping[str, Any]:
        answer = self._act()
        return await answer if asyncio.iscoroutine(answer) else answer  # type: ignore[no-any-return]

    async def close(self) -> None:
        pass


def hook(decider: Any, timeout_s: float = 5, clock_ms: Callable[[], int] = lambda: NOW_MS) -> Hook:
    return Hook(decider, timeout_s, clock_ms)


class Failing:
    """A hook that fails as a test says, on a clock of its own, and what is logged of it."""

    def __init__(self) -> None:
        self.now_ms = NOW_MS
        self.error: BaseException | None = None
        self._hook = hook(Answering(self._act), clock_ms=lambda: self.now_ms)

    def _act(self) -> dict[str, Any]:
        if self.error is not None:
            raise self.error
        return YES

    async def ask(self, error: BaseException | None, times: int = 1) -> list[tuple[str, Any]]:
        """Ask; return each line, the fine ones left out: its level, and its fact."""
        self.error = error
        with structlog.testing.capture_logs() as logs:
            for _ in range(times):
                with contextlib.suppress(AdmissionRefused):
                    await self._hook.judge(SECRET, "a")
        assert SECRET not in str(logs)
        return [
            (entry["log_level"], entry.get("because", entry.get("refused")))
            for entry in logs
            if entry["log_level"] != "debug"
        ]


@pytest.mark.parametrize(
    ("answer", "grant"),
    [
        (YES, GRANT),
        ({"user": "ann", "permission": "read"}, Grant("ann", Permission.READ, None)),
        (YES | {"ttl_s": 0.5, "more": []}, Grant("ann", Permission.WRITE, NOW_MS + 500)),
    ],
)
async def test_an_answer_is_a_grant(answer: dict[str, Any], grant: Grant) -> None:
    assert await hook(Answering(lambda: answer)).judge(SECRET, "a") == grant


@pytest.mark.parametrize(
    "answer",
    [
        {},
        YES | {"user": ""},
        YES | {"user": 1},
        YES | {"user": "a\nb"},
        YES | {"permission": "all"},
        YES | {"permission": True},
        *(
            YES | {"ttl_s": ttl}
            for ttl in (0, -1, "60", True, float("nan"), float("inf"), 1e300, [])
        ),
    ],
)
async def test_an_answer_that_is_not_understood_is_a_no(answer: dict[str, Any]) -> None:
    with pytest.raises(DeciderUnavailable):
        await hook(Answering(lambda: answer)).judge(SECRET, "a")


@pytest.mark.parametrize(
    "error", [ValueError, KeyError, SystemError, RecursionError, OSError, SystemExit]
)
async def test_whatever_a_hook_raises_nobody_is_let_in_and_no_secret_is_logged(
    error: type[BaseException],
) -> None:
    def fail() -> None:
        raise error(SECRET)

    with structlog.testing.capture_logs() as logs, pytest.raises(DeciderUnavailable) as caught:
        await hook(Answering(fail)).judge(SECRET, "a")
    assert SECRET not in str(caught.value) + str(logs)
    assert logs[0]["because"] == f"it raised {error.__name__}"


@pytest.mark.parametrize("decision", [None, Unauthorized("no"), Forbidden("no")])
async def test_that_a_hook_is_down_is_told_when_it_begins_and_when_it_is_over(
    decision: Exception | None,
) -> None:
    """Not for each question: a room full of clients comes again every few seconds."""
    failing = Failing()
    assert await failing.ask(decision) == []
    assert await failing.ask(OSError(SECRET), 50) == [("error", "it raised OSError")]
    failing.now_ms += OUTAGE_MS
    assert await failing.ask(ValueError(SECRET), 50) == []
    assert await failing.ask(decision, 50) == [("info", 100)]
    assert await failing.ask(OSError(SECRET), 50) == [("error", "it raised OSError")]


async def test_a_hook_that_fails_now_and_then_is_not_told_of_each_time() -> None:
    """For one credential it fails, say, and somebody shows that again and again."""
    failing = Failing()
    assert await failing.ask(OSError()) == [("error", "it raised OSError")]
    for _ in range(20):
        assert await failing.ask(None) == []
        assert await failing.ask(OSError()) == []
    failing.now_ms += OUTAGE_MS - 1
    assert await failing.ask(None) == []
    failing.now_ms += 1
    assert await failing.ask(None) == [("info", 21)]


async def test_a_clock_that_steps_back_does_not_make_an_outage_longer() -> None:
    failing = Failing()
    await failing.ask(OSError())
    failing.now_ms -= 3_600_000
    assert await failing.ask(None) == [("info", 1)]


@pytest.mark.parametrize("refusal", [Unauthorized("no"), Forbidden("no")])
async def test_a_no_is_passed_on(refusal: Exception) -> None:
    def refuse() -> None:
        raise refusal

    with pytest.raises(type(refusal)):
        await hook(Answering(refuse)).judge(SECRET, "a")


async def test_questions_are_bounded_in_time_and_number() -> None:
    gate = asyncio.Event()
    asked = 0

    async def wait() -> dict[str, Any]:
        nonlocal asked
        asked += 1
        await gate.wait()
        return YES

    asking = hook(Answering(wait))
    with pytest.raises(DeciderUnavailable):
        await hook(Answering(wait), timeout_s=0.001).judge(SECRET, "a")
    asked = 0
    judging = [asyncio.create_task(asking.judge(SECRET, "a")) for _ in range(HOOK_WAITING_MAX)]
    await run_ready_tasks()
    assert asked == HOOK_CONCURRENT_MAX
    with pytest.raises(DeciderUnavailable):
        await asking.judge(SECRET, "a")
    gate.set()
    async with deadline():
        assert set(await asyncio.gather(*judging)) == {GRANT}
    assert await asking.judge(SECRET, "a") == GRANT


# ---- over HTTP ----------------------------------------------------------------------------------


@asynccontextmanager
async def answering(*answers: bytes) -> AsyncIterator[tuple[str, list[bytes]]]:
    """Serve these answers, each to one request; gives the URL and the requests."""
    requests: list[bytes] = []
    waiting = list(answers)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        requests.append(head)
        length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
        requests[-1] += await reader.readexactly(length)
        writer.write(waiting.pop(0))
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/decide?key=k", requests


def response(status: int, body: bytes, headers: bytes = b"") -> bytes:
    head = b"HTTP/1.1 %d x\r\nContent-Length: %d\r\n" % (status, len(body))
    return head + headers + b"Connection: close\r\n\r\n" + body


OK = b'{"user": "ann", "permission": "write", "ttl_s": 60}'


async def test_http_is_asked_in_json_and_answers_in_json() -> None:
    async with answering(response(200, OK), response(200, OK)) as (url, requests):
        asking = hook(HttpDecider(url, 5))
        assert await asking.judge(SECRET, "notes/ä") == GRANT
        assert await asking.judge(SECRET, None) == GRANT
        await asking.close()
    assert requests[0].startswith(b"POST /decide?key=k HTTP/1.1\r\n")
    assert SECRET.encode() in requests[0].partition(b"\r\n\r\n")[2]
    assert SECRET.encode() not in requests[0].partition(b"\r\n\r\n")[0]
    assert requests[1].endswith(b'"document":null}')


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (response(401, b""), Unauthorized),
        (response(403, b""), Forbidden),
        (response(500, OK), DeciderUnavailable),
        (response(201, OK), DeciderUnavailable),
        (response(302, OK, b"Location: /elsewhere\r\n"), DeciderUnavailable),
        (response(200, b""), DeciderUnavailable),
        (response(200, b"[]"), DeciderUnavailable),
        (response(200, b"[" * 10_000), DeciderUnavailable),
        (response(200, b"\xff"), DeciderUnavailable),
        (response(200, OK + b" " * HOOK_ANSWER_BYTES_MAX), DeciderUnavailable),
        (response(200, OK, b"Content-Encoding: gzip\r\n"), None),
        (response(200, OK)[:-1], DeciderUnavailable),
        (b"no HTTP\r\n\r\n", DeciderUnavailable),
        (b"", DeciderUnavailable),
    ],
)
async def test_everything_but_a_good_answer_is_a_no(
    answer: bytes, error: type[Exception] | None
) -> None:
    async with answering(answer) as (url, requests):
        asking = hook(HttpDecider(url, 5))
        if error is None:
            # Nothing is unpacked: the bytes themselves are what counts.
            assert await asking.judge(SECRET, "a") == GRANT
        else:
            with pytest.raises(error):
                await asking.judge(SECRET, "a")
        await asking.close()
    assert len(requests) == 1


async def test_a_hook_that_is_not_there_is_a_no() -> None:
    async with answering() as (url, _):
        pass
    asking = hook(HttpDecider(url, 5))
    with pytest.raises(DeciderUnavailable):
        await asking.judge(SECRET, "a")
    await asking.close()


# ---- in Python ----------------------------------------------------------------------------------

GATE = threading.Event()

MODULE = """
import test_hook

ANSWER = {"user": "ann", "permission": "write", "ttl_s": 60}

def yes(credential, document):
    return ANSWER if document == "a" else None

async def later(credential, document):
    return yes(credential, document)

def fails(credential, document):
    raise RuntimeError(credential)

def hangs(credential, document):
    test_hook.GATE.wait(20)
    return ANSWER

def wrong(credential, document):
    return True

not_a_function = 1
"""


@pytest.fixture(autouse=True)
def _module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "my_hook.py").write_text(MODULE)
    (tmp_path / "broken_hook.py").write_text("1 / 0")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setitem(sys.modules, "test_hook", sys.modules[__name__])
    monkeypatch.delitem(sys.modules, "my_hook", raising=False)


@pytest.mark.parametrize("function", ["yes", "later"])
async def test_a_python_function_decides(function: str) -> None:
    asking = hook(PythonDecider(f"my_hook:{function}"))
    assert await asking.judge(SECRET, "a") == GRANT
    with pytest.raises(Unauthorized):
        await asking.judge(SECRET, "b")


@pytest.mark.parametrize("function", ["fails", "wrong"])
async def test_a_python_function_that_fails_lets_nobody_in(function: str) -> None:
    with pytest.raises(DeciderUnavailable):
        await hook(PythonDecider(f"my_hook:{function}")).judge(SECRET, "a")


async def test_functions_that_hang_take_no_more_than_their_threads() -> None:
    asking = hook(PythonDecider("my_hook:hangs"), timeout_s=0.01)
    for _ in range(2):
        judging = [asking.judge(SECRET, "a") for _ in range(HOOK_CONCURRENT_MAX)]
        found = await asyncio.gather(*judging, return_exceptions=True)
        assert {type(each) for each in found} == {DeciderUnavailable}
        names = [thread.name for thread in threading.enumerate()]
        assert names.count("yjs-relay-hook") <= HOOK_CONCURRENT_MAX
    GATE.set()
    for thread in threading.enumerate():
        if thread.name == "yjs-relay-hook":
            thread.join()
    GATE.clear()


@pytest.mark.parametrize(
    "name",
    [
        "nowhere:f",
        "my_hook:",
        "my_hook",
        ":f",
        "my_hook:none",
        "my_hook:not_a_function",
        "broken_hook:f",
    ],
)
def test_a_function_that_is_not_there_is_refused_at_the_start(name: str) -> None:
    with pytest.raises(ConfigError):
        PythonDecider(name)
