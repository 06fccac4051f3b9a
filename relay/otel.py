"""OpenTelemetry traces over OTLP: the only importer of its libraries.

Spans go into the SDK's queue, which is bounded and lets go of the oldest; a thread of its own
sends them. So a collector that is slow or gone costs spans, and nothing else.
"""

import asyncio
import contextlib
import logging
import os
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextvars import Token
from types import TracebackType
from typing import Final, Self

import structlog
from opentelemetry import context as current
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

from relay.debug.process_facts import package_version
from relay.errors import ConfigError
from relay.limits import OTEL_CLOSING_S, OTEL_COMMITS_PER_S
from relay.tracing import Fact
from yjs_store import Work, WorkKind

log = structlog.get_logger("relay.otel")

_PREFIX: Final = "yjs_relay."
# What is done for many is part of nobody's trace, whoever happened to start the task that does it.
_OF_NOBODY: Final = frozenset({WorkKind.COMMIT, WorkKind.TRIAL})
# Ours say once that traces are not taken, and once that they are again.
_LIBRARY_LOGGERS: Final = ("opentelemetry", "urllib3", "requests")
# By these variables people choose other senders, which are not here.
_EXPORTERS: Final = ("", "otlp", "none")
_PROTOCOLS: Final = ("", "http/protobuf")


def open_tracing(*, names_documents: bool) -> "OtelTracing":
    """Begin to send traces, as the standard environment variables say.

    Raises:
        ConfigError: they ask for what is not here, or make no sense.
    """
    _be_quiet()
    chosen = _variable("OTEL_TRACES_EXPORTER", _EXPORTERS)
    _variable("OTEL_EXPORTER_OTLP_PROTOCOL", _PROTOCOLS)
    _variable("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", _PROTOCOLS)
    try:
        # Ours ends with the server; the library's own would wait at the end of the process.
        provider = TracerProvider(resource=_resource(), shutdown_on_exit=False)
        if chosen != "none":
            provider.add_span_processor(BatchSpanProcessor(WatchedExporter(OTLPSpanExporter())))
    except (ValueError, OSError) as error:
        raise ConfigError(f"--otel: the OTEL_… variables cannot be used: {error}") from error
    return OtelTracing(provider, names_documents=names_documents)


def _variable(name: str, known: Sequence[str]) -> str:
    value = os.environ.get(name, "").strip().lower()
    if value not in known:
        words = " or ".join(filter(None, known))
        raise ConfigError(f"--otel: {name} is {value!r}, and can only be {words} here")
    return value


def _resource() -> Resource:
    """Return what this service is called; the environment's word counts more."""
    ours = Resource({"service.name": "yjs-relay", "service.version": package_version()})
    return Resource.create().merge(ours).merge(OTELResourceDetector().detect())


def _be_quiet() -> None:
    for name in _LIBRARY_LOGGERS:
        logging.getLogger(name).setLevel(logging.CRITICAL)


