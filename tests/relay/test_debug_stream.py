"""Watching: at a pace, for as long as somebody may and does, and nothing waits for a slow one."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from observing import FakeObservation, FakeTroubles, head
from relay_support import deadline, run_ready_tasks
from starlette.types import Message

from relay.auth.anonymous import Anonymous
from relay.auth.grants import (
    AdmissionRefused,
    BadRequest,
    DeciderUnavailable,
    Forbidden,
    TooManyAsking,
    Unauthorized,
)
from relay.config import Settings
from relay.debug.gate import ObserverGate
from relay.debug.looking import Looker
from relay.debug.setup import DebugEndpoint, make_debug_endpoint
from relay.debug.stream import Event, TooManyWatchers, Watchers
from relay.hub import Hub
from relay.limits import STREAM_CLIENTS_MAX, STREAM_PACE_S, STREAM_QUIET_S, STREAM_UNDECIDED_S
from yjs_store import StoreFailing


class Clock:
    """Goes on when somebody waits for it."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self.pauses_s: list[float] = []

    def __call__(self) -> float:
        return self.now_s

    async def sleep(self, seconds: float) -> None:
        self.pauses_s.append(seconds)
        self.now_s += seconds
        await asyncio.sleep(0)


class Watch:
    """Watchers on that clock, as the answers that they share are."""

    def __init__(self, looker: Looker, clock: Clock) -> None:
        self.refusal: AdmissionRefused | None = None
        self.watchers = Watchers(looker, clock, clock.sleep)

    async def _check(self) -> None:
        if self.refusal is not None:
            raise self.refusal

    def watch(self, document: str | None = None) -> AsyncIterator[Event]:
        return self.watchers.watch(document, self._check)


@pytest.fixture
def observation() -> FakeObservation:
    return FakeObservation()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def endpoint(
    hub: Hub, observation: FakeObservation, clock: Clock
) -> AsyncIterator[DebugEndpoint]:
    gate = ObserverGate(Anonymous(), None, None, clock)
    made = make_debug_endpoint(Settings(), hub, FakeTroubles(), observation, gate, clock)
    yield made
    await made.close()


@pytest.fixture
def watch(endpoint: DebugEndpoint, clock: Clock) -> Watch:
    return Watch(endpoint.looker, clock)


async def next_event(events: AsyncIterator[Event]) -> Event:
    async with deadline():
        return await anext(events)


async def test_the_first_event_comes_at_once_and_the_next_with_a_change(
    watch: Watch, clock: Clock, observation: FakeObservation
) -> None:
    events = watch.watch()
    name, data = await next_event(events)
    assert name == "storage"
    assert b'"schema_version":5' in data
    assert clock.now_s == 0.0
    observation.version += 1
    assert (await next_event(events))[0] == "storage"
    assert clock.pauses_s == [STREAM_PACE_S]


async def test_whoever_looks_at_many_documents_keeps_nobody_from_seeing_the_store(
    watch: Watch, endpoint: DebugEndpoint, observation: FakeObservation
) -> None:
    """A scrape has 10 s, and those who watch want to see above all how the store is."""
    for number in range(60):
        observation.add(head(f"document {number}"))
    looks = [
        asyncio.ensure_future(endpoint.looker.document(f"document {number}"))
        for number in range(60)
    ]
    await run_ready_tasks()
    assert {look.done() for look in looks} == {True, False}
    async with deadline():
        assert (await anext(watch.watch()))[0] == "storage"
        assert (await endpoint.looker.metrics(""))[0]
    # The clock stands still: who still waits, waits for it.
    await endpoint.close()
    await asyncio.gather(*looks, return_exceptions=True)


async def test_without_a_change_there_is_one_now_and_then(watch: Watch, clock: Clock) -> None:
    events = watch.watch()
    await next_event(events)
    await next_event(events)
    assert clock.now_s == STREAM_QUIET_S


async def test_however_much_changes_there_is_at_most_one_a_pace(
    watch: Watch, clock: Clock, observation: FakeObservation
) -> None:
    events = watch.watch()
    for _ in range(5):
        await next_event(events)
        observation.version += 100
    assert clock.now_s == 4 * STREAM_PACE_S


async def test_who_comes_or_goes_is_a_change(watch: Watch, clock: Clock, hub: Hub) -> None:
    events = watch.watch()
    await next_event(events)
    task = asyncio.current_task()
    assert task is not None
    hub.admit("tester", task)
    await next_event(events)
    assert clock.now_s == STREAM_PACE_S


async def test_one_document_is_watched_until_it_is_gone(
    watch: Watch, observation: FakeObservation
) -> None:
    observation.add(head("notes"))
    events = watch.watch("notes")
    name, data = await next_event(events)
    assert name == "document"
    assert b'"name":"notes"' in data
    observation.documents_by_name.clear()
    observation.version += 1
    # What all share is older than it may be by then.
    assert (await next_event(events))[0] == "gone"


async def test_an_error_of_storage_is_told_and_the_stream_goes_on(
    watch: Watch, observation: FakeObservation
) -> None:
    observation.error = StoreFailing("I/O error in /secret")
    events = watch.watch()
    name, data = await next_event(events)
    assert (name, data) == ("unavailable", b'{"message": "storage is failing"}')
    observation.error = None
    observation.version += 1
    assert (await next_event(events))[0] == "storage"


@pytest.mark.parametrize("kind", [BadRequest, Unauthorized, Forbidden])
async def test_it_ends_when_the_credential_does_not_count_any_more(
    kind: type[AdmissionRefused], watch: Watch
) -> None:
    events = watch.watch()
    await next_event(events)
    watch.refusal = kind("the session has expired")
    assert await next_event(events) == ("refused", b'{"message": "the session has expired"}')
    with pytest.raises(StopAsyncIteration):
        await next_event(events)


