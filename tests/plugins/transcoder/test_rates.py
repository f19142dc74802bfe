"""A decoder's buffer runs on over the seams of chunks, and never dry: whatever encoders do, and by x264 with noise."""

from __future__ import annotations

import random
import struct
from collections.abc import Callable, Iterable
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import attrs
import av
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamgate.contracts.media import MediaPlan, MediaSource, PlannedChunk, PlannedRendition
from streamgate_transcoder.media.boxes import find
from streamgate_transcoder.media.profiles import WEB, Rung
from streamgate_transcoder.media.rates import Bounds, bounds_of

FPS, FILM_S = 25, 48
START = Fraction(9, 10)


def lowest_level(frame_bits: Iterable[int], rate_bps: int, buffer_bits: int) -> Fraction:
    """Of a decoder's buffer that begins nine tenths full, over frames of one length."""
    level = lowest = START * buffer_bits
    for bits in frame_bits:
        level -= bits
        lowest = min(lowest, level)
        level = min(Fraction(buffer_bits), level + Fraction(rate_bps, FPS))
    return lowest


@st.composite
def _plans(draw: st.DrawFn) -> tuple[MediaPlan, PlannedRendition]:
    seconds = draw(st.lists(st.integers(1, 5), min_size=1, max_size=10))
    grid = [0]
    for each in seconds:
        grid.append(grid[-1] + each * FPS)
    edges = sorted({0, len(seconds), *draw(st.sets(st.integers(0, len(seconds)), max_size=4))})
    chunks = tuple(
        PlannedChunk(n=n, seg_from=first, seg_to=stop, decode_from_ticks=0)
        for n, (first, stop) in enumerate(pairwise(edges))
    )
    rate = draw(st.integers(50_000, 5_000_000))
    rendition = PlannedRendition(
        id="v1",
        kind="video",
        mode="encode",
        codec="",
        maxrate_bps=rate,
        bufsize_bits=rate * draw(st.integers(1, 4)) // 2,
    )
    plan = MediaPlan(
        content_id="c_1",
        media_version=1,
        source=MediaSource(key="s", size_bytes=1),
        timescale=FPS,
        origin_ticks=0,
        duration_ticks=grid[-1],
        video_grid=tuple(grid),
        target_duration_s=5,
        chunks=chunks,
        renditions=(rendition,),
    )
    return plan, rendition