class WatchedExporter(SpanExporter):
    """Sends spans by another; logs when they are not taken any more, and when they are again."""

    def __init__(self, exporter: SpanExporter) -> None:
        self._exporter = exporter
        self._is_taken = True

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Send them; those that are not taken are lost."""
        try:
            result = self._exporter.export(spans)
        except Exception:  # noqa: BLE001  (an address that is none, say: as if nobody took them)
            result = SpanExportResult.FAILURE
        is_taken = result is SpanExportResult.SUCCESS
        if is_taken != self._is_taken:
            self._is_taken = is_taken
            if is_taken:
                log.info("traces are taken again")
            else:
                log.warning("traces are not taken by the collector; they are lost meanwhile")
        return result

    def shutdown(self) -> None:
        """Give up what is under way."""
        self._exporter.shutdown()


class OtelTracing:
    """Makes spans; see Tracing. ``provider`` is closed with it."""

    def __init__(
        self,
        provider: TracerProvider,
        *,
        names_documents: bool,
        clock_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        self._provider = provider
        self._tracer = provider.get_tracer("yjs-relay", package_version())
        self._names_documents = names_documents
        self._clock_ns = clock_ns
        self._commits = _Pace(OTEL_COMMITS_PER_S)

    def during(self, name: str, **facts: Fact) -> "_During":
        """See Tracing.during."""
        return _During(self._tracer, name, facts, self._attributes)

    def heard(self, work: Work) -> None:
        """See Tracing.heard: make a span of what is over."""
        end_ns, facts = self._clock_ns(), dict(work.facts, document=work.document)
        if work.kind is WorkKind.COMMIT:
            passed_over = self._commits.passes_over(end_ns)
            if passed_over is None:
                return
            facts["commits_without_span"] = passed_over
        span = self._tracer.start_span(
            work.kind.value,
            context=Context() if work.kind in _OF_NOBODY else None,
            start_time=end_ns - round(work.duration_s * 1e9),
            attributes=self._attributes(facts),
        )
        if work.error is not None:
            _fail(span, work.error)
        span.end(end_ns)

    def _attributes(self, facts: Mapping[str, Fact]) -> dict[str, str | int | float | bool]:
        return {
            _PREFIX + name: value
            for name, value in facts.items()
            if value is not None and (name != "document" or self._names_documents)
        }

    async def close(self) -> None:
        """See Tracing.close."""
        loop = asyncio.get_running_loop()
        closed = asyncio.Event()

        def close() -> None:
            self._provider.shutdown()
            # The loop may have ended meanwhile.
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(closed.set)

        # Nobody joins it: the process ends without a collector that takes its time.
        threading.Thread(target=close, name="relay-otel-closing", daemon=True).start()
        try:
            async with asyncio.timeout(OTEL_CLOSING_S):
                await closed.wait()
        except TimeoutError:
            log.warning("the last traces were not taken in time")


class _Pace:
    """So many a second; what is passed over is counted, and said with the next. Pure."""

    def __init__(self, per_s: int) -> None:
        self._per_s = per_s
        self._second = 0
        self._count = 0
        self._passed_over = 0

    def passes_over(self, now_ns: int) -> int | None:
        """Return how many were passed over since the last; None for one that is, too."""
        second = now_ns // 1_000_000_000
        if second != self._second:
            self._second, self._count = second, 0
        self._count += 1
        if self._count > self._per_s:
            self._passed_over += 1
            return None
        passed_over, self._passed_over = self._passed_over, 0
        return passed_over


class _During:
    """A span that is open for the length of a ``with`` block, and current in it."""

    def __init__(
        self,
        tracer: trace.Tracer,
        name: str,
        facts: Mapping[str, Fact],
        attributes: Callable[[Mapping[str, Fact]], dict[str, str | int | float | bool]],
    ) -> None:
        self._tracer = tracer
        self._name = name
        self._facts = facts
        self._attributes = attributes
        self._span: trace.Span = trace.INVALID_SPAN
        self._token: Token[Context] | None = None

    def __enter__(self) -> Self:
        # Fail-open: a defect of the library must not keep anybody out.
        with contextlib.suppress(Exception):
            self._span = self._tracer.start_span(
                self._name, attributes=self._attributes(self._facts)
            )
            self._token = current.attach(trace.set_span_in_context(self._span))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        # Fail-open, and what ended the work goes on to whoever called.
        with contextlib.suppress(Exception):
            if self._token is not None:
                current.detach(self._token)
            if kind is not None:
                # The kind alone: its text may quote a client, or name a document.
                self.fail(kind.__name__)
            self._span.end()

    def say(self, **facts: Fact) -> None:
        """See Span.say."""
        # Fail-open: what cannot be told is not told.
        with contextlib.suppress(Exception):
            self._span.set_attributes(self._attributes(facts))

    def fail(self, kind: str) -> None:
        """See Span.fail."""
        # Fail-open, as above.
        with contextlib.suppress(Exception):
            _fail(self._span, kind)


def _fail(span: trace.Span, kind: str) -> None:
    span.set_status(trace.StatusCode.ERROR)
    span.set_attribute("error.type", kind)
