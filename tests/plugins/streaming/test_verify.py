"""What a transcoder tells is held against the plan, and the plan against what players need."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs
import pytest

from streamgate.contracts.media import (
    MadePart,
    MadeSegment,
    MediaPlan,
    MediaSource,
    PlannedChunk,
    PlannedRendition,
)
from streamgate_streaming.verify import PartRefused, PlanRefused, check_part, check_plan

SOURCE = MediaSource(key="sources/1", size_bytes=10)
VIDEO = PlannedRendition(
    id="v360", kind="video", mode="encode", base=True, codec="avc1.64001e", width_px=640, height_px=360, fps_num=25
)
SOUND = PlannedRendition(id="a128", kind="audio", mode="encode", codec="mp4a.40.2", sample_rate_hz=48_000, channels=2)
PLAN = MediaPlan(
    content_id="c_1",
    media_version=1,
    source=SOURCE,
    timescale=1_000,
    duration_ticks=9_000,
    video_grid=(0, 4_000, 8_000, 9_000),
    audio_grid=(0, 192_512, 384_000, 432_128),
    target_duration_s=4,
    chunks=(
        PlannedChunk(n=0, seg_from=0, seg_to=2, decode_from_ticks=0),
        PlannedChunk(n=1, seg_from=2, seg_to=3, decode_from_ticks=8_000),
    ),
    renditions=(VIDEO, SOUND),
)
HASH = "ab" * 32


def check(plan: MediaPlan) -> None:
    check_plan(plan, content_id="c_1", media_version=1, source=SOURCE)


def rung(**changes: Any) -> MediaPlan:
    return attrs.evolve(PLAN, renditions=(attrs.evolve(VIDEO, **changes), SOUND))


def sound(**changes: Any) -> MediaPlan:
    return attrs.evolve(PLAN, renditions=(VIDEO, SOUND, attrs.evolve(SOUND, id="a128-2", **changes)))


def test_a_sound_plan_passes() -> None:
    check(PLAN)
    check(sound(language="pt-BR", title="Só o diretor", grid=(0, 176_128, 353_280, 398_336), sample_rate_hz=44_100))


@pytest.mark.parametrize(
    ("plan", "said"),
    [
        (attrs.evolve(PLAN, plan=2), "not known"),
        (attrs.evolve(PLAN, content_id="c_2"), "something else"),
        (attrs.evolve(PLAN, media_version=2), "something else"),
        (attrs.evolve(PLAN, source=MediaSource(key="sources/2", size_bytes=10)), "something else"),
        (attrs.evolve(PLAN, renditions=()), "renditions"),
        (attrs.evolve(PLAN, renditions=(VIDEO, VIDEO, SOUND)), "renditions"),
        (rung(id="../v360"), "URL"),
        (rung(id="V360"), "URL"),
        (rung(codec='avc1"\n#EXT-X-KEY'), "CODECS"),
        (rung(codec=""), "CODECS"),
        (rung(width_px=0), "size"),
        (rung(base=False), "base"),
        (rung(policy="lazy"), "base"),
        (sound(policy="lazy"), "when somebody asks"),
        (attrs.evolve(PLAN, renditions=(attrs.evolve(VIDEO, base=False), attrs.evolve(SOUND, base=True))), "base"),
        (attrs.evolve(PLAN, video_grid=(0, 4_000, 4_000, 9_000)), "rise"),
        (attrs.evolve(PLAN, video_grid=(10, 4_000, 8_000, 9_000)), "rise"),
        (attrs.evolve(PLAN, video_grid=()), "rise"),
        (attrs.evolve(PLAN, video_grid=(0, 4_000, 8_000, 12_600)), "longer"),
        (attrs.evolve(PLAN, audio_grid=(0,)), "rise"),
        (attrs.evolve(PLAN, timescale=0), "time scale"),
        (sound(title='a"b'), "title"),
        (sound(title="a\nb"), "title"),
        (sound(title="a" * 61), "title"),
        (sound(language="english"), "language"),
        (sound(language="EN"), "language"),
        (sound(grid=(0, 192_512, 192_512)), "rise"),
        (attrs.evolve(PLAN, chunks=PLAN.chunks[:1]), "chunks"),
        (attrs.evolve(PLAN, chunks=PLAN.chunks[1:]), "chunks"),
        (attrs.evolve(PLAN, chunks=()), "chunks"),
    ],
)
def test_a_plan_that_cannot_be_played_is_refused(plan: MediaPlan, said: str) -> None:
    with pytest.raises(PlanRefused, match=said):
        check(plan)


def made(n: int, start: int, length: int) -> MadeSegment:
    return MadeSegment(n=n, key=f"k/{n}", size_bytes=100, sha256=HASH, decode_time_ticks=start, duration_ticks=length)


PART = MadePart(
    rendition_id="v360",
    init_key="k/init",
    init_sha256=HASH,
    init_size_bytes=700,
    segments=(made(0, 0, 4_000), made(1, 4_000, 4_000), made(2, 8_000, 1_000)),
)


def test_a_part_on_the_grid_passes_whole_or_in_pieces() -> None:
    check_part(PLAN, PART, init_sha256="")
    check_part(PLAN, attrs.evolve(PART, segments=PART.segments[1:2]), init_sha256=HASH)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda part: attrs.evolve(part, rendition_id="v999"), "no such rendition"),
        (lambda part: attrs.evolve(part, init_key=""), "init segment is not described"),
        (lambda part: attrs.evolve(part, init_sha256="cd" * 32), "init segment differs"),
        (lambda part: attrs.evolve(part, segments=(made(3, 9_000, 1_000),)), "not on the grid"),
        (lambda part: attrs.evolve(part, segments=(made(-1, 0, 4_000),)), "not on the grid"),
        (lambda part: attrs.evolve(part, segments=(made(1, 4_001, 4_000),)), "begins at 4001"),
        (lambda part: attrs.evolve(part, segments=(made(1, 4_000, 3_999),)), "lasts 3999"),
        (lambda part: attrs.evolve(part, segments=(made(0, 0, 4_000), made(0, 0, 4_000))), "twice"),
        (lambda part: attrs.evolve(part, segments=(attrs.evolve(made(0, 0, 4_000), size_bytes=0),)), "not described"),
        (lambda part: attrs.evolve(part, segments=(attrs.evolve(made(0, 0, 4_000), sha256="x"),)), "not described"),
    ],
)
def test_a_part_that_was_not_planned_is_refused(change: Callable[[MadePart], MadePart], said: str) -> None:
    with pytest.raises(PartRefused, match=said):
        check_part(PLAN, change(PART), init_sha256=HASH)
