"""Two replicas of streaming on one database and one bus: what one knows, the other one learns, or asks."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import attrs
import pytest

from streamgate.bus.memory import MemoryBus
from streamgate.contracts.auth import ACCOUNTS, AUTH
from streamgate.contracts.gate import GateUnknown
from streamgate.contracts.jobs import JOBS
from streamgate.contracts.metadata import METADATA
from streamgate.contracts.streaming import SessionEnded
from streamgate.events import EventsUnit, GroupSubscription
from streamgate.services import Offer, Services
from streamgate.testing.clock import FakeClock
from streamgate.testing.context import bus_unit, plugin_context, running
from streamgate.testing.wait import eventually
from streamgate_streaming.config import StreamingConfig
from streamgate_streaming.live import LiveSession
from streamgate_streaming.plugin import StreamingPlugin
from tests.plugins.streaming.theatre import Open

LEASE_S = 60.0


@attrs.frozen
class Pair:
    """A third party plays the film; these two serve it."""

    one: StreamingPlugin
    two: StreamingPlugin
    auth: Any


@pytest.fixture
async def pair(open_theatre: Open, tmp_path: Path, clock: FakeClock) -> AsyncIterator[tuple[Pair, str]]:
    async with open_theatre() as opened:
        await opened.play("c_film")
        auth, accounts, metadata, jobs = opened.auth, opened.accounts, opened.metadata, opened.jobs
        session = await opened.watch("c_film")
    bus = MemoryBus()
    shared: dict[object, Any] = {}

    @asynccontextmanager
    async def replica() -> AsyncIterator[StreamingPlugin]:
        services = Services(bus, source="replica@test")
        for ref, implementation in ((AUTH, auth), (ACCOUNTS, accounts), (METADATA, metadata), (JOBS, jobs)):
            services.offer(Offer(ref, implementation))
        config = StreamingConfig(lease_s=LEASE_S, decide_wait_s=1.0)
        ctx = plugin_context("streaming", data_dir=tmp_path, config=config, bus=bus, services=services, shared=shared)
        plugin = StreamingPlugin(ctx, clock)
        heard = [each for each in plugin.collect_subscriptions() if not isinstance(each, GroupSubscription)]
        async with running(EventsUnit(bus, heard, needs=()), *plugin.collect_units()):
            yield plugin

    async with running(bus_unit(bus)), replica() as one, replica() as two:
        yield Pair(one, two, auth), session["session_id"]


async def admit(plugin: StreamingPlugin, session_id: str) -> LiveSession:
    return await plugin._sessions.admit(session_id)


async def test_the_other_replica_decides_for_itself(pair: tuple[Pair, str]) -> None:
    replicas, session_id = pair
    before = len(replicas.auth.calls)
    await admit(replicas.one, session_id)
    await admit(replicas.two, session_id)
    await admit(replicas.two, session_id)
    assert len(replicas.auth.calls) == before + 2


async def test_both_make_the_same_token(pair: tuple[Pair, str]) -> None:
    replicas, session_id = pair
    token = replicas.one._keys.make(session_id)
    assert replicas.two._keys.read(token) == session_id


async def test_an_end_in_one_is_an_end_in_the_other(pair: tuple[Pair, str]) -> None:
    replicas, session_id = pair
    await admit(replicas.one, session_id)
    await admit(replicas.two, session_id)
    await replicas.one._keeper.end([session_id], "closed")

    async def is_over() -> bool | None:
        return True if replicas.two._keeper.live.ended(session_id) else None

    await eventually(is_over, every_s=0.005, what="the other replica")
    with pytest.raises(SessionEnded):
        await admit(replicas.two, session_id)


async def test_a_replica_that_missed_the_end_hears_of_it_at_a_resync_and_at_a_flush(
    pair: tuple[Pair, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    replicas, session_id = pair
    await admit(replicas.two, session_id)
    live = replicas.two._keeper.live

    def deaf(session_id: str, reason: str) -> None:
        return None

    hear = live.end
    monkeypatch.setattr(live, "end", deaf)
    await replicas.one._keeper.end([session_id], "closed")

    async def is_written() -> bool | None:
        rows = await replicas.one._db.read(lambda session: _ended(session, session_id))
        return True if rows else None

    await eventually(is_written, what="the row")
    await admit(replicas.two, session_id)  # it has not heard
    monkeypatch.setattr(live, "end", hear)
    await replicas.two._keeper.flush()
    with pytest.raises(SessionEnded):
        await admit(replicas.two, session_id)


def _ended(session: Any, session_id: str) -> dict[str, str]:
    from streamgate_streaming.session_repository import ended_among

    return ended_among(session, [session_id])


async def test_a_replica_that_hears_nothing_serves_no_longer_than_its_own_lease(
    pair: tuple[Pair, str], clock: FakeClock
) -> None:
    replicas, session_id = pair
    await admit(replicas.two, session_id)
    replicas.auth.unknown = True
    await clock.advance(LEASE_S - 0.001)
    await admit(replicas.two, session_id)
    await clock.advance(0.001)
    with pytest.raises(GateUnknown):
        await admit(replicas.two, session_id)


async def test_an_end_between_reading_a_row_and_using_it_counts(
    pair: tuple[Pair, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    replicas, session_id = pair
    plugin = replicas.two
    read = plugin._db.read

    async def slow_read(fn: Any) -> Any:
        found = await read(fn)
        plugin._keeper.live.end(session_id, "closed")  # the event arrives while the row is on its way
        return found

    monkeypatch.setattr(plugin._db, "read", slow_read)
    with pytest.raises(SessionEnded):
        await admit(plugin, session_id)
