"""Traces: what is in them and what never is, and that a collector can neither stop nor slow us."""

import asyncio
import socket
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pycrdt
import pytest
import structlog
import websockets
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode
from relay_process import ServerProcess
from relay_support import AsgiSocket, deadline, text_update

from relay import otel
from relay.admin.performing import Performer, Wish
from relay.admin.seam import NoRooms
from relay.admin.table import document_act
from relay.clock import now_ms
from relay.config import Settings
from relay.errors import ConfigError
from relay.hub import Hub
from relay.limits import OTEL_COMMITS_PER_S
from relay.otel import OtelTracing, WatchedExporter, open_tracing
from relay.tracing import NO_TRACING
from relay.tracing_setup import make_tracing
from relay.wire import y_websocket as wire
from yjs_store import DocumentMissing, Store, Work, WorkKind
from yjs_store.limits import INLINE_WORK_MAX

TYPED = "what nobody but its readers may see"
USER = "ann"
COMMIT = Work(WorkKind.COMMIT, None, 0.001, None, {"rows": 1})


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("TRACES_EXPORTER", "EXPORTER_OTLP_PROTOCOL", "SDK_DISABLED", "SERVICE_NAME"):
        monkeypatch.delenv(f"OTEL_{name}", raising=False)


class Traced:
    """A tracing whose spans can be looked at."""

    def __init__(self, *, names_documents: bool = True, **options: Any) -> None:
        self._exporter = InMemorySpanExporter()
        provider = TracerProvider(shutdown_on_exit=False)
        provider.add_span_processor(SimpleSpanProcessor(self._exporter))
        self.tracing = OtelTracing(provider, names_documents=names_documents, **options)

    def of(self, name: str) -> list[ReadableSpan]:
        return [span for span in self._exporter.get_finished_spans() if span.name == name]

    @property
    def text(self) -> str:
        return "".join(span.to_json() for span in self._exporter.get_finished_spans())


def facts(span: ReadableSpan) -> dict[str, Any]:
    assert span.attributes is not None
    return {name.removeprefix("yjs_relay."): value for name, value in span.attributes.items()}


def trace_id(span: ReadableSpan) -> int:
    assert span.context is not None
    return span.context.trace_id


async def edit(hub: Hub, traced: Traced, document: str, update: bytes) -> None:
    """Connect, write, and leave again."""
    async with AsgiSocket(hub, f"/ws/{document}", tracing=traced.tracing) as socket:
        socket.send_update(update)
        while not any(each == update for each in socket.updates):
            await socket.next()


def suspect_update() -> bytes:
    """An update that is tried before anybody sees it."""
    doc: pycrdt.Doc[Any] = pycrdt.Doc(client_id=77)
    doc["map"] = pycrdt.Map({str(number): number for number in range(INLINE_WORK_MAX + 1)})
    return doc.get_update()


async def test_the_life_of_a_document_can_be_followed(hub: Hub, store: Store) -> None:
    traced = Traced()
    store.telemetry.on_work = traced.tracing.heard
    await edit(hub, traced, "notes", text_update(TYPED))
    await edit(hub, traced, "notes", suspect_update())
    performer = Performer(store, now_ms, traced.tracing)
    wish = Wish(USER)
    act = document_act("compact", store, NoRooms(), "notes", wish)
    assert (await performer.perform(act, wish)).result == "compacted"

    first, second = traced.of("admit")
    (load,) = traced.of("load")
    assert facts(first) == {
        "connection": facts(first)["connection"],
        "document": "notes",
        "permission": "write",
    }
    assert facts(second)["connection"] != facts(first)["connection"]
    # Who came first has waited for the load.
    assert trace_id(load) == trace_id(first) != trace_id(second)
    assert facts(load) == {"document": "notes", "rows": 0, "bytes": 0}
    commits = traced.of("commit")
    assert [facts(each) for each in commits] == [{"rows": 1, "commits_without_span": 0}] * 2
    assert all(each.parent is None for each in commits)
    (trial,) = traced.of("trial")
    assert facts(trial) == {"document": "notes", "updates": 1, "refused": 0}
    (done,) = traced.of("act")
    assert facts(done) == {
        "action": "compact",
        "document": "notes",
        "dry_run": False,
        "result": "compacted",
    }
    (checkpoint,) = traced.of("checkpoint")
    assert trace_id(checkpoint) == trace_id(done)
    found = facts(checkpoint)
    assert (found["reason"], found["journal_bytes_after"]) == ("operator", 0)
    assert found["journal_bytes_before"] > 0
    assert found["snapshot_bytes_after"] > found["snapshot_bytes_before"] == 0
    for span in (first, load, trial, checkpoint, done, *commits):
        assert span.status.status_code is StatusCode.UNSET
        assert span.start_time is not None
        assert span.end_time is not None
        assert 0 < span.end_time - span.start_time < 60e9
    # Neither content nor a person.
    assert TYPED not in traced.text
    assert USER not in traced.text


