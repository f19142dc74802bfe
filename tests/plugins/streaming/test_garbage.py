"""What is collected, and above all what is not: bytes that somebody may watch are never thrown away."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from streamgate.contracts import events
from streamgate.contracts.media import MadePart
from streamgate_streaming.tables import GarbageRow, RenditionRow, SegmentRow

if TYPE_CHECKING:
    from .conftest import Theatre
else:
    Theatre = Any

PATHS = ("v360/init.mp4", "v360/2.m4s", "v720/2.m4s", "a128/0.m4s")


async def statuses(theatre: Theatre) -> list[int]:
    session = await theatre.watch("c_film")
    return [(await theatre.fetch(session, path)).status_code for path in PATHS]


async def test_a_finish_beside_the_last_checkpoint_keeps_what_was_indexed(
    theatre: Theatre, monkeypatch: pytest.MonkeyPatch
) -> None:
    *others, last = await theatre.planned(await theatre.upload("c_film"))
    for job in others:
        await theatre.done(job, await theatre.make(job))
    result = await theatre.make(last)
    orchestration = theatre.home.plugins["streaming"]._orchestration
    look, has_looked, may_go_on = orchestration._new, asyncio.Event(), asyncio.Event()

    async def slow_look(*asked: Any) -> tuple[MadePart, ...]:
        found: tuple[MadePart, ...] = await look(*asked)
        if not has_looked.is_set():  # the finish alone is held up
            has_looked.set()
            await may_go_on.wait()
        return found

    monkeypatch.setattr(orchestration, "_new", slow_look)
    finishing = asyncio.create_task(theatre.done(last, result))
    await has_looked.wait()
    await theatre.checkpoint(last, result)
    await theatre.hear(events.MEDIA_READY)
    may_go_on.set()
    await finishing
    await theatre.clock.advance(61)
    await theatre.collect()
    assert await statuses(theatre) == [200] * 4


async def test_the_collector_looks_again_before_it_deletes(theatre: Theatre) -> None:
    await theatre.play("c_film")

    def slander(session: Any) -> list[str]:
        keys = [row.key for row in session.query(SegmentRow)]
        keys += [row.init_key for row in session.query(RenditionRow)]
        session.add_all(GarbageRow(key=key, due_at_ms=0) for key in keys)
        return keys

    slandered = await theatre.db.write(slander)
    await theatre.collect()
    assert len(slandered) == 12
    assert await statuses(theatre) == [200] * 4
    assert await theatre.db.read(lambda session: session.query(GarbageRow).filter_by(due_at_ms=0).count()) == 0
