"""An upload and its content begin together, whatever fails between."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy.orm import Session

from streamgate.context import Actor
from streamgate.contracts.metadata import METADATA, BeginUpload, Content, ContentDelete, ContentSearch, NewContent
from streamgate.errors import Unavailable
from streamgate.testing.wait import eventually
from streamgate_upload import repository

if TYPE_CHECKING:
    from tests.plugins.upload.conftest import Harbour

BODY = {"filename": "clip.mp4", "size_bytes": 10}
FORM: dict[str, Any] = {"files": {"file": ("clip.mp4", b"0123456789")}}


async def own_content(harbour: Harbour, actor: Actor) -> str:
    content = await harbour.home.services.get(METADATA).create(NewContent(actor=actor, title="Mine"))
    return content.content_id


async def contents_of(harbour: Harbour, actor: Actor) -> dict[str, str]:
    """State by id."""
    found = await harbour.home.services.get(METADATA).search(ContentSearch(actor=actor))
    return {content.content_id: content.state for content in found.items}


def break_row(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(session: Session, upload: object) -> None:
        raise Unavailable("the database went away")

    monkeypatch.setattr(repository, "add", broken)


async def test_a_content_whose_upload_was_not_stored_stays_as_it_was(
    harbour: Harbour, alice: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    content_id = await own_content(harbour, alice)
    break_row(monkeypatch)
    answer = await harbour.call(alice, "POST", "/init", json={**BODY, "content_id": content_id})
    assert answer.status_code == 503
    assert await contents_of(harbour, alice) == {content_id: "draft"}


async def test_a_new_content_that_cannot_be_taken_back_is_a_draft(
    harbour: Harbour, alice: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after a crash between the two: nothing is on its way, and nothing says so."""

    async def away(wanted: ContentDelete) -> None:
        raise Unavailable("metadata went away")

    break_row(monkeypatch)
    monkeypatch.setattr(harbour.home.services.get(METADATA), "delete", away)
    answer = await harbour.call(alice, "POST", "/init", json=BODY)
    assert (answer.status_code, answer.json()["detail"]) == (503, "the database went away")
    assert list((await contents_of(harbour, alice)).values()) == ["draft"]


Begin = Callable[[BeginUpload], Awaitable[Content]]


def around_begin(harbour: Harbour, monkeypatch: pytest.MonkeyPatch, wrap: Callable[[Begin], Begin]) -> None:
    metadata = harbour.home.services.get(METADATA)
    monkeypatch.setattr(metadata, "begin_upload", wrap(metadata.begin_upload))


async def test_an_upload_whose_beginning_got_no_answer_is_given_up(
    harbour: Harbour, alice: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lost(begin: Begin) -> Begin:
        async def call(wanted: BeginUpload) -> Content:
            await begin(wanted)
            raise Unavailable("the answer was lost")

        return call

    content_id = await own_content(harbour, alice)
    around_begin(harbour, monkeypatch, lost)
    answer = await harbour.call(alice, "POST", "/init", json={**BODY, "content_id": content_id})
    assert answer.status_code == 503
    assert (await harbour.until_state(alice, content_id, "failed")).failure == "upload.interrupted"
    [item] = (await harbour.call(alice, "GET", "/list")).json()["items"]
    assert item["status"] == "failed"
    await harbour.until_no_blobs()


@pytest.mark.parametrize(("path", "request_"), [("/init", {"json": BODY}), ("", FORM)], ids=["chunks", "single"])
async def test_nothing_is_uploaded_across_the_deletion_of_its_content(
    harbour: Harbour, alice: Actor, monkeypatch: pytest.MonkeyPatch, path: str, request_: dict[str, Any]
) -> None:
    """Deleted after the upload was allowed: whoever hears of the deletion does not know the upload yet."""

    def too_late(begin: Begin) -> Begin:
        async def call(wanted: BeginUpload) -> Content:
            await metadata.delete(ContentDelete(content_id=wanted.content_id, actor=alice))
            return await begin(wanted)

        return call

    metadata = harbour.home.services.get(METADATA)
    around_begin(harbour, monkeypatch, too_late)
    answer = await harbour.call(alice, "POST", path, **request_)
    assert (answer.status_code, answer.json()["code"]) == (404, "content.not_found")
    [item] = (await harbour.call(alice, "GET", "/list")).json()["items"]
    assert item["status"] in ("failed", "aborted")
    assert await contents_of(harbour, alice) == {}
    await harbour.until_no_blobs()


async def test_an_upload_that_never_began_expires_and_harms_nothing(
    harbour: Harbour, alice: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after a crash before metadata was told."""

    def never(begin: Begin) -> Begin:
        async def call(wanted: BeginUpload) -> Content:
            return Content(content_id=wanted.content_id, owner="alice", title="Mine")

        return call

    content_id = await own_content(harbour, alice)
    around_begin(harbour, monkeypatch, never)
    upload = await harbour.init(alice, b"x" * 10, content_id=content_id)
    plugin = harbour.home.plugins["upload"]

    def pass_time(session: Session) -> None:
        repository.get_locked(session, upload["upload_id"]).expires_at_ms = 0

    await plugin._db.write(pass_time)
    await plugin.sweeper.sweep()

    async def told() -> bool | None:
        return True if harbour.failed else None

    await eventually(told, every_s=0.01, what="the end of the upload to be told")
    assert await contents_of(harbour, alice) == {content_id: "draft"}


async def test_the_content_of_another_is_not_known(harbour: Harbour, alice: Actor, bob: Actor) -> None:
    content_id = await own_content(harbour, bob)
    moderator = Actor(kind="user", user_id="mo", roles=("creator", "moderator"))
    for actor in (alice, moderator):
        answer = await harbour.call(actor, "POST", "/init", json={**BODY, "content_id": content_id})
        assert (answer.status_code, answer.json()["code"]) == (404, "content.not_found")
        assert (await harbour.call(actor, "GET", "/list")).json()["items"] == []
    assert harbour.failed == []
