"""The service: who may, what is kept, what is told."""

from __future__ import annotations

import pytest

from streamgate.context import ANONYMOUS, Actor
from streamgate.contracts.metadata import (
    METADATA,
    AccessQuery,
    BeginUpload,
    Content,
    ContentDelete,
    ContentNotFound,
    ContentQuery,
    ContentUpdate,
    Metadata,
    NewContent,
    Publish,
)
from streamgate.errors import Forbidden, Invalid, Unauthorized
from streamgate.testing.house import House


@pytest.fixture
def metadata(home: House) -> Metadata:
    return home.services.get(METADATA)


async def create(metadata: Metadata, actor: Actor, *, published: bool = False) -> Content:
    content = await metadata.create(NewContent(actor=actor, title="Big Buck Bunny", tags=("Bunny",)))
    if published:
        content = await metadata.publish(Publish(content_id=content.content_id, revision=1, published=True))
    return content


async def test_a_new_content_is_a_draft_of_its_maker(metadata: Metadata, alice: Actor) -> None:
    content = await create(metadata, alice)
    assert content.content_id.startswith("c_")
    assert (content.owner, content.state, content.playable, content.visibility) == ("alice", "draft", False, "unlisted")
    assert content.published_at is None
    assert await metadata.get(AccessQuery(content_id=content.content_id, actor=alice, want="change")) == content


async def test_nobody_creates_nothing(metadata: Metadata) -> None:
    with pytest.raises(Unauthorized):
        await metadata.create(NewContent(actor=ANONYMOUS, title="x"))


async def test_unknown_private_and_deleted_answer_alike(metadata: Metadata, alice: Actor, bob: Actor) -> None:
    private = await create(metadata, alice)
    deleted = await create(metadata, bob)
    await metadata.delete(ContentDelete(content_id=deleted.content_id, actor=bob))
    said = set()
    for content_id in (private.content_id, deleted.content_id, "c_0000000000000000000000"):
        for actor in (bob, ANONYMOUS):
            with pytest.raises(ContentNotFound) as caught:
                await metadata.get(AccessQuery(content_id=content_id, actor=actor, want="see"))
            said.add((caught.value.code, caught.value.detail.replace(content_id, "X")))
    assert len(said) == 1


async def test_a_published_content_answers_whoever_has_its_id(metadata: Metadata, alice: Actor, bob: Actor) -> None:
    content = await create(metadata, alice, published=True)
    for actor in (bob, ANONYMOUS):
        assert (await metadata.get(AccessQuery(content_id=content.content_id, actor=actor, want="see"))) == content
        with pytest.raises(Forbidden):
            await metadata.get(AccessQuery(content_id=content.content_id, actor=actor, want="change"))


async def test_without_a_gate_it_is_private_again(metadata: Metadata, alice: Actor, bob: Actor) -> None:
    content = await create(metadata, alice, published=True)
    await metadata.publish(Publish(content_id=content.content_id, revision=2, published=False))
    with pytest.raises(ContentNotFound):
        await metadata.get(AccessQuery(content_id=content.content_id, actor=bob, want="see"))


async def test_publishing_again_keeps_the_first_time(metadata: Metadata, alice: Actor) -> None:
    content = await create(metadata, alice, published=True)
    assert await metadata.publish(Publish(content_id=content.content_id, revision=1, published=True)) == content


async def test_moderators_see_and_change_what_others_own(metadata: Metadata, alice: Actor, moderator: Actor) -> None:
    content = await create(metadata, alice)
    changed = await metadata.update(ContentUpdate(content_id=content.content_id, actor=moderator, title="Kept"))
    assert (changed.title, changed.owner) == ("Kept", "alice")


async def test_an_update_touches_only_what_is_given(metadata: Metadata, alice: Actor) -> None:
    content = await create(metadata, alice)
    changed = await metadata.update(
        ContentUpdate(content_id=content.content_id, actor=alice, description="A rabbit.", visibility="listed")
    )
    assert (changed.title, changed.tags) == (content.title, content.tags)
    assert (changed.description, changed.visibility) == ("A rabbit.", "listed")
    assert changed.revision == content.revision + 1


async def test_others_cannot_change_or_delete(metadata: Metadata, alice: Actor, bob: Actor) -> None:
    private, published = await create(metadata, alice), await create(metadata, alice, published=True)
    for content, error in ((private, ContentNotFound), (published, Forbidden)):
        for actor in (bob, ANONYMOUS):
            with pytest.raises(error):
                await metadata.update(ContentUpdate(content_id=content.content_id, actor=actor, title="Mine"))
            with pytest.raises(error):
                await metadata.delete(ContentDelete(content_id=content.content_id, actor=actor))
        assert (await metadata.facts(ContentQuery(content_id=content.content_id))).owner == "alice"


async def test_bad_texts_are_named(metadata: Metadata, alice: Actor) -> None:
    content = await create(metadata, alice)
    with pytest.raises(Invalid) as caught:
        await metadata.update(ContentUpdate(content_id=content.content_id, actor=alice, title="a\r\n#EXT", tags=("",)))
    assert [error.field for error in caught.value.errors] == ["title", "tags[0]"]


async def test_deleting_twice_is_harmless(metadata: Metadata, alice: Actor, bob: Actor) -> None:
    content = await create(metadata, alice)
    await metadata.delete(ContentDelete(content_id=content.content_id, actor=alice))
    await metadata.delete(ContentDelete(content_id=content.content_id, actor=alice))
    with pytest.raises(ContentNotFound):
        await metadata.delete(ContentDelete(content_id=content.content_id, actor=bob))
    with pytest.raises(ContentNotFound):
        await metadata.facts(ContentQuery(content_id=content.content_id))
    with pytest.raises(ContentNotFound):
        await metadata.publish(Publish(content_id=content.content_id, revision=1, published=True))


async def test_facts_tell_services_what_a_decision_needs(metadata: Metadata, alice: Actor) -> None:
    content = await create(metadata, alice)
    facts = await metadata.facts(ContentQuery(content_id=content.content_id))
    assert (facts.content_id, facts.owner) == (content.content_id, "alice")


async def test_an_upload_begins_in_ones_own_content(metadata: Metadata, alice: Actor) -> None:
    own = await create(metadata, alice)
    begun = [await metadata.begin_upload(BeginUpload(actor=alice, content_id=own.content_id)) for _ in range(2)]
    assert [content.state for content in begun] == ["uploading", "uploading"]
    assert begun[0] == begun[1]


@pytest.mark.parametrize("published", [True, False])
async def test_nobody_uploads_into_the_content_of_another(
    metadata: Metadata, alice: Actor, bob: Actor, moderator: Actor, published: bool
) -> None:
    content = await create(metadata, alice, published=published)
    for actor in (bob, moderator, ANONYMOUS):
        with pytest.raises(ContentNotFound):
            await metadata.begin_upload(BeginUpload(actor=actor, content_id=content.content_id))


async def test_nothing_is_uploaded_into_a_deleted_content(metadata: Metadata, alice: Actor) -> None:
    content = await create(metadata, alice)
    await metadata.delete(ContentDelete(content_id=content.content_id, actor=alice))
    with pytest.raises(ContentNotFound):
        await metadata.begin_upload(BeginUpload(actor=alice, content_id=content.content_id))
