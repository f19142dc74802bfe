"""Plays a session as a machine would: fetches every segment of every rendition by HLS and by DASH, decodes, counts."""

from __future__ import annotations

import io
import re
import xml.etree.ElementTree as ET
from collections.abc import Awaitable, Callable
from fractions import Fraction
from typing import Protocol
from urllib.parse import urljoin

import attrs
import av
import httpx


class Getter(Protocol):
    """An `httpx.AsyncClient`, or one with patience (`client.Api`)."""

    async def get(self, url: str) -> httpx.Response: ...


MPD = "{urn:mpeg:dash:schema:mpd:2011}"


@attrs.frozen(kw_only=True)
class Track:
    """A rendition as a player sees it: its init and media segments, in order, as absolute URLs."""

    name: str
    init: str
    segments: tuple[str, ...]


@attrs.frozen(kw_only=True)
class Decoded:
    """What a track decodes to. `first_pts_s` of the first frame, `end_s` of the last one's end."""

    name: str
    kind: str
    frames: int
    samples: int
    width_px: int
    height_px: int
    first_pts_s: Fraction
    size_bytes: int


async def read_hls(web: Getter, url: str) -> list[Track]:
    master = await _text(web, url)
    uris = [line for line in master.splitlines() if line and not line.startswith("#")]
    uris += re.findall(r'#EXT-X-MEDIA:TYPE=AUDIO[^\n]*URI="([^"]+)"', master)
    return [await _read_media_playlist(web, urljoin(url, uri)) for uri in dict.fromkeys(uris)]


async def _read_media_playlist(web: Getter, url: str) -> Track:
    playlist = await _text(web, url)
    if "#EXT-X-ENDLIST" not in playlist:
        raise AssertionError(f"{url} is not complete")
    init = re.search(r'#EXT-X-MAP:URI="([^"]+)"', playlist)
    if init is None:
        raise AssertionError(f"{url} has no EXT-X-MAP")
    segments = tuple(urljoin(url, line) for line in playlist.splitlines() if line and not line.startswith("#"))
    return Track(name=url.rsplit("/", 2)[-2], init=urljoin(url, init[1]), segments=segments)


async def read_dash(web: Getter, url: str) -> list[Track]:
    root = ET.fromstring(await _text(web, url))
    tracks = []
    for adaptation in root.iter(f"{MPD}AdaptationSet"):
        if adaptation.attrib["contentType"] not in ("video", "audio"):
            continue
        for representation in adaptation.findall(f"{MPD}Representation"):
            name = representation.attrib["id"]
            template = representation.find(f"{MPD}SegmentTemplate")
            if template is None:
                template = adaptation.find(f"{MPD}SegmentTemplate")
            if template is None:
                raise AssertionError(f"{name} has no SegmentTemplate")
            entries = [int(s.attrib.get("r", "0")) + 1 for s in template.iter(f"{MPD}S")]
            start = int(template.attrib.get("startNumber", "1"))

            def fill(text: str, number: int | None = None, name: str = name) -> str:
                filled = text.replace("$RepresentationID$", name)
                return urljoin(url, filled if number is None else filled.replace("$Number$", str(number)))

            tracks.append(
                Track(
                    name=name,
                    init=fill(template.attrib["initialization"]),
                    segments=tuple(fill(template.attrib["media"], start + n) for n in range(sum(entries))),
                )
            )
    return tracks


async def fetch(web: Getter, track: Track, *, before_segment: Callable[[int], Awaitable[None]] | None = None) -> bytes:
    """The whole track. `before_segment` hears the number of each, 0 for the first."""
    parts = [await _bytes(web, track.init)]
    for number, url in enumerate(track.segments):
        if before_segment is not None:
            await before_segment(number)
        parts.append(await _bytes(web, url))
    return b"".join(parts)


def decode(name: str, data: bytes) -> Decoded:
    frames = samples = width_px = height_px = 0
    first: Fraction | None = None
    with av.open(io.BytesIO(data), format="mp4") as container:
        stream = container.streams[0]
        for frame in container.decode(stream):
            if first is None and frame.pts is not None and frame.time_base is not None:
                first = frame.pts * frame.time_base
            if isinstance(frame, av.VideoFrame):
                frames += 1
                width_px, height_px = frame.width, frame.height
            elif isinstance(frame, av.AudioFrame):
                samples += frame.samples
        kind = stream.type
    return Decoded(
        name=name,
        kind=kind,
        frames=frames,
        samples=samples,
        width_px=width_px,
        height_px=height_px,
        first_pts_s=first if first is not None else Fraction(-1),
        size_bytes=len(data),
    )


def count_frames(path: str) -> int:
    with av.open(path) as container:
        return sum(1 for _ in container.decode(video=0))


async def _text(web: Getter, url: str) -> str:
    return (await _bytes(web, url)).decode()


async def _bytes(web: Getter, url: str) -> bytes:
    response = await web.get(url)
    if response.status_code != 200:
        raise AssertionError(f"{url} → {response.status_code} {response.text[:300]}")
    return response.content