async def test_documents_are_named_only_where_that_is_wanted(hub: Hub, store: Store) -> None:
    traced = Traced(names_documents=False)
    store.telemetry.on_work = traced.tracing.heard
    await edit(hub, traced, "top-secret-plan", text_update(TYPED))
    assert traced.of("admit")
    assert traced.of("load")
    assert "top-secret-plan" not in traced.text


async def test_who_is_not_let_in_leaves_the_code(hub: Hub) -> None:
    traced = Traced()
    async with AsgiSocket(hub, "/ws/", tracing=traced.tracing) as socket:
        code, _ = await socket.wait_closed()
    (span,) = traced.of("admit")
    assert span.status.status_code is StatusCode.ERROR
    assert facts(span)["error.type"] == str(code)


async def test_an_act_that_cannot_be_says_of_which_kind(store: Store) -> None:
    traced = Traced()
    wish = Wish(USER)
    act = document_act("compact", store, NoRooms(), "none", wish)
    with pytest.raises(DocumentMissing):
        await Performer(store, now_ms, traced.tracing).perform(act, wish)
    (span,) = traced.of("act")
    assert facts(span)["error.type"] == "DocumentMissing"
    assert span.events == ()  # an exception's text may name a document


async def test_commits_have_a_pace_and_what_is_passed_over_is_said() -> None:
    now_ns = 1_000_000_000
    traced = Traced(clock_ns=lambda: now_ns)
    for _ in range(OTEL_COMMITS_PER_S + 7):
        traced.tracing.heard(COMMIT)
    assert len(traced.of("commit")) == OTEL_COMMITS_PER_S
    now_ns += 1_000_000_000
    traced.tracing.heard(COMMIT)
    assert facts(traced.of("commit")[-1]) == {"rows": 1, "commits_without_span": 7}


async def test_a_library_that_fails_keeps_nobody_out(hub: Hub, store: Store) -> None:
    class Broken:
        def get_tracer(self, *_: object) -> Any:
            return self

        def start_span(self, *_: object, **__: object) -> Any:
            raise RuntimeError("a defect")

    provider: Any = Broken()
    tracing = OtelTracing(provider, names_documents=True)
    store.telemetry.on_work = tracing.heard
    async with AsgiSocket(hub, "/ws/doc", tracing=tracing) as socket:
        socket.send_update(text_update("x"))
        await socket.wait_text("x")
    assert store.telemetry.faults >= 2


class Moody(SpanExporter):
    """Takes what it is in the mood for."""

    def __init__(self, *moods: SpanExportResult | Exception) -> None:
        self._moods = iter(moods)

    def export(self, _: object) -> SpanExportResult:
        mood = next(self._moods)
        if isinstance(mood, Exception):
            raise mood
        return mood


def test_a_collector_that_goes_is_said_once_and_once_when_it_is_back() -> None:
    good, bad = SpanExportResult.SUCCESS, SpanExportResult.FAILURE
    exporter = WatchedExporter(Moody(good, bad, ValueError("an address"), bad, good, good))
    with structlog.testing.capture_logs() as said:
        found = [exporter.export([]) for _ in range(6)]
    assert found == [good, bad, bad, bad, good, good]
    assert [each["log_level"] for each in said] == ["warning", "info"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("OTEL_TRACES_EXPORTER", "jaeger"),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
        ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "http/json"),
    ],
)
def test_another_exporter_is_refused_by_name(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ConfigError, match=f"{name} is '{value}'"):
        open_tracing(names_documents=False)


def test_bounds_that_make_no_sense_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_BSP_MAX_QUEUE_SIZE", "0")
    with pytest.raises(ConfigError, match="OTEL_"):
        open_tracing(names_documents=False)


def test_without_the_option_nothing_is_imported_or_heard() -> None:
    assert make_tracing(Settings()) is NO_TRACING
    assert NO_TRACING.heard is None


def test_without_the_extra_the_option_says_what_is_missing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delitem(sys.modules, "relay.otel")
    monkeypatch.setitem(sys.modules, "opentelemetry", None)
    with pytest.raises(ConfigError, match=r"\(opentelemetry\): pip install 'yjs-relay\[otel\]'"):
        make_tracing(Settings(otel=True))


# ---- a real collector ----------------------------------------------------------------------------


