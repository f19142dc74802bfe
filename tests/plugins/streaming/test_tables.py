"""The tables: migrations lead to the models, and everything works on PostgreSQL as it does on SQLite."""

from __future__ import annotations

import asyncio
import base64
from pathlib import Path

import pytest

from streamgate.context import Actor
from streamgate.contracts import events
from streamgate.contracts.streaming import STREAMING, Transcode
from streamgate.settings import DatabaseSettings, KernelSettings, Secret, SecretSettings
from streamgate.testing.migrations import differences
from streamgate_streaming import session_repository
from streamgate_streaming.tables import GarbageRow, SegmentRow, SessionRow
from tests.plugins.streaming.theatre import Open

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


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
async def test_many_sessions_are_noted_and_ended_at_once(
    open_theatre: Open, request: pytest.FixtureRequest, database: str
) -> None:
    """More than a statement has room for: SQLite takes 32,766 values, PostgreSQL 32,767."""
    settings = request.getfixturevalue("on_postgresql") if database == "postgresql" else None
    async with open_theatre(settings) as theatre:
        await theatre.play("c_film")
        session_id = (await theatre.watch("c_film"))["session_id"]
        others = [f"s_{number}" for number in range(33_000)]
        now_ms = theatre.clock.now_ms() + 5_000
        await theatre.db.write(
            lambda session: session_repository.note_seen(session, {"s_none": 1, session_id: now_ms, "s_0": now_ms})
        )
        assert (await theatre.db.read(lambda session: session.get(SessionRow, session_id))).seen_at_ms == now_ms
        wanted = [*others, session_id]
        ended = await theatre.db.write(
            lambda session: session_repository.end_sessions(session, wanted, "refused", now_ms)
        )
        assert ended == 1
        row = await theatre.db.read(lambda session: session.get(SessionRow, session_id))
        assert (row.state, row.reason) == ("ended", "refused")
