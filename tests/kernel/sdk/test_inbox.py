"""What is delivered at least once is done once."""

from __future__ import annotations

import asyncio
from pathlib import Path
from types import ModuleType

import pytest
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from streamgate.sdk.db import first_time
from streamgate.testing.wait import eventually
from tests.kernel.sdk.outbox import process, until_empty


async def test_inbox_tells_groups_apart_and_forgets_with_the_write(
    database: str, sample: ModuleType, tmp_path: Path
) -> None:
    async with process(sample, tmp_path, database, None) as db:
        assert await db.write(lambda session: first_time(session, "e1", group="one"))
        assert await db.write(lambda session: first_time(session, "e1", group="two"))
        assert not await db.write(lambda session: first_time(session, "e1", group="one"))

        def fail(session: Session) -> None:
            first_time(session, "e2", group="one")
            raise RuntimeError("no")

        with pytest.raises(RuntimeError, match="no"):
            await db.write(fail)
        assert await db.write(lambda session: first_time(session, "e2", group="one"))


async def test_same_event_handled_side_by_side_is_done_once(database: str, sample: ModuleType, tmp_path: Path) -> None:
    async with process(sample, tmp_path, database, None) as db:
        done = await asyncio.gather(*(db.write(lambda session: first_time(session, "e", group="g")) for _ in range(10)))
        assert sorted(done) == [False] * 9 + [True]


async def test_old_inbox_rows_are_pruned(database: str, sample: ModuleType, tmp_path: Path) -> None:
    inbox = sample.tables.TABLES.tables["sample_inbox"]
    async with process(sample, tmp_path, database, None) as db:
        await until_empty(db, sample)
        await db.write(lambda session: first_time(session, "old", group="g"))
        await db.write(lambda session: session.execute(update(inbox).values(seen_at_ms=1_000)) and None)
        await db.write(lambda session: first_time(session, "new", group="g"))
    async with process(sample, tmp_path, database, None) as db:

        async def probe() -> list[str] | None:
            left = await db.read(lambda session: list(session.scalars(select(inbox.c.event_id))))
            return left if "old" not in left else None

        assert await eventually(probe, every_s=0.01) == ["new"]
