"""The pictures of a session, held against what the seek bar is told of them."""

from __future__ import annotations

import io
import re
from fractions import Fraction
from typing import Any
from urllib.parse import urldefrag, urljoin

import av

from streamgate.sdk.webp import moving_size
from streamgate.testing.wait import eventually
from tests.e2e.client import Api

_CUE = re.compile(r"^(?P<from>\S+) --> \S+\n(?P<url>\S+)#xywh=(?P<area>\d+,\d+,\d+,\d+)$", re.MULTILINE)
_PATIENCE_S = 120.0


async def check_pictures(api: Api, base_url: str, content_id: str) -> str:
    """Waits for them: they come after everything else. Returns what there is, in words."""

    async def made() -> tuple[str, str] | None:
        session = await api.call("POST", "/api/v1/stream/session", json={"content_id": content_id})
        found = session["poster_url"], session["storyboard_url"]
        return (found[0], found[1]) if all(found) else None

    poster_url, index_url = await eventually(made, timeout_s=_PATIENCE_S, every_s=0.2, what="poster and storyboard")
    index_url = urljoin(base_url, index_url)
    index = await api.get(index_url)
    assert index.headers["content-type"].startswith("text/vtt"), index.headers
    sheets: dict[str, list[list[int]]] = {}
    cues = list(_CUE.finditer(index.text))
    assert cues, index.text[:200]
    for cue in cues:
        area = [int(number) for number in cue["area"].split(",")]
        sheets.setdefault(urldefrag(urljoin(index_url, cue["url"])).url, []).append(area)
    for url, areas in sheets.items():
        width_px, height_px = await picture_size(api, url)
        assert max(x + wide for x, _, wide, _ in areas) == width_px, (url, areas[-1])
        assert max(y + high for _, y, _, high in areas) == height_px, (url, areas[-1])
    width_px, height_px = await picture_size(api, urljoin(base_url, poster_url))
    content = await api.call("GET", f"/api/v1/content/{content_id}")
    assert await picture_size(api, urljoin(base_url, content["poster_url"])) == (width_px, height_px)
    moving = await api.get(urljoin(base_url, content["moving_poster_url"]))
    assert (moving.status_code, moving.headers["content-type"]) == (200, "image/webp"), moving.text[:200]
    assert max(moving_size(moving.content)) == 320
    posters = f"poster {width_px}x{height_px}, a moving one of {len(moving.content) / 1000:.0f} kB"
    return f"{posters}, {len(cues)} pictures on {len(sheets)} sheets"


async def give_poster(api: Api, content_id: str) -> str:
    """The creator's own picture takes the place of the film's. Returns what was given, in words."""
    url = f"/api/v1/stream/poster/{content_id}.jpg"
    given = await api.send("PUT", url, content=png(64, 48), headers={"Content-Type": "image/png"})
    assert given.status_code == 202, given.text

    async def is_shown() -> bool | None:
        answer = await api.send("GET", url)
        return (answer.status_code == 200 and _size(answer.content) == (64, 48)) or None

    await eventually(is_shown, timeout_s=_PATIENCE_S, every_s=0.2, what="the creator's own poster")
    return "a PNG of 64x48"


def png(width_px: int, height_px: int) -> bytes:
    frame = av.VideoFrame(width_px, height_px, "rgb24")
    frame.planes[0].update(bytes(frame.planes[0].buffer_size))
    encoder: Any = av.CodecContext.create("png", "w")  # the stub has the base class alone
    encoder.width, encoder.height, encoder.pix_fmt, encoder.time_base = width_px, height_px, "rgb24", Fraction(1, 25)
    frame.pts = 0
    return b"".join(bytes(packet) for packet in (*encoder.encode(frame), *encoder.encode(None)))


async def picture_size(api: Api, url: str) -> tuple[int, int]:
    answer = await api.get(url)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "image/jpeg"), (url, answer.text[:200])
    return _size(answer.content)


def _size(data: bytes) -> tuple[int, int]:
    with av.open(io.BytesIO(data), "r", format="mjpeg") as container:
        frame = next(container.decode(video=0))
        return frame.width, frame.height
