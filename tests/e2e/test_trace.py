"""One trace id from the request at the door to the process that encodes; what else that process tells."""

from __future__ import annotations

import json
import os
import secrets
from pathlib import Path

import pytest

from streamgate.testing.clips import ClipSpec, make_clip
from streamgate.testing.metrics_docs import metrics
from streamgate.testing.otlp import OtlpReceiver, ReceivedSpan
from streamgate.testing.processes import free_port
from streamgate.testing.stacks import all_in_one
from streamgate.testing.wait import eventually
from tests.e2e.client import Api
from tests.e2e.wallet import Wallet

NOT_IN_ONE_PROCESS: set[str] = set()
"""Metrics of modules that one process on the embedded defaults does not load."""


@pytest.mark.timeout(120)
async def test_one_trace_leads_from_the_request_to_the_child(tmp_path: Path) -> None:
    """Nothing is sampled here but what this request's `traceparent` says. How it is across processes is seen by
    `test_story.py`."""
    ten_bit = ClipSpec(frames=50, key_frames=(0,), pixel_format="yuv420p10le")  # has to be encoded
    clip = make_clip(tmp_path / "clip.mp4", ten_bit)
    internal_port = free_port()
    trace_id, span_id = secrets.token_hex(16), secrets.token_hex(8)
    with OtlpReceiver() as collector:
        environment = {
            "STREAMGATE_TELEMETRY__OTLP_URL": collector.url,
            "STREAMGATE_TELEMETRY__SAMPLE_RATIO": "0",
            "STREAMGATE_SERVICES__WIRE_LOCAL": "true",
            "STREAMGATE_SERVER__INTERNAL_PORT": str(internal_port),
            "STREAMGATE_LOG__FORMAT": "json",
        }
        with all_in_one(tmp_path, environment=environment) as stack:
            async with Api.connect(stack.url) as creator:
                await creator.sign_in(Wallet.new("creator"))
                with clip.open("rb") as file:
                    await creator.call(
                        "POST",
                        "/api/v1/upload",
                        files={"file": ("clip.mp4", file, "video/mp4")},
                        headers={"traceparent": f"00-{trace_id}-{span_id}-01"},
                    )

            async def child_span() -> ReceivedSpan | None:
                return next((s for s in collector.spans_of(trace_id) if s.name == "child media.encode_chunk"), None)

            child = await eventually(child_span, timeout_s=90, what="the child's span")
            async with Api.connect(f"http://127.0.0.1:{internal_port}") as operator:
                scraped = await operator.send("GET", "/metrics")
                assert scraped.status_code == 200, scraped.text
                shown = scraped.text
                assert (await operator.call("GET", "/health"))["status"] == "ok"
                assert (await operator.send("GET", "/api/v1/content")).status_code == 404
        spans = collector.spans_of(trace_id)  # the last ones were sent while it stopped
        sampled = {span.trace_id for span in collector.spans}

    names = collector.names_up_from(child)
    assert names[:4] == [
        "child media.encode_chunk",
        "run media.encode_chunk",
        "lease media.encode_chunk",
        "enqueue media.encode_chunk",
    ]
    assert names[-1] == "POST /api/v1/upload"
    assert "handle evt.upload.finished.v1" in names
    assert "publish evt.upload.finished.v1" in names
    assert {"child media.probe", "run media.probe", "worker.complete"} <= {span.name for span in spans}
    assert [span.name for span in spans if span.parent_id == span_id] == ["POST /api/v1/upload"]
    assert child.attributes["process.pid"] not in (0, os.getpid())
    assert child.attributes["streamgate.times_by"] == "child"
    assert {span.service for span in spans} == {"streamgate"}
    assert sampled == {trace_id}

    documented = {doc.name: doc.kind for doc in metrics()}
    running = dict(line.split()[2:4] for line in shown.splitlines() if line.startswith("# TYPE streamgate_"))
    assert running == {name: documented.get(name, "not documented") for name in running}
    assert {doc.name for doc in metrics() if doc.where in ("kernel", "sdk")} - set(running) <= NOT_IN_ONE_PROCESS
    assert 'streamgate_job_run_duration_seconds_count{kind="media.encode_chunk",outcome="done"} 1.0' in shown

    lines = [json.loads(line) for line in (tmp_path / "all.log").read_text().splitlines() if line.startswith("{")]
    traced = [line for line in lines if line.get("trace_id") == trace_id]
    assert {line["service"] for line in traced} == {"streamgate"}
    assert {"upload finished", "request", "content moved"} <= {line["event"] for line in traced}
