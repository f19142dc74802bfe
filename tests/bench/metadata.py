"""The catalogue with 100,000 contents on both databases, called in one process. Milliseconds a call, one at a time:
searches beside what a plain LIKE needs for the same page (a few of the same queries, by turns), writes until a search
finds them beside an INSERT and a LIKE, and reads from the cache beside reading the row."""

from __future__ import annotations

import asyncio
import gc
import itertools
import random
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs
from sqlalchemy import insert, select, text
from sqlalchemy.orm import Session

from streamgate.context import ANONYMOUS, Actor
from streamgate.contracts.metadata import METADATA, AccessQuery, ContentSearch, Metadata, NewContent, Publish
from streamgate.sdk.db import Database
from streamgate.settings import DatabaseSettings, KernelSettings, Secret
from streamgate.testing.house import house
from streamgate.testing.servers import PostgresServer
from streamgate_metadata.repository import listed_for
from streamgate_metadata.search.contents import document_of
from streamgate_metadata.search.index import VERSION, Document
from streamgate_metadata.search.sqlite import FTS, columns_of
from streamgate_metadata.search.tsvector import vector_of
from streamgate_metadata.search.typos import worth_knowing
from streamgate_metadata.tables import ContentRow, DocumentRow, WordRow
from streamgate_metadata.texts import search_text
from tests.bench.figures import Figure, Row
from tests.bench.load import timed, timed_by_turns

CONTENTS = 100_000
AT_ONCE = 2_000
WORDS = 30_000
QUERIES = 400
LIKES = 40
LIKE = "LIKE, newest first"
ADDED = 200
ADDED_BEFORE = 5
"""Writes that are not counted: the first of a process make its statements, which takes 0.1 s."""

READS = 500
BARE = 20
WARM_UP = 30
START_MS = 1_700_000_000_000
CREATOR = Actor(kind="user", user_id="u_bench", roles=("creator",))


class Corpus:
    """Texts as people write them: few words are everywhere, most hardly anywhere (Zipf)."""

    def __init__(self) -> None:
        self._random = random.Random(4)
        syllables = [a + b for a in "bcdfghklmnprstvw" for b in ("a", "e", "i", "o", "u", "an", "or", "el")]
        found: dict[str, None] = {}
        while len(found) < WORDS:
            found["".join(self._random.choices(syllables, k=self._random.randint(1, 4)))] = None
        self._words = list(found)
        total, self._weights = 0.0, []
        for n in range(1, WORDS + 1):
            total += 1 / n
            self._weights.append(total)

    def text(self, least: int, most: int) -> str:
        count = self._random.randint(least, most)
        return " ".join(self._random.choices(self._words, cum_weights=self._weights, k=count))

    def rows(self) -> Iterator[ContentRow]:
        for n in range(CONTENTS):
            title, description = self.text(3, 8), self.text(20, 60)
            tags = list(dict.fromkeys(self.text(1, 1) for _ in range(3)))
            is_public = n % 10 != 0
            yield ContentRow(
                content_id=f"c_{n:08}",
                owner=f"u_{n % 500}",
                title=title,
                title_key=title,
                description=description,
                category=f"category {n % 20}",
                tags=tags,
                search_text=search_text(title, description, tags),
                visibility="listed" if is_public else "unlisted",
                protection="none",
                published_at_ms=START_MS if is_public else None,
                created_at_ms=START_MS + n,
                updated_at_ms=START_MS + n,
                revision=1,
                state="ready",
                playable=True,
                kind="video",
                duration_s=60.0,
                media_version=1,
                warnings=[],
                failure="",
                failure_detail="",
                source_upload_id="",
                was_playable=True,
            )

    def query(self, n: int) -> ContentSearch:
        """In turn: a word, two, the beginning of one, one misspelt, one in a category, two in quotes."""
        word, other = self.text(1, 1), self.text(1, 1)
        slip = self._random.randrange(len(word))
        q = [word, f"{word} {other}", word[:3], word[:slip] + "x" + word[slip + 1 :], word, f'"{word} {other}"'][n % 6]
        return ContentSearch(actor=ANONYMOUS, q=q, limit=20, category="category 7" if n % 6 == 4 else "")


def _values(row: ContentRow) -> dict[str, Any]:
    return {column.name: getattr(row, column.name) for column in ContentRow.__table__.columns}


@attrs.frozen
class _Prepared:
    """Made once for both databases."""

    rows: list[ContentRow]
    documents: list[Document]
    queries: list[ContentSearch]

    @classmethod
    def make(cls) -> _Prepared:
        corpus = Corpus()
        rows = list(corpus.rows())
        return cls(rows, [document_of(row) for row in rows], [corpus.query(n) for n in range(WARM_UP + QUERIES)])


def _fill(session: Session, prepared: _Prepared, first: int, known: set[str]) -> None:
    """AT_ONCE of them, from number `first` on."""
    documents = prepared.documents[first : first + AT_ONCE]
    session.execute(insert(ContentRow), list(map(_values, prepared.rows[first : first + AT_ONCE])))
    numbered = list(enumerate(documents, first + 1))
    session.execute(
        insert(DocumentRow),
        [{"doc_id": n, "content_id": each.content_id, "version": VERSION} for n, each in numbered],
    )
    new = sorted({word for each in documents for word in worth_knowing(each.vocabulary())} - known)
    words = [{"word_id": len(known) + n, "word": word} for n, word in enumerate(new, 1)]
    known.update(new)
    if words:
        session.execute(insert(WordRow), words)
    if session.get_bind().dialect.name == "sqlite":
        columns = [{"rowid": n, **columns_of(each)} for n, each in numbered]
        session.execute(insert(FTS), columns)
        padded = [{"id": word["word_id"], "word": f"^{word['word']}$"} for word in words]
        if padded:
            session.execute(text("INSERT INTO metadata_near (rowid, word) VALUES (:id, :word)"), padded)
    else:
        session.execute(
            text("UPDATE metadata_documents SET fts_vector = CAST(:vector AS tsvector) WHERE doc_id = :id"),
            [{"vector": vector_of(each), "id": n} for n, each in numbered],
        )


