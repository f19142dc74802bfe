"""Search and lists: what is found, in what order, by whom."""

from __future__ import annotations

import pytest

from streamgate.context import ANONYMOUS, Actor
from streamgate.contracts.metadata import (
    METADATA,
    ContentDelete,
    ContentPage,
    ContentSearch,
    Metadata,
    NewContent,
    Publish,
    Visibility,
)
from streamgate.errors import Invalid
from streamgate.testing.house import House


@pytest.fixture
def metadata(home: House) -> Metadata:
    return home.services.get(METADATA)


async def add(
    metadata: Metadata,
    owner: Actor,
    title: str,
    *,
    visibility: Visibility = "listed",
    published: bool = True,
    description: str = "",
    tags: tuple[str, ...] = (),
    category: str = "",
) -> str:
    new = NewContent(
        actor=owner, title=title, visibility=visibility, description=description, tags=tags, category=category
    )
    content_id = (await metadata.create(new)).content_id
    if published:
        await metadata.publish(Publish(content_id=content_id, revision=1, published=True))
    return content_id


def titles(page: ContentPage) -> list[str]:
    return [content.title for content in page.items]


async def test_lists_show_listed_and_published_and_ones_own(metadata: Metadata, alice: Actor, bob: Actor) -> None:
    await add(metadata, alice, "listed")
    await add(metadata, alice, "unlisted", visibility="unlisted")
    await add(metadata, alice, "no gate", published=False)
    gone = await add(metadata, alice, "gone")
    await metadata.delete(ContentDelete(content_id=gone, actor=alice))
    for actor in (ANONYMOUS, bob):
        assert titles(await metadata.search(ContentSearch(actor=actor))) == ["listed"]
        assert titles(await metadata.search(ContentSearch(actor=actor, owner="alice"))) == ["listed"]
    assert set(titles(await metadata.search(ContentSearch(actor=alice)))) == {"listed", "unlisted", "no gate"}


async def test_every_word_must_occur_in_title_description_or_tags(metadata: Metadata, alice: Actor) -> None:
    await add(metadata, alice, "Big Buck BUNNY", description="A rabbit in a FIELD", tags=("Animation",))
    await add(metadata, alice, "Bunny hop")
    found = {
        "bunny": {"Big Buck BUNNY", "Bunny hop"},
        "BUNNY field": {"Big Buck BUNNY"},
        "anima": {"Big Buck BUNNY"},
        "bunny wolf": set(),
    }
    for q, expected in found.items():
        assert set(titles(await metadata.search(ContentSearch(actor=alice, q=q)))) == expected


async def test_search_ignores_case_beyond_ascii(metadata: Metadata, alice: Actor) -> None:
    await add(metadata, alice, "ÜBER ÖDLAND")
    assert titles(await metadata.search(ContentSearch(actor=alice, q="über"))) == ["ÜBER ÖDLAND"]


@pytest.mark.parametrize("q", ["%", "_", "100%", "a\\", "'; DROP TABLE metadata_contents; --"])
async def test_signs_of_the_query_language_are_plain_text(metadata: Metadata, alice: Actor, q: str) -> None:
    await add(metadata, alice, "nothing special")
    assert titles(await metadata.search(ContentSearch(actor=alice, q=q))) == []
    await add(metadata, alice, f"before {q} after")
    assert titles(await metadata.search(ContentSearch(actor=alice, q=q))) == [f"before {q} after"]


async def test_tag_and_category_filter_whole_words(metadata: Metadata, alice: Actor) -> None:
    await add(metadata, alice, "one", tags=("Cats",), category="film")
    await add(metadata, alice, "two", tags=("Catsuit",), category="filmstock")
    assert titles(await metadata.search(ContentSearch(actor=alice, tag="cats"))) == ["one"]
    assert titles(await metadata.search(ContentSearch(actor=alice, category="film"))) == ["one"]


@pytest.mark.parametrize("sort", ["newest", "oldest", "title"])
async def test_pages_meet_without_gap_or_repetition(metadata: Metadata, alice: Actor, sort: str) -> None:
    for n in (3, 1, 4, 1, 5, 9, 2, 6, 5):
        await add(metadata, alice, f"title {n}")
    query = ContentSearch(actor=alice, sort=sort)  # type: ignore[arg-type]
    whole = [content.content_id for content in (await metadata.search(query)).items]
    assert len(whole) == 9
    paged: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        page = await metadata.search(ContentSearch(actor=alice, sort=query.sort, limit=2, cursor=cursor))
        assert len(page.items) <= 2
        paged += [content.content_id for content in page.items]
        cursor = page.next_cursor
    assert paged == whole


async def test_titles_sort_without_case(metadata: Metadata, alice: Actor) -> None:
    for title in ("beta", "Alpha", "Gamma"):
        await add(metadata, alice, title)
    assert titles(await metadata.search(ContentSearch(actor=alice, sort="title"))) == ["Alpha", "beta", "Gamma"]


async def test_a_cursor_shows_nothing_the_caller_may_not_see(metadata: Metadata, alice: Actor, bob: Actor) -> None:
    for n in range(4):
        await add(metadata, alice, f"private {n}", published=False)
    page = await metadata.search(ContentSearch(actor=alice, limit=2))
    assert page.next_cursor
    assert titles(await metadata.search(ContentSearch(actor=bob, limit=2, cursor=page.next_cursor))) == []


@pytest.mark.parametrize("limit", [0, -1, 201])
async def test_limits_are_limited(metadata: Metadata, limit: int) -> None:
    with pytest.raises(Invalid):
        await metadata.search(ContentSearch(actor=ANONYMOUS, limit=limit))
