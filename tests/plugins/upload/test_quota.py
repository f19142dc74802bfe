"""How much a person may have, counted on what is received."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from streamgate.context import Actor
from streamgate.contracts.metadata import METADATA, ContentDelete, NewContent
from streamgate.contracts.uploads import QuotaExceeded
from streamgate.settings import OutgoingSettings
from streamgate.testing.attacks import attack
from streamgate.testing.wait import eventually
from streamgate_upload.config import UploadConfig
from streamgate_upload.quota import Quota
from tests.plugins.upload.test_importing import HERE, host, submit

if TYPE_CHECKING:
    from tests.plugins.upload.conftest import Harbour, OpenHarbour

SIZE = 100_000


async def usage(harbour: Harbour, actor: Actor) -> dict[str, Any]:
    answer = await harbour.call(actor, "GET", "/quota")
    assert answer.status_code == 200
    found: dict[str, Any] = answer.json()
    return found


async def send_form(harbour: Harbour, actor: Actor, data: bytes, **fields: str) -> Any:
    return await harbour.call(actor, "POST", "", files={"file": ("x.mp4", data)}, data=fields)


def is_exceeded(answer: Any, used_bytes: int, limit_bytes: int) -> bool:
    told = answer.json()
    return (answer.status_code, told["code"], told["used_bytes"], told["limit_bytes"]) == (
        413,
        "upload.quota_exceeded",
        used_bytes,
        limit_bytes,
    )


async def test_without_a_limit_it_is_only_counted(harbour: Harbour, alice: Actor, clip: bytes) -> None:
    assert await usage(harbour, alice) == {"used_bytes": 0, "limit_bytes": None, "open_uploads": 0, "open_limit": 32}
    await harbour.init(alice, clip)
    assert (await usage(harbour, alice))["used_bytes"] == len(clip)
    assert (await usage(harbour, alice))["open_uploads"] == 1


async def test_open_and_finished_uploads_count_and_ended_ones_do_not(
    open_harbour: OpenHarbour, alice: Actor, bob: Actor
) -> None:
    data = b"x" * SIZE
    async with open_harbour(quota_bytes=2 * SIZE) as harbour:
        done = (await send_form(harbour, alice, data)).json()
        opened = await harbour.init(alice, data)
        assert (await usage(harbour, alice))["used_bytes"] == 2 * SIZE
        full = {"filename": "x", "size_bytes": 1}
        assert is_exceeded(await harbour.call(alice, "POST", "/init", json=full), 2 * SIZE, 2 * SIZE)
        assert is_exceeded(await send_form(harbour, alice, b"x"), 2 * SIZE, 2 * SIZE)
        answer = await harbour.call(alice, "POST", "/tus", headers={"Tus-Resumable": "1.0.0", "Upload-Length": "1"})
        assert is_exceeded(answer, 2 * SIZE, 2 * SIZE)
        assert (await harbour.call(bob, "POST", "/init", json=full)).status_code == 201
        await harbour.call(alice, "DELETE", "", params={"upload_id": opened["upload_id"]})
        assert (await usage(harbour, alice))["used_bytes"] == SIZE
        await harbour.home.services.get(METADATA).delete(ContentDelete(content_id=done["content_id"], actor=alice))

        async def is_free() -> bool | None:
            return (await usage(harbour, alice))["used_bytes"] == 0 or None

        await eventually(is_free, every_s=0.02)
        assert (await send_form(harbour, alice, data)).status_code == 201


async def test_a_file_that_grows_past_the_limit_is_cut_off(open_harbour: OpenHarbour, alice: Actor) -> None:
    async with open_harbour(quota_bytes=SIZE) as harbour:
        assert is_exceeded(await send_form(harbour, alice, b"x" * (SIZE + 1)), 0, SIZE)
        assert (await usage(harbour, alice))["used_bytes"] == 0
        await harbour.until_no_blobs()
        assert (await send_form(harbour, alice, b"x" * SIZE)).status_code == 201


@attack("A14", "B38")
@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
async def test_forms_sent_at_once_do_not_pass_the_limit(
    open_harbour: OpenHarbour, alice: Actor, kind: str, request: pytest.FixtureRequest
) -> None:
    url = request.getfixturevalue("postgres_url") if kind == "postgres" else ""
    async with open_harbour(quota_bytes=2 * SIZE, database_url=url) as harbour:
        sent = await asyncio.gather(*(send_form(harbour, alice, b"x" * SIZE) for _ in range(5)))
        assert sorted(answer.status_code for answer in sent) == [201, 201, 413, 413, 413]
        assert (await usage(harbour, alice))["used_bytes"] == 2 * SIZE


async def test_an_import_past_the_limit_fails(open_harbour: OpenHarbour, alice: Actor) -> None:
    async with (
        open_harbour(quota_bytes=SIZE, outgoing=HERE) as harbour,
        host(lambda _: ("200 OK", b"x" * (SIZE + 1))) as served,
    ):
        made = await submit(harbour, alice, served.url)
        failed = await harbour.until_status(alice, made, "failed")
        assert failed["failure"] in ("upload.quota_exceeded", "outgoing.too_large")
        assert (await usage(harbour, alice))["used_bytes"] == 0


async def test_a_refused_form_leaves_a_draft_as_it_was(open_harbour: OpenHarbour, alice: Actor) -> None:
    async with open_harbour(quota_bytes=SIZE, outgoing=OutgoingSettings()) as harbour:
        content = await harbour.home.services.get(METADATA).create(NewContent(actor=alice, title="Mine"))
        answer = await send_form(harbour, alice, b"x" * (SIZE + 1), content_id=content.content_id)
        assert answer.status_code == 413
        upload_id = (await harbour.call(alice, "GET", "/list")).json()["items"][0]["upload_id"]
        await harbour.until_failed(upload_id)
        found = await harbour.content(alice, content.content_id)
        assert (found.state, found.title) == ("draft", "Mine")
        assert (await send_form(harbour, alice, b"x", content_id=content.content_id)).status_code == 201
        await harbour.until_state(alice, content.content_id, "processing")


def test_new_limits_count_from_the_next_question_on() -> None:
    quota = Quota(db=None, limit_bytes=0, max_open=1)  # type: ignore[arg-type]  # nothing is asked of it
    quota.check_size(10, left_bytes=None)
    quota.take(UploadConfig(quota_bytes=9, max_open_uploads=5))
    with pytest.raises(QuotaExceeded, match="0 of 9 bytes"):
        quota.check_size(10, left_bytes=9)
