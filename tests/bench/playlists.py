"""Playlists of a long film, as a player asks for them: 2 hours, 1,800 segments of picture and as many of sound, copied.

One `--all` process on uvicorn, one request at a time over one connection; milliseconds a request.

- What stands below a session's path: the multivariant playlist, a rendition's playlist, its key frames, the manifest.
- The same by query (`/api/v1/stream/hls`, `/dash`), which opens the session, too; beside it, by turns, that alone.
- The first of them in a process that has not seen the film: its segments are read from the database.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import attrs

from streamgate.testing.clips import make_clip
from streamgate.testing.processes import StreamgateProcess
from tests.bench import playable
from tests.bench.figures import Figure, Row
from tests.bench.films import publish
from tests.bench.load import Connection, connected, timed, timed_by_turns
from tests.bench.processes import UNLIMITED, person, running

MINUTES = 120
ROUND = attrs.evolve(playable.ROUND, width_px=160, height_px=90, options={"crf": "45"}, audio_layout="mono")
CALLS = 300
LIMIT_MS = 10.0


def measure(folder: Path) -> list[Row]:
    film = playable.longer(make_clip(folder / "round.mp4", ROUND), folder / "film.mp4", MINUTES)
    arguments = ["--all", "--profile", "dev", "--engine", "uvicorn"]
    environment = {"STREAMGATE_STREAMING__LEASE_S": "600", **UNLIMITED}
    with running(folder, "all", arguments, environment) as server:
        content_id = asyncio.run(_published(server, film))
    with running(folder, "all", arguments, environment) as server:
        return asyncio.run(_rows(server, content_id))


async def _published(server: StreamgateProcess, film: Path) -> str:
    return await publish(server.base_url, await person(server.base_url), film)


async def _rows(server: StreamgateProcess, content_id: str) -> list[Row]:
    who = await person(server.base_url)
    headers = {"Authorization": f"Bearer {who.access_token}"}
    async with connected(server.port) as connection:
        first = await timed(lambda: _ask(connection, f"/api/v1/stream/dash?content_id={content_id}", headers), 1)
        body = f'{{"content_id": "{content_id}"}}'.encode()
        asked = {"Content-Type": "application/json", **headers}
        session: dict[str, Any] = (await connection.ask("POST", "/api/v1/stream/session", body, headers=asked)).json()
        master, manifest = urlsplit(session["hls_url"]).path, urlsplit(session["dash_url"]).path
        text = (await connection.ask("GET", master)).body.decode()
        rendition = next(line for line in text.splitlines() if line and not line.startswith("#"))
        beside = master.removesuffix("master.m3u8") + rendition
        paths = {
            "multivariant playlist": master,
            "playlist of a rendition": beside,
            "playlist of its key frames": beside.replace("playlist.m3u8", "iframes.m3u8"),
            "manifest": manifest,
        }
        rows: list[Row] = []
        for name, path in paths.items():
            size_bytes = await _ask(connection, path, headers)
            took_ms = await timed(lambda path=path: _ask(connection, path, headers), CALLS)  # type: ignore[misc]
            named = f"{name}, 2 h, {size_bytes / 1000:.0f} kB"
            rows.append(Figure(name=named, unit="ms", ours=took_ms, limit=LIMIT_MS, limit_of="p99"))
        by_query = {"multivariant playlist": "hls", "manifest": "dash"}
        for name, kind in by_query.items():
            path = f"/api/v1/stream/{kind}?content_id={content_id}"
            took = await timed_by_turns(
                lambda path=path: _ask(connection, path, headers),  # type: ignore[misc]
                lambda: connection.ask("POST", "/api/v1/stream/session", body, headers=asked),
                CALLS // 2,
            )
            named, peer_name = f"{name}, by query, 2 h", "a session alone"
            rows.append(Figure(name=named, unit="ms", ours=took[0], peer=took[1], peer_name=peer_name, ratio_limit=1.5))
        return [*rows, Figure(name="manifest, first asked of a process", unit="ms", ours=first)]


async def _ask(connection: Connection, path: str, headers: dict[str, str]) -> int:
    return len((await connection.ask("GET", path, headers=headers)).body)
