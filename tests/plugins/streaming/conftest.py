"""Streaming in a house of its own (`theatre.py`), and what reads its texts."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

import attrs
import pytest

import streamgate_streaming.plugin as plugin_module
from streamgate.contracts.auth import (
    ACCOUNTS,
    AUTH,
    Accounts,
    Auth,
)
from streamgate.contracts.jobs import JOBS, Jobs
from streamgate.contracts.metadata import METADATA, Metadata
from streamgate.contracts.transcode import TRANSCODER, Transcoder
from streamgate.events import Received, on_group
from streamgate.plugins import PluginContext
from streamgate.sdk.playlists.presentation import Presentation, Segment, Track
from streamgate.services import Offer
from streamgate.settings import DatabaseSettings, KernelSettings, Secret, SecretSettings
from streamgate.testing.house import house
from streamgate_streaming.config import StreamingConfig
from streamgate_streaming.plugin import PLUGIN, StreamingPlugin
from tests.js.readers import read_texts
from tests.plugins.streaming.others import (
    FakeAccounts,
    FakeAuth,
    FakeJobs,
    FakeMetadata,
    FakeTranscoder,
    SteppedClock,
)
from tests.plugins.streaming.theatre import EVERYTHING, LEASE_S, MakeTrack, Open, Parse, Theatre


@pytest.fixture
def clock() -> SteppedClock:
    return SteppedClock()


@pytest.fixture
def open_theatre(tmp_path: Path, clock: SteppedClock, monkeypatch: pytest.MonkeyPatch) -> Open:

    def build(ctx: PluginContext) -> StreamingPlugin:
        return StreamingPlugin(ctx, clock)

    build.__module__ = plugin_module.__name__  # migrations are looked for beside it
    with_clock = attrs.evolve(PLUGIN, build=build)
    monkeypatch.setattr(plugin_module, "PLUGIN", with_clock)

    @asynccontextmanager
    async def open_it(settings: KernelSettings | None = None, **config: Any) -> AsyncIterator[Theatre]:
        auth, accounts, metadata, jobs = FakeAuth(clock), FakeAccounts(), FakeMetadata(), FakeJobs()
        transcoder = FakeTranscoder()
        heard: list[Received[Any]] = []

        async def hear(received: Received[Any]) -> None:
            heard.append(received)

        async with house(
            tmp_path,
            ["streaming"],
            configs={"streaming": StreamingConfig(lease_s=LEASE_S, max_sessions=2, decide_wait_s=1.0, **config)},
            offers=[
                Offer(AUTH, cast(Auth, auth)),
                Offer(ACCOUNTS, cast(Accounts, accounts)),
                Offer(METADATA, cast(Metadata, metadata)),
                Offer(JOBS, cast(Jobs, jobs)),
                Offer(TRANSCODER, cast(Transcoder, transcoder)),
            ],
            settings=settings,
            subscriptions=[on_group(event, hear, group="theatre") for event in EVERYTHING],
        ) as home:
            opened = Theatre(
                home=home,
                auth=auth,
                accounts=accounts,
                metadata=metadata,
                jobs=jobs,
                transcoder=transcoder,
                clock=clock,
                heard=heard,
            )
            transcoder.cut_now = opened.cut
            yield opened

    return open_it


@pytest.fixture
async def theatre(open_theatre: Open) -> AsyncIterator[Theatre]:
    async with open_theatre() as opened:
        yield opened


@pytest.fixture
async def film(theatre: Theatre) -> Theatre:
    """With one gated film, ready: three segments of 4 s, at 720 and at 360 lines."""
    await theatre.play("c_film")
    return theatre


# --- texts ------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def parse() -> Parse:
    """What npm's hls-parser (strict) and mpd-parser understand of (`hls` | `dash`, text) pairs."""
    return read_texts


@pytest.fixture(scope="session")
def make_track() -> MakeTrack:
    """A track over a grid; `sizes` are bytes a segment (one number: all alike)."""

    def make(
        track_id: str, grid: Sequence[int], timescale: int, sizes: int | Sequence[int] = 250_000, **more: Any
    ) -> Track:
        count = len(grid) - 1
        size_list = [sizes] * count if isinstance(sizes, int) else list(sizes)
        segments = tuple(
            Segment(
                n=n,
                key=f"made/{track_id}/{n}",
                size_bytes=size_list[n],
                sha256="ab" * 32,
                start_ticks=grid[n],
                duration_ticks=grid[n + 1] - grid[n],
            )
            for n in range(count)
        )
        is_audio = track_id.startswith("a")
        described: dict[str, Any] = (
            {"kind": "audio", "codec": "mp4a.40.2", "sample_rate_hz": timescale, "channels": 2}
            if is_audio
            else {"kind": "video", "codec": "avc1.64001f", "width_px": 1280, "height_px": 720, "fps_num": 25}
        )
        return Track(
            **{
                "id": track_id,
                "timescale": timescale,
                "init_key": f"made/{track_id}/init",
                "init_sha256": "cd" * 32,
                "init_size_bytes": 800,
                "segments": segments,
                "target_duration_s": more.pop("target_duration_s", 5),
                **described,
                **more,
            }
        )

    return make


@pytest.fixture(scope="session")
def make_presentation() -> Callable[..., Presentation]:
    def make(video: Sequence[Track] = (), audio: Sequence[Track] = ()) -> Presentation:
        return Presentation(
            content_id="c_1",
            media_version=1,
            target_duration_s=(*video, *audio)[0].target_duration_s,
            video=tuple(video),
            audio=tuple(audio),
        )

    return make


@pytest.fixture(params=["sqlite", "postgresql"])
def stored_in(request: pytest.FixtureRequest, tmp_path: Path) -> KernelSettings | None:
    if request.param == "sqlite":
        return None
    return KernelSettings(
        profile="test",
        data_dir=tmp_path,
        database=DatabaseSettings(url=Secret(request.getfixturevalue("postgres_url"))),
        secrets=SecretSettings(master_key=Secret(base64.b64encode(bytes(32)).decode())),
    )
