"""Files fetched from a URL: in the background, guarded, with an end that is always told."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import attrs
import pytest

from streamgate.context import Actor
from streamgate.contracts.metadata import METADATA, NewContent
from streamgate.sdk.blobs import BlobInfo
from streamgate.settings import OutgoingSettings
from streamgate.testing.attacks import attack
from streamgate.testing.wait import eventually
from streamgate_upload import importing

if TYPE_CHECKING:
    from tests.plugins.upload.conftest import Harbour, OpenHarbour

HERE = OutgoingSettings(allow_http=True, ports=(0,), allow_networks=("127.0.0.0/8",))


@attrs.define
class Host:
    url: str
    heads: list[bytes] = attrs.field(factory=list)
    gate: asyncio.Event = attrs.field(factory=asyncio.Event)
    """Set: the second half of a body comes."""


@asynccontextmanager
async def host(answer: Callable[[int], tuple[str, bytes]]) -> AsyncIterator[Host]:
    """A server that gives `answer(nth request)`: the status line's rest, and the body, in two halves."""
    made = Host("")
    handlers: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        handlers.add(task)
        try:
            made.heads.append(await reader.readuntil(b"\r\n\r\n"))
            status, body = answer(len(made.heads))
            head = f"HTTP/1.1 {status}\r\nContent-Type: video/mp4\r\nContent-Length: {len(body)}\r\n\r\n"
            writer.write(head.encode() + body[: len(body) // 2])
            await writer.drain()
            await made.gate.wait()
            writer.write(body[len(body) // 2 :])
            await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        made.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/films/my%20clip.mp4?key=1"
        try:
            yield made
        finally:
            made.gate.set()
            await asyncio.gather(*handlers)


async def submit(harbour: Harbour, actor: Actor, url: str, **fields: Any) -> dict[str, Any]:
    answer = await harbour.call(actor, "POST", "/import", json={"url": url, **fields})
    assert answer.status_code == 202, answer.text
    made: dict[str, Any] = answer.json()
    return made


async def test_a_file_is_fetched_with_progress(open_harbour: OpenHarbour, alice: Actor, clip: bytes) -> None:
    async with open_harbour(outgoing=HERE) as harbour, host(lambda _: ("200 OK", clip)) as served:
        made = await submit(harbour, alice, served.url, title="Fetched", gate={"public": {}})
        assert (made["filename"], made["status"]) == ("my clip.mp4", "receiving")
        assert harbour.gates.kept == {made["content_id"]: {"public": {}}}

        async def knows_size() -> bool | None:
            return (await harbour.status(alice, made))["size_bytes"] == len(clip) or None

        await eventually(knows_size)
        served.gate.set()
        done = await harbour.until_status(alice, made, "complete")
        assert (done["size_bytes"], done["progress"]) == (len(clip), 1.0)
        assert done["sha256"] == hashlib.sha256(clip).hexdigest()
        content = await harbour.until_state(alice, made["content_id"], "processing")
        assert content.title == "Fetched"
        assert await harbour.blobs.read(f"sources/{made['upload_id']}") == clip
        assert {update.event for update in harbour.live if update.id == made["upload_id"]} >= {
            "upload.changed",
            "upload.progress",
        }


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("http://127.0.0.1:8080/x", "outgoing.url_refused"),
        ("https://127.0.0.1/x", "outgoing.address_refused"),
        ("https://[::1]/x", "outgoing.address_refused"),
        ("https://169.254.169.254/latest", "outgoing.address_refused"),
        ("file:///etc/passwd", "outgoing.url_refused"),
        ("https://u:p@example.org/", "outgoing.url_refused"),
        ("", "outgoing.url_refused"),
    ],
)
async def test_urls_that_may_not_be_are_refused_at_once(harbour: Harbour, alice: Actor, url: str, code: str) -> None:
    answer = await harbour.call(alice, "POST", "/import", json={"url": url})
    assert (answer.status_code, answer.json()["code"]) == (422, code)
    assert (await harbour.call(alice, "GET", "/list")).json()["items"] == []


@attack("A9", "B29")
async def test_a_name_that_leads_inside_fails(open_harbour: OpenHarbour, alice: Actor) -> None:
    async with open_harbour(outgoing=OutgoingSettings(allow_http=True, ports=(0,))) as harbour:
        made = await submit(harbour, alice, "http://localhost:9/x")
        failed = await harbour.until_status(alice, made, "failed")
        assert failed["failure"] == "outgoing.address_refused"
        await harbour.until_state(alice, made["content_id"], "failed")


@pytest.mark.parametrize(
    ("status", "body", "code"),
    [("404 Not Found", b"no", "upload.import_refused"), ("200 OK", b"", "upload.import_refused")],
)
async def test_what_is_no_file_fails(
    open_harbour: OpenHarbour, alice: Actor, status: str, body: bytes, code: str
) -> None:
    async with open_harbour(outgoing=HERE) as harbour, host(lambda _: (status, body)) as served:
        served.gate.set()
        made = await submit(harbour, alice, served.url)
        failed = await harbour.until_status(alice, made, "failed")
        assert failed["failure"] == code
        assert "key=1" not in failed["failure_detail"]
        await harbour.until_no_blobs()


async def test_too_large_a_file_is_not_fetched(open_harbour: OpenHarbour, alice: Actor, clip: bytes) -> None:
    async with (
        open_harbour(outgoing=HERE, max_size_bytes=len(clip) - 1) as harbour,
        host(lambda _: ("200 OK", clip)) as served,
    ):
        made = await submit(harbour, alice, served.url)
        failed = await harbour.until_status(alice, made, "failed")
        assert failed["failure"] == "outgoing.too_large"


async def test_a_host_that_fails_is_asked_again(
    open_harbour: OpenHarbour, alice: Actor, clip: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("streamgate_upload.importing.FIRST_PAUSE_S", 0.0)
    answers = {1: ("503 Busy", b"no"), 2: ("200 OK", clip)}
    async with open_harbour(outgoing=HERE) as harbour, host(lambda nth: answers[nth]) as served:
        served.gate.set()
        made = await submit(harbour, alice, served.url)
        await harbour.until_status(alice, made, "complete")
        assert len(served.heads) == 2


async def test_a_host_that_stays_away_fails_after_some_attempts(
    open_harbour: OpenHarbour, alice: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("streamgate_upload.importing.FIRST_PAUSE_S", 0.0)
    async with open_harbour(outgoing=HERE) as harbour, host(lambda _: ("500 No", b"no")) as served:
        served.gate.set()
        made = await submit(harbour, alice, served.url)
        failed = await harbour.until_status(alice, made, "failed")
        assert (failed["failure"], len(served.heads)) == ("outgoing.unreachable", 4)


async def test_a_delete_ends_it(open_harbour: OpenHarbour, alice: Actor, clip: bytes) -> None:
    async with open_harbour(outgoing=HERE) as harbour, host(lambda _: ("200 OK", clip)) as served:
        made = await submit(harbour, alice, served.url)

        async def is_asked() -> bool | None:
            return bool(served.heads) or None

        await eventually(is_asked)
        answer = await harbour.call(alice, "DELETE", "", params={"upload_id": made["upload_id"]})
        assert answer.status_code == 204
        assert (await harbour.status(alice, made))["status"] == "aborted"
        await harbour.until_no_blobs()
        other = await submit(harbour, alice, served.url)  # and the next one is fetched
        served.gate.set()
        await harbour.until_status(alice, other, "complete")
        assert (await harbour.status(alice, made))["status"] == "aborted"


async def test_what_a_stopped_process_fetched_is_fetched_by_the_next(
    open_harbour: OpenHarbour, alice: Actor, clip: bytes
) -> None:
    async with host(lambda _: ("200 OK", clip)) as served:
        async with open_harbour(outgoing=HERE) as harbour:
            made = await submit(harbour, alice, served.url)

            async def is_asked() -> bool | None:
                return bool(served.heads) or None

            await eventually(is_asked)
        served.gate.set()
        async with open_harbour(outgoing=HERE) as harbour:
            await harbour.until_status(alice, made, "complete")
            assert await harbour.blobs.read(f"sources/{made['upload_id']}") == clip
    assert len(served.heads) == 2


async def test_who_comes_late_leaves_what_another_process_has_finished(
    open_harbour: OpenHarbour, alice: Actor, clip: bytes
) -> None:
    async with open_harbour(outgoing=HERE) as harbour, host(lambda _: ("200 OK", clip)) as served:
        served.gate.set()
        made = await submit(harbour, alice, served.url)
        await harbour.until_status(alice, made, "complete")
        importer = harbour.home.plugins["upload"].importer
        upload = (await importer._uploads.find(alice, made["upload_id"])).upload
        with pytest.raises(importing._Lost):
            await importer._finish(upload, "who held it before", BlobInfo(size_bytes=1, sha256=""))
        assert await harbour.blobs.read(f"sources/{made['upload_id']}") == clip


async def test_one_that_never_comes_to_an_end_is_given_up(
    open_harbour: OpenHarbour, alice: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def dies(*_: Any) -> None:
        raise RuntimeError("as if killed")

    monkeypatch.setattr(importing, "HOLD_S", 0.0)
    monkeypatch.setattr(importing, "POLL_S", 0.01)
    monkeypatch.setattr(importing, "TAKEN_MAX", 3)
    monkeypatch.setattr(importing.Importer, "_fetch", dies)
    async with open_harbour(outgoing=HERE) as harbour:
        made = await submit(harbour, alice, "http://127.0.0.1:9/x")
        failed = await harbour.until_status(alice, made, "failed")
        assert failed["failure"] == "upload.interrupted"
        assert (await harbour.until_failed(made["upload_id"])).code == "upload.interrupted"


async def test_a_content_of_ones_own_takes_it(open_harbour: OpenHarbour, alice: Actor, clip: bytes) -> None:
    async with open_harbour(outgoing=HERE) as harbour, host(lambda _: ("200 OK", clip)) as served:
        served.gate.set()
        content = await harbour.home.services.get(METADATA).create(NewContent(actor=alice, title="Mine"))
        made = await submit(harbour, alice, served.url, content_id=content.content_id)
        assert made["content_id"] == content.content_id
        await harbour.until_status(alice, made, "complete")
        changes: list[dict[str, Any]] = [{"title": "Other"}, {"gate": {"public": {}}}]
        for change in changes:
            body = {"url": served.url, "content_id": content.content_id, **change}
            answer = await harbour.call(alice, "POST", "/import", json=body)
            assert (answer.status_code, answer.json()["code"]) == (422, "request.invalid")


async def test_a_bad_gate_makes_nothing(harbour: Harbour, alice: Actor) -> None:
    body = {"url": "https://93.184.216.34/x.mp4", "gate": {"bad": 1}}
    answer = await harbour.call(alice, "POST", "/import", json=body)
    assert (answer.status_code, answer.json()["code"]) == (422, "gate.invalid")
    assert (await harbour.call(alice, "GET", "/list")).json()["items"] == []
