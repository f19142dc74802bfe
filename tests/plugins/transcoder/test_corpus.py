"""Media as it is found in the world: each file ends as a correct video, frame for frame, sound beside picture."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from itertools import accumulate
from pathlib import Path

import attrs
import pytest

from streamgate.contracts.media import MediaPlan
from streamgate_transcoder.media.profiles import EFFICIENT, WEB, Profile
from tests.plugins.transcoder.corpus import Clip, Seen, make, watch
from tests.plugins.transcoder.corpus_children import Children
from tests.plugins.transcoder.corpus_edits import rewrite, ticks_a_second, with_edits

NTSC = Fraction(30_000, 1001)
UNEVEN_MS = tuple(accumulate([0, *([20, 80, 41, 40, 33, 17, 60, 40] * 6)]))
LIVE = {"movflags": "frag_keyframe+empty_moov+delay_moov+default_base_moof"}


@attrs.frozen(kw_only=True)
class Case:
    """A file, and what must be seen of it. `late_s`: how much later than the flash the tone must be heard."""

    clip: Clip
    numbers: Sequence[int] = range(50)
    times_s: Sequence[float] | None = None  # None: 25 frames a second
    size: tuple[int, int] = (64, 64)
    channels: int = 2
    late_s: float = 0.0
    also: Sequence[tuple[str, int]] = ()  # language and channels of other sounds; of 5.1, the first one's
    warning: str = ""
    change: Callable[[bytes], bytes] = bytes
    tolerance: int = 0  # of frame numbers
    toned_to: int = 0  # the luma of the brightest frame where the colours are changed; order alone tells frames then


def edited(video_s: Sequence[tuple[float, float]], audio_s: Sequence[tuple[float, float]] = ()) -> Callable[..., bytes]:
    """Edits of both tracks: of each its length and where in the media it begins, in seconds (-1: nothing is shown)."""

    def change(data: bytes) -> bytes:
        for track, edits in ((0, video_s), (1, audio_s)):
            # The AAC encoder's first 1024 samples are its run-up, which edits do not count.
            clock, run_up = ticks_a_second(data, track), 1024 * track
            ticks = [
                (round(length * 1000), -1 if begin < 0 else round(begin * clock) + run_up) for length, begin in edits
            ]
            if ticks:
                data = with_edits(data, track, *ticks)
        return data

    return change


HDR10, HLG = (9, 16, 9), (9, 18, 9)

CASES = {
    "plain": Case(clip=Clip()),
    "header first": Case(clip=Clip(container_options={"movflags": "faststart"})),
    "one frame": Case(clip=Clip(frames=1, audio_codec=""), numbers=[0]),
    "video only": Case(clip=Clip(audio_codec="")),
    "matroska, whatever its name": Case(clip=Clip(container="matroska", b_frames=2)),
    "transport stream": Case(clip=Clip(container="mpegts")),
    "quicktime": Case(clip=Clip(container="mov", codec="mpeg4", audio_codec="pcm_s16le"), tolerance=1),
    "turned": Case(clip=Clip(size=(96, 64), rotation_deg=-90), size=(64, 96)),
    "anamorphic": Case(clip=Clip(sar=Fraction(3, 2)), size=(96, 64)),
    "odd size": Case(clip=Clip(size=(63, 47), pixel_format="yuv444p"), size=(64, 48)),
    "varying rate": Case(
        clip=Clip(container="matroska", pts=UNEVEN_MS, time_base=Fraction(1, 1000)),
        numbers=range(49),
        times_s=[ms / 1000 for ms in UNEVEN_MS],
    ),
    "29.97": Case(clip=Clip(fps=NTSC), times_s=[float(n / NTSC) for n in range(50)]),
    "start trim": Case(clip=Clip(), change=edited([(1.6, 0.4)], [(1.6, 0.4)]), numbers=range(10, 50)),
    "start trim between references": Case(
        clip=Clip(b_frames=3, x264="b-adapt=0"), change=edited([(1.6, 0.48)], [(1.6, 0.4)]), numbers=range(10, 50)
    ),
    "end trim": Case(clip=Clip(), change=edited([(1.2, 0.0)], [(1.2, 0.0)]), numbers=range(30)),
    "two edits": Case(
        clip=Clip(),
        change=edited([(0.4, 0.0), (0.8, 1.0)], [(0.4, 0.0), (0.8, 1.0)]),
        numbers=[*range(10), *range(25, 45)],
    ),
    "a late picture": Case(clip=Clip(), change=edited([(0.4, -1), (2.0, 0.0)], [(2.0, 0.0)]), late_s=-0.4),
    "a late sound": Case(clip=Clip(), change=edited([(2.0, 0.0)], [(0.4, -1), (2.0, 0.0)]), late_s=0.4),
    "negative offsets": Case(clip=Clip(b_frames=2, container_options={"movflags": "negative_cts_offsets"})),
    "a clock that wraps": Case(
        clip=Clip(
            container="mpegts",
            container_options={"mpegts_copyts": "1"},
            pts=range((1 << 33) - 72_000, (1 << 33) + 108_000, 3600),
            time_base=Fraction(1, 90_000),
        )
    ),
    "pyramid": Case(clip=Clip(b_frames=3, x264="b-adapt=0:b-pyramid=normal:ref=4")),
    "open groups": Case(clip=Clip(b_frames=3, x264="keyint=12:open-gop=1:b-adapt=0")),
    "10 bit": Case(clip=Clip(pixel_format="yuv420p10le")),
    "10 bit, 4:2:2": Case(clip=Clip(container="mov", codec="prores_ks", pixel_format="yuv422p10le")),
    "HDR10": Case(clip=Clip(pixel_format="yuv420p10le", colour=HDR10), warning="HDR", toned_to=235),
    "HLG": Case(clip=Clip(pixel_format="yuv420p10le", colour=HLG), warning="HDR", toned_to=221),
    "interlaced": Case(clip=Clip(x264="tff=1"), warning="interlaced"),
    "5.1": Case(clip=Clip(audio_layout="5.1"), also=[("", 6)]),
    "7 tracks, the first is the default": Case(
        clip=Clip(audio_tracks=7, languages=["eng", "ger", "fre", "und", "jpn", "por", "zho"]),
        also=[("de", 2), ("fr", 2), ("", 2), ("ja", 2), ("pt", 2), ("zh", 2)],
    ),
    "two languages in 5.1": Case(
        clip=Clip(container="matroska", audio_codec="ac3", audio_layout="5.1(side)", audio_tracks=2),
        also=[("", 6), ("", 2), ("", 6)],
    ),
    "sound of no known codec": Case(
        clip=Clip(),
        change=lambda data: data.replace(b"mp4a", b"zzzz").replace(b"esds", b"free"),
        channels=0,
        warning="without sound",
    ),
    "no duration": Case(clip=Clip(container="matroska", is_seekable=False)),
    "fragments without a duration": Case(clip=Clip(container_options=LIVE, is_seekable=False)),
}


@pytest.fixture(scope="session")
def children() -> Iterator[Children]:
    with Children() as made:
        yield made


@pytest.mark.parametrize("may_copy", [False, True], ids=["encoded", "copied where it can be"])
@pytest.mark.parametrize("name", CASES)
def test_it_is_shown_as_it_was_meant(name: str, may_copy: bool, children: Children, tmp_path: Path) -> None:
    check(CASES[name], children, tmp_path, may_copy=may_copy)


@pytest.mark.parametrize("may_copy", [False, True], ids=["encoded", "beside a copy"])
@pytest.mark.parametrize("name", ["plain", "varying rate", "29.97", "pyramid", "turned", "HDR10"])
def test_av1_shows_the_same_frames_at_the_same_times(
    name: str, may_copy: bool, children: Children, tmp_path: Path
) -> None:
    plan = check(CASES[name], children, tmp_path, may_copy=may_copy, profile=EFFICIENT)
    assert [item.codec.partition(".")[0] for item in plan.renditions if item.kind == "video"] == ["avc1", "av01"]


def check(case: Case, children: Children, tmp_path: Path, *, may_copy: bool, profile: Profile = WEB) -> MediaPlan:
    path = tmp_path / "upload.mp4"
    path.write_bytes(case.change(make(case.clip)))
    outcome = children.handle(path, may_copy=may_copy, profile=profile)
    assert outcome.code == "", outcome.detail
    assert outcome.plan is not None
    assert any(case.warning in warning for warning in outcome.plan.warnings) or not case.warning
    numbers = list(case.numbers)
    times_s = case.times_s or [n / 25 for n in range(len(numbers))]
    for seen in watch(outcome):
        assert seen.size == case.size
        assert len(seen.numbers) == len(numbers)
        if case.toned_to:
            assert sorted(seen.numbers) == list(seen.numbers)
            assert (seen.colour, seen.brightest) == ((1, 1, 1), case.toned_to)
        else:
            assert max(abs(a - b) for a, b in zip(seen.numbers, numbers, strict=True)) <= case.tolerance
        assert list(seen.times_s) == pytest.approx(times_s, abs=0.002)
        last_s = times_s[-1] - times_s[-2] if len(times_s) > 1 else 0.04
        assert seen.picture_s == pytest.approx(times_s[-1] + last_s, abs=0.005)
        if case.clip.audio_codec and case.channels:
            check_sound(seen, case)
    return outcome.plan


def test_a_single_picture_is_shown_for_as_long_as_its_file_says(children: Children, tmp_path: Path) -> None:
    """As films of sound with one picture have it."""
    path, data = tmp_path / "still.mp4", make(Clip(frames=1, audio_codec=""))
    times = struct.pack(">IIII", 0, 1, 1, 30 * ticks_a_second(data, 0))
    data = rewrite(data, "moov/trak/edts", None)
    path.write_bytes(rewrite(data, "moov/trak/mdia/minf/stbl/stts", times))
    outcome = children.handle(path)
    assert outcome.code == "", outcome.detail
    (seen,) = watch(outcome)
    assert list(seen.times_s) == [0, 4, 8, 12, 16, 20]  # at each beginning of a segment once more
    assert (set(seen.numbers), seen.picture_s) == ({0}, 30)


def check_sound(seen: Seen, case: Case) -> None:
    assert seen.channels == case.channels
    assert seen.sound_s == pytest.approx(seen.picture_s, abs=0.022)  # whole AAC frames
    assert seen.tone_at_s is not None
    assert [(each.language, each.channels) for each in seen.others] == list(case.also)
    for number, other in enumerate(seen.others):
        assert other.sound_s == pytest.approx(seen.sound_s, abs=0.001)
        if number == 0 and other.channels == 6:
            assert other.tone_at_s == pytest.approx(seen.tone_at_s, abs=0.002)
        else:
            assert other.tone_at_s is None
    if not case.toned_to:
        assert seen.tone_at_s - seen.flash_at_s == pytest.approx(case.late_s, abs=0.011)  # half an AAC frame
