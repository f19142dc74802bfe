"""OpenTelemetry's side of the export: imported by a process that exports, at its start, and by nobody else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExportResult
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import SpanContext, SpanKind, Status, StatusCode, TraceFlags

from streamgate import __version__
from streamgate.telemetry.measures import Counts
from streamgate.telemetry.tracing import FinishedSpan

MAX_WAITING = 4_096
BATCH = 512
EVERY_MS = 1_000
ANSWER_TIMEOUT_S = 5.0

_SCOPE = InstrumentationScope("streamgate", __version__)


class Exporter(OTLPSpanExporter):
    """Sends batches, and counts what became of them."""

    def __init__(self, url: str, spans: Counts) -> None:
        super().__init__(endpoint=url, timeout=ANSWER_TIMEOUT_S)
        self._spans = spans

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        result = super().export(spans)
        self._spans.of("sent" if result is SpanExportResult.SUCCESS else "failed").add(len(spans))
        return result


class Pipe:
    """From finished spans to a collector. A thread sends; what finds no room is lost."""

    def __init__(self, url: str, resource: Mapping[str, str], spans: Counts) -> None:
        self._resource = Resource(dict(resource))
        self._exporter = Exporter(url, spans)
        self._processor = BatchSpanProcessor(
            self._exporter, max_queue_size=MAX_WAITING, max_export_batch_size=BATCH, schedule_delay_millis=EVERY_MS
        )

    def shutdown(self) -> None:
        """Sends what waits, however long that takes."""
        self._processor.shutdown()  # type: ignore[no-untyped-call]

    def give_up(self) -> None:
        """Ends a `shutdown` that waits for its next try."""
        self._exporter.shutdown()  # type: ignore[no-untyped-call]

    def put(self, span: FinishedSpan) -> None:
        made = ReadableSpan(
            name=span.name,
            context=_context(span.traceparent),
            parent=_context(span.parent) if span.parent else None,
            resource=self._resource,
            attributes=dict(span.attributes),
            kind=SpanKind[span.kind.upper()],
            status=Status(StatusCode.ERROR, span.error) if span.error else Status(StatusCode.UNSET),
            start_time=span.start_ns,
            end_time=span.end_ns,
            instrumentation_scope=_SCOPE,
        )
        self._processor.on_end(made)


def _context(traceparent: str) -> SpanContext:
    trace_id, span_id = int(traceparent[3:35], 16), int(traceparent[36:52], 16)
    return SpanContext(trace_id, span_id, is_remote=False, trace_flags=TraceFlags(TraceFlags.SAMPLED))
