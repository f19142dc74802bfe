"""Search and lists on both databases: what is found, in what order, by whom."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamgate.context import ANONYMOUS, Actor
from streamgate.contracts.events import UPLOAD_FAILED, UploadFailed
from streamgate.contracts.metadata import (
    METADATA,
    BeginUpload,
    ContentDelete,
    ContentPage,
    ContentSearch,
    ContentUpdate,
    Facet,
    FacetQuery,
    Metadata,
    NewContent,
    Publish,
    Visibility,
)
from streamgate.errors import Invalid
from streamgate.settings import DatabaseSettings, KernelSettings, Secret
from streamgate.testing.house import House, house


@pytest.fixture(params=["sqlite", "postgres"])
async def home(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[House]:
    url = request.getfixturevalue("postgres_url") if request.param == "postgres" else ""
    kernel = KernelSettings(profile="test", data_dir=tmp_path, database=DatabaseSettings(url=Secret(url)))
    async with house(tmp_path, ["metadata"], settings=kernel) as home:
        yield home


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


async def found(metadata: Metadata, q: str, actor: Actor = ANONYMOUS, **filters: str) -> list[str]:
    return titles(await metadata.search(ContentSearch(actor=actor, q=q, **filters)))  # type: ignore[arg-type]


async def paged(metadata: Metadata, query: ContentSearch, limit: int) -> list[str]:
    ids: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        page = await metadata.search(
            ContentSearch(actor=query.actor, q=query.q, sort=query.sort, limit=limit, cursor=cursor)
        )
        assert len(page.items) <= limit
        ids += [content.content_id for content in page.items]
        cursor = page.next_cursor
    return ids


@pytest.mark.parametrize("q", ["", "bunny"])
async def test_only_what_the_caller_may_see_is_found(
    metadata: Metadata, alice: Actor, bob: Actor, moderator: Actor, q: str
) -> None:
    await add(metadata, alice, "bunny listed")
    await add(metadata, alice, "bunny unlisted", visibility="unlisted")
    hidden = await add(metadata, alice, "bunny no gate", published=False)
    gone = await add(metadata, alice, "bunny gone")
    await metadata.delete(ContentDelete(content_id=gone, actor=alice))
    everything = {"bunny listed", "bunny unlisted", "bunny no gate"}
    for actor in (ANONYMOUS, bob):
        assert await found(metadata, q, actor) == await found(metadata, q, actor, owner="alice") == ["bunny listed"]
    for actor in (alice, moderator):
        assert set(await found(metadata, q, actor)) == everything
    assert await found(metadata, q, moderator, owner="bob") == []
    await metadata.publish(Publish(content_id=hidden, revision=2, published=True))
    assert set(await found(metadata, q)) == {"bunny listed", "bunny no gate"}
    await metadata.publish(Publish(content_id=hidden, revision=3, published=False))
    await metadata.update(ContentUpdate(content_id=hidden, actor=alice, title="bunny no gate"))
    assert await found(metadata, q) == ["bunny listed"]


async def test_the_title_comes_before_tags_before_the_description_and_words_before_their_beginnings(
    metadata: Metadata, alice: Actor
) -> None:
    await add(metadata, alice, "words", description="of a wolf in a field")
    await add(metadata, alice, "tags", tags=("Wolf",))
    await add(metadata, alice, "The wolf")
    await add(metadata, alice, "Wolfgang")
    await add(metadata, alice, "WOLF!")
    await add(metadata, alice, "something else")
    expected = ["WOLF!", "The wolf", "Wolfgang", "tags", "words"]
    assert await found(metadata, "wolf") == expected
    assert await found(metadata, "wol") == ["WOLF!", "Wolfgang", "The wolf", "tags", "words"]
    assert await found(metadata, "wolf field") == ["words"]
    assert await found(metadata, '"the wolf"') == ["The wolf"]
    assert await found(metadata, '"wolf the"') == []
    assert await found(metadata, "wolf cat") == []


async def test_words_without_case_accents_and_spaces_between(metadata: Metadata, alice: Actor) -> None:
    for title in ("ÜBER ÖDLAND", "Crème brûlée", "Straße", "東京タワーの夜", "สวัสดีชาวโลก", "हिन्दी फ़िल्म", "clip 🎬 day"):
        await add(metadata, alice, title)
    for q, expected in {
        "uber": "ÜBER ÖDLAND",
        "ödland": "ÜBER ÖDLAND",
        "creme brul": "Crème brûlée",
        "STRASSE": "Straße",
        "タワー": "東京タワーの夜",
        "夜": "東京タワーの夜",
        "ﾀﾜｰ": "東京タワーの夜",
        "ชาว": "สวัสดีชาวโลก",
        "हिन्दी": "हिन्दी फ़िल्म",
        "🎬": "clip 🎬 day",
    }.items():
        assert await found(metadata, q) == [expected], q
    assert await found(metadata, "京東") == []


async def test_misspelt_words_are_understood_where_nothing_has_them(metadata: Metadata, alice: Actor) -> None:
    await add(metadata, alice, "Sunflower fields", description="photographed in Provence")
    await add(metadata, alice, "Wolf")
    for q in ("sunflowr", "sunfolwer", "sunflouver", "snuflower fields", "photgraphed", "feilds", "proevnce"):
        assert await found(metadata, q) == ["Sunflower fields"], q
    for q in ("wulf", "wolg", "wlof", "owlf", "olf"):  # the last has too few letters
        assert await found(metadata, q) == ([] if q == "olf" else ["Wolf"]), q
    assert await found(metadata, "sonnenblume") == []
    assert await found(metadata, '"sunflowr"') == []
    await add(metadata, alice, "Wulf")
    assert await found(metadata, "wulf") == ["Wulf"]


async def test_what_was_found_is_marked_and_nothing_else_is_markup(metadata: Metadata, alice: Actor) -> None:
    far = "word " * 100
    await add(
        metadata,
        alice,
        "<b>Über</b> & wölfe",
        description=f'{far}\n<script>alert("wolfe")</script> {far}',
        tags=("none", "<wolfen>"),
    )
    page = await metadata.search(ContentSearch(actor=alice, q="uber wolfe"))
    [marked] = page.highlights.values()
    assert marked.title == "&lt;b&gt;<mark>Über</mark>&lt;/b&gt; &amp; <mark>wölfe</mark>"
    assert marked.tags == ("&lt;<mark>wolfen</mark>&gt;",)
    assert marked.description.startswith("… word")
    assert marked.description.endswith("word …")
    assert "&lt;script&gt;alert(&quot;<mark>wolfe</mark>&quot;)&lt;/script&gt;" in marked.description
    assert len(marked.description) < 400
    [marked] = (await metadata.search(ContentSearch(actor=alice, q="uber wulfe"))).highlights.values()
    assert "<mark>wölfe</mark>" in marked.title
    assert (await metadata.search(ContentSearch(actor=alice))).highlights == {}


async def test_signs_are_plain_text(metadata: Metadata, alice: Actor) -> None:
    await add(metadata, alice, "nothing special")
    await add(metadata, alice, "100% _ * done")
    for q in ("%", "_", "*", "% *"):
        assert await found(metadata, q) == ["100% _ * done"], q
    for q in ("a\\", "'; DROP TABLE metadata_contents; --", "title:nothing OR 1", '"nothing', "NEAR(nothing special)"):
        await found(metadata, q)
    assert await found(metadata, '"nothing') == await found(metadata, "nothing*") == ["nothing special"]
    assert await found(metadata, "nothing OR special") == await found(metadata, "nothing AND special") == []
    assert len(await found(metadata, "  ")) == 2


async def test_filters_alone_and_beside_words(metadata: Metadata, alice: Actor) -> None:
    await add(metadata, alice, "one wolf", tags=("Cats", "Straße"), category="Film")
    await add(metadata, alice, "two wolf", tags=("Catsuit",), category="Filmstock")
    for q in ("", "wolf"):
        assert await found(metadata, q, tag="cats") == await found(metadata, q, tag=" STRASSE ") == ["one wolf"]
        assert await found(metadata, q, category="Film") == ["one wolf"]
        assert await found(metadata, q, category="film") == []
        assert await found(metadata, q, tag="Catsuit", category="Filmstock", state="draft") == ["two wolf"]
        assert await found(metadata, q, tag="Catsuit", category="Film") == []
        assert await found(metadata, q, state="ready") == []


async def test_a_state_is_sought_as_it_is_now(home: House, metadata: Metadata, alice: Actor) -> None:
    async def is_sought_as(state: str) -> None:
        for q in ("", "wolf", "wulf"):
            assert await found(metadata, q, state=state) == ["wolf"], (state, q)
            assert await found(metadata, q, state="ready") == []

    content_id = await add(metadata, alice, "wolf")
    await is_sought_as("draft")
    await metadata.begin_upload(BeginUpload(actor=alice, content_id=content_id))
    await is_sought_as("uploading")
    failed = UploadFailed(subject_id=content_id, revision=1, upload_id="u", content_id=content_id, code="x", detail="")
    await home.events.publish(UPLOAD_FAILED, failed, event_id="e_1")
    await is_sought_as("failed")


async def test_filters_may_be_longer_than_any_name(metadata: Metadata, alice: Actor) -> None:
    await add(metadata, alice, "wolf", tags=("ß" * 50,))
    for q in ("", "wolf"):
        assert await found(metadata, q, tag="ẞ" * 50) == ["wolf"]
        for name in ("owner", "tag", "category"):
            assert await found(metadata, q, ANONYMOUS, **{name: "ß" * 500}) == []


@pytest.mark.parametrize("q", ["", "title", "titel"])
async def test_pages_meet_in_every_order_whatever_is_added_meanwhile(metadata: Metadata, alice: Actor, q: str) -> None:
    for n in (3, 1, 4, 1, 5, 9, 2):
        await add(metadata, alice, f"title {n}", tags=("title",) if n == 9 else ())
        await add(metadata, alice, f"no {n}", description="a title")
    for sort in ("relevance", "newest", "oldest", "title", "duration"):
        query = ContentSearch(actor=alice, q=q, sort=sort)
        whole = [content.content_id for content in (await metadata.search(query)).items]
        assert len(whole) == 14
        assert await paged(metadata, query, 3) == whole
    query = ContentSearch(actor=alice, q=q, limit=5)
    first = await metadata.search(query)
    added = {await add(metadata, alice, "title new"), await add(metadata, alice, "no", description="title")}
    whole = [content.content_id for content in first.items]
    while first.next_cursor is not None:
        first = await metadata.search(ContentSearch(actor=alice, q=q, limit=5, cursor=first.next_cursor))
        whole += [content.content_id for content in first.items]
    assert len(whole) == len(set(whole))
    assert len(set(whole) - added) == 14


async def test_titles_sort_without_case(metadata: Metadata, alice: Actor) -> None:
    for title in ("beta x", "Alpha x", "Gamma x"):
        await add(metadata, alice, title)
    for q in ("", "x"):
        assert await found(metadata, q, sort="title") == ["Alpha x", "beta x", "Gamma x"]


async def test_a_cursor_shows_nothing_the_caller_may_not_see(metadata: Metadata, alice: Actor, bob: Actor) -> None:
    for n in range(4):
        await add(metadata, alice, f"private {n}", published=False)
    for q in ("", "private"):
        page = await metadata.search(ContentSearch(actor=alice, q=q, limit=2))
        assert page.next_cursor
        assert titles(await metadata.search(ContentSearch(actor=bob, q=q, limit=2, cursor=page.next_cursor))) == []


async def test_limits_are_limited(metadata: Metadata) -> None:
    for limit in (0, -1, 201):
        with pytest.raises(Invalid):
            await metadata.search(ContentSearch(actor=ANONYMOUS, limit=limit))
        with pytest.raises(Invalid):
            await metadata.tags(FacetQuery(actor=ANONYMOUS, limit=limit))
    for cursor in ("x", base64.urlsafe_b64encode(b'["relevance",1,"",1]').decode()):  # of a search, and this is a list
        with pytest.raises(Invalid):
            await metadata.search(ContentSearch(actor=ANONYMOUS, cursor=cursor))


async def test_categories_and_tags_count_what_the_caller_may_list(metadata: Metadata, alice: Actor, bob: Actor) -> None:
    await add(metadata, alice, "1", tags=("Cats", "dogs"), category="Film")
    await add(metadata, alice, "2", tags=("cats", "100%"), category="Film", visibility="unlisted")
    private = await add(metadata, alice, "3", tags=("secret",), category="Plans", published=False)

    async def facets(actor: Actor, prefix: str = "") -> tuple[list[Facet], list[Facet]]:
        categories = await metadata.categories(FacetQuery(actor=actor))
        return list(categories.items), list((await metadata.tags(FacetQuery(actor=actor, prefix=prefix))).items)

    cats_and_dogs = [Facet(name="cats", count=1), Facet(name="dogs", count=1)]
    assert await facets(bob) == ([Facet(name="Film", count=1)], cats_and_dogs)
    assert await facets(alice, "CA") == (
        [Facet(name="Film", count=2), Facet(name="Plans", count=1)],
        [Facet(name="cats", count=2)],
    )
    assert (await facets(alice, "100%"))[1] == [Facet(name="100%", count=1)]
    assert (await facets(alice, "%"))[1] == []
    await metadata.delete(ContentDelete(content_id=private, actor=alice))
    assert (await facets(alice))[0] == [Facet(name="Film", count=2)]


async def test_any_text_is_a_query(metadata: Metadata, alice: Actor) -> None:
    """As many in one go as a test has time for: signs of both databases' query languages among them."""
    await add(metadata, alice, "nothing special", tags=("a b",))
    signs = st.text(
        st.sampled_from("\"'*:^+-()&|!<>\\{}% _aE京\u0301🎬\u200d ") | st.characters(codec="utf-8"), max_size=30
    )
    asked: list[tuple[str, str]] = []

    @settings(max_examples=150, database=None, deadline=None)
    @given(signs, signs)
    def collect(q: str, tag: str) -> None:
        asked.append((q, tag))

    collect()
    for n, (q, tag) in enumerate(asked):
        query = ContentSearch(actor=alice, q=q, tag=tag if n % 3 == 0 else "", sort="relevance" if n % 2 else "title")
        if "\0" in q + query.tag:
            with pytest.raises(Invalid):
                await metadata.search(query)
        else:
            await metadata.search(query)
