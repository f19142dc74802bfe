"""Spans on their way out: OTLP over HTTP, in batches, by a thread of OpenTelemetry's SDK.

The queue is bounded: while the collector is away spans are lost and nothing else happens. Ids and sampling are ours
(`tracing.py`), since they travel with the call; the SDK is given spans that are over.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from loguru import logger

from streamgate.telemetry.measures import Counts
from streamgate.telemetry.tracing import TRACING, FinishedSpan

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan
    from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

MAX_WAITING = 4_096
BATCH = 512
EVERY_S = 1.0
ANSWER_TIMEOUT_S = 5.0
DRAIN_S = 3.0

SPANS = Counts(
    "streamgate_telemetry_spans_total",
    "Spans by what became of them: recorded, sent, failed (the collector did not take them).",
    ("outcome",),
)


class SpanExport:
    """A unit: from its start to its stop this process records what is sampled.

    Args:
        url: of the collector; `/v1/traces` is added where it has no path.
        resource: what is said of this process with every span (`service.name`, …).
    """

    name = "telemetry.spans"
    needs: tuple[str, ...] = ()

    def __init__(self, url: str, resource: Mapping[str, str], *, drain_s: float = DRAIN_S) -> None:
        self._drain_s = drain_s
        parts = urlsplit(url)
        self._url = url if parts.path.strip("/") else f"{url.rstrip('/')}/v1/traces"
        self._resource_facts = resource
        self._processor: Any = None  # of the SDK, which is imported at the start
        self._exporter: SpanExporter | None = None

    async def start(self) -> None:
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace.export import BatchSpanProcessor

        logging.getLogger("opentelemetry").setLevel(logging.ERROR)  # it warns of each span that finds no room
        self._resource = Resource(dict(self._resource_facts))
        self._exporter = _counted_exporter(self._url)
        self._processor = BatchSpanProcessor(
            self._exporter,
            max_queue_size=MAX_WAITING,
            max_export_batch_size=BATCH,
            schedule_delay_millis=EVERY_S * 1000,
        )
        TRACING.recorder = self
        logger.bind(collector=urlsplit(self._url).netloc).info("spans are exported")

    async def stop(self) -> None:
        """Sends what waits, for at most `drain_s`; a collector that does not answer keeps nobody."""
        if TRACING.recorder is self:
            TRACING.recorder = None
        processor, exporter = self._processor, self._exporter
        if processor is None or exporter is None:
            return
        self._processor = self._exporter = None
        done = asyncio.Event()
        loop = asyncio.get_running_loop()
        # A daemon thread, which the end of the process does not wait for.
        ending = threading.Thread(target=_shut_down, args=(processor, loop, done), name=self.name, daemon=True)
        ending.start()
        try:
            async with asyncio.timeout(self._drain_s):
                await done.wait()
        except TimeoutError:
            logger.bind(unit=self.name).warning("the collector did not take the last spans")
            exporter.shutdown()  # ends the wait for its next try
            await asyncio.to_thread(ending.join, 1.0)

    def record(self, span: FinishedSpan) -> None:
        processor = self._processor
        if processor is not None:
            SPANS.of("recorded").add()
            processor.on_end(_as_sdk_span(span, self._resource))


def _shut_down(processor: Any, loop: asyncio.AbstractEventLoop, done: asyncio.Event) -> None:
    processor.shutdown()
    try:
        loop.call_soon_threadsafe(done.set)
    except RuntimeError:
        return  # nobody waits any more: the loop is closed


def _counted_exporter(url: str) -> SpanExporter:
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.trace.export import SpanExportResult

    class Counted(OTLPSpanExporter):
        def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
            result = super().export(spans)
            SPANS.of("sent" if result is SpanExportResult.SUCCESS else "failed").add(len(spans))
            return result

    return Counted(endpoint=url, timeout=ANSWER_TIMEOUT_S)


def _as_sdk_span(span: FinishedSpan, resource: Any) -> ReadableSpan:
    from opentelemetry.sdk.trace import ReadableSpan
    from opentelemetry.trace import SpanKind, Status, StatusCode

    return ReadableSpan(
        name=span.name,
        context=_sdk_context(span.traceparent),
        parent=_sdk_context(span.parent) if span.parent else None,
        resource=resource,
        attributes=dict(span.attributes),
        kind=SpanKind[span.kind.upper()],
        status=Status(StatusCode.ERROR, span.error) if span.error else Status(StatusCode.UNSET),
        start_time=span.start_ns,
        end_time=span.end_ns,
        instrumentation_scope=_scope(),
    )


def _sdk_context(traceparent: str) -> Any:
    from opentelemetry.trace import SpanContext, TraceFlags

    return SpanContext(
        trace_id=int(traceparent[3:35], 16),
        span_id=int(traceparent[36:52], 16),
        is_remote=False,
        trace_flags=TraceFlags(TraceFlags.SAMPLED),
    )


def _scope() -> Any:
    from opentelemetry.sdk.util.instrumentation import InstrumentationScope

    from streamgate import __version__

    return InstrumentationScope("streamgate", __version__)
