"""Copies of contents are never older than the last change, here or in another process; changes are told and noted."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from typing import Any

import attrs
import pytest

from streamgate.bus import open_bus
from streamgate.context import ANONYMOUS, Actor, CallContext, use_call
from streamgate.contracts.audit import AUDITED, AuditEntry
from streamgate.contracts.auth import ACCOUNTS, LinkedWallets, WalletsAnswer, WalletsQuery
from streamgate.contracts.events import MEDIA_READY, PROTECTION_CHANGED, MediaReady, ProtectionChanged
from streamgate.contracts.live import LIVE, LiveUpdate
from streamgate.contracts.metadata import (
    METADATA,
    AccessQuery,
    Content,
    ContentDelete,
    ContentNotFound,
    ContentQuery,
    ContentSearch,
    ContentUpdate,
    Metadata,
    NewContent,
    Publish,
)
from streamgate.errors import Unavailable
from streamgate.events import EventSubscription, EventsUnit, Received, on_everyone, on_group
from streamgate.plugins import discover
from streamgate.sdk.db import upgrade_all
from streamgate.services import Offer
from streamgate.settings import DatabaseSettings, KernelSettings, Secret
from streamgate.testing.context import bus_unit, plugin_context, running
from streamgate.testing.house import House, house
from streamgate.testing.servers import NatsServer
from streamgate.testing.wait import eventually


def seen(content_id: str, actor: Actor = ANONYMOUS) -> AccessQuery:
    return AccessQuery(content_id=content_id, actor=actor, want="see")


async def published(metadata: Metadata, owner: Actor, title: str = "film") -> str:
    content = await metadata.create(NewContent(actor=owner, title=title))
    await metadata.publish(Publish(content_id=content.content_id, revision=1, published=True))
    return content.content_id


@pytest.fixture
async def pair(tmp_path: Path, postgres_url: str, nats_server: NatsServer) -> AsyncIterator[tuple[Metadata, Metadata]]:
    """The plugin twice, as in two processes: one database, one NATS."""
    settings = KernelSettings(profile="test", data_dir=tmp_path, database=DatabaseSettings(url=Secret(postgres_url)))
    [info] = [found.info for found in discover() if found.name == "metadata" and found.info is not None]
    await upgrade_all(settings, [info])
    services = []
    async with AsyncExitStack() as stack:
        for name in ("one", "two"):
            bus = open_bus(nats_server.url, name=name)
            plugin: Any = info.build(plugin_context("metadata", data_dir=tmp_path, bus=bus, settings=settings))
            units = [bus_unit(bus), *plugin.collect_units()]
            heard = [each for each in plugin.collect_subscriptions() if not hasattr(each, "group")]
            await stack.enter_async_context(running(*units, EventsUnit(bus, heard, needs=("bus", "metadata.db"))))
            services.append(plugin.service)
        yield services[0], services[1]


async def test_another_process_knows_of_a_change_long_before_its_copy_is_old(
    pair: tuple[Metadata, Metadata], alice: Actor
) -> None:
    here, there = pair
    content_id = await published(here, alice)
    for metadata in pair:
        assert (await metadata.get(seen(content_id))).title == "film"
    await here.update(ContentUpdate(content_id=content_id, actor=alice, title="changed"))
    assert (await here.get(seen(content_id))).title == "changed"

    async def is_changed() -> bool | None:
        return (await there.get(seen(content_id))).title == "changed" or None

    await eventually(is_changed, timeout_s=4, every_s=0.005)
    await there.delete(ContentDelete(content_id=content_id, actor=alice))
    with pytest.raises(ContentNotFound):
        await there.facts(ContentQuery(content_id=content_id))

    async def is_gone() -> bool | None:
        try:
            await here.facts(ContentQuery(content_id=content_id))
        except ContentNotFound:
            return True
        return None

    await eventually(is_gone, timeout_s=4, every_s=0.005)


async def test_a_copy_is_not_older_than_any_change(home: House, alice: Actor) -> None:
    metadata = home.services.get(METADATA)
    content_id = await published(metadata, alice)
    reading = True

    async def read() -> None:
        revision = 0
        while reading:
            content = await metadata.get(seen(content_id))
            assert content.revision >= revision
            revision = content.revision
            await asyncio.sleep(0)

    readers = [asyncio.create_task(read()) for _ in range(5)]
    for n in range(20):
        changed = await metadata.update(ContentUpdate(content_id=content_id, actor=alice, title=f"t{n}"))
        assert (await metadata.get(seen(content_id))).title == changed.title == f"t{n}"
    reading = False
    await asyncio.gather(*readers)
    await metadata.publish(Publish(content_id=content_id, revision=2, published=False))
    with pytest.raises(ContentNotFound):
        await metadata.get(seen(content_id))


async def test_a_change_whose_caller_left_is_seen_too(home: House, alice: Actor) -> None:
    metadata = home.plugins["metadata"].service
    content_id = await published(metadata, alice)
    await metadata.get(seen(content_id))
    asked = asyncio.create_task(metadata.update(ContentUpdate(content_id=content_id, actor=alice, title="changed")))
    await asyncio.sleep(0)
    asked.cancel()

    async def is_changed() -> bool | None:
        return (await metadata.get(seen(content_id))).title == "changed" or None

    await eventually(is_changed, timeout_s=4, every_s=0.005)


async def test_a_hundred_readers_make_one_query(home: House, alice: Actor, monkeypatch: pytest.MonkeyPatch) -> None:
    metadata, db = home.services.get(METADATA), home.plugins["metadata"].db
    content_id = await published(metadata, alice)
    read, reads = db.read, 0

    async def counted(fn: Any) -> Any:
        nonlocal reads
        reads += 1
        return await read(fn)

    monkeypatch.setattr(db, "read", counted)
    await asyncio.gather(*(metadata.get(seen(content_id)) for _ in range(100)))
    assert reads == 1


async def test_what_happens_to_a_content_is_told_to_its_owner_and_noted(tmp_path: Path, alice: Actor) -> None:
    told: list[LiveUpdate] = []
    noted: list[AuditEntry] = []

    async def on_live(event: Received[LiveUpdate]) -> None:
        told.append(event.body)

    async def on_audit(event: Received[AuditEntry]) -> None:
        noted.append(event.body)

    async def resync() -> None:
        told.clear()

    heard: list[EventSubscription] = [
        on_everyone(LIVE, on_live, resync=resync),
        on_group(AUDITED, on_audit, group="test"),
    ]
    async with house(tmp_path, ["metadata"], subscriptions=heard) as home:
        metadata = home.services.get(METADATA)
        with use_call(CallContext(request_id="r_1", actor=alice)):
            content_id = await published(metadata, alice)
            ready = MediaReady(subject_id=content_id, revision=1, media_version=1, duration_s=9.0, kind="video")
            await home.events.publish(MEDIA_READY, ready, event_id="e1")
            await metadata.publish(Publish(content_id=content_id, revision=1, published=True))  # nothing new
            await metadata.update(ContentUpdate(content_id=content_id, actor=alice, title="changed"))
            await metadata.delete(ContentDelete(content_id=content_id, actor=alice))

        async def all_of_it() -> bool | None:
            return (len(told) >= 5 and len(noted) >= 4) or None

        await eventually(all_of_it)
    assert [(update.data["state"], update.data["title"]) for update in told] == [
        ("draft", "film"),
        ("draft", "film"),
        ("ready", "film"),
        ("ready", "changed"),
        ("deleted", "changed"),
    ]
    assert {(update.owner, update.event, update.id) for update in told} == {("alice", "content.changed", content_id)}
    acts = ["content.created", "content.published", "content.updated", "content.deleted"]
    assert [entry.act for entry in noted] == acts
    assert {(entry.who, entry.subject_id, entry.request_id) for entry in noted} == {
        ("alice", f"content:{content_id}", "r_1")
    }


async def test_another_protection_is_told_once_with_the_revision_it_has(tmp_path: Path, alice: Actor) -> None:
    told: list[ProtectionChanged] = []
    noted: list[str] = []

    async def on_protection(event: Received[ProtectionChanged]) -> None:
        told.append(event.body)

    async def on_audit(event: Received[AuditEntry]) -> None:
        noted.append(event.body.act)

    heard: list[EventSubscription] = [
        on_group(PROTECTION_CHANGED, on_protection, group="test"),
        on_group(AUDITED, on_audit, group="test"),
    ]
    async with house(tmp_path, ["metadata"], subscriptions=heard) as home:
        metadata = home.services.get(METADATA)
        made = await metadata.create(NewContent(actor=alice, title="film", protection="encrypted"))
        change = partial(ContentUpdate, content_id=made.content_id, actor=alice)
        await metadata.update(change(protection="encrypted"))  # nothing new
        after = await metadata.update(change(protection="none"))
        assert after.protection == "none"
        await metadata.update(change(title="changed"))

        async def all_of_it() -> bool | None:
            return (len(told) >= 1 and noted.count("content.updated") == 3) or None

        await eventually(all_of_it)
    assert [(each.subject_id, each.protection, each.revision) for each in told] == [
        (made.content_id, "none", after.revision)
    ]
    assert noted.count("content.protection_changed") == 1


@attrs.define
class FakeAccounts:
    """Everybody's wallet is `0x` and their id; `is_away`: nobody answers. Counts questions."""

    asked: int = 0
    is_away: bool = False

    async def wallets_of(self, query: WalletsQuery) -> WalletsAnswer:
        self.asked += 1
        if self.is_away:
            raise Unavailable("away")
        people = [LinkedWallets(user_id=each, addresses=(f"0x{each}", "0xother")) for each in query.user_ids]
        return WalletsAnswer(people=tuple(people))

    async def who_has(self, query: object) -> None:
        raise AssertionError(query)

    async def verify_api_key(self, query: object) -> None:
        raise AssertionError(query)

    async def recently_revoked(self) -> None:
        raise AssertionError


