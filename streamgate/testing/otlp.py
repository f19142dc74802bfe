"""A collector of traces for tests: OTLP over HTTP in, spans out.

with OtlpReceiver() as collector:
    ... STREAMGATE_TELEMETRY__OTLP_URL=collector.url ...
    spans = collector.spans_of(trace_id)
"""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

import attrs


@attrs.frozen(kw_only=True)
class ReceivedSpan:
    """`parent_id` is "" at a root. `process` is the `service.instance.id` of who sent it. `has_failed`: its status."""

    name: str
    kind: int
    trace_id: str
    span_id: str
    parent_id: str
    start_ns: int
    end_ns: int
    attributes: dict[str, Any]
    has_failed: bool
    service: str
    process: str


class OtlpReceiver:
    """Listens on a free port of this machine. `status`: what it answers; `delay` is waited for before."""

    def __init__(self, *, status: int = 200) -> None:
        self.status = status
        self.delay = threading.Event()
        self.delay.set()
        self._spans: list[ReceivedSpan] = []
        self._lock = threading.Lock()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length", "0")))
                receiver.delay.wait(30)
                if self.path == "/v1/traces" and receiver.status == 200:
                    receiver._take(body)
                self.send_response(receiver.status)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:
                return

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.delay.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def spans(self) -> list[ReceivedSpan]:
        with self._lock:
            return list(self._spans)

    def spans_of(self, trace_id: str) -> list[ReceivedSpan]:
        """In the order of their beginnings."""
        return sorted((s for s in self.spans if s.trace_id == trace_id), key=lambda span: span.start_ns)

    def names_up_from(self, span: ReceivedSpan) -> list[str]:
        """The names of a span and of all above it, up to the root."""
        by_id = {each.span_id: each for each in self.spans_of(span.trace_id)}
        names = [span.name]
        while span.parent_id in by_id:
            span = by_id[span.parent_id]
            names.append(span.name)
        return names

    def _take(self, body: bytes) -> None:
        from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

        request = ExportTraceServiceRequest.FromString(body)
        found = [
            _received(span, {fact.key: fact.value.string_value for fact in group.resource.attributes})
            for group in request.resource_spans
            for scope in group.scope_spans
            for span in scope.spans
        ]
        with self._lock:
            self._spans += found


def _received(span: Any, resource: dict[str, str]) -> ReceivedSpan:  # Any: generated from a .proto, untyped
    values = {fact.key: getattr(fact.value, fact.value.WhichOneof("value")) for fact in span.attributes}
    return ReceivedSpan(
        name=span.name,
        kind=span.kind,
        trace_id=span.trace_id.hex(),
        span_id=span.span_id.hex(),
        parent_id=span.parent_span_id.hex(),
        start_ns=span.start_time_unix_nano,
        end_ns=span.end_time_unix_nano,
        attributes=values,
        has_failed=span.status.code == 2,
        service=resource.get("service.name", ""),
        process=resource.get("service.instance.id", ""),
    )
