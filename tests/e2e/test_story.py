"""The main job from outside, in both shapes."""

from __future__ import annotations

from pathlib import Path

import pytest

from streamgate.testing.clips import one_minute_clip
from streamgate.testing.otlp import OtlpReceiver
from streamgate.testing.stacks import all_in_one, split
from tests.e2e.story import Story

LEASE_S = 3.0
ENVIRONMENT = {
    "STREAMGATE_STREAMING__LEASE_S": str(LEASE_S),
    "STREAMGATE_SERVICES__WIRE_LOCAL": "true",  # one process, but each call goes through its wire form
}


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return one_minute_clip(tmp_path_factory.mktemp("clip") / "bunny.mp4")


@pytest.mark.timeout(300)
@pytest.mark.parametrize("mode", ["all", "split"])
async def test_only_the_holder_watches(mode: str, tmp_path: Path, clip: Path) -> None:
    start = all_in_one if mode == "all" else split
    with OtlpReceiver() as collector:
        environment = {**ENVIRONMENT, "STREAMGATE_TELEMETRY__OTLP_URL": collector.url}
        with start(tmp_path, environment=environment) as stack:
            story = Story(stack, clip, LEASE_S, kill_transcoder=mode == "split")
            await story.run()
        assert_one_trace_leads_to_a_child(collector, is_split=mode == "split")
    assert [step.name for step in story.steps][-1] == "a file that is no video ends in `failed`"


def assert_one_trace_leads_to_a_child(collector: OtlpReceiver, *, is_split: bool) -> None:
    """From the request at the gateway to the process that encoded, through whatever processes lie between."""
    children = [span for span in collector.spans if span.name == "child media.encode_chunk" and not span.has_failed]
    assert children
    names = collector.names_up_from(children[0])
    assert names[:4] == [
        "child media.encode_chunk",
        "run media.encode_chunk",
        "lease media.encode_chunk",
        "enqueue media.encode_chunk",
    ]
    assert "POST /api/v1/upload/complete" in names
    assert names[-1] == ("POST mounted" if is_split else "POST /api/v1/upload/complete")
    services = {span.service for span in collector.spans_of(children[0].trace_id)}
    wanted = {"api", "upload", "streaming", "worker", "transcoder"} if is_split else {"streamgate"}
    assert wanted <= services
