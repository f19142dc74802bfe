"""Clients that stall, leave, send what nobody reads, or heads that never end: either server stays well."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import pytest
from starlette.responses import PlainTextResponse, StreamingResponse
from starlette.types import Receive, Scope, Send

from streamgate.errors import Forbidden
from streamgate.web.access import AccessLog
from streamgate.web.routes import CREATOR, PUBLIC, Call, Mount, Route

Serve = Callable[..., Any]


async def take(call: Call[None, None]) -> PlainTextResponse:
    size = 0
    async for part in call.request.stream():
        size += len(part)
    return PlainTextResponse(str(size))


UPLOAD = Route("POST", "/upload", take, policy=PUBLIC, summary="Counts", raw_body=True, timeout_s=None)
REFUSED = Route("POST", "/refused", take, policy=CREATOR, summary="Refuses", raw_body=True, timeout_s=None)


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
    writer.write(b"POST /late HTTP/1.1\r\nhost: toy\r\ncontent-length: 900000000000\r\n\r\n")
    flooding = asyncio.create_task(_flood(writer))
    await _until_it_stalls(writer)
    may_refuse.set()
    assert b" 403 " in await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)
    await asyncio.wait([flooding], timeout=10)
    assert isinstance(flooding.exception(), ConnectionError)
    writer.close()
    await asyncio.wait_for(server.stop(), 2)


async def _flood(writer: asyncio.StreamWriter, what: bytes = b"x" * 65536) -> None:
    while True:
        writer.write(what)
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
    writer.write(b"POST /refused HTTP/1.1\r\nhost: toy\r\ncontent-length: 900000000000\r\n\r\n")

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


class Endless(StreamingResponse):
    """Says when it has ended."""

    def __init__(self, parts: AsyncIterator[bytes], ended: asyncio.Event) -> None:
        super().__init__(parts)
        self._ended = ended

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._ended.set()


async def test_a_client_that_takes_no_bytes_is_cut(serve: Serve) -> None:
    ended = asyncio.Event()

    async def parts() -> AsyncIterator[bytes]:
        while True:
            yield b"x" * 1_000_000

    async def stream(call: Call[None, None]) -> StreamingResponse:
        return Endless(parts(), ended)

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


@pytest.mark.parametrize("sent", ["a", "GET / HTTP/1.1\r\nhost: to"])
async def test_a_head_that_comes_drop_by_drop_has_one_time_limit(serve: Serve, sent: str) -> None:
    server, client = await serve([])
    assert (await client.get("/health")).status_code == 200
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    closed = asyncio.create_task(reader.read())
    began = asyncio.get_running_loop().time()
    writer.write(sent.encode())
    while not closed.done() and asyncio.get_running_loop().time() - began < 10:
        writer.write(b"x")
        await asyncio.wait([closed], timeout=0.05)
    assert closed.done()
    assert b"200" not in (b"" if closed.exception() else closed.result())
    writer.close()


async def test_a_second_head_on_a_kept_connection_has_the_time_limit_too(serve: Serve) -> None:
    server, _ = await serve([])
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(b"GET /health HTTP/1.1\r\nhost: toy\r\n\r\n")
    assert b" 200 " in await reader.readuntil(b"\r\n\r\n")
    writer.write(b"GET /health HTTP/1.1\r\nhost: to")
    assert b"200" not in await asyncio.wait_for(reader.read(), 5)
    writer.close()


async def test_a_head_that_grows_without_end_is_cut(serve: Serve) -> None:
    server, client = await serve([], read_timeout_s=30.0)
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(b"GET / HTTP/1.1\r\nhost: toy\r\n")
    flooding = asyncio.create_task(_flood(writer, b"x-more: " + b"x" * 4000 + b"\r\n"))
    answer = await asyncio.wait_for(_all_of(reader), 10)
    assert answer == b"" or answer.split(b" ", 2)[1] in (b"400", b"431")
    await asyncio.wait([flooding], timeout=10)
    assert isinstance(flooding.exception(), ConnectionError)
    assert (await client.get("/health")).status_code == 200
    writer.close()


@pytest.mark.parametrize("framing", [b"x-more: " + b"x" * 4000 + b"\r\n", b"x" * 4000])
async def test_a_body_of_framing_alone_is_cut(serve: Serve, framing: bytes) -> None:
    """Trailers, or the extension of a chunk, that never end: no part of a body comes, and all of it would be kept."""
    server, client = await serve([UPLOAD], read_timeout_s=30.0)
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    begun = b"0\r\n" if b":" in framing else b"5;x="
    writer.write(b"POST /upload HTTP/1.1\r\nhost: toy\r\ntransfer-encoding: chunked\r\n\r\n" + begun)
    flooding = asyncio.create_task(_flood(writer, framing))
    await asyncio.wait_for(_all_of(reader), 10)
    await asyncio.wait([flooding], timeout=10)
    assert isinstance(flooding.exception(), ConnectionError)
    assert (await client.get("/health")).status_code == 200
    writer.close()


async def test_a_trailer_is_no_header(serve: Serve) -> None:
    async def tell(call: Call[None, None]) -> PlainTextResponse:
        size = len(await call.request.body())
        return PlainTextResponse(f"{size} {call.request.headers.get('x-forwarded-for')}")

    route = Route("POST", "/tell", tell, policy=PUBLIC, summary="Tells", raw_body=True, timeout_s=None)
    server, _ = await serve([route])
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    head = b"POST /tell HTTP/1.1\r\nhost: toy\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n"
    writer.write(head + b"5\r\nhello\r\n0\r\nx-forwarded-for: 192.0.2.1\r\n\r\n")
    assert (await reader.read()).endswith(b"5 None")
    writer.close()


async def _all_of(reader: asyncio.StreamReader) -> bytes:
    try:
        return await reader.read()
    except ConnectionError:
        return b""


async def test_what_is_not_http_is_refused_and_closed(serve: Serve) -> None:
    server, client = await serve([])
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(b"\x16\x03\x01 no words of ours\r\n\r\n")
    answer = await asyncio.wait_for(reader.read(), 5)
    assert answer.startswith(b"HTTP/1.1 400")
    assert b"uvicorn" not in answer.lower()
    assert b"hypercorn" not in answer.lower()
    assert (await client.get("/health")).status_code == 200
    writer.close()


async def test_a_client_that_leaves_while_it_is_answered_ends_the_answer(serve: Serve) -> None:
    ended = asyncio.Event()

    async def parts() -> AsyncIterator[bytes]:
        while True:
            yield b"x" * 1000
            await asyncio.sleep(0)

    async def stream(call: Call[None, None]) -> StreamingResponse:
        return Endless(parts(), ended)

    server, client = await serve([Route("GET", "/endless", stream, policy=PUBLIC, summary="Endless", timeout_s=None)])
    async with client.stream("GET", "/endless") as answer:
        await anext(answer.aiter_bytes())
    await asyncio.wait_for(ended.wait(), 10)
    await asyncio.wait_for(server.stop(), 2)