@pytest.mark.parametrize("kind", [DeciderUnavailable, TooManyAsking])
async def test_while_nobody_decides_there_are_no_facts_and_no_end(
    kind: type[AdmissionRefused], watch: Watch, observation: FakeObservation, clock: Clock
) -> None:
    events = watch.watch()
    await next_event(events)
    looks = list(observation.looks)
    watch.refusal = kind("nobody answers")
    for _ in range(6):
        observation.version += 1
        assert await next_event(events) == ("undecided", b'{"message": "nobody answers"}')
    assert observation.looks == looks
    # Who decides is in trouble: it is asked ever less often.
    assert clock.pauses_s[1:] == [1.0, 2.0, 4.0, STREAM_UNDECIDED_S, STREAM_UNDECIDED_S]
    watch.refusal = None
    observation.version += 1
    assert (await next_event(events))[0] == "storage"


async def test_once_it_is_decided_all_is_told_though_nothing_has_changed(watch: Watch) -> None:
    events = watch.watch()
    await next_event(events)
    for _ in range(2):
        watch.refusal = DeciderUnavailable("nobody answers")
        assert (await next_event(events))[0] == "undecided"
        watch.refusal = None
        assert (await next_event(events))[0] == "storage"


async def test_who_was_undecided_on_may_be_refused(watch: Watch) -> None:
    events = watch.watch()
    watch.refusal = DeciderUnavailable("nobody answers")
    assert (await next_event(events))[0] == "undecided"
    watch.refusal = Unauthorized("the session has expired")
    assert (await next_event(events))[0] == "refused"


async def test_it_ends_with_the_server_without_waiting_for_the_next_event(
    endpoint: DebugEndpoint,
) -> None:
    browser = Browser(endpoint)
    await browser.wait_body(b"storage")
    endpoint.end_streams()
    async with deadline():
        await browser.task
    assert browser.sent[-1] == {"type": "http.response.body", "body": b"", "more_body": False}


async def test_nothing_is_looked_at_when_nobody_watches_or_reads(
    watch: Watch, observation: FakeObservation
) -> None:
    events = watch.watch()
    assert observation.looks == []
    await next_event(events)
    looks = list(observation.looks)
    observation.version += 1
    # Its socket takes nothing: nobody asks for the next event.
    await run_ready_tasks()
    assert observation.looks == looks


async def test_only_so_many_watch_at_a_time(watch: Watch) -> None:
    for _ in range(STREAM_CLIENTS_MAX):
        watch.watchers.enter()
    with pytest.raises(TooManyWatchers):
        watch.watchers.enter()
    watch.watchers.leave()
    watch.watchers.enter()


# ---- as a response -------------------------------------------------------------------------------


class Browser:
    """The client's end of one request for the stream."""

    def __init__(self, endpoint: DebugEndpoint, method: str = "GET") -> None:
        self.sent: list[Message] = []
        self.changed = asyncio.Event()
        self.reading = asyncio.Event()
        self.reading.set()
        self._gone = asyncio.Event()
        scope = {
            "type": "http",
            "method": method,
            "path": "/debug/stream",
            "raw_path": b"/debug/stream",
            "query_string": b"",
            "headers": [(b"host", b"127.0.0.1")],
        }
        self.task = asyncio.create_task(endpoint.routes(scope, self._receive, self._send))

    async def _receive(self) -> Message:
        await self._gone.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Message) -> None:
        await self.reading.wait()
        self.sent.append(message)
        self.changed.set()

    @property
    def body(self) -> bytes:
        return b"".join(each.get("body", b"") for each in self.sent)

    async def wait_body(self, part: bytes) -> None:
        async with deadline():
            while part not in self.body:
                self.changed.clear()
                await self.changed.wait()

    async def leave(self) -> None:
        self._gone.set()
        async with deadline():
            await self.task


async def test_events_are_sent_as_a_browser_reads_them(endpoint: DebugEndpoint) -> None:
    browser = Browser(endpoint)
    await browser.wait_body(b"\r\n\r\n")
    headers = dict(browser.sent[0]["headers"])
    assert headers[b"content-type"].startswith(b"text/event-stream")
    assert headers[b"cache-control"] == b"no-store"
    event, data = browser.body.split(b"\r\n")[:2]
    assert event == b"event: storage"
    assert data.startswith(b'data: {"at_ms":')
    await browser.leave()


async def test_who_is_gone_makes_room_for_another_and_so_does_who_asks_for_the_head(
    endpoint: DebugEndpoint,
) -> None:
    browsers = [Browser(endpoint) for _ in range(STREAM_CLIENTS_MAX)]
    for browser in browsers:
        await browser.wait_body(b"storage")
    refused = Browser(endpoint)
    await refused.wait_body(b"too many watch")
    assert refused.sent[0]["status"] == 503
    await refused.leave()
    for browser in browsers:
        await browser.leave()
    for _ in range(STREAM_CLIENTS_MAX + 1):
        await Browser(endpoint, "HEAD").leave()
    browser = Browser(endpoint)
    await browser.wait_body(b"storage")
    await browser.leave()


async def test_who_does_not_read_is_dropped_and_makes_room(
    endpoint: DebugEndpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("relay.debug.routes.STREAM_STALLED_S", 0.01)
    monkeypatch.setattr("relay.debug.stream.STREAM_CLIENTS_MAX", 1)
    browser = Browser(endpoint)
    await browser.wait_body(b"storage")
    browser.reading.clear()
    async with deadline():
        await browser.task
    another = Browser(endpoint)
    await another.wait_body(b"storage")
    await another.leave()
