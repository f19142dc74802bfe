"""HTTP and WebSocket as a client sees them, the same by either engine."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
import wsproto
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket
from wsproto.events import AcceptConnection, CloseConnection, Request, TextMessage

from streamgate.web.routes import PUBLIC, Call, Mount, Route

Serve = Callable[..., Any]


async def hello(call: Call[None, None]) -> Response:
    return PlainTextResponse("hello")


HELLO = Route("GET", "/hello", hello, policy=PUBLIC, summary="Hello")


async def test_head_is_answered_like_get_without_a_body(serve: Serve) -> None:
    _, client = await serve([HELLO])
    got, head = await client.get("/hello"), await client.head("/hello")
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-length"] == got.headers["content-length"] == "5"
    assert (await client.head("/nothing")).content == b""


async def test_no_connection_changes_to_http2_behind_a_proxy(serve: Serve) -> None:
    """A proxy that hands `Upgrade` on would see nothing of the requests that follow."""
    server, _ = await serve([])
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    upgrade = "connection: upgrade, http2-settings\r\nupgrade: h2c\r\nhttp2-settings: AAMAAABkAAQAAP__\r\n"
    writer.write(f"GET /health HTTP/1.1\r\nhost: toy\r\n{upgrade}\r\n".encode())
    assert (await reader.readline()).startswith(b"HTTP/1.1 200")
    writer.close()


async def test_no_answer_names_the_server_and_each_has_a_date(serve: Serve) -> None:
    _, client = await serve([HELLO])
    for path in ("/hello", "/nothing"):
        answer = await client.get(path)
        assert "server" not in answer.headers
        assert "date" in answer.headers


async def test_a_connection_serves_many_requests_and_two_sent_at_once(serve: Serve) -> None:
    server, _ = await serve([HELLO])
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    for _ in range(3):
        writer.write(b"GET /hello HTTP/1.1\r\nhost: toy\r\n\r\n" * 2)
        for _ in range(2):
            assert b" 200 " in await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)
            assert await reader.readexactly(5) == b"hello"
    writer.write(b"GET /hello HTTP/1.1\r\nhost: toy\r\nconnection: close\r\n\r\n")
    assert (await asyncio.wait_for(reader.read(), 5)).endswith(b"hello")
    writer.close()


async def test_an_idle_connection_is_closed(serve: Serve) -> None:
    server, _ = await serve([HELLO])
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(b"GET /hello HTTP/1.1\r\nhost: toy\r\n\r\n")
    assert (await asyncio.wait_for(reader.read(), 5)).endswith(b"hello")
    writer.close()


async def test_a_connection_in_use_is_kept_and_closed_only_when_it_has_been_idle(serve: Serve) -> None:
    """The limit runs from the last answer, over requests that come and ones that last longer than it."""
    limit_s = 0.3

    async def slow(call: Call[None, None]) -> PlainTextResponse:
        await asyncio.sleep(2 * limit_s)
        return PlainTextResponse("slowly")

    server, _ = await serve([HELLO, Route("GET", "/slow", slow, policy=PUBLIC, summary="Slow")], read_timeout_s=limit_s)
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    for path, pause_s in (("/hello", limit_s / 2), ("/hello", limit_s / 2), ("/slow", limit_s / 2), ("/hello", 0.0)):
        writer.write(f"GET {path} HTTP/1.1\r\nhost: toy\r\n\r\n".encode())
        assert b" 200 " in await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)
        await reader.readexactly(5 if path == "/hello" else 6)
        answered_s = asyncio.get_running_loop().time()
        with contextlib.suppress(TimeoutError):
            assert await asyncio.wait_for(reader.read(1), pause_s) == b"never", "closed while it was in use"
    assert await asyncio.wait_for(reader.read(), 5) == b""
    assert asyncio.get_running_loop().time() - answered_s >= limit_s - 0.05
    writer.close()


async def test_bodies_stream_both_ways_at_once(serve: Serve) -> None:
    """Each part comes back before the next one is sent."""

    async def echo(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        has_more = True
        while has_more:
            part = await receive()
            has_more = part.get("more_body", False)
            await send({"type": "http.response.body", "body": part["body"], "more_body": has_more})

    mount = Mount(prefix="/echo", app=echo, policy=PUBLIC, summary="Echo")
    server, _ = await serve([], (mount,), read_timeout_s=5.0)
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(b"POST /echo HTTP/1.1\r\nhost: toy\r\ntransfer-encoding: chunked\r\n\r\n")
    for word in (b"first", b"other", b"third"):
        writer.write(b"5\r\n" + word + b"\r\n")
        assert word in await asyncio.wait_for(reader.readuntil(word), 5)
    writer.write(b"0\r\n\r\n")
    assert (await asyncio.wait_for(reader.readuntil(b"0\r\n\r\n"), 5)).endswith(b"0\r\n\r\n")
    writer.close()


async def test_a_large_answer_comes_whole(serve: Serve) -> None:
    async def parts() -> AsyncIterator[bytes]:
        for number in range(64):
            yield bytes([number]) * 65_536

    async def large(call: Call[None, None]) -> Response:
        return StreamingResponse(parts())

    _, client = await serve([Route("GET", "/large", large, policy=PUBLIC, summary="Large")])
    answer = await client.get("/large")
    assert answer.content == b"".join(bytes([number]) * 65_536 for number in range(64))


async def test_a_head_does_not_wait_for_a_late_body(serve: Serve) -> None:
    """A length is promised, and then nothing comes for a while."""
    is_seen = asyncio.Event()

    async def late(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"5")]})
        await is_seen.wait()
        await send({"type": "http.response.body", "body": b"la", "more_body": True})
        await send({"type": "http.response.body", "body": b"ter"})

    server, _ = await serve([], (Mount(prefix="/late", app=late, policy=PUBLIC, summary="Late"),))
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(b"GET /late HTTP/1.1\r\nhost: toy\r\n\r\n")
    assert (await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)).startswith(b"HTTP/1.1 200")
    is_seen.set()
    assert await asyncio.wait_for(reader.readexactly(5), 5) == b"later"
    writer.close()


@pytest.mark.parametrize("sent", [b"", b"abc"], ids=["nothing", "a part"])
async def test_an_answer_that_breaks_off_is_never_taken_for_whole(serve: Serve, sent: bytes) -> None:
    async def breaks(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"5")]})
        if sent:
            await send({"type": "http.response.body", "body": sent, "more_body": True})

    server, _ = await serve([], (Mount(prefix="/breaks", app=breaks, policy=PUBLIC, summary="Breaks off"),))
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(b"GET /breaks HTTP/1.1\r\nhost: toy\r\n\r\n")
    come = await asyncio.wait_for(reader.read(), 5)  # until the connection ends
    assert come.partition(b"\r\n\r\n")[2] == sent
    writer.close()


async def test_a_large_part_with_a_promised_length_comes_whole(serve: Serve) -> None:
    body = bytes(range(256)) * 1_024

    async def large(call: Call[None, None]) -> Response:
        return Response(body)

    _, client = await serve([Route("GET", "/large", large, policy=PUBLIC, summary="Large")])
    assert (await client.get("/large")).content == body


@pytest.mark.parametrize("path", ["/a%2Fb", "/a%20b", "/%C3%A9"])
async def test_paths_come_decoded_and_raw(serve: Serve, path: str) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await PlainTextResponse(f"{scope['path']} {scope['raw_path'].decode()}")(scope, receive, send)

    _, client = await serve([], (Mount(prefix="/", app=app, policy=PUBLIC, summary="Says its path"),))
    decoded = {"/a%2Fb": "/a/b", "/a%20b": "/a b", "/%C3%A9": "/é"}
    assert (await client.get(path)).text == f"{decoded[path]} {path}"


# --- WebSocket ----------------------------------------------------------------------------------------


class Socket:
    """A WebSocket client on a plain connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        self._wire = wsproto.WSConnection(wsproto.ConnectionType.CLIENT)

    def send(self, event: wsproto.events.Event) -> None:
        self._writer.write(self._wire.send(event))

    async def next(self) -> wsproto.events.Event:
        while True:
            for event in self._wire.events():
                return event
            data = await asyncio.wait_for(self._reader.read(65_536), 5)
            self._wire.receive_data(data or None)

    def close(self) -> None:
        self._writer.close()


