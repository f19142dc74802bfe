"""Ranks in PostgreSQL: the same places, whichever way they are looked for."""

from __future__ import annotations

from collections.abc import AsyncIterator
from itertools import islice
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from streamgate.settings import DatabaseSettings, KernelSettings, Secret
from streamgate.testing.house import House, house
from streamgate_metadata.search.index import PUBLIC, Document, Place
from streamgate_metadata.search.postgres import PostgresIndex
from streamgate_metadata.search.query import parse
from streamgate_metadata.search.ranking import Ranking
from streamgate_metadata.search.tiers import Scope, tiers

RARE_IN_TITLES = (5, 14, 41)
CONTENTS = 45
RANKINGS = {
    "all in one question": Ranking(walked=1, few=CONTENTS, far=1),
    "walked alone": Ranking(walked=CONTENTS, few=0, far=CONTENTS),
    "tier by tier": Ranking(walked=6, few=0, far=1),
    "walked far": Ranking(walked=6, few=0, far=CONTENTS),
    "walked too short": Ranking(walked=6, few=0, far=12),
    "as it comes": Ranking(),
}


@pytest.fixture
async def home(tmp_path: Path, postgres_url: str) -> AsyncIterator[House]:
    settings = KernelSettings(profile="test", data_dir=tmp_path, database=DatabaseSettings(url=Secret(postgres_url)))
    async with house(tmp_path, ["metadata"], settings=settings) as home:
        yield home


def tier_of(n: int) -> int | None:
    """Of content n, for `grey wolf`: words apart in some titles, beginnings in some, then tags and descriptions. The
    newest have none, and a third may not be seen."""
    if n % 3 == 0 or n > 42:
        return None
    return 1 if n in RARE_IN_TITLES else {1: 2, 2: 3, 3: 4, 4: 4, 0: None}[n % 5]


def document(n: int) -> Document:
    tier = tier_of(n) or 0
    return Document(
        content_id=f"c_{n}",
        title={1: ["grey", "wolf"], 2: ["greyish", "wolfram"]}.get(tier, ["a", "film"]),
        tags=[["grey"], ["wolf"]] if tier == 3 else [],
        body=["the", "wolf", "was", "grey"] if tier == 4 else ["nothing"],
        scopes=frozenset() if n % 3 == 0 else frozenset({PUBLIC}),
    )


async def test_every_way_gives_the_same_places_from_any_place_on(home: House) -> None:
    def fill(session: Session) -> None:
        for n in range(1, CONTENTS + 1):
            PostgresIndex().put(session, document(n))

    wanted = sorted((tier, -n) for n in range(1, CONTENTS + 1) if (tier := tier_of(n)) is not None)
    expected = [Place(tier, -number) for tier, number in wanted]
    looked_at, scope = tiers(parse("grey wolf")), Scope(((PUBLIC,),))

    def compare(session: Session) -> None:
        for name, ranking in RANKINGS.items():
            index = PostgresIndex(ranking)
            for at_once in (1, 4, CONTENTS):
                assert list(index.places(session, looked_at, scope, None, at_once)) == expected, (name, at_once)
            for n, after in enumerate(expected):
                found = list(islice(index.places(session, looked_at, scope, after, 4), 4))
                assert found == expected[n + 1 : n + 5], (name, after)

    db = home.plugins["metadata"].db
    await db.write(fill)
    assert {place.tier for place in expected} == {1, 2, 3, 4}
    await db.read(compare)


async def test_phrases_are_placed_tier_by_tier(home: House) -> None:
    def fill(session: Session) -> None:
        for n in range(1, CONTENTS + 1):
            PostgresIndex().put(session, document(n))

    def find(session: Session) -> list[int]:
        looked_at = tiers(parse('"grey wolf"'))
        found = [place.doc_id for place in PostgresIndex().places(session, looked_at, Scope(((PUBLIC,),)), None, 21)]
        assert session.scalar(text("SHOW enable_seqscan")) == "off"  # whatever is sought is looked up
        return found

    db = home.plugins["metadata"].db
    await db.write(fill)
    assert await db.read(find) == sorted(RARE_IN_TITLES, reverse=True)
