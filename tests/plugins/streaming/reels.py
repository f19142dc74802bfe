"""Segments as a transcoder writes them, of pictures and sound that can be decoded."""

from __future__ import annotations

import hashlib
import io
import struct
from pathlib import Path

import attrs
import av
from av import AudioFrame, VideoFrame

from streamgate.testing.clips import ClipSpec, make_clip
from streamgate_transcoder.media.fragments import Sample, write_segment
from streamgate_transcoder.media.init_segment import AudioInit, VideoInit, write_audio_init, write_video_init

SEGMENTS = 3
_FRAMES = 15  # of a segment
_PACKETS = 20


@attrs.frozen
class Reel:
    """A rendition: its head and its segments, clear."""

    init: bytes
    segments: tuple[bytes, ...]


def make_reels(folder: Path) -> dict[str, Reel]:
    """`v180`: three segments of 0.6 s; `a128`: three of 20 AAC frames."""
    spec = ClipSpec(
        width_px=320,
        height_px=180,
        frames=_FRAMES * SEGMENTS,
        key_frames=tuple(range(0, _FRAMES * SEGMENTS, _FRAMES)),
        options={"crf": "28", "bf": "0"},
        audio_codec="aac",
        audio_s=2.0,
    )
    with av.open(str(make_clip(folder / "reel.mp4", spec))) as clip:
        picture, sound = clip.streams.video[0], clip.streams.audio[0]
        pictures, sounds = list[bytes](), list[bytes]()
        for packet in clip.demux(picture, sound):
            if packet.size:
                (pictures if packet.stream is picture else sounds).append(bytes(packet))
        head = VideoInit(
            timescale=25, width_px=320, height_px=180, config=bytes(picture.codec_context.extradata or b"")
        )
        heard = AudioInit(
            sample_rate_hz=sound.codec_context.sample_rate,
            channels=sound.codec_context.channels,
            config=bytes(sound.codec_context.extradata or b""),
            bitrate_bps=128_000,
        )
    return {
        "v180": Reel(write_video_init(head), _cut(pictures, _FRAMES, 1)),
        "a128": Reel(write_audio_init(heard), _cut(sounds, _PACKETS, 1024)),
    }


def decoded(data: bytes, **options: str) -> list[str]:
    """Hashes of what FFmpeg makes of it, frame by frame; `decryption_key` in hexadecimal digits."""
    found = list[str]()
    with av.open(io.BytesIO(data), "r", format="mp4", options=options) as container:
        for packet in container.demux():
            for frame in packet.decode():
                if isinstance(frame, VideoFrame | AudioFrame):
                    found.append(hashlib.sha256(b"".join(bytes(plane) for plane in frame.planes)).hexdigest())
    return found


def _cut(packets: list[bytes], count: int, duration_ticks: int) -> tuple[bytes, ...]:
    segments = []
    for n in range(SEGMENTS):
        first = n * count
        samples = [
            Sample(pts_ticks=at * duration_ticks, data=packets[at], is_sync=duration_ticks > 1 or at == first)
            for at in range(first, first + count)
        ]
        segments.append(write_segment(n + 1, samples, (first + count) * duration_ticks))
    return tuple(segments)


def nal(kind: int, size_bytes: int) -> bytes:
    """A NAL unit of this size, its length in front of it included."""
    return struct.pack(">IB", size_bytes - 4, kind) + bytes(at % 251 for at in range(size_bytes - 5))
