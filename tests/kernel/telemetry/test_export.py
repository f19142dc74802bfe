"""Spans on their way to a collector that is there, slow, refusing or absent."""

from __future__ import annotations

import subprocess
import sys
import time

import pytest

from streamgate.telemetry.export import SpanExport
from streamgate.telemetry.tracing import TRACING, child_of, note_span
from streamgate.testing.otlp import OtlpReceiver
from streamgate.testing.processes import free_port
from streamgate.testing.wait import eventually

ROOT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
RESOURCE = {"service.name": "toy", "service.instance.id": "toy@here-1", "service.version": "1"}


def some_spans(count: int) -> None:
    for number in range(count):
        note_span(f"step {number}", "internal", ROOT, start_ns=time.time_ns(), attributes={"number": number})


async def test_a_span_arrives_as_it_was() -> None:
    with OtlpReceiver() as collector:
        export = SpanExport(collector.url, RESOURCE)
        await export.start()
        own = child_of(ROOT)
        note_span(
            "worker.lease",
            "client",
            ROOT,
            start_ns=1_000,
            end_ns=3_000,
            traceparent=own,
            attributes={"text": "a", "number": 3, "share": 0.5, "yes": True},
            error=TimeoutError("the secret is 42"),
        )
        note_span("GET /x", "server", own, start_ns=1, end_ns=2, is_root=True)
        await export.stop()
        lease, root = collector.spans
    assert (lease.name, lease.trace_id, lease.span_id, lease.parent_id) == (
        "worker.lease",
        ROOT[3:35],
        own[36:52],
        ROOT[36:52],
    )
    assert (lease.start_ns, lease.end_ns, lease.has_failed) == (1_000, 3_000, True)
    assert lease.attributes == {"text": "a", "number": 3, "share": 0.5, "yes": True}
    assert (lease.service, lease.process) == ("toy", "toy@here-1")
    assert (root.parent_id, root.has_failed) == ("", False)


async def test_spans_leave_by_themselves_and_nothing_is_recorded_after_the_stop() -> None:
    with OtlpReceiver() as collector:
        export = SpanExport(f"{collector.url}/v1/traces", RESOURCE)
        await export.start()
        some_spans(3)

        async def all_there() -> bool | None:
            return len(collector.spans) == 3 or None

        await eventually(all_there, what="spans, without a stop")
        await export.stop()
        some_spans(1)
        assert TRACING.recorder is None
        assert len(collector.spans) == 3


@pytest.mark.parametrize("kind", ["absent", "refusing", "silent"])
async def test_a_collector_that_takes_nothing_slows_nothing(kind: str) -> None:
    with OtlpReceiver(status=503 if kind == "refusing" else 200) as collector:
        if kind == "silent":
            collector.delay.clear()
        url = f"http://127.0.0.1:{free_port()}" if kind == "absent" else collector.url
        export = SpanExport(url, RESOURCE, drain_s=0.3)
        await export.start()
        began_s = time.perf_counter()
        some_spans(10_000)  # more than the queue holds
        assert time.perf_counter() - began_s < 5.0
        began_s = time.perf_counter()
        await export.stop()
        assert time.perf_counter() - began_s < 3.0
        assert collector.spans == []


def test_a_process_that_exports_nothing_loads_no_opentelemetry() -> None:
    code = (
        "import sys, streamgate.runtime, streamgate.telemetry.process, streamgate.sdk.jobs\n"
        "print([name for name in sys.modules if name.startswith(('opentelemetry', 'prometheus_client'))])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=50)
    assert done.stdout.strip() == "[]"
