"""Events move contents: repeated, late and out of order."""

from __future__ import annotations

import pytest

from streamgate.context import Actor
from streamgate.contracts.events import (
    CONTENT_DELETED,
    GATE_CHANGED,
    MEDIA_FAILED,
    MEDIA_PLAYABLE,
    MEDIA_READY,
    PICTURES_CHANGED,
    UPLOAD_FAILED,
    UPLOAD_FINISHED,
    ContentDeleted,
    GateChanged,
    MediaFailed,
    MediaPlayable,
    MediaReady,
    PicturesChanged,
    UploadFailed,
    UploadFinished,
)
from streamgate.contracts.metadata import (
    METADATA,
    AccessQuery,
    BeginUpload,
    Content,
    ContentDelete,
    ContentNotFound,
    Metadata,
    NewContent,
    Publish,
)
from streamgate.events import Received, on_group
from streamgate.testing.house import House, house


@pytest.fixture
def metadata(home: House) -> Metadata:
    return home.services.get(METADATA)


@pytest.fixture
async def content_id(metadata: Metadata, alice: Actor) -> str:
    content = await metadata.create(NewContent(actor=alice, title="clip"))
    await metadata.begin_upload(BeginUpload(actor=alice, content_id=content.content_id))
    return content.content_id


def finished(content_id: str, revision: int = 1) -> UploadFinished:
    return UploadFinished(
        subject_id=content_id,
        revision=revision,
        upload_id="u_1",
        content_id=content_id,
        owner="alice",
        filename="clip.mp4",
        source_key="sources/u_1",
        size_bytes=5,
    )


def playable(content_id: str, revision: int, version: int = 1) -> MediaPlayable:
    return MediaPlayable(subject_id=content_id, revision=revision, media_version=version, duration_s=60.0, kind="video")


def ready(content_id: str, revision: int, version: int = 1) -> MediaReady:
    return MediaReady(subject_id=content_id, revision=revision, media_version=version, duration_s=60.0, kind="video")


async def get(metadata: Metadata, actor: Actor, content_id: str) -> Content:
    return await metadata.get(AccessQuery(content_id=content_id, actor=actor, want="see"))


async def test_events_lead_to_ready(home: House, metadata: Metadata, alice: Actor, content_id: str) -> None:
    await home.events.publish(UPLOAD_FINISHED, finished(content_id), event_id="e1")
    assert (await get(metadata, alice, content_id)).state == "processing"
    await home.events.publish(MEDIA_PLAYABLE, playable(content_id, 1), event_id="e2")
    await home.events.publish(MEDIA_READY, ready(content_id, 2), event_id="e3")
    content = await get(metadata, alice, content_id)
    assert (content.state, content.playable, content.duration_s, content.media_version) == ("ready", True, 60.0, 1)


async def test_a_repeated_event_changes_nothing(home: House, metadata: Metadata, alice: Actor, content_id: str) -> None:
    for event_id in ("e1", "e1"):
        await home.events.publish(UPLOAD_FINISHED, finished(content_id), event_id=event_id)
    before = await get(metadata, alice, content_id)
    await home.events.publish(UPLOAD_FINISHED, finished(content_id), event_id="e1")
    assert await get(metadata, alice, content_id) == before


async def test_a_lower_revision_of_one_producer_is_ignored(
    home: House, metadata: Metadata, alice: Actor, content_id: str
) -> None:
    failed = MediaFailed(subject_id=content_id, revision=1, media_version=1, code="media.bad", detail="")
    await home.events.publish(MEDIA_READY, ready(content_id, 2), event_id="e1")
    await home.events.publish(MEDIA_FAILED, failed, event_id="e2")
    assert (await get(metadata, alice, content_id)).state == "ready"


async def test_revisions_of_two_producers_are_counted_apart(
    home: House, metadata: Metadata, alice: Actor, content_id: str
) -> None:
    await home.events.publish(UPLOAD_FINISHED, finished(content_id, revision=9), event_id="e1")
    await home.events.publish(MEDIA_READY, ready(content_id, 1), event_id="e2")
    assert (await get(metadata, alice, content_id)).state == "ready"


async def test_a_failed_upload_fails_the_content_with_its_code(
    home: House, metadata: Metadata, alice: Actor, content_id: str
) -> None:
    body = UploadFailed(
        subject_id=content_id, revision=1, upload_id="u_1", content_id=content_id, code="upload.expired", detail="late"
    )
    await home.events.publish(UPLOAD_FAILED, body, event_id="e1")
    content = await get(metadata, alice, content_id)
    assert (content.state, content.failure, content.failure_detail) == ("failed", "upload.expired", "late")


