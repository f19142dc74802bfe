"""What is published is forgotten later and many at a time: nothing waits for it, and no order suffers by it."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from itertools import pairwise
from pathlib import Path
from types import ModuleType

import orjson
import pytest
from sqlalchemy.orm import Session

from streamgate.bus.memory import MemoryBus
from streamgate.sdk.db import emit
from streamgate.sdk.db import relay as relay_module
from streamgate.sdk.db.engine import DatabaseUnavailable
from tests.kernel.sdk.outbox import MOVED, Heard, Moved, move, process, rows_left, until_empty


class NotingBus(MemoryBus):
    """Notes the revisions that are given to it, those again that it has had."""

    def __init__(self) -> None:
        super().__init__()
        self.given: list[int] = []

    async def publish(self, subject: str, payload: bytes, *, message_id: str) -> None:
        self.given.append(orjson.loads(payload)["body"]["revision"])
        await super().publish(subject, payload, message_id=message_id)


async def test_the_next_event_does_not_wait_for_it_and_a_stop_does(
    database: str, sample: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relay_module, "FORGET_PAUSE_S", 3600.0)
    heard = Heard()
    async with asyncio.timeout(relay_module.FLUSH_S):
        async with process(sample, tmp_path, database, heard) as db:
            await move(db, "a", 1)
            await until_empty(db, sample)
            await move(db, "a", 2)
            await move(db, "a", 3)
            assert await heard.until(3) == [("a", 1), ("a", 2), ("a", 3)]
            assert await rows_left(db, sample) == 2
    async with process(sample, tmp_path, database, heard) as db:
        assert await rows_left(db, sample) == 0
    assert len(heard.events) == 3


async def test_where_rows_cannot_be_forgotten_their_order_is_kept_and_little_is_said_again(
    database: str, sample: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relay_module, "BACKOFF_S", (0.01,))
    heard, bus, faults, rows = Heard(), NotingBus(), 3, 100
    delete_rows = relay_module.Relay._delete_rows

    async def failing(self: relay_module.Relay, seqs: Collection[int]) -> None:
        nonlocal faults
        if faults:
            faults -= 1
            raise DatabaseUnavailable("the disk is full")
        await delete_rows(self, seqs)

    monkeypatch.setattr(relay_module.Relay, "_delete_rows", failing)

    def move_all(session: Session) -> None:
        for revision in range(rows):
            emit(session, MOVED, Moved(subject_id="a", revision=revision))

    async with process(sample, tmp_path, database, heard, bus) as db:
        await db.write(move_all)
        assert await heard.until(rows) == [("a", revision) for revision in range(rows)]
        await until_empty(db, sample)
    assert faults == 0
    turns = [at for at, (before, after) in enumerate(pairwise(bus.given), 1) if after != before + 1]
    assert all(bus.given[at] == 0 for at in turns), "each time from the first one that is still there"
    assert len(turns) == 3
    assert len(bus.given) < 2 * rows
