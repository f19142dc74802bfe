"""An act noted in a transaction is told when, and only when, it is committed; by whom and for which request."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import pytest
from sqlalchemy.orm import Session

from streamgate.bus.memory import MemoryBus
from streamgate.context import Actor, CallContext, use_call
from streamgate.contracts.audit import AUDITED, AuditEntry
from streamgate.events import EventsUnit, Received, on_group
from streamgate.sdk.audit import audit
from streamgate.sdk.db import Database
from streamgate.testing.context import bus_unit, plugin_context, running
from streamgate.testing.wait import eventually


async def test_an_act_is_told_with_who_and_what_only_when_it_is_committed(
    database: str, sample: ModuleType, tmp_path: Path
) -> None:
    heard: list[AuditEntry] = []

    async def hear(event: Received[AuditEntry]) -> None:
        heard.append(event.body)

    async def first() -> AuditEntry | None:
        return heard[0] if heard else None

    def rename(session: Session) -> None:
        audit(session, "thing.renamed", on="thing:t_1", detail={"to": "new"})

    def rename_and_fail(session: Session) -> None:
        audit(session, "thing.broken", on="thing:t_1")
        raise ValueError("no")

    bus = MemoryBus()
    ctx = plugin_context("sample", data_dir=tmp_path, database_url=database, bus=bus)
    db = Database.for_plugin(ctx, sample.tables.TABLES, migrations="sample_plugin.migrations")
    listening = EventsUnit(bus, [on_group(AUDITED, hear, group="monitor")], needs=("bus", "sample.db"))
    call = CallContext(request_id="r-12345678", actor=Actor(kind="user", user_id="u_1", address="0xabc"))
    async with running(bus_unit(bus), *db.units(), listening):
        with use_call(call):
            with pytest.raises(ValueError, match="no"):
                await db.write(rename_and_fail)
            await db.write(rename)
        entry = await eventually(first, what="the entry")
    assert [each.act for each in heard] == ["thing.renamed"]
    assert (entry.subject_id, entry.outcome, entry.detail) == ("thing:t_1", "done", {"to": "new"})
    assert (entry.who, entry.address, entry.request_id) == ("u_1", "0xabc", "r-12345678")
    assert entry.at_ms > 1_700_000_000_000
