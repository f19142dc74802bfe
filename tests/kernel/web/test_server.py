"""The server on real sockets: start and stop, draining, refused bodies, clients that stall or leave."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import pytest
import uvloop
from starlette.responses import PlainTextResponse, StreamingResponse
from starlette.types import Receive, Scope, Send

from streamgate.engine.server import PortBusy, Server, bind
from streamgate.errors import Forbidden
from streamgate.settings import ServerSettings
from streamgate.web.access import AccessLog
from streamgate.web.app import App
from streamgate.web.routes import CREATOR, PUBLIC, Call, Mount, Route

MakeApp = Callable[..., App]
SETTINGS = ServerSettings(read_timeout_s=0.3, write_timeout_s=1.0, drain_timeout_s=5.0)

Serve = Callable[..., Any]


@pytest.fixture
async def serve(make_app: MakeApp) -> AsyncIterator[Serve]:
    """Starts a server on a free port; gives it and a client."""
    running: list[Any] = []

    async def start(routes: list[Route], mounts: tuple[Mount, ...] = (), settings: ServerSettings = SETTINGS) -> Any:
        server = Server("http:toy", make_app(routes, mounts, settings=settings), bind("127.0.0.1", 0), settings)
        await server.start()
        client = httpx.AsyncClient(base_url=f"http://127.0.0.1:{server.port}", timeout=10)
        running.extend([client, server])
        return server, client

    yield start
    for each in running:
        await (each.aclose() if isinstance(each, httpx.AsyncClient) else each.stop())


async def take(call: Call[None, None]) -> PlainTextResponse:
    size = 0
    async for part in call.request.stream():
        size += len(part)
    return PlainTextResponse(str(size))


UPLOAD = Route("POST", "/upload", take, policy=PUBLIC, summary="Counts", raw_body=True, timeout_s=None)
REFUSED = Route("POST", "/refused", take, policy=CREATOR, summary="Refuses", raw_body=True, timeout_s=None)


async def test_start_returns_when_requests_are_answered_and_stop_refuses_new_ones(serve: Serve) -> None:
    server, client = await serve([])
    assert (await client.get("/health")).status_code == 200
    await server.stop()
    with pytest.raises(httpx.ConnectError):
        await client.get("/health")
    await server.stop()


async def test_a_server_that_never_started_lets_its_port_go(make_app: MakeApp) -> None:
    bound = bind("127.0.0.1", 0)
    port = bound.getsockname()[1]
    await Server("http:toy", make_app([]), bound, SETTINGS).stop()
    bind("127.0.0.1", port).close()


def test_a_busy_port_is_named() -> None:
    holder = bind("127.0.0.1", 0)
    holder.listen()
    port = holder.getsockname()[1]
    with pytest.raises(PortBusy, match=rf"127\.0\.0\.1:{port}: Address already in use"):
        bind("127.0.0.1", port)
    holder.close()


def test_an_address_of_another_machine_is_named() -> None:
    with pytest.raises(PortBusy, match=r"192\.0\.2\.1:1234"):
        bind("192.0.2.1", 1234)


async def test_a_running_request_is_finished_while_new_connections_are_refused(serve: Serve) -> None:
    entered, may_end = asyncio.Event(), asyncio.Event()

    async def slow(call: Call[None, None]) -> PlainTextResponse:
        entered.set()
        await may_end.wait()
        return PlainTextResponse("done")

    server, client = await serve([Route("GET", "/slow", slow, policy=PUBLIC, summary="Slow")])
    running = asyncio.create_task(client.get("/slow"))
    await entered.wait()
    stopping = asyncio.create_task(server.stop())
    is_refused = False
    while not is_refused:
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
            await reader.read()  # one that came just before is closed as idle
            writer.close()
        except ConnectionError:
            is_refused = True
    assert not stopping.done()
    may_end.set()
    assert (await running).text == "done"
    await stopping


async def test_what_does_not_end_within_the_drain_is_cut(serve: Serve) -> None:
    entered, cut = asyncio.Event(), asyncio.Event()

    async def never(call: Call[None, None]) -> None:
        entered.set()
        try:
            await asyncio.Event().wait()
        finally:
            cut.set()

    settings = ServerSettings(drain_timeout_s=0.2)
    route = Route("GET", "/never", never, policy=PUBLIC, summary="Never ends", timeout_s=None)
    server, client = await serve([route], settings=settings)
    running = asyncio.create_task(client.get("/never"))
    await entered.wait()
    await asyncio.wait_for(server.stop(), 2)
    assert cut.is_set()
    answer = await running
    assert (answer.status_code, answer.json()["code"]) == (503, "service.unavailable")


@pytest.mark.parametrize("size_bytes", [1_000, 2_000_000])
async def test_a_refused_upload_gets_its_answer(serve: Serve, size_bytes: int) -> None:
    _, client = await serve([REFUSED, UPLOAD])
    for _ in range(3):
        assert (await client.post("/refused", content=b"x" * size_bytes)).status_code == 401
    assert (await client.post("/upload", content=b"x" * size_bytes)).text == str(size_bytes)


async def test_an_upload_refused_late_gets_its_answer_and_leaves_nothing_behind(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By then hypercorn's queue of body parts is full, and it would wait for ever to put the end into it."""
    monkeypatch.setattr("streamgate.web.intake.LINGER_S", 0.2)
    may_refuse = asyncio.Event()

    async def refuse_late(call: Call[None, None]) -> None:
        await may_refuse.wait()
        raise Forbidden("no thanks")

    late = Route("POST", "/late", refuse_late, policy=PUBLIC, summary="Refuses", raw_body=True, timeout_s=None)
    server, _ = await serve([late])
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(b"POST /late HTTP/1.1\r\nhost: toy\r\ncontent-length: 900000000\r\n\r\n")
    flooding = asyncio.create_task(_flood(writer))
    await _until_it_stalls(writer)
    may_refuse.set()
    assert b" 403 " in await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)
    await asyncio.wait([flooding], timeout=10)
    assert isinstance(flooding.exception(), ConnectionError)
    writer.close()
    await asyncio.wait_for(server.stop(), 2)


