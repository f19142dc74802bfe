"""Rungs that are made when somebody asks: which they are, and that what is made then fits what is made in advance."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import attrs
import av
import pytest

from streamgate.contracts.media import (
    ASKED_SEGMENTS,
    AskedPayload,
    ChunkPayload,
    MadePart,
    MediaPlan,
    MediaSource,
    PlannedChunk,
    PlannedRendition,
    ProbePayload,
)
from streamgate.testing.clips import ClipSpec
from streamgate_transcoder.faults import NotInPlan
from streamgate_transcoder.media.profiles import WEB
from streamgate_transcoder.policies import in_stretches, of_renditions, with_policy
from streamgate_transcoder.profile_names import Profiles
from tests.plugins.transcoder.test_media_jobs import Bench, Run, bench

__all__ = ["bench"]
FILM = ClipSpec(width_px=640, height_px=360, frames=150, key_frames=(0, 70, 130))


def rung(name: str, *, mode: str = "encode", kind: str = "video", codec: str = "avc1.64001f") -> PlannedRendition:
    height_px = int(name.partition("-")[0][1:])
    assert mode in ("copy", "encode")
    return PlannedRendition(
        id=name,
        kind="video" if kind == "video" else "audio",
        mode="copy" if mode == "copy" else "encode",
        base=mode == "copy",
        codec=codec,
        width_px=height_px * 16 // 9 if kind == "video" else 0,
        height_px=height_px if kind == "video" else 0,
    )


def plan_with(*rungs: PlannedRendition) -> MediaPlan:
    source = MediaSource(key="k", size_bytes=1)
    return MediaPlan(
        content_id="c",
        media_version=1,
        source=source,
        timescale=25,
        duration_ticks=100,
        target_duration_s=4,
        renditions=rungs,
    )


@pytest.mark.parametrize(
    ("rungs", "lazy"),
    [
        ((rung("v1080", mode="copy"), rung("v720"), rung("v480"), rung("v240")), {"v720", "v480"}),
        ((rung("v1080"), rung("v720"), attrs.evolve(rung("v240"), base=True)), {"v1080", "v720"}),
        ((rung("v1080", mode="copy"), rung("v240")), set()),
        ((attrs.evolve(rung("v240"), base=True),), set()),
        ((rung("v720"), rung("v240"), rung("v720-av1", codec="av01.0.04M.08")), {"v720"}),
        ((rung("a128", kind="audio", codec="mp4a.40.2"),), set()),
    ],
)
def test_lazy_are_h264_rungs_above_the_lowest(rungs: tuple[PlannedRendition, ...], lazy: set[str]) -> None:
    plan = plan_with(*rungs)
    made = with_policy(plan, "lazy")
    assert {each.id for each in made.renditions if each.policy == "lazy"} == lazy
    assert with_policy(plan, "eager") is plan
    assert [each.id for each in made.renditions] == [each.id for each in plan.renditions]


def test_what_is_not_in_the_plan_is_not_made() -> None:
    chunks = tuple(PlannedChunk(n=n, seg_from=n * 5, seg_to=n * 5 + 5, decode_from_ticks=n * 490) for n in range(2))
    grid = tuple(range(0, 1001, 100))
    plan = attrs.evolve(plan_with(rung("v720"), rung("v240")), video_grid=grid, chunks=chunks)
    begins = [(each.seg_from, each.decode_from_ticks) for each in in_stretches(plan, "v720", 4).chunks]
    assert begins == [(0, 0), (2, 0), (4, 0), (6, 490), (8, 490)]
    with pytest.raises(NotInPlan):
        of_renditions(plan, ("v720", "a128"))
    for stretch_n in (-1, 5):
        with pytest.raises(NotInPlan):
            in_stretches(plan, "v720", stretch_n)


async def test_a_stretch_that_is_asked_for_fits_between_chunks(
    bench: Bench, clips: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same head as in a chunk, the frames of its grid, and nothing of other rungs. By a profile that is lazy."""
    known = Profiles(by_name={"later": attrs.evolve(WEB, name="later", policy="lazy")})
    monkeypatch.setattr(bench.jobs, "_profiles", known)
    source = await bench.stored(clips("lazy_rungs.mp4", FILM))
    asked = ProbePayload(content_id="c_1", media_version=1, source=source, profile="later")
    plan = (await bench.jobs.probe(asked, Run())).plan
    assert [(each.id, each.policy) for each in plan.renditions] == [("v360", "lazy"), ("v240", "eager")]
    facts = await bench.kept(plan)
    eager = await bench.jobs.encode_chunk(ChunkPayload(**facts, chunk_n=0), Run())
    assert [part.rendition_id for part in eager.parts] == ["v240"]
    wanted = ChunkPayload(**facts, chunk_n=0, rendition_ids=("v360",))
    [whole] = (await bench.jobs.encode_chunk(wanted, Run(blob_prefix="jobs/l_2"))).parts

    last = len(plan.video_grid) - 2
    span = AskedPayload(**facts, rendition_id="v360", stretch_n=last // ASKED_SEGMENTS)
    run = Run(blob_prefix="jobs/l_3")
    [part] = (await bench.jobs.encode_asked(span, run)).parts
    assert (part.rendition_id, part.segments[-1].n) == ("v360", last)
    assert part.init_sha256 == whole.init_sha256
    first = part.segments[0]
    assert await frames(bench, part) == plan.frames * first.duration_ticks // plan.duration_ticks
    assert whole.segments[0].decode_time_ticks == 0


async def frames(bench: Bench, part: MadePart) -> int:
    data = await bench.blobs.read(part.init_key) + await bench.blobs.read(part.segments[0].key)
    with av.open(io.BytesIO(data), "r", format="mp4") as container:
        return sum(1 for _ in container.decode(video=0))