class Collector:
    """Takes traces over HTTP, as OTLP says."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []
        self._changed = threading.Condition()

    def take(self, body: bytes) -> None:
        with self._changed:
            self.bodies.append(body)
            self._changed.notify_all()

    def wait_spans(self, *names: str) -> Mapping[str, Mapping[str, Any]]:
        """Wait until there is a span of each of these names; return the facts of the last."""
        with self._changed:
            assert self._changed.wait_for(lambda: self.spans.keys() >= set(names), 20), self.spans
        return self.spans

    @property
    def spans(self) -> dict[str, dict[str, Any]]:
        return {
            span.name: {each.key: each.value for each in span.attributes}
            for request in map(ExportTraceServiceRequest.FromString, self.bodies)
            for of_resource in request.resource_spans
            for of_scope in of_resource.scope_spans
            for span in of_scope.spans
        }

    @property
    def services(self) -> set[str]:
        return {
            each.value.string_value
            for request in map(ExportTraceServiceRequest.FromString, self.bodies)
            for of_resource in request.resource_spans
            for each in of_resource.resource.attributes
            if each.key == "service.name"
        }


@contextmanager
def collecting() -> Iterator[tuple[Collector, str]]:
    collector = Collector()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            assert self.path == "/v1/traces"
            collector.take(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield collector, f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


async def write(url: str, document: str) -> None:
    update = text_update(TYPED)
    async with deadline(), websockets.connect(f"{url}/ws/{document}", proxy=None) as client:
        await client.send(wire.encode_update(update))
        while wire.decode(await client.recv()) != [wire.Update(update)]:
            pass


@pytest.mark.parametrize("names_documents", [False, True])
async def test_a_server_sends_its_traces_to_a_collector(
    tmp_path: Path, names_documents: bool
) -> None:
    options = ["--otel", *(["--otel-documents"] if names_documents else [])]
    with collecting() as (collector, url):
        extra = {"OTEL_EXPORTER_OTLP_ENDPOINT": url, "OTEL_BSP_SCHEDULE_DELAY": "50"}
        with ServerProcess(tmp_path, *options, extra=extra) as server:
            await write(server.url, "the-plan")
            await asyncio.to_thread(collector.wait_spans, "admit", "load", "commit")
            assert server.end() == 0
    assert collector.services == {"yjs-relay"}
    everything = b"".join(collector.bodies)
    assert (b"the-plan" in everything) == names_documents
    assert TYPED.encode() not in everything


async def test_the_environment_says_how_the_service_is_called_and_that_nothing_is_sent(
    tmp_path: Path,
) -> None:
    with collecting() as (collector, url):
        extra = {"OTEL_EXPORTER_OTLP_ENDPOINT": url, "OTEL_SERVICE_NAME": "notes"}
        with ServerProcess(tmp_path, "--otel", extra=extra) as server:
            await write(server.url, "doc")
            # What is left is sent at the end.
            assert server.end() == 0
        assert collector.services == {"notes"}
        sent = len(collector.bodies)
        with ServerProcess(tmp_path, "--otel", extra=extra | {"OTEL_SDK_DISABLED": "true"}) as one:
            await write(one.url, "doc")
            assert one.end() == 0
        assert len(collector.bodies) == sent


@pytest.mark.parametrize("is_listening", [False, True])
async def test_a_collector_that_is_gone_or_hangs_costs_traces_and_nothing_else(
    tmp_path: Path, is_listening: bool
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as hanging:
        url = f"http://127.0.0.1:{hanging.getsockname()[1]}"
        if not is_listening:
            hanging.close()
        extra = {"OTEL_EXPORTER_OTLP_ENDPOINT": url, "OTEL_BSP_SCHEDULE_DELAY": "20"}
        with ServerProcess(tmp_path, "--otel", extra=extra) as server:
            for number in range(5):
                await write(server.url, f"doc{number}")
            assert server.end() == 0
    assert not [line for line in server.log if "Traceback" in line]


def test_the_queue_is_bounded_and_full_it_waits_for_nobody(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    held, is_held = threading.Event(), threading.Event()

    class Holding(SpanExporter):
        count = 0

        def export(self, spans: Any) -> SpanExportResult:
            Holding.count += len(spans)
            is_held.set()
            held.wait()
            return SpanExportResult.SUCCESS

    monkeypatch.setenv("OTEL_BSP_MAX_QUEUE_SIZE", "50")
    monkeypatch.setenv("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "10")
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "60000")
    monkeypatch.setattr(otel, "OTLPSpanExporter", Holding)
    tracing = open_tracing(names_documents=False)
    for _ in range(10):
        tracing.heard(Work(WorkKind.LOAD, "n", 0.001, None, {}))
    assert is_held.wait(20)
    for _ in range(1000):
        tracing.heard(Work(WorkKind.LOAD, "n", 0.001, None, {}))
    held.set()
    asyncio.run(tracing.close())
    assert Holding.count == 10 + 50