async def _flood(writer: asyncio.StreamWriter) -> None:
    while True:
        writer.write(b"x" * 65536)
        await writer.drain()


async def _until_it_stalls(writer: asyncio.StreamWriter) -> None:
    """Returns when every buffer between the two sides is full: what waits in ours stays the same."""
    seen: list[int] = []
    while len(seen) < 5 or len(set(seen[-5:])) > 1 or not seen[-1]:
        await asyncio.sleep(0.02)
        seen.append(writer.transport.get_write_buffer_size())


async def test_an_endless_refused_upload_is_answered_and_cut(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streamgate.web.intake.LINGER_S", 0.2)
    server, _ = await serve([REFUSED])
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(b"POST /refused HTTP/1.1\r\nhost: toy\r\ncontent-length: 900000000\r\n\r\n")

    flooding = asyncio.create_task(_flood(writer))
    head = await reader.readuntil(b"\r\n\r\n")
    assert b" 401 " in head
    await asyncio.wait([flooding], timeout=10)
    assert isinstance(flooding.exception(), ConnectionError)
    writer.close()
    await asyncio.wait_for(server.stop(), 3)


async def test_a_mount_may_leave_a_body_unread_too(serve: Serve) -> None:
    mount = Mount(prefix="/m", app=PlainTextResponse("no thanks", 403), policy=PUBLIC, summary="Refuses")
    server, client = await serve([], (mount,))
    assert (await client.post("/m", content=b"x" * 2_000_000)).text == "no thanks"
    await asyncio.wait_for(server.stop(), 2)


async def test_a_client_that_stops_sending_gets_408(serve: Serve, access_log: AccessLog, lines: Any) -> None:
    server, _ = await serve([UPLOAD])
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(b"POST /upload HTTP/1.1\r\nhost: toy\r\ncontent-length: 100\r\n\r\nxxx")
    answer = await reader.readuntil(b"}")
    assert b" 408 " in answer
    assert b"request.timed_out" in answer
    writer.close()


async def test_a_head_that_does_not_come_is_cut(serve: Serve) -> None:
    server, _ = await serve([])
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(b"GET / HTTP/1.1\r\nhost: to")
    assert await asyncio.wait_for(reader.read(), 5) == b""
    writer.close()


async def test_a_client_that_takes_no_bytes_is_cut(serve: Serve) -> None:
    ended = asyncio.Event()

    class Endless(StreamingResponse):
        async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
            try:
                await super().__call__(scope, receive, send)
            finally:
                ended.set()

    async def parts() -> AsyncIterator[bytes]:
        while True:
            yield b"x" * 1_000_000

    async def stream(call: Call[None, None]) -> StreamingResponse:
        return Endless(parts())

    server, _ = await serve([Route("GET", "/big", stream, policy=PUBLIC, summary="Big")])
    with socket.create_connection(("127.0.0.1", server.port)) as stalled:
        stalled.sendall(b"GET /big HTTP/1.1\r\nhost: toy\r\n\r\n")
        await asyncio.wait_for(ended.wait(), 15)


async def test_an_answer_that_fails_midway_is_cut_visibly(serve: Serve) -> None:
    async def parts() -> AsyncIterator[bytes]:
        yield b"begun"
        raise KeyError("midway")

    async def stream(call: Call[None, None]) -> StreamingResponse:
        return StreamingResponse(parts())

    _, client = await serve([Route("GET", "/half", stream, policy=PUBLIC, summary="Half")])
    with pytest.raises(httpx.RemoteProtocolError):
        await client.get("/half")


async def test_an_upload_whose_client_leaves_is_noted_as_left(serve: Serve, access_log: AccessLog, lines: Any) -> None:
    server, client = await serve([UPLOAD])
    _, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(b"POST /upload HTTP/1.1\r\nhost: toy\r\ncontent-length: 100\r\n\r\nxxx")
    await writer.drain()
    writer.close()
    while not lines.lines:
        access_log.flush()
        await client.get("/health")
    assert [line.status for line in lines.lines if line.path == "/upload"] in ([499], [])
    await server.stop()
    access_log.flush()
    assert [line.status for line in lines.lines if line.path == "/upload"] == [499]


async def test_the_access_log_is_written_by_the_time_the_server_has_stopped(serve: Serve, lines: Any) -> None:
    server, client = await serve([])
    await client.get("/health")
    await server.stop()
    assert [line.path for line in lines.lines] == ["/health"]


def test_serving_draining_and_cutting_hold_on_uvloop_too(make_app: MakeApp) -> None:
    entered = asyncio.Event()

    async def never(call: Call[None, None]) -> None:
        entered.set()
        await asyncio.Event().wait()

    async def story() -> int:
        routes = [UPLOAD, Route("GET", "/never", never, policy=PUBLIC, summary="Never ends", timeout_s=None)]
        server = Server("http:toy", make_app(routes), bind("127.0.0.1", 0), ServerSettings(drain_timeout_s=0.2))
        await server.start()
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{server.port}", timeout=5) as client:
            assert (await client.post("/upload", content=b"x" * 2_000_000)).text == "2000000"
            running = asyncio.create_task(client.get("/never"))
            await entered.wait()
            await asyncio.wait_for(server.stop(), 2)
            with pytest.raises(httpx.ConnectError):
                await client.get("/health")
            return (await running).status_code

    assert uvloop.run(story()) == 503
