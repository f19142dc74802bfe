"""Models and migrations agree, on both databases."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import text
from sqlalchemy.orm import Session

from streamgate.context import Actor
from streamgate.contracts.metadata import METADATA, AccessQuery, ContentSearch, NewContent
from streamgate.testing.house import house
from streamgate.testing.migrations import differences
from streamgate.testing.wait import eventually


async def test_migrations_make_the_models_on_sqlite() -> None:
    assert await differences("streamgate_metadata") == []


async def test_an_older_database_says_what_it_is_and_is_searched(tmp_path: Path, alice: Actor) -> None:
    async with house(tmp_path, ["metadata"]) as home:
        content = await home.services.get(METADATA).create(NewContent(actor=alice, title="film"))

        def as_it_was(session: Session) -> None:
            session.execute(text("UPDATE metadata_contents SET protection = 'encrypted'"))
            for table in ("metadata_documents", "metadata_words", "metadata_fts", "metadata_near"):
                session.execute(text(f"DROP TABLE {table}"))
            session.execute(text("DROP INDEX ix_metadata_contents_duration"))
            for column in ("has_poster", "has_moving_poster"):
                session.execute(text(f"ALTER TABLE metadata_contents DROP COLUMN {column}"))
            session.execute(text("UPDATE alembic_version_metadata SET version_num = '0001'"))

        await home.plugins["metadata"].db.write(as_it_was)
    async with house(tmp_path, ["metadata"]) as home:
        query = AccessQuery(content_id=content.content_id, actor=alice, want="see")
        metadata = home.services.get(METADATA)
        assert (await metadata.get(query)).protection == "none"

        async def found() -> bool | None:
            return len((await metadata.search(ContentSearch(actor=alice, q="film"))).items) == 1 or None

        await eventually(found)
