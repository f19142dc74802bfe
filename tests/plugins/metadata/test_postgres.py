"""The same on PostgreSQL: what the dialects do differently."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from streamgate.context import Actor
from streamgate.contracts.events import MEDIA_READY, MediaReady
from streamgate.contracts.metadata import (
    METADATA,
    AccessQuery,
    BeginUpload,
    ContentDelete,
    ContentNotFound,
    ContentSearch,
    ContentUpdate,
    NewContent,
)
from streamgate.plugins import discover
from streamgate.sdk.db import DatabaseFault, upgrade_all
from streamgate.settings import DatabaseSettings, KernelSettings, Secret
from streamgate.testing.house import House, house
from streamgate.testing.migrations import differences
from streamgate.testing.servers import PostgresServer


@pytest.fixture
async def home(tmp_path: Path, postgres_url: str) -> AsyncIterator[House]:
    settings = KernelSettings(profile="test", data_dir=tmp_path, database=DatabaseSettings(url=Secret(postgres_url)))
    async with house(tmp_path, ["metadata"], settings=settings) as home:
        yield home


async def test_migrations_make_the_models(postgres_url: str) -> None:
    assert await differences("streamgate_metadata", postgres_url) == []


async def test_search_and_pages(home: House, alice: Actor) -> None:
    metadata = home.services.get(METADATA)
    for title in ("ÜBER 100% Öl", "über 100 Öl", "Zebra", "alpha"):
        await metadata.create(NewContent(actor=alice, title=title, tags=("ß" * 50,)))
    found = await metadata.search(ContentSearch(actor=alice, q="über 100%"))
    assert [content.title for content in found.items] == ["über 100 Öl", "ÜBER 100% Öl"]
    assert len((await metadata.search(ContentSearch(actor=alice, tag="SS" * 50))).items) == 4
    titles: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        page = await metadata.search(ContentSearch(actor=alice, sort="title", limit=1, cursor=cursor))
        titles += [content.title for content in page.items]
        cursor = page.next_cursor
    assert sorted(titles) == sorted(["ÜBER 100% Öl", "über 100 Öl", "Zebra", "alpha"])


async def test_changes_at_once_are_all_counted(home: House, alice: Actor) -> None:
    metadata = home.services.get(METADATA)
    content = await metadata.create(NewContent(actor=alice, title="x"))
    updates = [ContentUpdate(content_id=content.content_id, actor=alice, title=f"t{n}") for n in range(8)]
    await asyncio.gather(*(metadata.update(update) for update in updates))
    after = await metadata.get(AccessQuery(content_id=content.content_id, actor=alice, want="see"))
    assert after.revision == content.revision + 8


async def test_events_and_deletion(home: House, alice: Actor) -> None:
    metadata = home.services.get(METADATA)
    content = await metadata.create(NewContent(actor=alice, title="clip"))
    await metadata.begin_upload(BeginUpload(actor=alice, content_id=content.content_id))
    for revision, duration_s in ((2, 60.0), (1, 5.0)):
        body = MediaReady(
            subject_id=content.content_id, revision=revision, media_version=1, duration_s=duration_s, kind="video"
        )
        await home.events.publish(MEDIA_READY, body, event_id=f"e{revision}")
    query = AccessQuery(content_id=content.content_id, actor=alice, want="see")
    found = await metadata.get(query)
    assert (found.state, found.duration_s) == ("ready", 60.0)
    await metadata.delete(ContentDelete(content_id=content.content_id, actor=alice))
    with pytest.raises(ContentNotFound):
        await metadata.get(query)


async def test_without_pg_trgm_the_upgrade_says_what_to_do(postgres_server: PostgresServer, tmp_path: Path) -> None:
    """By somebody who owns the schema and may not create extensions."""
    url = postgres_server.create_database()
    name = url.rpartition("/")[2]
    postgres_server.execute(f"CREATE ROLE {name}_plain LOGIN")
    postgres_server.execute(f"ALTER SCHEMA public OWNER TO {name}_plain", database=name)
    plain = DatabaseSettings(url=Secret(url.replace("postgres@", f"{name}_plain@")))
    [info] = [found.info for found in discover() if found.name == "metadata" and found.info is not None]
    kernel = KernelSettings(profile="test", data_dir=tmp_path, database=plain)
    with pytest.raises(DatabaseFault, match="CREATE EXTENSION pg_trgm"):
        await upgrade_all(kernel, [info])
    postgres_server.execute("CREATE EXTENSION pg_trgm", database=name)
    [upgraded] = await upgrade_all(kernel, [info])
    assert (upgraded.before, upgraded.after) == (None, "0005")
