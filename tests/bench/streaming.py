"""What a player fetches: a test picture with a tone (20 s, 360p and below), uploaded, transcoded and published first.

The server is one `--all` process on uvicorn; the peer nginx, one worker, which serves the same bytes as files (without
a session to admit). Milliseconds a request, one at a time and by turns: playlists and manifest; each segment for the
first time, from the blob store; one segment that many have watched, from memory. Then that segment with 16 connections
from a client process that shares the cores: requests a second, of each MB that the row names.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit

import attrs

from streamgate.testing.clips import ClipSpec, make_clip
from streamgate.testing.nginx import NGINX, NO_NGINX, Nginx
from streamgate.testing.processes import StreamgateProcess
from tests.bench.figures import Figure, LeftOut, Row
from tests.bench.films import publish
from tests.bench.load import Connection, connected, load, timed, timed_by_turns
from tests.bench.processes import UNLIMITED, person, running

CLIP = ClipSpec(width_px=640, height_px=360, frames=500, audio_codec="aac", audio_s=20)
CALLS = 200
LOADED = 400
ROUNDS = 3
WATCHED = 3
"""From its second request on a segment is kept in memory; the third finds it there."""
FILE = re.compile(r'(?m)^[^#\s][^\n]*$|URI="([^"]+)"')
HOT = "segment, hot"


@attrs.frozen
class _Film:
    """The URLs' paths of a session, and the bytes behind each."""

    master: str
    manifest: str
    playlist: str
    segments: tuple[str, ...]
    files: Mapping[str, bytes]


async def _read(connection: Connection, session: dict[str, Any]) -> _Film:
    """Reads texts, and segments' names from them, but no segment."""
    files: dict[str, bytes] = {}

    async def text_at(path: str) -> str:
        files[path] = (await connection.ask("GET", path)).body
        return files[path].decode()

    def named_in(text: str, at: str) -> list[str]:
        return [urljoin(at, found[1] or found[0]) for found in FILE.finditer(text)]

    master, manifest = urlsplit(session["hls_url"]).path, urlsplit(session["dash_url"]).path
    await text_at(manifest)
    playlists = sorted(set(named_in(await text_at(master), master)))
    segments = [each for path in playlists for each in named_in(await text_at(path), path) if each.endswith(".m4s")]
    return _Film(master, manifest, playlists[0], tuple(sorted(set(segments))), files)


async def _alone(port: int, peer_port: int | None, film: _Film, hot: str) -> list[Row]:
    """One request at a time."""
    async with connected(port) as ours, connected(peer_port or port) as peer:

        async def beside(path: str, count: int) -> tuple[tuple[float, ...], tuple[float, ...]]:
            if peer_port is None:
                return await timed(lambda: ours.ask("GET", path), count), ()
            return await timed_by_turns(lambda: ours.ask("GET", path), lambda: peer.ask("GET", path), count)

        rows: list[Row] = []
        for name, path in (
            ("master playlist", film.master),
            ("playlist of a rendition", film.playlist),
            ("manifest", film.manifest),
        ):
            took = await beside(path, CALLS)
            rows.append(_figure(name, took, limit=100))
        took = await beside(hot, CALLS)
        return [*rows, _figure(f"{HOT}, {len(film.files[hot]) / 1e6:.1f} MB", took, limit=50)]


def _figure(name: str, took: tuple[tuple[float, ...], tuple[float, ...]], limit: float) -> Figure:
    peer_name = "nginx, the file" if took[1] else ""
    return Figure(name=name, unit="ms", ours=took[0], peer=took[1], peer_name=peer_name, limit=limit)


async def _first(port: int, film: _Film) -> tuple[_Film, tuple[float, ...]]:
    """Every segment once; with their bytes."""
    took_ms: list[float] = []
    files = dict(film.files)
    async with connected(port) as connection:

        async def fetch(path: str) -> None:
            files[path] = (await connection.ask("GET", path)).body

        for path in film.segments:
            took_ms += await timed(lambda path=path: fetch(path), 1)  # type: ignore[misc]
        largest = max(film.segments, key=lambda path: len(files[path]))
        await timed(lambda: connection.ask("GET", largest), WATCHED)
    return attrs.evolve(film, files=files), tuple(took_ms)


async def _film(server: StreamgateProcess, clip: Path) -> tuple[_Film, tuple[float, ...]]:
    who = await person(server.base_url)
    content_id = await publish(server.base_url, who, clip)
    async with connected(server.port) as connection:
        body = f'{{"content_id": "{content_id}"}}'.encode()
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {who.access_token}"}
        session = (await connection.ask("POST", "/api/v1/stream/session", body, headers=headers)).json()
        film = await _read(connection, session)
    return await _first(server.port, film)


def _together(port: int, peer_port: int, path: str, size_mb: float) -> Row:
    rates = [
        (load(port, path, requests=LOADED).per_s, load(peer_port, path, requests=LOADED).per_s) for _ in range(ROUNDS)
    ]
    return Figure(
        name=f"{HOT}, {size_mb:.1f} MB, 16 at once",
        unit="1/s",
        ours=tuple(rate for rate, _ in rates),
        peer=tuple(rate for _, rate in rates),
        peer_name="nginx, the file",
        higher_is_better=True,
    )


def _write(root: Path, files: Mapping[str, bytes]) -> None:
    for path, data in files.items():
        file = root / path.lstrip("/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)


async def _first_of_files(port: int, film: _Film) -> tuple[float, ...]:
    async with connected(port) as connection:
        took = [await timed(lambda path=path: connection.ask("GET", path), 1) for path in film.segments]  # type: ignore[misc]
    return tuple(ms for each in took for ms in each)


def measure(folder: Path) -> list[Row]:
    arguments = ["--all", "--profile", "dev", "--engine", "uvicorn"]
    clip = make_clip(folder / "clip.mp4", CLIP)
    environment = {"STREAMGATE_STREAMING__LEASE_S": "600", **UNLIMITED}
    with running(folder, "all", arguments, environment) as server:
        film, first = asyncio.run(_film(server, clip))
        hot = max(film.segments, key=lambda path: len(film.files[path]))
        size_mb = len(film.files[hot]) / 1e6
        name = f"segment, first time, {len(film.segments)} of up to {size_mb:.1f} MB"
        if NGINX is None:
            rows = [_figure(name, (first, ()), limit=50), *asyncio.run(_alone(server.port, None, film, hot))]
            return [*rows, LeftOut(f"{HOT}, 16 at once", NO_NGINX)]
        with Nginx("server { listen 127.0.0.1:@PORT@; root files; }") as nginx:
            _write(nginx.directory / "files", film.files)
            peer = asyncio.run(_first_of_files(nginx.port, film))
            rows = [_figure(name, (first, peer), limit=50), *asyncio.run(_alone(server.port, nginx.port, film, hot))]
            return [*rows, _together(server.port, nginx.port, hot, size_mb)]
