"""What a playback session costs while it plays, in this process and without HTTP (that is in the rows above): the whole
answer to HEAD of a segment (path, token, session, what of the content is open, the file), and 10,000 sessions kept by
the segments they fetch.

Each asks for two files every four seconds, over a minute of a clock moved by hand, with a lease of a minute, on SQLite.
Auth is a stand-in that answers after 20 ms and costs nothing: decisions are measured in the group `auth`. The share of
a core is all CPU time that the process took, by that minute.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import insert
from sqlalchemy.orm import Session
from starlette.types import ASGIApp, Message

from streamgate.bus.memory import MemoryBus
from streamgate.contracts.auth import DecideMany, Decision, Decisions
from streamgate.contracts.gate import Explanation
from streamgate.sdk.ids import new_id
from streamgate.sdk.playlists.presentation import Presentation, Segment, Track
from streamgate.testing.clock import FakeClock
from streamgate.testing.context import bus_unit, plugin_context, running
from streamgate_streaming.catalogue import Listing, Texts
from streamgate_streaming.config import StreamingConfig
from streamgate_streaming.decider import BATCH
from streamgate_streaming.files import PREFIX
from streamgate_streaming.picture_repository import Pictures
from streamgate_streaming.plugin import StreamingPlugin
from streamgate_streaming.showing import Showing
from streamgate_streaming.tables import SessionRow
from tests.bench.figures import Figure, Row

SESSIONS = 10_000
MINUTE_S = 60
EVERY_S = 4
FILES = 2
CHAIN_S = 0.02
CHECKS = 5_000
ROUNDS = 5
CONTENT = "c_film"


class _Auth:
    """Holds, whoever asks. `calls`: how many questions each had."""

    def __init__(self, clock: FakeClock) -> None:
        self._clock = clock
        self.calls: list[int] = []

    async def decide_many(self, query: DecideMany) -> Decisions:
        self.calls.append(len(query.queries))
        await asyncio.sleep(CHAIN_S)
        decision = Decision(
            outcome="holds",
            is_public=False,
            explanation=Explanation(kind="erc721", outcome="holds", text="holds a token"),
            read_at_s=self._clock.now_s(),
            gate_revision=1,
            leaf_keys=("eip155:1/0xabc",),
        )
        return Decisions(decisions=(decision,) * len(query.queries))


def _listing() -> Listing:
    segments = tuple(
        Segment(n=n, key=f"made/{n}", size_bytes=1, sha256="ab" * 32, start_ticks=4 * n, duration_ticks=4)
        for n in range(1_000)
    )
    track = Track(
        id="v360",
        kind="video",
        codec="avc1.64001f",
        timescale=1,
        init_key="made/init",
        init_sha256="cd" * 32,
        init_size_bytes=1,
        segments=segments,
        target_duration_s=4,
        width_px=640,
        height_px=360,
    )
    film = Presentation(content_id=CONTENT, media_version=1, target_duration_s=4, video=(track,), audio=())
    return Listing(Texts(film), None, Showing(Pictures(), film), (), is_complete=True, loaded_at_s=0.0)


async def _receive() -> Message:
    return {"type": "http.disconnect"}


class _Stage:
    """A plugin with running sessions; `writes` counts its transactions."""

    def __init__(self, plugin: Any, clock: FakeClock, session_ids: Sequence[str]) -> None:
        self.writes = 0
        self.statuses: set[int] = set()
        self._plugin = plugin
        self._clock = clock
        self._delivery: ASGIApp = plugin._mounts[0].app
        tokens = [plugin._keys.make(session_id) for session_id in session_ids]
        self._paths = [f"{PREFIX}/{token}/v360/7.m4s" for token in tokens]
        write = plugin._db.write

        async def counted(fn: Any) -> Any:
            self.writes += 1
            return await write(fn)

        plugin._db.write = counted

    async def fetch(self, number: int) -> None:
        scope = {"type": "http", "method": "HEAD", "path": self._paths[number], "headers": [], "query_string": b""}
        await self._delivery(scope, _receive, self._note)

    async def _note(self, message: Message) -> None:
        if "status" in message:
            self.statuses.add(message["status"])

    async def check_us(self) -> float:
        """Mean of many looks at one session whose lease holds."""
        began = time.perf_counter()
        for _ in range(CHECKS):
            await self.fetch(0)
        return (time.perf_counter() - began) / CHECKS * 1e6

    async def second(self, number: int) -> None:
        """A second of everybody's traffic, spread over them evenly."""
        for session in range(number % EVERY_S, SESSIONS, EVERY_S):
            for _ in range(FILES):
                await self.fetch(session)
            if session % 100 < EVERY_S:
                await asyncio.sleep(0)
        await self._clock.advance(1)
        while self._plugin._decider._due or self._plugin._decider._calls:
            await asyncio.sleep(CHAIN_S / 4)


async def _measured(folder: Path) -> list[Row]:
    clock, bus = FakeClock(), MemoryBus()
    auth = _Auth(clock)
    context = plugin_context("streaming", data_dir=folder, config=StreamingConfig(), bus=bus)
    plugin: Any = StreamingPlugin(context, clock)  # what is inside it is measured
    plugin._decider._auth = auth
    async with running(bus_unit(bus), *plugin.collect_units()):
        session_ids = [new_id("s") for _ in range(SESSIONS)]
        await _insert(plugin, session_ids, clock.now_ms())
        stage = _Stage(plugin, clock, session_ids)
        plugin._catalogue._listings[CONTENT, 1] = _listing()
        for first in range(0, SESSIONS, BATCH):
            await asyncio.gather(*(stage.fetch(number) for number in range(first, first + BATCH)))
        checks = tuple([await stage.check_us() for _ in range(ROUNDS)])
        for number in range(MINUTE_S):  # from here on they fall due at all times
            await stage.second(number)
        auth.calls.clear()
        stage.writes = 0
        began = time.process_time()
        for number in range(MINUTE_S):
            await stage.second(number)
        share = (time.process_time() - began) / MINUTE_S * 100
        assert (len(plugin._keeper.live), stage.statuses) == (SESSIONS, {200}), "they are all served, and kept"
    name = f"{SESSIONS:,} sessions, {SESSIONS * FILES // EVERY_S:,} files/s"
    return [
        Figure(name="session check of a segment (HEAD, no HTTP)", unit="µs", ours=checks, limit=50),
        Figure(name=f"{name}: share of a core", unit="%", ours=(share,), limit=20),
        Figure(name=f"{name}: commits a minute", unit="commits", ours=(float(stage.writes),), limit=10),
        Figure(
            name=f"{name}: questions a call",
            unit="mean",
            ours=(sum(auth.calls) / len(auth.calls),),
            limit=50,
            higher_is_better=True,
        ),
    ]


async def _insert(plugin: Any, session_ids: Sequence[str], now_ms: int) -> None:
    rows = [
        {
            "session_id": session_id,
            "content_id": CONTENT,
            "media_version": 1,
            "user_id": f"p_{number}",
            "client_id": "",
            "roles": ["viewer"],
            "address": "",
            "credential": "",
            "state": "active",
            "reason": "",
            "gate_revision": 1,
            "is_preview": False,
            "created_at_ms": now_ms,
            "seen_at_ms": now_ms,
        }
        for number, session_id in enumerate(session_ids)
    ]

    def store(session: Session) -> None:
        session.execute(insert(SessionRow), rows)

    await plugin._db.write(store)


def measure(folder: Path) -> list[Row]:
    return asyncio.run(_measured(folder))
