"""Small films with captions and chapters in their containers, for tests: packets of text beside a few pictures."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal

import attrs

Codec = Literal["subrip", "webvtt", "ass", "mov_text", "dvd_subtitle"]
_MS = Fraction(1, 1000)


@attrs.frozen(kw_only=True)
class Spoken:
    """One track: `(start_ms, duration_ms, text)`, the text as its codec has it."""

    codec: Codec
    language: str
    said: Sequence[tuple[int, int, str]]
    title: str = ""
    disposition: int = 0


def spoken_film(
    path: Path,
    tracks: Sequence[Spoken],
    *,
    chapters: Sequence[tuple[int, int, str]] = (),
    starts_ms: int = 0,
    duration_s: float = 4.0,
) -> Path:
    """160x90 pixels, 25 frames a second. `starts_ms`: the file's time of the first picture; all times given are of the
    file. Returns `path`."""
    import av
    from av.packet import Packet
    from av.stream import Disposition

    with av.open(str(path), "w") as out:
        video = out.add_stream("libx264", rate=25)
        video.width, video.height, video.pix_fmt = 160, 90, "yuv420p"
        video.codec_context.time_base = _MS
        video.codec_context.options = {"preset": "ultrafast", "g": "25", "bf": "0"}
        written: list[tuple[int, Any]] = []
        for track in tracks:
            stream = out.add_mux_stream(track.codec)
            stream.time_base = _MS
            stream.metadata["language"] = track.language
            if track.title:
                stream.metadata["title"] = track.title
            stream.disposition = Disposition(track.disposition)
            for start_ms, duration_ms, text in track.said:
                packet: Packet[Any] = Packet(_payload(track.codec, text))
                packet.stream, packet.time_base = stream, _MS
                packet.pts = packet.dts = start_ms
                packet.duration = duration_ms
                written.append((start_ms, packet))
        out.set_chapters(
            [
                {"id": number, "start": start, "end": end, "time_base": _MS, "metadata": {"title": title}}
                for number, (start, end, title) in enumerate(chapters)
            ]
        )
        out.start_encoding()
        written.sort(key=lambda each: each[0])
        for n in range(round(duration_s * 25)):
            frame = av.VideoFrame(160, 90, "yuv420p")
            for plane in frame.planes:
                plane.update(bytes([16 + n % 200]) * plane.buffer_size)
            frame.pts, frame.time_base = starts_ms + n * 40, _MS
            while written and written[0][0] <= frame.pts:
                out.mux(written.pop(0)[1])
            out.mux(video.encode(frame))
        out.mux(video.encode(None))
        for _, packet in written:
            out.mux(packet)
    return path


def _payload(codec: Codec, text: str) -> bytes:
    data = text.encode()
    return len(data).to_bytes(2, "big") + data if codec == "mov_text" else data
