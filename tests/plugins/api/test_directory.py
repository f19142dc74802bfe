"""Announcements over the bus, and one description for all services."""

from __future__ import annotations

from typing import Any

import attrs
import httpx
import pytest

from streamgate.announce import ANNOUNCE, Announcement, Announcer
from streamgate.bus import open_bus
from streamgate.errors import Unavailable
from streamgate.testing.servers import NatsServer
from streamgate.testing.wait import eventually
from streamgate.web.routes import PUBLIC, Call, Route
from streamgate_api.config import ApiConfig
from streamgate_api.directory import Directory
from streamgate_api.forwarder import Forwarder
from streamgate_api.targets import Targets


@attrs.frozen(kw_only=True)
class Thing:
    size: int


def with_thing(path: str, kind: type) -> Route:
    async def give(call: Call[None, None]) -> Any:
        return kind()

    return Route("GET", path, give, policy=PUBLIC, summary="Gives", answer=kind)


async def status_becomes(gateway: Any, status: int) -> bool:
    async def look() -> bool | None:
        return True if (await gateway.http.get("/api/v1/jobs/x")).status_code == status else None

    return await eventually(look, timeout_s=3, every_s=0.01)


async def test_an_announcement_on_the_bus_opens_the_way_and_a_leaving_closes_it(gateway: Any) -> None:
    async def say(call: Call[None, None]) -> None:
        return None

    route = Route("GET", "/api/v1/jobs/x", say, policy=PUBLIC, summary="Says")
    backend = await gateway.start([route], [], "worker")
    announcer = Announcer(gateway.bus, [backend.announced("worker", "/api/v1/jobs")])
    await announcer.start()
    assert await status_becomes(gateway, 204)
    await announcer.stop()
    assert await status_becomes(gateway, 503)


async def test_nonsense_on_the_bus_changes_nothing(gateway: Any) -> None:
    for payload in (b"", b"{}", b"[]", b'{"service": 1}', b"\xff"):
        await gateway.bus.broadcast(ANNOUNCE, payload)
    assert (await gateway.http.get("/api/v1/jobs/x")).status_code == 503


async def test_a_gateway_that_starts_later_hears_at_once_over_nats(nats_server: NatsServer) -> None:
    service_bus, gateway_bus = (open_bus(nats_server.url, name=name) for name in ("service", "gateway"))
    await service_bus.start()
    await gateway_bus.start()
    targets = Targets({})
    directory = Directory(gateway_bus, targets, Forwarder(targets, ApiConfig()))
    told = Announcement(
        service="upload", instance="a", base_url="http://a:1", prefixes=("/api/v1/upload",), openapi_sha256="s"
    )
    announcer = Announcer(service_bus, [told], every_s=3600)
    await announcer.start()
    await directory.start()

    async def heard() -> bool | None:
        return True if targets.addresses_of("upload") else None

    async def gone() -> bool | None:
        return None if targets.addresses_of("upload") else True

    assert await eventually(heard, timeout_s=3)
    await announcer.stop()
    assert await eventually(gone, timeout_s=3)
    await directory.stop()
    await gateway_bus.stop()
    await service_bus.stop()


async def test_readiness_names_who_is_absent(gateway: Any) -> None:
    await gateway.serve("upload", [])
    with pytest.raises(Unavailable) as fault:
        await gateway.directory.probe()
    assert fault.value.detail == "nobody serves transcoder, streaming, metadata, cache, auth, worker, monitor"


async def test_one_document_describes_all(gateway: Any) -> None:
    other = attrs.make_class("Thing", {"colour": attrs.field(type=str)}, frozen=True)
    await gateway.serve("upload", [with_thing("/api/v1/upload/thing", Thing)])
    backend = await gateway.serve("worker", [with_thing("/api/v1/jobs/thing", other)])
    answer = await gateway.http.get("/openapi.json")
    document = answer.json()
    assert {"/api/v1/upload/thing", "/api/v1/jobs/thing", "/health"} <= set(document["paths"])

    def schema_of(path: str) -> Any:
        content = document["paths"][path]["get"]["responses"]["200"]["content"]["application/json"]
        return document["components"]["schemas"][content["schema"]["$ref"].rpartition("/")[2]]

    assert list(schema_of("/api/v1/upload/thing")["properties"]) == ["size"]
    assert list(schema_of("/api/v1/jobs/thing")["properties"]) == ["colour"]
    again = await gateway.http.get("/openapi.json", headers={"if-none-match": answer.headers["etag"]})
    assert again.status_code == 304
    await backend.server.stop()  # kept by its hash: not asked again while it is announced
    assert "/api/v1/jobs/thing" in (await gateway.http.get("/openapi.json")).json()["paths"]


async def test_a_service_that_cannot_be_described_is_left_out(gateway: Any) -> None:
    backend = await gateway.serve("worker", [with_thing("/api/v1/jobs/thing", Thing)])
    await backend.server.stop()
    answer: httpx.Response = await gateway.http.get("/openapi.json")
    assert answer.status_code == 200
    assert "/api/v1/jobs/thing" not in answer.json()["paths"]
