"""The tables: migrations lead to the models, and everything works on PostgreSQL as it does on SQLite."""

from __future__ import annotations

import asyncio
import base64
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from streamgate.context import Actor
from streamgate.contracts import events
from streamgate.contracts.streaming import STREAMING, Transcode
from streamgate.settings import DatabaseSettings, KernelSettings, Secret, SecretSettings
from streamgate.testing.migrations import differences
from streamgate_streaming.tables import GarbageRow, SegmentRow

if TYPE_CHECKING:
    from .conftest import Open
else:
    Open = Any

HOLDER = Actor(kind="user", user_id="holder", roles=("viewer",))


async def test_migrations_are_the_models_on_sqlite() -> None:
    assert await differences("streamgate_streaming") == []


async def test_migrations_are_the_models_on_postgresql(postgres_url: str) -> None:
    assert await differences("streamgate_streaming", postgres_url) == []


@pytest.fixture
def on_postgresql(postgres_url: str, tmp_path: Path) -> KernelSettings:
    return KernelSettings(
        profile="test",
        data_dir=tmp_path,
        database=DatabaseSettings(url=Secret(postgres_url)),
        secrets=SecretSettings(master_key=Secret(base64.b64encode(bytes(32)).decode())),
    )


async def test_a_film_is_made_watched_replaced_and_collected_on_postgresql(
    open_theatre: Open, on_postgresql: KernelSettings
) -> None:
    async with open_theatre(on_postgresql) as theatre:
        await theatre.play("c_film")
        old = await theatre.watch("c_film")
        assert (await theatre.fetch(old, "v360/0.m4s")).status_code == 200
        actor = Actor(kind="user", user_id="creator")
        await theatre.home.services.get(STREAMING).transcode(Transcode(content_id="c_film", actor=actor))
        parts = await theatre.planned((await theatre.ordered(5))[4])
        for job in parts:
            await theatre.done(job, await theatre.make(job))
        await theatre.hear(events.MEDIA_READY, 2)
        new = await theatre.watch("c_film")
        await theatre.collected(but=("plans/c_film/2/", *(f"jobs/c_film/{job.job_id}/" for job in parts)))
        await theatre.hear(events.SESSION_ENDED)
        assert (await theatre.fetch(old)).status_code == 410
        assert (await theatre.fetch(new, "v360/0.m4s")).status_code == 200
        gone = events.ContentDeleted(subject_id="c_film", revision=9, owner="creator")
        await theatre.say(events.CONTENT_DELETED, gone)
        await theatre.collected()
        theatre.clock.jump(600)
        await theatre.collect()
        for table in (SegmentRow, GarbageRow):
            assert await theatre.db.read(lambda session, table=table: session.query(table).count()) == 0


async def test_one_person_opening_many_at_once_stays_within_the_limit(
    open_theatre: Open, on_postgresql: KernelSettings
) -> None:
    async with open_theatre(on_postgresql) as theatre:
        await theatre.play("c_film")

        async def ask(client_id: str) -> int:
            async with theatre.client(HOLDER) as http:
                body = {"content_id": "c_film", "client_id": client_id}
                return (await http.post("/api/v1/stream/session", json=body)).status_code

        distinct = await asyncio.gather(*(ask(f"device-{n}") for n in range(8)))
        assert sorted(distinct) == [201] * 2 + [409] * 6
        assert set(await asyncio.gather(*(ask(f"device-{distinct.index(201)}") for _ in range(4)))) == {201}


async def test_asking_at_once_for_the_same_media_gives_one_task(
    open_theatre: Open, on_postgresql: KernelSettings
) -> None:
    async with open_theatre(on_postgresql) as theatre:
        streaming = theatre.home.services.get(STREAMING)
        for n in range(5):
            await theatre.play(f"c_{n}")
            wanted = Transcode(content_id=f"c_{n}", actor=Actor(kind="user", user_id="creator"))
            started = await asyncio.gather(*(streaming.transcode(wanted) for _ in range(4)))
            [task_id] = {each.task_id for each in started}
            assert (await theatre.ordered(5 * n + 5))[-1].job_id == task_id


async def test_a_refusal_and_a_restart_on_postgresql(open_theatre: Open, on_postgresql: KernelSettings) -> None:
    async with open_theatre(on_postgresql) as theatre:
        await theatre.play("c_film")
        session = await theatre.watch("c_film")
    async with open_theatre(on_postgresql) as theatre:
        theatre.auth.revision = 2
        assert (await theatre.fetch(session)).status_code == 200
        theatre.auth.holders.clear()
        await theatre.clock.advance(60)
        assert (await theatre.fetch(session)).status_code == 410
        await theatre.hear(events.SESSION_ENDED)