async def connect(port: int, path: str) -> Socket:
    found = Socket(*await asyncio.open_connection("127.0.0.1", port))
    found.send(Request(host="toy", target=path))
    return found


async def parrot(scope: Scope, receive: Receive, send: Send) -> None:
    socket = WebSocket(scope, receive, send)
    await socket.accept()
    async for text in socket.iter_text():
        await socket.send_text(f"{text}!")


PARROT = Mount(prefix="/ws", app=parrot, policy=PUBLIC, summary="Repeats", websocket=True)


async def test_a_websocket_talks_both_ways(serve: Serve) -> None:
    server, client = await serve([HELLO], (PARROT,))
    socket = await connect(server.port, "/ws")
    assert isinstance(await socket.next(), AcceptConnection)
    for word in ("one", "two"):
        socket.send(TextMessage(data=word))
        said = await socket.next()
        assert isinstance(said, TextMessage)
        assert said.data == f"{word}!"
    socket.send(CloseConnection(code=1000))
    assert isinstance(await socket.next(), CloseConnection)
    socket.close()
    assert (await client.get("/hello")).text == "hello"


async def test_a_websocket_where_none_is_expected_is_403(serve: Serve) -> None:
    server, _ = await serve([HELLO], (PARROT,))
    socket = await connect(server.port, "/hello")
    refusal = await socket.next()
    assert getattr(refusal, "status_code", None) == 403
    socket.close()


async def test_an_open_websocket_does_not_hold_up_the_stop(serve: Serve) -> None:
    server, _ = await serve([], (PARROT,), drain_timeout_s=1.0)
    socket = await connect(server.port, "/ws")
    assert isinstance(await socket.next(), AcceptConnection)
    await asyncio.wait_for(server.stop(), 5)
    socket.close()