def _spent(bounds: Bounds, frames: int, greedy: set[int]) -> list[int]:
    """By an encoder that keeps its own buffer from running dry, and takes all there is in those tenths of its time."""
    level, spent = Fraction(bounds.initial_bits), []
    for n in range(frames):
        spent.append(int(level) if n * 10 // (frames - 1) in greedy else 0)
        level = min(Fraction(bounds.bufsize_bits), level - spent[-1] + Fraction(bounds.maxrate_bps, FPS))
    return spent


@given(_plans(), st.lists(st.sets(st.integers(0, 10)), min_size=1, max_size=4))
def test_the_buffer_never_runs_dry_whatever_encoders_spend(
    planned: tuple[MediaPlan, PlannedRendition], greedy: list[set[int]]
) -> None:
    plan, rendition = planned
    spent: list[int] = []
    for chunk in plan.chunks:
        bounds = bounds_of(plan, rendition, chunk.n)
        assert 0 < bounds.initial_bits <= bounds.bufsize_bits <= rendition.bufsize_bits
        assert 3 * rendition.maxrate_bps - 4 <= 4 * bounds.maxrate_bps <= 4 * rendition.maxrate_bps
        frames = plan.video_grid[chunk.seg_to] - plan.video_grid[chunk.seg_from]
        spent += _spent(bounds, frames, greedy[chunk.n % len(greedy)])
    assert lowest_level(spent, rendition.maxrate_bps, rendition.bufsize_bits) >= 0


def test_a_film_of_one_chunk_has_what_its_rendition_has() -> None:
    rendition = PlannedRendition(id="v1", kind="video", mode="encode", codec="", maxrate_bps=1000, bufsize_bits=1500)
    chunk = PlannedChunk(n=0, seg_from=0, seg_to=2, decode_from_ticks=0)
    plan = MediaPlan(
        content_id="c_1",
        media_version=1,
        source=MediaSource(key="s", size_bytes=1),
        timescale=1,
        origin_ticks=0,
        duration_ticks=8,
        video_grid=(0, 4, 8),
        target_duration_s=4,
        chunks=(chunk,),
        renditions=(rendition,),
    )
    assert bounds_of(plan, rendition, 0) == Bounds(maxrate_bps=1000, bufsize_bits=1500, initial_bits=1350)


def test_a_short_chunk_has_less_at_its_own_seam_and_nowhere_else() -> None:
    rendition = PlannedRendition(id="v1", kind="video", mode="encode", codec="", maxrate_bps=1200, bufsize_bits=1800)

    def bounds(*grid: int) -> list[Bounds]:
        plan = MediaPlan(
            content_id="c_1",
            media_version=1,
            source=MediaSource(key="s", size_bytes=1),
            timescale=1,
            origin_ticks=0,
            duration_ticks=grid[-1],
            video_grid=grid,
            target_duration_s=4,
            chunks=tuple(
                PlannedChunk(n=n, seg_from=n, seg_to=n + 1, decode_from_ticks=0) for n in range(len(grid) - 1)
            ),
            renditions=(rendition,),
        )
        return [bounds_of(plan, rendition, each.n) for each in plan.chunks]

    even, short_last, short_middle = bounds(0, 4, 8, 12), bounds(0, 4, 8, 9), bounds(0, 4, 5, 9)
    assert short_last == even  # 1200 / 3
    assert short_middle[0] == even[0]
    assert short_middle[1] == Bounds(maxrate_bps=900, bufsize_bits=1500, initial_bits=600)
    assert short_middle[2] == Bounds(maxrate_bps=1200, bufsize_bits=1800, initial_bits=300)


@pytest.fixture(scope="module")
def noise(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Forty-eight seconds that nothing can be told of in advance, with key frames a second apart."""
    path = tmp_path_factory.mktemp("noise") / "noise.mkv"
    bits = random.Random(7)
    with av.open(str(path), "w", format="matroska") as out:
        stream = out.add_stream("libx264", rate=FPS)
        stream.width, stream.height, stream.pix_fmt = 64, 36, "yuv420p"
        stream.codec_context.options = {"preset": "ultrafast", "crf": "30", "g": "25", "sc_threshold": "0"}
        for number in range(FILM_S * FPS):
            frame = av.VideoFrame(64, 36, "gray")
            frame.planes[0].update(bits.randbytes(frame.planes[0].buffer_size))
            frame.pts = number
            out.mux(stream.encode(frame.reformat(format="yuv420p")))
        out.mux(stream.encode(None))
    return path


def test_noise_keeps_to_the_cap_over_all_seams(noise: Path, make_media: Callable[..., Any]) -> None:
    rung = Rung(long_px=64, short_px=36, maxrate_bps=150_000, bufsize_bits=225_000)
    made = make_media(noise, attrs.evolve(WEB, rungs=(rung,)))
    (rendition,) = made.plan.renditions
    assert (rendition.maxrate_bps, rendition.bufsize_bits) == (150_000, 225_000)
    assert len(made.plan.chunks) == 4
    spent = [bits for _, part in sorted(made.segments["v36"].items()) for bits in _frame_bits(part.data)]
    assert len(spent) == FILM_S * FPS
    assert sum(spent) > 0.9 * FILM_S * 150_000  # it is as hard as it may be
    assert lowest_level(spent, 150_000, 225_000) >= 0


def _frame_bits(segment: bytes) -> list[int]:
    """In decoding order."""
    trun = find(segment, b"moof", b"traf", b"trun")
    assert trun is not None
    return [8 * size for _, size, _, _ in struct.iter_unpack(">IIII", segment[trun.start + 12 : trun.end])]
