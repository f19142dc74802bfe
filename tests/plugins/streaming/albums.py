"""Pictures that a transcoder would have made, and what is shown of them."""

from __future__ import annotations

import hashlib
from typing import Any

import attrs
import httpx

from streamgate.contracts import events
from streamgate.contracts.jobs import NewJob
from streamgate.contracts.pictures import MadePicture, PicturesResult, Storyboard
from streamgate.contracts.streaming import STREAMING, MediaQuery, MediaState
from streamgate.testing.wait import eventually
from tests.plugins.streaming.theatre import STRANGER, Theatre

POSTER, MOVING = "/api/v1/stream/poster/c_film.jpg", "/api/v1/stream/poster/c_film.webp"
BOARD = Storyboard(tile_width_px=160, tile_height_px=90, columns=2, rows=2, tiles=6, interval_ms=2_000)


def jpeg(width_px: int, height_px: int, marker: str = "") -> bytes:
    """A file that says so, and holds nothing."""
    size = height_px.to_bytes(2, "big") + width_px.to_bytes(2, "big")
    frame = b"\xff\xc0\x00\x11\x08" + size + b"\x03" + bytes(9)
    return b"\xff\xd8" + frame + b"\xff\xda\x00\x02" + marker.encode() + b"\xff\xd9"


def webp(width_px: int, height_px: int, marker: str = "") -> bytes:
    """Two pictures that are none."""
    shown = b"VP8L" + len(marker).to_bytes(4, "little") + marker.encode() + bytes(len(marker) % 2)
    canvas = (width_px - 1).to_bytes(3, "little") + (height_px - 1).to_bytes(3, "little")
    chunks = [(b"VP8X", bytes([2, 0, 0, 0]) + canvas), (b"ANIM", bytes(6)), *[(b"ANMF", bytes(16) + shown)] * 2]
    body = b"".join(kind + len(data).to_bytes(4, "little") + data + bytes(len(data) % 2) for kind, data in chunks)
    return b"RIFF" + (4 + len(body)).to_bytes(4, "little") + b"WEBP" + body


async def made(
    theatre: Theatre, job: NewJob, name: str, width_px: int, height_px: int, marker: str = ""
) -> MadePicture:
    data = (webp if name == "moving" else jpeg)(width_px, height_px, marker)
    key = f"jobs/{job.subject_id}/{job.job_id}/l_1/{name}{marker}"
    await theatre.blobs.put_bytes(key, data)
    return MadePicture(
        key=key,
        size_bytes=len(data),
        sha256=hashlib.sha256(data).hexdigest(),
        width_px=width_px,
        height_px=height_px,
    )


async def ordered(theatre: Theatre, count: int = 1) -> NewJob:
    async def enough() -> list[NewJob] | None:
        return theatre.picture_orders() if len(theatre.picture_orders()) >= count else None

    return (await eventually(enough, timeout_s=10, every_s=0.005, what="an order of pictures"))[-1]


async def result_of(theatre: Theatre, job: NewJob, marker: str = "") -> PicturesResult:
    sheets = [await made(theatre, job, str(n), *BOARD.sheet_size(n), marker=f"{n}{marker}") for n in range(2)]
    poster = await made(theatre, job, "poster", 1280, 720, marker=f"poster{marker}")
    moving = await made(theatre, job, "moving", 320, 180, marker=f"moving{marker}")
    return PicturesResult(poster=poster, storyboard=attrs.evolve(BOARD, sheets=tuple(sheets)), moving=moving)


async def show(theatre: Theatre, marker: str = "") -> None:
    """The pictures that were asked for last are made."""
    count = len(theatre.told(events.PICTURES_CHANGED))
    job = await ordered(theatre)
    await theatre.done(job, await result_of(theatre, job, marker))
    await theatre.hear(events.PICTURES_CHANGED, count + 1)


async def poster(theatre: Theatre, actor: Any = STRANGER, path: str = POSTER) -> httpx.Response:
    async with theatre.client(actor) as http:
        return await http.get(path)


async def warned(theatre: Theatre, content_id: str) -> MediaState:
    async def enough() -> MediaState | None:
        state = await theatre.home.services.get(STREAMING).media(MediaQuery(content_id=content_id))
        return state if len(state.warnings) > 1 else None

    return await eventually(enough, timeout_s=10, every_s=0.005, what="a warning")
