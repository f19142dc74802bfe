"""The main job from outside, in each shape; split, with kill -9 of one of every kind."""

from __future__ import annotations

import os
import struct
from pathlib import Path

import pytest

from streamgate.testing.attacks import attack
from streamgate.testing.clips import ClipSpec, make_clip, one_minute_clip
from streamgate.testing.otlp import OtlpReceiver
from streamgate.testing.stacks import all_in_one
from streamgate.testing.wait import eventually
from tests.e2e.client import Api
from tests.e2e.shared import LEASE_S, SHARED_ROLES, SharedSplit
from tests.e2e.story import Roles, StepFailed, Story

CLIP_S = 10
PADDING_BYTES = 10 * 1024 * 1024  # a chunk has 5 MiB and more where the store is S3
KINDS = {"auth", "upload", "metadata", "worker", "transcoder", "streaming", "cache", "monitor", "api", "web"}
SERVERS = {"nats", "postgres", "redis", "s3"}


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Short, and large enough for several chunks: an MP4 may end in a box that means nothing."""
    path = one_minute_clip(tmp_path_factory.mktemp("clip") / "bunny.mp4", duration_s=CLIP_S)
    with path.open("ab") as file:
        file.write(struct.pack(">I4s", 8 + PADDING_BYTES, b"free") + os.urandom(PADDING_BYTES))
    return path


@attack("A12", "B15")
@pytest.mark.timeout(170, func_only=True)
async def test_only_the_holder_watches(tmp_path: Path, clip: Path) -> None:
    """In one process, where each call goes through its wire form."""
    roles = Roles()
    with OtlpReceiver() as collector:
        environment = {
            **roles.environment(),
            "STREAMGATE_STREAMING__LEASE_S": str(LEASE_S),
            "STREAMGATE_SERVICES__WIRE_LOCAL": "true",
            "STREAMGATE_TELEMETRY__OTLP_URL": collector.url,
        }
        with all_in_one(tmp_path, environment=environment) as stack:
            story = Story(stack, clip, LEASE_S, roles)
            await run(story)
        assert trace_leads_to_a_child(collector, {"streamgate"}, last="POST /api/v1/upload/complete")
    assert [step.name for step in story.steps][-1] == "a file that is no video ends in `failed`"


@attack("A12", "B15")
@pytest.mark.timeout(170, func_only=True)
async def test_nothing_is_lost_when_each_kind_is_killed(shared_split: SharedSplit, clip: Path) -> None:
    """A process for each service over NATS, PostgreSQL, Redis and S3."""
    story = Story(shared_split.stack, clip, LEASE_S, SHARED_ROLES)
    await run(story)
    assert [step.name for step in story.steps][-1] == "a file that is no video ends in `failed`"
    assert set(" ".join(story.crashes.told).replace(",", "").split()) >= KINDS | SERVERS


async def test_one_trace_goes_through_all_processes(shared_split: SharedSplit, tmp_path: Path) -> None:
    """Nobody is killed here: what a process had not yet told of its spans would be gone with it."""
    clip = make_clip(tmp_path / "clip.mp4", ClipSpec(frames=50, key_frames=(0,)))
    async with Api.connect(shared_split.stack.url) as creator:
        await creator.sign_in(SHARED_ROLES.creator)
        begun = await creator.begin_upload(clip)
        await creator.resume_upload(begun, clip)
        content = await creator.wait_for_content(begun["content_id"], lambda c: c["state"] in ("ready", "failed"))
        assert content["state"] == "ready", content

    async def is_told() -> bool | None:
        services = {"api", "upload", "streaming", "worker", "transcoder"}
        found = trace_leads_to_a_child(shared_split.collector, services, last="POST mounted", kind="media.copy")
        return found or None

    await eventually(is_told, timeout_s=30, every_s=0.5, what="the spans of one trace")


async def run(story: Story) -> None:
    """What it told is shown where it fails."""
    story.tell = lambda step: print(f"{step.took_s:7.2f} s  {step.name}  ({step.detail})")
    try:
        await story.run()
    except StepFailed as failed:
        pytest.fail(f"{failed}\nkilled: {story.crashes.told}\n{story.stack.logs()}")


def trace_leads_to_a_child(
    collector: OtlpReceiver, wanted: set[str], *, last: str, kind: str = "media.encode_chunk"
) -> bool:
    """From the request at the gateway to a process that did such a job, through whatever processes lie between."""
    begins = [f"child {kind}", f"run {kind}", f"lease {kind}"]
    for child in collector.spans:
        if child.name != begins[0] or child.has_failed:
            continue
        names = collector.names_up_from(child)
        services = {span.service for span in collector.spans_of(child.trace_id)}
        if names[:3] == begins and names[-1] == last and "POST /api/v1/upload/complete" in names and wanted <= services:
            return True
    return False
