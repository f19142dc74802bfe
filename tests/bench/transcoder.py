"""Transcodes asked for over HTTP: one `--all` process on uvicorn, one request at a time from here, for a small clip
that has been transcoded once. Milliseconds a request beside the bare statement that it takes (sqlite3, WAL,
synchronous=FULL), by turns; each transcode is cancelled, and over, before the next.

Scale-up: seconds from the answer to `submit` until a child is at work on it, as `/api/v1/transcode/metrics` tells,
asked every 5 ms; beside what it takes to start Python and import libav, which a warm child saves.
"""

from __future__ import annotations

import asyncio
import json
import sqlite3
import subprocess
import sys
import time
from fractions import Fraction
from pathlib import Path
from typing import Any

from streamgate.sdk.ids import uuid7
from streamgate.testing.clips import ClipSpec, make_clip
from streamgate.testing.processes import StreamgateProcess
from streamgate.testing.wait import eventually
from tests.bench.figures import Figure, Row
from tests.bench.films import publish
from tests.bench.load import Connection, connected, timed
from tests.bench.processes import UNLIMITED, person, running

ROUNDS = 15
LOOK_EVERY_S = 0.005
CLIP = ClipSpec(width_px=320, height_px=180, frames=250, fps=Fraction(25), audio_codec="aac", audio_s=10)
PREFIX = "/api/v1/transcode"
TABLE = "CREATE TABLE bench (id TEXT PRIMARY KEY, payload TEXT NOT NULL, status TEXT NOT NULL)"


class _Peer:
    """The statements that a submission and a look at it take."""

    def __init__(self, folder: Path) -> None:
        self._connection = sqlite3.connect(folder / "peer.db", isolation_level=None, check_same_thread=False)
        for statement in ("PRAGMA journal_mode=WAL", "PRAGMA synchronous=FULL", TABLE):
            self._connection.execute(statement)
        self._id = ""

    async def submit(self) -> None:
        self._id = uuid7()
        await asyncio.to_thread(self._run, "INSERT INTO bench VALUES (?, '{}', 'queued')")

    async def status(self) -> None:
        await asyncio.to_thread(self._run, "SELECT * FROM bench WHERE id = ?")

    def _run(self, statement: str) -> None:
        self._connection.execute(statement, (self._id,)).fetchone()

    def close(self) -> None:
        self._connection.close()


class _Desk:
    """What somebody asks of the transcoder."""

    def __init__(self, connection: Connection, headers: dict[str, str], content_id: str) -> None:
        self._connection = connection
        self._headers = {**headers, "Content-Type": "application/json"}
        self._content_id = content_id
        self._task_id = ""

    async def submit(self) -> None:
        self._task_id = (await self._say("submit", {"content_id": self._content_id}))["task_id"]

    async def status(self) -> None:
        target = f"{PREFIX}/status?task_id={self._task_id}"
        await self._connection.ask("GET", target, headers=self._headers)

    async def cancel(self) -> None:
        await self._say("cancel", {"task_id": self._task_id})

    async def until(self, *, at_work: bool) -> None:
        async def look() -> bool | None:
            workers = (await self._connection.ask("GET", f"{PREFIX}/metrics", headers=self._headers)).json()["workers"]
            is_as_before = workers["busy"] == 0 and workers["now"] >= workers["least"]
            return True if (workers["busy"] > 0 if at_work else is_as_before) else None

        await eventually(look, timeout_s=30, every_s=LOOK_EVERY_S, what="a child at work" if at_work else "idleness")

    async def until_over(self) -> None:
        """What was cancelled is over for everybody, so that the next is not answered with it, and a warm child waits
        again."""

        async def look() -> bool | None:
            target = f"/api/v1/stream/info?content_id={self._content_id}"
            info = (await self._connection.ask("GET", target, headers=self._headers)).json()
            return None if info["state"] in ("planning", "encoding") else True

        await eventually(look, timeout_s=30, every_s=LOOK_EVERY_S, what="the end of a transcode")
        await self.until(at_work=False)

    async def _say(self, what: str, body: dict[str, Any]) -> Any:
        reply = await self._connection.ask("POST", f"{PREFIX}/{what}", json.dumps(body).encode(), headers=self._headers)
        return reply.json()


async def _measured(server: StreamgateProcess, clip: Path, folder: Path) -> dict[str, list[float]]:
    """Milliseconds of each."""
    who = await person(server.base_url)
    content_id = await publish(server.base_url, who, clip)
    found: dict[str, list[float]] = {name: [] for name in ("submit", "status", "at work", "raw submit", "raw status")}
    peer = _Peer(folder)
    async with connected(server.port) as connection:
        desk = _Desk(connection, who.headers, content_id)
        for _ in range(ROUNDS):
            await desk.until_over()
            found["submit"] += await timed(desk.submit, 1)
            found["at work"] += await timed(lambda: desk.until(at_work=True), 1)
            found["status"] += await timed(desk.status, 10)
            await desk.cancel()
            found["raw submit"] += await timed(peer.submit, 1)
            found["raw status"] += await timed(peer.status, 10)
    peer.close()
    return found


def _child_s() -> float:
    began = time.perf_counter()
    subprocess.run([sys.executable, "-c", "import av"], check=True, timeout=60)
    return time.perf_counter() - began


def measure(folder: Path) -> list[Row]:
    clip = make_clip(folder / "clip.mp4", CLIP)
    with running(folder, "all", ["--all", "--profile", "dev", "--engine", "uvicorn"], UNLIMITED) as server:
        found = asyncio.run(_measured(server, clip, folder))
    rows: list[Row] = [
        Figure(
            name=f"transcode {what}",
            unit="ms",
            ours=tuple(found[what]),
            peer=tuple(found[f"raw {what}"]),
            peer_name=f"sqlite3 {statement}",
            limit=limit,
        )
        for what, statement, limit in (("submit", "INSERT", 10), ("status", "SELECT", 5))
    ]
    at_work, cold = tuple(ms / 1000 for ms in found["at work"]), tuple(_child_s() for _ in range(5))
    peer_name = "python -c 'import av'"
    return [
        *rows,
        Figure(name="queued until a child works", unit="s", ours=at_work, peer=cold, peer_name=peer_name, limit=1),
    ]
