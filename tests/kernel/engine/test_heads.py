"""Large heads on a real socket: the edge answers what the server has read, the server cuts the rest."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

import httpx
import pytest

from streamgate.engine.base import MAX_HEAD_BYTES
from streamgate.engine.server import Server, bind
from streamgate.sdk.edge.addresses import ClientAddresses
from streamgate.sdk.edge.policy import Edge
from streamgate.settings import LimitSettings, ServerSettings
from streamgate.web.app import App

MakeApp = Callable[..., App]


@pytest.fixture
async def client(make_app: MakeApp, settings: ServerSettings) -> AsyncIterator[httpx.AsyncClient]:
    edge = Edge(settings, LimitSettings(address_per_minute=5), addresses=ClientAddresses(()))
    server = Server("http:toy", make_app([], settings=settings, policy=edge), bind("127.0.0.1", 0), settings)
    await server.start()
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{server.port}", timeout=10) as each:
        yield each
    await server.stop()


async def test_a_large_head_is_431_with_a_problem(client: httpx.AsyncClient) -> None:
    answer = await client.get("/health", headers={f"x-{number}": "a" * 4_000 for number in range(10)})
    assert (answer.status_code, answer.json()["code"]) == (431, "request.headers_too_large")
    assert (await client.get("/health")).status_code == 200


async def test_a_long_url_is_414_with_a_problem(client: httpx.AsyncClient) -> None:
    answer = await client.get("/health?" + "a" * 20_000)
    assert (answer.status_code, answer.json()["code"]) == (414, "request.url_too_long")


async def test_a_head_beyond_what_the_server_reads_is_refused(client: httpx.AsyncClient) -> None:
    """Sent in pieces, as a network would: the server has read more than it takes before the head is whole."""
    port = client.base_url.port
    assert port is not None
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET /health HTTP/1.1\r\nhost: toy\r\n")
    piece = b"x-more: " + b"a" * 8_000 + b"\r\n"
    answer = asyncio.create_task(reader.readline())
    for _ in range(MAX_HEAD_BYTES // len(piece) + 3):
        writer.write(piece)
        await asyncio.sleep(0)
        if answer.done():
            break
    assert (await asyncio.wait_for(answer, 5)).split()[1] in (b"431", b"400")
    writer.close()


async def test_requests_are_counted_on_both(client: httpx.AsyncClient) -> None:
    answers = [await client.get("/openapi.json") for _ in range(2)]
    assert [each.headers["ratelimit-remaining"] for each in answers] == ["4", "3"]
    preflight = {"origin": "https://x.example", "access-control-request-method": "GET"}
    assert (await client.options("/openapi.json", headers=preflight)).status_code == 204
