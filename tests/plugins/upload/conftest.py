from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any, cast

import attrs
import httpx
import pytest

from streamgate.context import Actor
from streamgate.contracts.audit import AUDITED, AuditEntry
from streamgate.contracts.auth import AUTH, Auth, GateDraft, GateQuery, SetGate, StoredGate
from streamgate.contracts.events import (
    UPLOAD_FAILED,
    UPLOAD_FINISHED,
    UploadFailed,
    UploadFinished,
)
from streamgate.contracts.gate import GateInvalid
from streamgate.contracts.live import LIVE, LiveUpdate
from streamgate.contracts.metadata import METADATA, AccessQuery, Content
from streamgate.events import Received, on_everyone, on_group
from streamgate.sdk.blobs import BlobStore
from streamgate.services import Offer
from streamgate.settings import BlobSettings, DatabaseSettings, KernelSettings, OutgoingSettings, Secret, ServerSettings
from streamgate.testing.house import House, house
from streamgate.testing.wait import eventually
from streamgate_upload.config import UploadConfig

CHUNK_BYTES = 64 * 1024
BASE = "/api/v1/upload"


class Gates:
    """Stands in for auth, which is not in the house: keeps the gates it is told."""

    def __init__(self) -> None:
        self.kept: dict[str, Any] = {}

    async def validate_gate(self, draft: GateDraft) -> None:
        if set(draft.gate) != {"public"}:
            raise GateInvalid("not a gate of this test")

    async def get_gate(self, query: GateQuery) -> StoredGate:
        gate = self.kept.get(query.content_id)
        return StoredGate(content_id=query.content_id, gate=gate, revision=len(self.kept))

    async def set_gate(self, wanted: SetGate) -> StoredGate:
        self.kept[wanted.content_id] = wanted.gate
        return StoredGate(content_id=wanted.content_id, gate=wanted.gate, revision=1)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)

        async def unasked(*request: Any) -> Any:
            raise AssertionError(f"upload must not ask auth for {name}")

        return unasked


@attrs.frozen(kw_only=True)
class Harbour:
    """Upload and metadata running, with what the tests look at."""

    home: House
    gates: Gates
    finished: list[UploadFinished]
    failed: list[UploadFailed]
    live: list[LiveUpdate]
    audited: list[AuditEntry]

    @property
    def blobs(self) -> BlobStore:
        store: BlobStore = self.home.plugins["upload"]._blobs
        return store

    async def call(self, actor: Actor, method: str, path: str, **arguments: Any) -> httpx.Response:
        async with self.home.client(actor) as http:
            return await http.request(method, f"{BASE}{path}", **arguments)

    async def init(self, actor: Actor, data: bytes, **fields: Any) -> dict[str, Any]:
        body = {"filename": "clip.mp4", "size_bytes": len(data), **fields}
        answer = await self.call(actor, "POST", "/init", json=body)
        assert answer.status_code == 201, answer.text
        made: dict[str, Any] = answer.json()
        return made

    async def send(
        self, actor: Actor, upload: dict[str, Any], data: bytes, index: int, **arguments: Any
    ) -> httpx.Response:
        size = upload["chunk_size_bytes"]
        query = {"upload_id": upload["upload_id"], "index": index}
        body = {"content": data[index * size : (index + 1) * size], **arguments}
        return await self.call(actor, "POST", "/chunk", params=query, **body)

    async def send_all(self, actor: Actor, upload: dict[str, Any], data: bytes) -> None:
        for index in range(upload["chunks"]):
            assert (await self.send(actor, upload, data, index)).status_code == 200

    async def complete(self, actor: Actor, upload: dict[str, Any], **fields: Any) -> httpx.Response:
        return await self.call(actor, "POST", "/complete", json={"upload_id": upload["upload_id"], **fields})

    async def status(self, actor: Actor, upload: dict[str, Any]) -> dict[str, Any]:
        answer = await self.call(actor, "GET", "/status", params={"upload_id": upload["upload_id"]})
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    async def until_status(self, actor: Actor, upload: dict[str, Any], status: str) -> dict[str, Any]:
        async def probe() -> dict[str, Any] | None:
            found = await self.status(actor, upload)
            return found if found["status"] == status else None

        return await eventually(probe, every_s=0.01, what=f"status {status}")

    async def content(self, actor: Actor, content_id: str) -> Content:
        query = AccessQuery(content_id=content_id, actor=actor, want="see")
        return await self.home.services.get(METADATA).get(query)

    async def until_state(self, actor: Actor, content_id: str, state: str) -> Content:
        async def probe() -> Content | None:
            found = await self.content(actor, content_id)
            return found if found.state == state else None

        return await eventually(probe, every_s=0.01, what=f"state {state}")

    async def until_failed(self, upload_id: str) -> UploadFailed:
        """What the others are told of its end."""

        async def probe() -> UploadFailed | None:
            return next((event for event in self.failed if event.upload_id == upload_id), None)

        return await eventually(probe, every_s=0.01, what="upload.failed")

    async def blob_keys(self) -> list[str]:
        return [blob.key async for blob in self.blobs.list()]

    async def until_no_blobs(self) -> None:
        async def probe() -> bool | None:
            return True if not await self.blob_keys() else None

        await eventually(probe, every_s=0.01, what="an empty blob store")


