"""Posters and storyboards: how they are laid out, what is on them, and what a child's word about them counts."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import attrs
import av
import pytest
from av.video.frame import VideoFrame

from streamgate.contracts.media import MediaCorrupt, MediaOutputInvalid, MediaPlan, MediaSource, NotMedia
from streamgate.contracts.pictures import Storyboard
from streamgate.sdk.jpeg import jpeg_size
from streamgate.sdk.webp import moving_size
from streamgate.testing.clips import ClipSpec, make_clip
from streamgate_transcoder.media.channel import Frame
from streamgate_transcoder.media.limits import MediaLimits
from streamgate_transcoder.media.pictures import _Look, best_of, make_pictures, make_poster
from streamgate_transcoder.media.planning import make_plan
from streamgate_transcoder.media.probe import probe
from streamgate_transcoder.media.profiles import PROFILES
from streamgate_transcoder.media.source import DescriptorBytes
from streamgate_transcoder.media.stills import Shaper, decode_still, jpeg_of
from streamgate_transcoder.media.storyboard import inside, poster_size, storyboard_of
from streamgate_transcoder.picture_jobs import PictureCollector
from tests.plugins.streaming.albums import webp

LIMITS = MediaLimits()


class Album:
    def __init__(self) -> None:
        self.pictures: dict[str, bytes] = {}

    def picture(self, name: str, data: bytes) -> None:
        self.pictures[name] = data

    def progress(self, share: float, frames: int = 0) -> None:
        assert 0 < share <= 1

    def look(self, name: str) -> VideoFrame:
        """A picture as any other program decodes it."""
        with av.open(io.BytesIO(self.pictures[name]), "r", format="mjpeg") as container:
            return next(container.decode(video=0)).reformat(format="rgb24")


def album_of(path: Path) -> tuple[Album, MediaPlan]:
    album = Album()
    with path.open("rb") as file:
        source = DescriptorBytes(file.fileno())
        info = probe(source, LIMITS, lambda _: None)
        where = MediaSource(key="s", size_bytes=source.size_bytes)
        plan = make_plan(info, PROFILES["web"], "c", 1, where)
        make_pictures(source, plan, LIMITS, album)
    return album, plan


def board_of(plan: MediaPlan) -> Storyboard:
    board = storyboard_of(plan)
    assert board is not None
    return board


def pixel(picture: VideoFrame, x: int, y: int) -> tuple[int, int, int]:
    at = y * picture.planes[0].line_size + 3 * x
    red, green, blue = bytes(picture.planes[0])[at : at + 3]
    return red, green, blue


def plan_of(duration_s: float, width_px: int = 1920, height_px: int = 1080) -> MediaPlan:
    from tests.plugins.streaming.theatre import make_plan as rough_plan

    plan = rough_plan("c", 1, MediaSource(key="s", size_bytes=1))
    rungs = [attrs.evolve(each, width_px=width_px, height_px=height_px) for each in plan.renditions]
    return attrs.evolve(plan, duration_ticks=round(duration_s * plan.timescale), renditions=tuple(rungs))


# --- how it is laid out -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("duration_s", "tiles", "interval_ms", "sheets", "last"),
    [
        (0.04, 1, 2_000, 1, (160, 90)),
        (60, 30, 2_000, 1, (1600, 270)),
        (600, 150, 4_000, 2, (1600, 450)),
        (3600, 360, 10_000, 4, (1600, 540)),
        (43_200, 1_000, 43_200, 10, (1600, 900)),
    ],
)
def test_a_storyboard_has_a_picture_each_2_to_10_s_and_a_thousand_at_most(
    duration_s: float, tiles: int, interval_ms: int, sheets: int, last: tuple[int, int]
) -> None:
    board = board_of(plan_of(duration_s))
    assert (board.tiles, board.interval_ms, board.sheet_count) == (tiles, interval_ms, sheets)
    assert board.sheet_size(sheets - 1) == last


@pytest.mark.parametrize(
    ("size", "side", "expected"),
    [
        ((1920, 1080), 160, (160, 90)),
        ((1080, 1920), 160, (90, 160)),
        ((320, 180), 1280, (320, 180)),
        ((4096, 2), 160, (160, 2)),
    ],
)
def test_pictures_keep_the_form_and_are_never_enlarged(
    size: tuple[int, int], side: int, expected: tuple[int, int]
) -> None:
    assert inside(*size, side) == expected


# --- what is on it ----------------------------------------------------------------------------------


KEYS = ClipSpec(frames=200, key_frames=(0, 50, 100, 150), options={"crf": "12"})


@pytest.mark.parametrize(
    "spec",
    [
        KEYS,
        attrs.evolve(KEYS, container="matroska"),
        attrs.evolve(KEYS, container="mpegts"),
        attrs.evolve(KEYS, container_options={"movflags": "frag_keyframe+empty_moov+default_base_moof"}),
    ],
    ids=["mp4", "mkv", "ts", "fragmented"],
)
def test_each_picture_is_the_key_frame_of_its_time(tmp_path: Path, spec: ClipSpec) -> None:
    """The pictures show their frame number: other times look otherwise."""
    album, plan = album_of(make_clip(tmp_path / "clip", spec))
    board = board_of(plan)
    assert (board.tiles, board.interval_ms, plan.duration_ticks) == (4, 2_000, 8 * plan.timescale)
    assert jpeg_size(album.pictures["0"]) == board.sheet_size(0) == (640, 90)
    with av.open(str(tmp_path / "clip")) as container:
        shown = [frame for frame in container.decode(video=0) if frame.key_frame]
    wanted = [Shaper(160, 90).shape(frame).reformat(format="rgb24") for frame in shown]
    sheet, line_bytes = _packed(album.look("0")), 3 * 640
    for n in range(4):
        lines = range(480 * n, len(sheet), line_bytes)
        tile = b"".join(sheet[at : at + 480] for at in lines)
        apart = [sum(abs(a - b) for a, b in zip(tile, _packed(each), strict=True)) for each in wanted]
        assert apart.index(min(apart)) == n


def test_a_few_pictures_of_the_first_half_move(tmp_path: Path) -> None:
    """Those that are on the storyboard, as often as they are others."""
    spec = attrs.evolve(KEYS, frames=800, key_frames=tuple(range(0, 800, 50)))
    album, plan = album_of(make_clip(tmp_path / "clip", spec))
    assert board_of(plan).tiles == 16
    assert moving_size(album.pictures["moving"]) == (320, 180)
    pictures = list(animated(album.pictures["moving"]))
    assert [lasts_ms for lasts_ms, _ in pictures] == [600] * 8
    loops = album.pictures["moving"].partition(b"ANIM")[2][8:10]
    assert loops == bytes(2), "without end"
    with av.open(str(tmp_path / "clip")) as container:
        shown = [frame for frame in container.decode(video=0) if frame.key_frame]
    wanted = [_packed(Shaper(320, 180).shape(frame).reformat(format="rgb24")) for frame in shown]
    seen = _packed(decode_still(pictures[0][1], LIMITS).reformat(format="rgb24"))
    apart = [sum(abs(a - b) for a, b in zip(seen, each, strict=True)) / len(seen) for each in wanted]
    assert apart.index(min(apart)) == 0
    assert min(apart) < 5, "its colours are the film's"
    album, _ = album_of(make_clip(tmp_path / "still", attrs.evolve(KEYS, key_frames=(0,))))
    assert set(album.pictures) == {"0", "poster"}


def animated(data: bytes) -> Iterator[tuple[int, bytes]]:
    """How long each picture stays, and the part of the canvas that it changes, as a file of its own."""
    at = 30
    while at < len(data):
        length = int.from_bytes(data[at + 4 : at + 8], "little")
        if data[at : at + 4] == b"ANMF":
            part = data[at + 24 : at + 8 + length]
            still = b"RIFF" + (4 + len(part)).to_bytes(4, "little") + b"WEBP" + part
            yield int.from_bytes(data[at + 20 : at + 23], "little"), still
        at += 8 + length + length % 2


@pytest.mark.parametrize(
    ("at", "bits"), [(2, 2), (5, 2), (16, 2), (20, 2), (20, 8), (31, 2), (34, 2), (49, 2), (69, 2), (72, 2), (-1, 0)]
)
def test_what_is_no_animation_is_not_taken_for_one(at: int, bits: int) -> None:
    """Wrong lengths, flags and names, of the file, its chunks, and those in a picture."""
    whole = webp(320, 180, "film")
    assert moving_size(whole) == (320, 180)
    broken = bytearray(whole)
    broken[at] ^= bits
    for data in (bytes(broken) if at >= 0 else whole + b"EXIF", whole[:at], b""):
        with pytest.raises(ValueError, match=r"^(it|nothing) "):
            moving_size(data)


def _packed(picture: VideoFrame) -> bytes:
    plane = picture.planes[0]
    return b"".join(bytes(plane)[at : at + 3 * picture.width] for at in range(0, plane.buffer_size, plane.line_size))


def test_rotation_and_wide_pixels_are_honoured(tmp_path: Path) -> None:
    album, plan = album_of(make_clip(tmp_path / "clip", ClipSpec(rotation_deg=90, frames=10)))
    assert jpeg_size(album.pictures["poster"]) == poster_size(plan) == (180, 320)
    assert jpeg_size(album.pictures["0"]) == (90, 160)
    album, _ = album_of(make_clip(tmp_path / "wide", ClipSpec(sar=Fraction(2), frames=10)))
    assert jpeg_size(album.pictures["poster"]) == (640, 180)


def test_hdr_is_toned_and_colours_are_those_of_jpeg() -> None:
    white = VideoFrame(64, 64, "yuv420p10le")
    for plane, level in zip(white.planes, (573, 512, 512), strict=True):  # 203 cd/m² in PQ
        plane.update(level.to_bytes(2, "little") * (plane.buffer_size // 2))
    white.color_trc, white.color_primaries, white.colorspace, white.color_range = 16, 9, 9, 1
    white.time_base = Fraction(1, 25)
    assert pixel(seen(jpeg_of(Shaper(32, 32).shape(white))), 8, 8) == pytest.approx((232, 232, 232), abs=3)
    red = VideoFrame(64, 64, "yuv420p")  # of BT.709, limited range
    for plane, level in zip(red.planes, (63, 102, 240), strict=True):
        plane.update(bytes([level]) * plane.buffer_size)
    red.colorspace, red.color_range, red.time_base = 1, 1, Fraction(1, 25)
    assert pixel(seen(jpeg_of(Shaper(32, 32).shape(red))), 8, 8) == pytest.approx((255, 0, 0), abs=8)


def seen(data: bytes) -> VideoFrame:
    album = Album()
    album.picture("x", data)
    return album.look("x")


def test_a_poster_is_neither_black_nor_of_one_colour() -> None:
    black, grey, flat, good = _Look(2, 1), _Look(128, 0), _Look(250, 30), _Look(110, 28)
    assert best_of([black, grey, flat, good, good, black, black, black, black, black]) == 3
    assert best_of([black] * 19 + [good]) == 19
    assert best_of([black]) == 0


def test_sound_has_its_cover_or_nothing(tmp_path: Path) -> None:
    sound = ClipSpec(has_video=False, audio_codec="aac", audio_s=0.5)
    album, plan = album_of(make_clip(tmp_path / "plain.m4a", sound))
    assert (album.pictures, storyboard_of(plan)) == ({}, None)
    with av.open(str(tmp_path / "plain.m4a")) as held, av.open(str(tmp_path / "cover.mp3"), "w") as out:
        song, art = out.add_stream("libmp3lame", rate=44_100), out.add_stream("png", rate=1)
        art.width, art.height, art.pix_fmt = 300, 200, "rgb24"
        art.disposition = av.stream.Disposition.attached_pic
        cover = VideoFrame(300, 200, "rgb24")
        cover.planes[0].update(bytes([0, 128, 255]) * (cover.planes[0].buffer_size // 3))
        cover.pts = 0
        out.mux(art.encode(cover))
        out.mux(art.encode(None))
        for frame in held.decode(audio=0):
            frame.pts = None
            out.mux(song.encode(frame))
        out.mux(song.encode(None))
    album, _ = album_of(tmp_path / "cover.mp3")
    assert list(album.pictures) == ["poster"]
    assert jpeg_size(album.pictures["poster"]) == (300, 200)
    assert pixel(album.look("poster"), 150, 100) == pytest.approx((0, 128, 255), abs=6)


# --- a picture of one's own -------------------------------------------------------------------------


def still(codec: str, pixel_format: str, size: tuple[int, int] = (400, 300)) -> bytes:
    frame = VideoFrame(*size, "rgb24")
    frame.planes[0].update(bytes([200, 40, 90]) * (frame.planes[0].buffer_size // 3))
    frame = frame.reformat(format=pixel_format)
    encoder: Any = av.CodecContext.create(codec, "w")  # the stub has the base class alone
    encoder.width, encoder.height, encoder.pix_fmt, encoder.time_base = *size, pixel_format, Fraction(1, 25)
    frame.pts, frame.time_base = 0, Fraction(1, 25)
    return b"".join(bytes(packet) for packet in (*encoder.encode(frame), *encoder.encode(None)))


STILLS: dict[str, Callable[[], bytes]] = {
    "jpeg": lambda: still("mjpeg", "yuvj444p"),
    "png": lambda: still("png", "rgba"),
    "webp": lambda: still("libwebp", "yuv420p"),
}


@pytest.mark.parametrize("kind", STILLS)
def test_pictures_of_ones_own_are_made_anew(kind: str, tmp_path: Path) -> None:
    (tmp_path / "own").write_bytes(STILLS[kind]() + b"<script>" * 3)
    album = Album()
    with (tmp_path / "own").open("rb") as file:
        make_poster(DescriptorBytes(file.fileno()), LIMITS, album)
    assert jpeg_size(album.pictures["poster"]) == (400, 300)
    assert b"<script>" not in album.pictures["poster"]
    assert pixel(album.look("poster"), 200, 150) == pytest.approx((200, 40, 90), abs=8)


def test_what_is_no_picture_is_refused() -> None:
    png = still("png", "rgb24")
    for data, fault in ((b"GIF89a" + bytes(50), NotMedia), (b"", NotMedia), (png[:60], MediaCorrupt)):
        with pytest.raises(fault):
            decode_still(data, LIMITS)
    with pytest.raises(MediaCorrupt):
        decode_still(png, attrs.evolve(LIMITS, max_pixels=1_000))


# --- a child's word ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "frame",
    [
        Frame({"kind": "picture", "name": "../../etc"}, b""),
        Frame({"kind": "picture", "name": "1"}, b""),
        Frame({"kind": "picture", "name": "poster"}, b"\xff\xd8 <html>"),
        Frame({"kind": "picture", "name": "moving"}, b"RIFF <html>"),
        Frame({"kind": "segment", "n": 0}, b""),
    ],
)
async def test_what_was_not_asked_for_is_not_kept(frame: Frame) -> None:
    board = board_of(plan_of(60))
    collector = PictureCollector(None, None, board)  # type: ignore[arg-type] # neither is reached
    with pytest.raises(MediaOutputInvalid):
        await collector.take(frame)
    with pytest.raises(MediaOutputInvalid):
        collector.result()