async def test_a_deleted_content_stays_deleted(home: House, metadata: Metadata, alice: Actor, content_id: str) -> None:
    await metadata.delete(ContentDelete(content_id=content_id, actor=alice))
    await home.events.publish(UPLOAD_FINISHED, finished(content_id), event_id="e1")
    await home.events.publish(MEDIA_READY, ready(content_id, 5), event_id="e2")
    with pytest.raises(ContentNotFound):
        await get(metadata, alice, content_id)


async def test_an_event_of_an_unknown_content_is_taken(home: House, metadata: Metadata, alice: Actor) -> None:
    """Taken means handled: neither tried again nor put away as undeliverable."""
    await home.events.publish(MEDIA_READY, ready("c_unknown", 1), event_id="e1")
    await say_gate(home, "c_unknown", 1, has_gate=True)
    assert await home.bus.dead_letters() == {}
    with pytest.raises(ContentNotFound):
        await get(metadata, alice, "c_unknown")


async def test_deletion_is_told_once(tmp_path_factory: pytest.TempPathFactory, alice: Actor) -> None:
    told: list[ContentDeleted] = []

    async def hear(event: Received[ContentDeleted]) -> None:
        told.append(event.body)

    folder = tmp_path_factory.mktemp("told")
    async with house(folder, ["metadata"], subscriptions=[on_group(CONTENT_DELETED, hear, group="test")]) as home:
        metadata = home.services.get(METADATA)
        content = await metadata.create(NewContent(actor=alice, title="clip"))
        for _ in range(2):
            await metadata.delete(ContentDelete(content_id=content.content_id, actor=alice))
    # Stopping flushes the outbox.
    assert [(body.subject_id, body.owner) for body in told] == [(content.content_id, "alice")]
    assert told[0].revision > content.revision


# --- gates ------------------------------------------------------------------------------------------


async def say_gate(home: House, content_id: str, revision: int, has_gate: bool) -> None:
    body = GateChanged(subject_id=content_id, revision=revision, has_gate=has_gate)
    await home.events.publish(GATE_CHANGED, body, event_id=f"g{revision}")


async def test_a_gate_publishes_and_its_removal_withdraws(
    home: House, metadata: Metadata, alice: Actor, content_id: str
) -> None:
    for revision, has_gate in ((1, True), (2, False), (3, True)):
        await say_gate(home, content_id, revision, has_gate)
        assert ((await get(metadata, alice, content_id)).published_at is not None) is has_gate


async def test_a_late_gate_changes_nothing(home: House, metadata: Metadata, alice: Actor, content_id: str) -> None:
    """Neither as an event nor as a call."""
    await say_gate(home, content_id, 2, has_gate=False)
    await say_gate(home, content_id, 1, has_gate=True)
    late = await metadata.publish(Publish(content_id=content_id, revision=1, published=True))
    assert late == await get(metadata, alice, content_id)
    assert late.published_at is None


async def test_a_gate_heard_by_both_roads_counts_once(
    home: House, metadata: Metadata, alice: Actor, content_id: str
) -> None:
    called = await metadata.publish(Publish(content_id=content_id, revision=1, published=True))
    await say_gate(home, content_id, 1, has_gate=True)
    assert await get(metadata, alice, content_id) == called


async def test_a_poster_has_its_address_while_it_is_there(home: House, metadata: Metadata, alice: Actor) -> None:
    made = await metadata.create(NewContent(actor=alice, title="clip"))
    seen = [(made.poster_url, made.moving_poster_url)]
    for revision, still, moves in ((5, True, True), (4, False, False), (6, True, False), (7, False, False)):
        told = PicturesChanged(  # the second one comes late
            subject_id=made.content_id, revision=revision, media_version=1, has_poster=still, has_moving_poster=moves
        )
        await home.events.publish(PICTURES_CHANGED, told, event_id=f"poster:{revision}")
        found = await metadata.get(AccessQuery(content_id=made.content_id, actor=alice, want="see"))
        seen.append((found.poster_url, found.moving_poster_url))
    jpeg, webp = (f"/api/v1/stream/poster/{made.content_id}.{kind}" for kind in ("jpg", "webp"))
    assert seen == [(None, None), (jpeg, webp), (jpeg, webp), (jpeg, None), (None, None)]