async def test_owners_are_named_to_those_who_are_signed_in(tmp_path: Path, alice: Actor, bob: Actor) -> None:
    accounts = FakeAccounts()
    async with house(tmp_path, ["metadata"], offers=[Offer(ACCOUNTS, accounts)]) as home:
        metadata = home.services.get(METADATA)
        content_id = await published(metadata, alice)
        await metadata.create(NewContent(actor=bob, title="other"))

        async def shown(actor: Actor) -> Content:
            return await metadata.get(seen(content_id, actor))

        assert (await shown(ANONYMOUS)).owner_address is None
        assert (await shown(bob)).owner_address == "0xalice"
        page = await metadata.search(ContentSearch(actor=bob))
        assert [content.owner_address for content in page.items] == ["0xbob"]
        assert accounts.asked == 2
        assert (await metadata.search(ContentSearch(actor=ANONYMOUS))).items == ()


async def test_without_auth_owners_stay_unnamed_and_nobody_waits_twice(tmp_path: Path, alice: Actor) -> None:
    accounts = FakeAccounts(is_away=True)
    async with house(tmp_path, ["metadata"], offers=[Offer(ACCOUNTS, accounts)]) as home:
        metadata = home.services.get(METADATA)
        content_id = await published(metadata, alice)
        for _ in range(5):
            assert (await metadata.get(seen(content_id, alice))).owner_address is None
    assert accounts.asked == 1
