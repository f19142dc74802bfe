"""A process that dies forgets what is in memory; the rows are enough to go on, no byte goes out before a decision."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from streamgate.contracts import events
from streamgate.sdk.secrets import MasterKeyFault
from streamgate.testing.clock import FakeClock
from streamgate_streaming.keys import PURPOSE
from streamgate_streaming.tables import KeyRow, SessionRow
from tests.plugins.streaming.theatre import Open

SEGMENT = "v360/0.m4s"


async def test_a_session_outlives_the_process_at_its_address(open_theatre: Open) -> None:
    async with open_theatre() as before:
        await before.play("c_film")
        session = await before.watch("c_film")
        data = (await before.fetch(session, SEGMENT)).content
    async with open_theatre() as after:
        after.metadata.contents.add("c_film")
        answer = await after.fetch(session, SEGMENT)
        assert (answer.status_code, answer.content) == (200, data)
        assert after.auth.calls == [1]  # decided before the first byte
        assert (await after.watch("c_film"))["hls_url"] == session["hls_url"]


async def test_no_byte_after_a_restart_without_a_decision(open_theatre: Open) -> None:
    async with open_theatre() as before:
        await before.play("c_film")
        session = await before.watch("c_film")
    async with open_theatre() as after:  # the lease of the old process would still hold
        after.auth.unknown = True
        assert (await after.fetch(session, SEGMENT)).status_code == 503
    async with open_theatre() as after:
        after.auth.holders.clear()
        assert (await after.fetch(session, SEGMENT)).status_code == 410
    async with open_theatre() as after:
        assert (await after.fetch(session, SEGMENT)).status_code == 410
        assert after.auth.calls == []


async def test_the_first_requests_of_a_session_share_one_decision(open_theatre: Open) -> None:
    async with open_theatre() as before:
        await before.play("c_film")
        session = await before.watch("c_film")
    async with open_theatre() as after:
        answers = await asyncio.gather(*(after.fetch(session, SEGMENT) for _ in range(20)))
        assert {answer.status_code for answer in answers} == {200}
        assert after.auth.calls == [1]


async def test_what_was_in_memory_is_written_at_the_stop(open_theatre: Open, clock: FakeClock) -> None:
    async with open_theatre() as before:
        await before.play("c_film")
        session = await before.watch("c_film")
        await clock.advance(17)
        await before.fetch(session, SEGMENT)
    async with open_theatre() as after:
        row = await after.db.read(lambda database: database.get(SessionRow, session["session_id"]))
        assert row.seen_at_ms == clock.now_ms()


async def test_work_goes_on_where_it_was(open_theatre: Open) -> None:
    async with open_theatre() as before:
        sound, first, second = await before.planned(await before.upload("c_film"))
        await before.done(sound, await before.make(sound))
    async with open_theatre() as after:
        for job in (first, second):
            await after.done(job, await after.make(job))
        await after.hear(events.MEDIA_READY)
        after.metadata.contents.add("c_film")
        assert (await after.fetch(await after.watch("c_film"), SEGMENT)).status_code == 200


async def test_the_path_key_lies_wrapped_and_another_master_key_is_a_start_fault(
    open_theatre: Open, tmp_path: Path
) -> None:
    async with open_theatre() as before:
        keys = before.home.plugins["streaming"]._keys
        row = await before.db.read(lambda database: database.get(KeyRow, (PURPOSE, "k1")))
        assert keys._key.secret not in row.wrapped
        assert keys._master.unwrap(PURPOSE, row.wrapped) == keys._key.secret
    (tmp_path / "master.key").unlink()
    with pytest.raises(Exception, match="master key is not the one") as failed:
        async with open_theatre():
            pass
    assert isinstance(failed.value.__cause__, MasterKeyFault)
