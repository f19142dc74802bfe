"""What a source needs, and which rungs it is worth: by rules, and by real clips."""

from __future__ import annotations

import random
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import attrs
import av
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamgate.contracts.media import MediaPlan, MediaSource, ProbePayload
from streamgate.contracts.profiles import Rung
from streamgate_transcoder.media import child
from streamgate_transcoder.media.ladder import choose_sizes
from streamgate_transcoder.media.limits import MediaLimits
from streamgate_transcoder.media.planning import make_plan
from streamgate_transcoder.media.probe import probe
from streamgate_transcoder.media.profiles import WEB
from streamgate_transcoder.media.sampling import sample
from streamgate_transcoder.media.task import ProbeTask
from streamgate_transcoder.media.worth import (
    ENOUGH_BPS,
    Difficulty,
    Sample,
    of_copy,
    of_samples,
    worth_making,
)
from tests.plugins.transcoder.conftest import Made
from tests.plugins.transcoder.corpus import Clip, make

SIZES = choose_sizes(1920, 1080, WEB)
RATES = st.floats(1_000, 50_000_000)
SMALL = attrs.evolve(
    WEB,
    preset="ultrafast",
    rungs=tuple(
        Rung(long_px=16 * lines // 9, short_px=lines, maxrate_bps=rate, bufsize_bits=rate)
        for lines, rate in ((90, 3_000_000), (72, 2_000_000), (54, 1_000_000), (36, 500_000))
    ),
)


def heights(sizes: Any) -> list[int]:
    return [height for _, height, _ in sizes]


@given(RATES, RATES, st.floats(0.3, 1.2), st.none() | RATES)
def test_rungs_are_left_out_and_caps_lowered_never_more(
    bps: float, more: float, exponent: float, above: float | None
) -> None:
    difficulty = Difficulty(bps=bps, hardest_bps=bps + more, pixels=854 * 480, exponent=exponent)
    kept = worth_making(SIZES, difficulty, above)
    asked = {size[:2]: size[2] for size in SIZES}
    assert heights(kept) == [height for height in heights(SIZES) if height in heights(kept)]
    if above is None:
        assert kept[0][:2] == SIZES[0][:2]
    rates = [above] if above is not None else []
    for width, height, rung in kept:
        was = asked[width, height]
        assert was.maxrate_bps // 3 <= rung.maxrate_bps <= was.maxrate_bps
        assert rung.maxrate_bps >= min(was.maxrate_bps, round(difficulty.hardest_at(width, height)))
        assert abs(rung.bufsize_bits / rung.maxrate_bps - was.bufsize_bits / was.maxrate_bps) < 0.001
        rates.append(min(difficulty.at(width, height), was.maxrate_bps))
    assert all(lower <= 0.9 * upper + 1 and upper > ENOUGH_BPS for upper, lower in pairwise(rates))


@given(RATES, st.floats(1, 20))
def test_what_is_harder_has_no_fewer_rungs(bps: float, times: float) -> None:
    def rungs(bps: float) -> int:
        return len(worth_making(SIZES, Difficulty(bps=bps, hardest_bps=bps, pixels=854 * 480)))

    # Where both are below their caps; at its cap a rung may come too near to the one below.
    if bps * times * (1920 * 1080 / (854 * 480)) ** 0.75 <= SIZES[0][2].maxrate_bps:
        assert rungs(bps) <= rungs(bps * times)


@pytest.mark.parametrize(
    ("bps", "expected"),
    [(150_000, []), (300_000, [480]), (1_000_000, [480, 360, 240]), (20_000_000, [480, 360, 240])],
)
def test_beside_a_source_that_is_played_as_it_is_its_own_rate_tells(bps: int, expected: list[int]) -> None:
    lower = choose_sizes(1280, 720, WEB)[1:]
    kept = worth_making(lower, of_copy(bps, 1280, 720), bps)
    assert heights(kept) == expected
    assert [rung.maxrate_bps for *_, rung in kept] == [rung.maxrate_bps for *_, rung in lower[: len(kept)]]


def test_two_sizes_tell_how_the_rate_grows() -> None:
    def moment(width: int, height: int, key: int, other: float) -> Sample:
        return Sample(width_px=width, height_px=height, key_bytes=key, other_bytes=other)

    found = of_samples([moment(200, 100, 1000, 90), moment(400, 200, 2000, 180), moment(400, 200, 6000, 580)], 25, 4)
    assert found is not None
    assert found.bps == pytest.approx((2000 + 99 * 180 + 6000 + 99 * 580) * 8 / 4 / 2)
    assert found.hardest_bps == pytest.approx((6000 + 99 * 580) * 8 / 4)
    assert found.at(400, 200) == found.bps
    assert found.at(200, 100) == pytest.approx((1000 + 99 * 90) * 8 / 4)
    assert of_samples([], 25, 4) is None


def noise(path: Path) -> Path:
    dice = random.Random(1)
    with av.open(str(path), "w", format="matroska") as out:
        video: Any = out.add_stream("mpeg4", rate=25)
        video.width, video.height, video.pix_fmt, video.bit_rate = 160, 90, "yuv420p", 8_000_000
        for number in range(525):
            frame = av.VideoFrame(160, 90, "yuv420p")
            for plane in frame.planes:
                plane.update(dice.randbytes(plane.buffer_size))
            frame.pts = number
            out.mux(video.encode(frame))
        out.mux(video.encode(None))
    return path


def test_a_flat_film_has_one_rung_and_a_noisy_one_all(tmp_path: Path, open_bytes: Callable[[Path], Any]) -> None:
    def planned(path: Path) -> MediaPlan:
        source = MediaSource(key="s", size_bytes=path.stat().st_size)
        wanted = ProbePayload(content_id="c_1", media_version=1, source=source, copies_prefix="copies")
        asked = ProbeTask(wanted=wanted, profile=SMALL)
        nothing = Made(None)  # type: ignore[arg-type]
        return child._planned(asked, MediaLimits(), open_bytes(path), nothing)  # type: ignore[arg-type]

    flat = tmp_path / "flat.mov"
    flat.write_bytes(make(Clip(container="mov", codec="mpeg4", size=(160, 90), frames=525, audio_codec="")))
    easy, hard = planned(flat), planned(noise(tmp_path / "noise.mkv"))
    assert [each.id for each in hard.renditions] == ["v90", "v72", "v54", "v36"]
    assert [each.maxrate_bps for each in hard.renditions] == [rung.maxrate_bps for rung in SMALL.rungs]
    assert [(each.id, each.base, each.maxrate_bps) for each in easy.renditions] == [("v90", True, 1_000_000)]
    assert easy.renditions[0].settings["maxrate"] == "1000000"
    assert "not H.264" in easy.not_copied[0]


def test_time_that_is_over_is_over(tmp_path: Path, open_bytes: Callable[[Path], Any]) -> None:
    path = noise(tmp_path / "noise.mkv")
    info = probe(open_bytes(path), MediaLimits(), lambda share: None)
    plan = make_plan(info, SMALL, "c_1", 1, MediaSource(key="s", size_bytes=1))
    assert info.video is not None
    looks = iter(range(1000))
    found = sample(open_bytes(path), info.video, plan, MediaLimits(), spent_s=lambda: next(looks) / 20)
    assert len(found) == 2  # of the middle, at two sizes; the second place was too much
    assert sample(open_bytes(path), info.video, plan, MediaLimits(), spent_s=lambda: float(next(looks))) == ()