OpenHarbour = Callable[..., AbstractAsyncContextManager[Harbour]]


@pytest.fixture
def open_harbour(tmp_path: Path) -> OpenHarbour:
    """Opens one on the test's own data directory; again after the first is closed: a restart."""

    @asynccontextmanager
    async def open_it(
        *,
        database_url: str = "",
        reserve_bytes: int = 0,
        blobs: BlobSettings | None = None,
        outgoing: OutgoingSettings | None = None,
        public_url: str = "",
        **config: Any,
    ) -> AsyncIterator[Harbour]:
        gates = Gates()
        live: list[LiveUpdate] = []
        audited: list[AuditEntry] = []
        finished: list[UploadFinished] = []
        failed: list[UploadFailed] = []

        async def on_finished(event: Received[UploadFinished]) -> None:
            finished.append(event.body)

        async def on_failed(event: Received[UploadFailed]) -> None:
            failed.append(event.body)

        async def nothing_missed() -> None:
            """Live progress is of the moment."""

        async def on_live(event: Received[LiveUpdate]) -> None:
            live.append(event.body)

        async def on_audited(event: Received[AuditEntry]) -> None:
            audited.append(event.body)

        heard: Sequence[Any] = [
            on_everyone(LIVE, on_live, resync=nothing_missed),
            on_group(AUDITED, on_audited, group="test"),
            on_group(UPLOAD_FINISHED, on_finished, group="test"),
            on_group(UPLOAD_FAILED, on_failed, group="test"),
        ]
        configs = {"upload": UploadConfig(**{"chunk_size_bytes": CHUNK_BYTES, **config})}
        database = DatabaseSettings(url=Secret(database_url))
        async with house(
            tmp_path,
            ["metadata", "upload"],
            configs=configs,
            offers=[Offer(AUTH, cast(Auth, gates))],
            subscriptions=heard,
            settings=KernelSettings(
                profile="test",
                data_dir=tmp_path,
                database=database,
                blobs=blobs or BlobSettings(reserve_bytes=reserve_bytes),
                outgoing=outgoing or OutgoingSettings(),
                server=ServerSettings(public_url=public_url),
            ),
        ) as home:
            yield Harbour(home=home, gates=gates, finished=finished, failed=failed, live=live, audited=audited)

    return open_it


@pytest.fixture
async def harbour(open_harbour: OpenHarbour) -> AsyncIterator[Harbour]:
    async with open_harbour() as harbour:
        yield harbour


@pytest.fixture
def alice() -> Actor:
    return Actor(kind="user", user_id="alice", roles=("creator",))


@pytest.fixture
def bob() -> Actor:
    return Actor(kind="user", user_id="bob", roles=("creator",))


@pytest.fixture
def clip() -> bytes:
    """Two and a half chunks of bytes that do not repeat."""
    return b"".join(hashlib.sha256(bytes([n % 256, n // 256])).digest() for n in range(CHUNK_BYTES * 5 // 64))
