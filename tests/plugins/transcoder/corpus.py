"""Clips whose every frame says which one it is, made on the spot, and what is seen and heard of what is made of them.

Frame n is plain grey of luma `40 + 3 n`. The sound is silent until the moment of frame 25, and a tone from there on: so
the order of frames, their times, and sound beside picture can all be told from the outcome.
"""

from __future__ import annotations

import io
import tempfile
from array import array
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import attrs
import av
import av.error
from av.video.frame import VideoFrame

from streamgate.contracts.media import PlannedRendition
from tests.plugins.transcoder.corpus_children import Outcome

FLASH = 25
"""The frame at which the tone begins."""
_RATE_HZ = 48_000
_DARKEST, _STEP = 40, 3


@attrs.frozen(kw_only=True)
class Clip:
    container: str = "mp4"
    codec: str = "libx264"
    pixel_format: str = "yuv420p"
    size: tuple[int, int] = (64, 64)
    fps: Fraction = Fraction(25)
    frames: int = 50
    pts: Sequence[int] = ()  # in units of time_base; the flash is heard at the time of frame 25
    time_base: Fraction | None = None
    x264: str = ""
    options: dict[str, str] = attrs.field(factory=dict)
    container_options: dict[str, str] = attrs.field(factory=dict)
    b_frames: int = 0
    rotation_deg: int = 0
    sar: Fraction = Fraction(1)
    has_video: bool = True
    audio_codec: str = "aac"
    audio_layout: str = "stereo"
    audio_tracks: int = 1
    loud_track: int = 0  # the only one of them that is heard
    languages: Sequence[str] = ()  # of the tracks, as containers have them
    colour: tuple[int, int, int] | None = None  # primaries, transfer, matrix
    is_seekable: bool = True


class _Live(io.RawIOBase):
    """An output that cannot go back: nothing of the end is known in the header."""

    def __init__(self) -> None:
        self.written = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self.written += data
        return len(data)


def make(clip: Clip) -> bytes:
    with tempfile.NamedTemporaryFile() as file:  # by name: what moves the header to the front reads it again
        live = _Live()
        _write(clip, file.name if clip.is_seekable else live)
        return Path(file.name).read_bytes() or bytes(live.written)


def _write(clip: Clip, target: Any) -> None:
    with av.open(target, "w", format=clip.container, options=clip.container_options) as out:
        video: Any = None
        if clip.has_video:
            video = out.add_stream(clip.codec, rate=clip.fps)
            video.width, video.height, video.pix_fmt = *clip.size, clip.pixel_format
            video.codec_context.time_base = clip.time_base or 1 / clip.fps
            video.codec_context.sample_aspect_ratio = clip.sar
            video.codec_context.options = dict(clip.options)
            if clip.colour:
                context = video.codec_context
                context.color_primaries, context.color_trc, context.colorspace = clip.colour
            if clip.codec == "libx264":
                params = ":".join(filter(None, ("keyint=100:scenecut=0", clip.x264)))
                video.codec_context.options |= {
                    "preset": "ultrafast",
                    "bf": str(clip.b_frames),
                    "x264-params": params,
                }
            if clip.rotation_deg:
                video.set_display_rotation(clip.rotation_deg)
        tracks = [
            out.add_stream(clip.audio_codec, rate=_RATE_HZ, layout=clip.audio_layout)
            for _ in range(clip.audio_tracks if clip.audio_codec else 0)
        ]
        for track, language in zip(tracks, clip.languages, strict=False):
            track.metadata["language"] = language
            track.metadata["title"] = f"In {language}"
        if video is not None:
            for frame in pictures(clip):
                out.mux(video.encode(frame))
            out.mux(video.encode(None))
        for number, track in enumerate(tracks):
            _add_sound(out, track, clip, is_loud=number == clip.loud_track)


