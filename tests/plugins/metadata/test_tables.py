"""Models and migrations agree, on both databases."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import text
from sqlalchemy.orm import Session

from streamgate.context import Actor
from streamgate.contracts.metadata import METADATA, AccessQuery, NewContent
from streamgate.testing.house import house
from streamgate.testing.migrations import differences


async def test_migrations_make_the_models_on_sqlite() -> None:
    assert await differences("streamgate_metadata") == []


async def test_what_was_said_to_be_encrypted_says_what_it_is(tmp_path: Path, alice: Actor) -> None:
    async with house(tmp_path, ["metadata"]) as home:
        content = await home.services.get(METADATA).create(NewContent(actor=alice, title="film"))

        def as_it_was(session: Session) -> None:
            session.execute(text("UPDATE metadata_contents SET protection = 'encrypted'"))
            session.execute(text("UPDATE alembic_version_metadata SET version_num = '0001'"))

        await home.plugins["metadata"].db.write(as_it_was)
    async with house(tmp_path, ["metadata"]) as home:
        query = AccessQuery(content_id=content.content_id, actor=alice, want="see")
        assert (await home.services.get(METADATA).get(query)).protection == "none"