async def _filled(db: Database, prepared: _Prepared, server: PostgresServer | None, database: str) -> None:
    """In PostgreSQL the index is made of all of them at once, by psql: that has no bound of time."""

    async def run(*statements: str) -> None:
        if server is not None:
            await asyncio.to_thread(server.execute, ";".join(statements), database=database)

    await run("DROP INDEX fts_metadata_documents")
    known: set[str] = set()
    for first in range(0, CONTENTS, AT_ONCE):
        await db.write(lambda session, first=first: _fill(session, prepared, first, known))  # type: ignore[misc]
    await run(
        f"SELECT setval(pg_get_serial_sequence('metadata_documents', 'doc_id'), {CONTENTS})",
        f"SELECT setval(pg_get_serial_sequence('metadata_words', 'word_id'), {len(known) + 1})",
        "CREATE INDEX fts_metadata_documents ON metadata_documents USING gin (fts_vector) WITH (fastupdate = off)",
        "ANALYZE",
    )


async def _like(db: Database, query: ContentSearch) -> None:
    def run(session: Session) -> None:
        words = [ContentRow.search_text.contains(word) for word in query.q.replace('"', "").split()]
        statement = select(ContentRow).where(listed_for(ANONYMOUS), *words).order_by(ContentRow.created_at_ms.desc())
        session.scalars(statement.limit(20)).all()

    await db.read(run)


async def _added(metadata: Metadata, n: int) -> tuple[float, float]:
    """Milliseconds from asking for a change to a search that finds it: of a new content, and of one made public."""
    word = f"quixotic{n}"
    began = time.perf_counter()
    content = await metadata.create(NewContent(actor=CREATOR, title=f"{word} film", visibility="listed"))
    found = await metadata.search(ContentSearch(actor=CREATOR, q=word))
    made_s = time.perf_counter() - began
    assert [item.content_id for item in found.items] == [content.content_id]
    began = time.perf_counter()
    await metadata.publish(Publish(content_id=content.content_id, revision=1, published=True))
    found = await metadata.search(ContentSearch(actor=ANONYMOUS, q=word))
    assert len(found.items) == 1
    return made_s * 1000, (time.perf_counter() - began) * 1000


async def _added_bare(db: Database, row: ContentRow, n: int) -> None:
    """Without an index of words: an INSERT, and a LIKE that finds it."""
    word = f"unindexed{n}"
    values = {**_values(row), "content_id": f"c_{word}", "search_text": f"{word} film"}
    await db.write(lambda session: session.execute(insert(ContentRow), [values]))
    await _like(db, ContentSearch(actor=ANONYMOUS, q=word))


async def _on(folder: Path, prepared: _Prepared, server: PostgresServer | None = None) -> list[Row]:
    name, url = ("SQLite", "") if server is None else ("PostgreSQL", server.create_database())
    settings = KernelSettings(profile="test", data_dir=folder, database=DatabaseSettings(url=Secret(url)))
    async with house(folder, ["metadata"], settings=settings) as home:
        metadata, db = home.services.get(METADATA), home.plugins["metadata"].db
        await _filled(db, prepared, server, url.rpartition("/")[2])
        for query in prepared.queries[:WARM_UP]:
            await metadata.search(query)
        searches: list[float] = []
        likes: list[float] = []
        for n, query in enumerate(prepared.queries[WARM_UP:]):
            searches += await timed(lambda query=query: metadata.search(query), 1)  # type: ignore[misc]
            if n < LIKES:
                likes += await timed(lambda query=query: _like(db, query), 1)  # type: ignore[misc]
        bare: list[float] = []
        for n in range(BARE):
            bare += await timed(lambda n=n: _added_bare(db, prepared.rows[0], n), 1)  # type: ignore[misc]
        added = [await _added(metadata, n) for n in range(ADDED_BEFORE + ADDED)][ADDED_BEFORE:]
        numbers = itertools.count()

        async def cached() -> None:
            wanted = AccessQuery(content_id=f"c_{1 + next(numbers) % 8:08}", actor=ANONYMOUS, want="see")
            await metadata.get(wanted)

        async def row() -> None:
            await db.read(lambda session: session.get(ContentRow, "c_00000001"))

        reads = await timed_by_turns(cached, row, READS)
    return [
        Figure(
            name=f"search, 100,000 contents, {name}",
            unit="ms",
            ours=tuple(searches),
            peer=tuple(likes),
            peer_name=LIKE,
            limit=100,
            limit_of="p99",
        ),
        *(
            Figure(
                name=f"{what} until found, {name}",
                unit="ms",
                ours=tuple(each),
                peer=tuple(bare),
                peer_name="INSERT and LIKE",
                limit=50,
                limit_of="p99",
            )
            for what, each in zip(("made", "published"), zip(*added, strict=True), strict=True)
        ),
        Figure(
            name=f"metadata get, cached, {name}",
            unit="ms",
            ours=reads[0],
            peer=reads[1],
            peer_name="reading the row",
            limit=10,
        ),
    ]


def measure(folder: Path) -> list[Row]:
    prepared = _Prepared.make()
    gc.collect()
    gc.freeze()  # the collector has no such heap to walk in the program itself
    rows = asyncio.run(_on(folder / "sqlite", prepared))
    with PostgresServer() as server:
        rows += asyncio.run(_on(folder / "postgres", prepared, server))
    return rows