def pictures(clip: Clip) -> list[VideoFrame]:
    deep = "10" in clip.pixel_format or "p12" in clip.pixel_format
    made = []
    for number in range(len(clip.pts) or clip.frames):
        frame = VideoFrame(*clip.size, clip.pixel_format)
        for at, plane in enumerate(frame.planes):
            level = _DARKEST + _STEP * (number % 64) if at == 0 else 128
            cell = (level * 4).to_bytes(2, "little") if deep else bytes((level,))
            plane.update(cell * (plane.buffer_size // len(cell)))
        frame.time_base = clip.time_base or 1 / clip.fps
        frame.pts = clip.pts[number] if clip.pts else round(number / clip.fps / frame.time_base)
        made.append(frame)
    return made


def _add_sound(out: Any, track: Any, clip: Clip, *, is_loud: bool) -> None:
    base = clip.time_base or 1 / clip.fps
    times_s = [(stamp - clip.pts[0]) * base for stamp in clip.pts] or [n / clip.fps for n in range(clip.frames + 1)]
    total = round(times_s[-1] * _RATE_HZ)
    flash = round(times_s[FLASH] * _RATE_HZ) if is_loud and len(times_s) > FLASH else total
    resampler = av.AudioResampler(
        format=track.codec_context.format.name,
        layout=clip.audio_layout,
        rate=_RATE_HZ,
        frame_size=track.codec_context.frame_size or 1024,
    )
    # A square wave of 1 kHz: no table, and loud from its first sample on.
    wave = array("h", ([8000] * 24 + [-8000] * 24) * (max(0, total - flash) // 48 + 1))
    samples = array("h", bytes(2 * flash)) + wave[: max(0, total - flash)]
    tone = av.AudioFrame(format="s16", layout="mono", samples=len(samples))
    tone.planes[0].update(samples.tobytes())
    tone.sample_rate, tone.time_base = _RATE_HZ, Fraction(1, _RATE_HZ)
    tone.pts = round(clip.pts[0] * base * _RATE_HZ) if clip.pts else 0
    for piece in (*resampler.resample(tone), *resampler.resample(None)):
        out.mux(track.encode(piece))
    out.mux(track.encode(None))


@attrs.frozen(kw_only=True)
class Heard:
    language: str
    title: str
    channels: int
    tone_at_s: float | None
    sound_s: float


@attrs.frozen(kw_only=True)
class Seen:
    """What a player shows and plays: numbers and times of the frames, when the tone begins, how long it all is."""

    size: tuple[int, int] = (0, 0)
    numbers: tuple[int, ...] = ()
    times_s: tuple[float, ...] = ()
    tone_at_s: float | None = None
    picture_s: float = 0.0
    sound_s: float = 0.0
    channels: int = 0
    others: tuple[Heard, ...] = ()  # beside what is heard first
    colour: tuple[int, int, int] = (2, 2, 2)
    brightest: int = 0

    @property
    def flash_at_s(self) -> float:
        return next(time for number, time in zip(self.numbers, self.times_s, strict=True) if number >= FLASH)


def watch(outcome: Outcome) -> list[Seen]:
    """One for each video rendition, with the sound beside it; without video, one for the sound."""
    assert outcome.plan is not None, outcome
    sound = _listen_to(outcome, [item for item in outcome.plan.renditions if item.kind == "audio"])
    pictures = [_look(outcome.file(item.id), item.mode) for item in outcome.plan.renditions if item.kind == "video"]
    length_s = outcome.plan.duration_ticks / outcome.plan.timescale
    return [attrs.evolve(seen, picture_s=length_s, **sound) for seen in pictures] or [Seen(**sound)]


def _frames(container: Any, stream: Any, mode: str) -> Iterator[Any]:
    """What is copied may be as damaged as its source: players leave out what they cannot decode."""
    for packet in container.demux(stream):
        try:
            yield from packet.decode()
        except av.error.InvalidDataError:
            assert mode == "copy", "an encoder's output must be whole"


def _look(data: bytes, mode: str) -> Seen:
    with av.open(io.BytesIO(data), "r") as container:
        stream = container.streams.video[0]
        frames = list(_frames(container, stream, mode))
        sar = stream.sample_aspect_ratio or 1
    assert frames
    return Seen(
        size=(round(frames[0].width * sar), frames[0].height),
        numbers=tuple(round((luma(frame) - _DARKEST) / _STEP) for frame in frames),
        times_s=tuple(float((frame.pts or 0) * (frame.time_base or 0)) for frame in frames),
        colour=(frames[0].color_primaries, frames[0].color_trc, frames[0].colorspace),
        brightest=round(max(luma(frame) for frame in frames)),
    )


def luma(frame: VideoFrame) -> float:
    """Of one line through the middle, on the scale of 8 bits."""
    plane = frame.planes[0]
    at = frame.height // 2 * plane.line_size
    line = memoryview(plane)[at : at + frame.width]
    return sum(line) / frame.width


def _listen_to(outcome: Outcome, renditions: Sequence[PlannedRendition]) -> dict[str, Any]:
    if not renditions:
        return {}
    first, *others = (_hear(outcome, each) for each in renditions)
    facts = {name: getattr(first, name) for name in ("tone_at_s", "sound_s", "channels")}
    return {**facts, "others": tuple(others)}


def _hear(outcome: Outcome, rendition: PlannedRendition) -> Heard:
    at, begins = 0, None
    with av.open(io.BytesIO(outcome.file(rendition.id)), "r") as container:
        channels = container.streams.audio[0].codec_context.channels
        for frame in _frames(container, container.streams.audio[0], rendition.mode):
            if begins is None:
                planes = [memoryview(bytes(plane)).cast("f")[: frame.samples] for plane in frame.planes]
                loudest = (max(map(abs, values)) for values in zip(*planes, strict=True))
                begins = next((at + n for n, value in enumerate(loudest) if value > 0.05), None)
            at += frame.samples
        rate = container.streams.audio[0].codec_context.sample_rate
    return Heard(
        language=rendition.language,
        title=rendition.title,
        channels=channels,
        tone_at_s=None if begins is None else begins / rate,
        sound_s=at / rate,
    )
