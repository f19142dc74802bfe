"""The gateway between real sockets: what passes, what does not, and what happens when somebody breaks off."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse

from streamgate.errors import Conflict
from streamgate.web.routes import CREATOR, PUBLIC, Call, Route

UPLOAD = "/api/v1/upload"


def route(path: str, handler: Any, method: Any = "GET", **more: Any) -> Route:
    settings = {"policy": PUBLIC, "summary": "Does", "timeout_s": None, "raw_body": method != "GET", **more}
    return Route(method, path, handler, **settings)


async def echo(call: Call[None, None]) -> JSONResponse:
    request = call.request
    body = b""
    async for part in request.stream():
        body += part
    return JSONResponse(
        {
            "method": request.method,
            "raw_path": request.scope["raw_path"].decode(),
            "query": request.scope["query_string"].decode(),
            "headers": [[name.decode(), value.decode()] for name, value in request.scope["headers"]],
            "size": len(body),
        }
    )


ECHO = [route(UPLOAD + "/{rest:path}", echo, method) for method in ("GET", "POST", "PUT", "DELETE", "PATCH")]


async def test_a_request_arrives_as_it_was_sent(gateway: Any) -> None:
    await gateway.serve("upload", ECHO)
    sent = {
        "authorization": "Bearer abc",
        "x-request-id": "abc-12345",
        "range": "bytes=0-9",
        "content-type": "application/offset+octet-stream",
        "content-digest": "sha-256=:x:",
        "upload-offset": "7",
        "accept": "image/jpeg",
        "cookie": "a=1; b=2",
        "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    }
    for method in ("POST", "PUT", "PATCH", "DELETE"):
        answer = await gateway.http.request(method, UPLOAD + "/a%2Fb/ü?x=1&y=%20", headers=sent, content=b"z" * 300_000)
        seen = answer.json()
        assert (answer.status_code, seen["method"], seen["size"]) == (200, method, 300_000)
        assert seen["raw_path"] == UPLOAD + "/a%2Fb/%C3%BC"
        assert seen["query"] == "x=1&y=%20"
        headers = dict(seen["headers"])
        assert {name: headers[name] for name in sent} == sent
        assert headers["content-length"] == "300000"
        assert headers["x-forwarded-for"] == "127.0.0.1"
        assert headers["x-forwarded-proto"] == "http"
        assert headers["x-forwarded-host"] == str(gateway.http.base_url).removeprefix("http://")


@pytest.mark.parametrize(
    "name",
    [
        "X-Forwarded-User",
        "X-Forwarded-For",
        "X-Forwarded-Host",
        "X-Real-IP",
        "X-User-Id",
        "X-Auth-Request-Email",
        "X-Wallet-Address",
        "X-Remote-User",
        "Remote-User",
        "Forwarded",
        "X_Forwarded_User",
        "X-Streamgate-Actor",
        "Proxy-Authorization",
        "X-Hop",
    ],
)
async def test_what_claims_an_identity_or_is_of_this_hop_does_not_pass(gateway: Any, name: str) -> None:
    await gateway.serve("upload", ECHO)
    answer = await gateway.http.get(UPLOAD + "/x", headers={name: "evil", "connection": "x-hop"})
    assert "evil" not in answer.text


async def test_an_answer_comes_back_as_it_was_given(gateway: Any) -> None:
    packed = gzip.compress(b"hello" * 100)

    async def give(call: Call[None, None]) -> Response:
        response = Response(packed, 206, {"content-encoding": "gzip", "content-range": "bytes 0-9/10", "etag": '"e"'})
        response.set_cookie("a", "1")
        response.set_cookie("b", "2")
        return response

    await gateway.serve("upload", [route(UPLOAD + "/x", give)])
    async with gateway.http.stream("GET", UPLOAD + "/x", headers={"x-request-id": "abc-12345"}) as answer:
        raw = b"".join([part async for part in answer.aiter_raw()])
    assert (answer.status_code, raw) == (206, packed)
    assert answer.headers["content-range"] == "bytes 0-9/10"
    assert answer.headers["content-length"] == str(len(packed))
    assert len(answer.headers.get_list("set-cookie")) == 2
    for once in ("x-request-id", "date", "x-content-type-options"):
        assert len(answer.headers.get_list(once)) == 1, once
    assert answer.headers["x-request-id"] == "abc-12345"


async def test_a_problem_of_the_service_is_the_callers(gateway: Any) -> None:
    async def fail(call: Call[None, None]) -> None:
        raise Conflict("no")

    await gateway.serve("upload", [route(UPLOAD + "/x", fail)])
    answer = await gateway.http.get(UPLOAD + "/x")
    assert (answer.status_code, answer.json()["code"]) == (409, "conflict")
    assert answer.json()["request_id"] == answer.headers["x-request-id"]


async def test_redirects_and_heads_are_not_followed_or_filled(gateway: Any) -> None:
    async def go(call: Call[None, None]) -> Response:
        return Response(status_code=307, headers={"location": "http://127.0.0.1:1/elsewhere"})

    await gateway.serve("upload", [route(UPLOAD + "/go", go), *ECHO])
    assert (await gateway.http.get(UPLOAD + "/go")).headers["location"] == "http://127.0.0.1:1/elsewhere"
    head = await gateway.http.head(UPLOAD + "/x")
    assert (head.status_code, head.content) == (200, b"")


# --- streaming ----------------------------------------------------------------------------------------


async def test_an_upload_streams_through(gateway: Any) -> None:
    first_arrived = asyncio.Event()

    async def take(call: Call[None, None]) -> PlainTextResponse:
        size = 0
        async for part in call.request.stream():
            size += len(part)
            first_arrived.set()
        return PlainTextResponse(str(size))

    async def parts() -> AsyncIterator[bytes]:
        yield b"x" * 1000
        await first_arrived.wait()  # the service has it before the rest exists
        yield b"y" * 1000

    await gateway.serve("upload", [route(UPLOAD + "/x", take, "POST")])
    assert (await gateway.http.post(UPLOAD + "/x", content=parts())).text == "2000"


async def test_a_download_streams_through(gateway: Any) -> None:
    may_go_on = asyncio.Event()

    async def parts() -> AsyncIterator[bytes]:
        yield b"first"
        await may_go_on.wait()
        yield b"second"

    async def give(call: Call[None, None]) -> StreamingResponse:
        return StreamingResponse(parts())

    await gateway.serve("upload", [route(UPLOAD + "/x", give)])
    got: list[bytes] = []
    async with gateway.http.stream("GET", UPLOAD + "/x") as answer:
        async for part in answer.aiter_raw():
            got.append(part)
            may_go_on.set()
    assert got == [b"first", b"second"]


async def test_a_large_body_passes_both_ways(gateway: Any) -> None:
    async def mirror(call: Call[None, None]) -> Response:
        return Response(await call.request.body())

    await gateway.serve("upload", [route(UPLOAD + "/x", mirror, "POST")])
    body = bytes(range(256)) * 40_000
    assert (await gateway.http.post(UPLOAD + "/x", content=body)).content == body


async def test_an_upload_the_service_refuses_gets_its_refusal_and_the_next_one_works(gateway: Any) -> None:
    refused = route(UPLOAD + "/refused", echo, "POST", policy=CREATOR)
    await gateway.serve("upload", [refused, *ECHO])
    for _ in range(3):
        answer = await gateway.http.post(UPLOAD + "/refused", content=b"x" * 3_000_000)
        assert (answer.status_code, answer.json()["code"]) == (401, "auth.required")
        assert (await gateway.http.post(UPLOAD + "/x", content=b"y" * 10)).json()["size"] == 10


async def test_a_client_that_leaves_ends_the_work_behind(gateway: Any) -> None:
    entered, ended = asyncio.Event(), asyncio.Event()

    async def parts() -> AsyncIterator[bytes]:
        try:
            while True:
                entered.set()
                yield b"x" * 10_000
                await asyncio.sleep(0.01)
        finally:
            ended.set()

    async def give(call: Call[None, None]) -> StreamingResponse:
        return StreamingResponse(parts())

    await gateway.serve("upload", [route(UPLOAD + "/x", give)])
    async with gateway.http.stream("GET", UPLOAD + "/x"):
        await entered.wait()
    await asyncio.wait_for(ended.wait(), 5)


async def test_an_uploading_client_that_leaves_ends_the_work_behind(gateway: Any) -> None:
    entered, left = asyncio.Event(), asyncio.Event()

    async def take(call: Call[None, None]) -> None:
        try:
            async for part in call.request.stream():
                if part:
                    entered.set()
        finally:
            left.set()

    await gateway.serve("upload", [route(UPLOAD + "/x", take, "POST")])
    _, writer = await asyncio.open_connection(gateway.http.base_url.host, gateway.http.base_url.port)
    writer.write(f"POST {UPLOAD}/x HTTP/1.1\r\nhost: x\r\ncontent-length: 1000\r\n\r\nxxx".encode())
    await entered.wait()
    writer.close()
    await asyncio.wait_for(left.wait(), 5)


# --- when somebody is not there -----------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/api/v1/unknown", "/api/v1/streaming/x", "/nothing", "/", "/api/v1/uploads"])
async def test_a_path_nobody_owns_is_404(gateway: Any, path: str) -> None:
    answer = await gateway.http.get(path)
    assert (answer.status_code, answer.json()["code"]) == (404, "request.unknown_path")


async def test_dots_in_a_path_lead_nowhere(gateway: Any) -> None:
    await gateway.serve("upload", ECHO)
    for path in ("/%2e%2e/auth/x", "/../auth/x", "/./x", "/x/.."):
        reader, writer = await asyncio.open_connection(gateway.http.base_url.host, gateway.http.base_url.port)
        writer.write(f"GET {UPLOAD}{path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n".encode())
        assert (await reader.read()).startswith(b"HTTP/1.1 404 "), path
        writer.close()


async def test_a_path_cannot_name_another_machine(gateway: Any) -> None:
    """Written with escapes from its first sign on, a path would stand where the address of the service ends."""
    await gateway.serve("upload", ECHO)
    is_reached = asyncio.Event()

    async def note(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        is_reached.set()
        writer.close()

    async with await asyncio.start_server(note, "127.0.0.1", 0) as victim:
        port = victim.sockets[0].getsockname()[1]
        for path in (f"%2Fapi%2Fv1%2Fupload%2F@127.0.0.1:{port}/x", "%2Fapi/v1/upload/x"):
            reader, writer = await asyncio.open_connection(gateway.http.base_url.host, gateway.http.base_url.port)
            writer.write(f"GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n".encode())
            answer = await reader.read()
            writer.close()
            assert not is_reached.is_set(), path
            assert answer.startswith(b"HTTP/1.1 404 "), path


@pytest.mark.parametrize("declared", [2, 20])
async def test_of_two_lengths_the_chunks_count(gateway: Any, declared: int) -> None:
    """RFC 9112 section 6.3: handed on, the other one would begin the next request inside this one, or it inside the
    next."""
    await gateway.serve("upload", ECHO)
    reader, writer = await asyncio.open_connection(gateway.http.base_url.host, gateway.http.base_url.port)
    head = f"POST {UPLOAD}/x HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {declared}\r\n"
    writer.write(f"{head}transfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n".encode())
    answer = await asyncio.wait_for(reader.read(), 5)
    writer.close()
    assert b'"size":5' in answer
    assert b'"content-length"' not in answer


async def test_a_known_path_with_nobody_there_is_503(gateway: Any) -> None:
    answer = await gateway.http.post(UPLOAD + "/init", json={})
    assert (answer.status_code, answer.json()["code"]) == (503, "service.unavailable")
    assert int(answer.headers["retry-after"]) >= 1


async def test_a_service_that_leaves_or_dies_is_503_and_one_that_comes_back_is_found(gateway: Any) -> None:
    backend = await gateway.serve("upload", ECHO)
    assert (await gateway.http.get(UPLOAD + "/x")).status_code == 200
    await backend.server.stop()
    assert (await gateway.http.get(UPLOAD + "/x")).status_code == 503
    await gateway.serve("upload", ECHO)
    assert (await gateway.http.get(UPLOAD + "/x")).status_code == 200


async def test_a_dead_instance_is_passed_over_with_the_body_whole(gateway: Any) -> None:
    dead = await gateway.serve("upload", ECHO)
    await gateway.serve("upload", ECHO)
    await dead.server.stop()
    for _ in range(4):
        answer = await gateway.http.post(UPLOAD + "/x", content=b"x" * 500_000)
        assert (answer.status_code, answer.json()["size"]) == (200, 500_000)


async def test_instances_take_turns(gateway: Any) -> None:
    def says(word: str) -> Route:
        async def say(call: Call[None, None]) -> PlainTextResponse:
            return PlainTextResponse(word)

        return route(UPLOAD + "/x", say)

    await gateway.serve("upload", [says("one")])
    await gateway.serve("upload", [says("two")])
    assert {(await gateway.http.get(UPLOAD + "/x")).text for _ in range(4)} == {"one", "two"}


async def test_a_service_that_does_not_answer_is_503_in_time(gateway: Any) -> None:
    async def never(call: Call[None, None]) -> None:
        await asyncio.Event().wait()

    await gateway.serve("upload", [route(UPLOAD + "/x", never), route(UPLOAD + "/x", never, "POST")])
    for answer in (await gateway.http.get(UPLOAD + "/x"), await gateway.http.post(UPLOAD + "/x", content=b"x")):
        assert (answer.status_code, answer.json()["code"]) == (503, "service.deadline_exceeded")
        assert "127.0.0.1" not in answer.text  # where services are is nobody's business


async def test_a_slow_upload_is_not_taken_for_a_slow_answer(gateway: Any) -> None:
    """The time for an answer runs from when the service has the whole request."""

    async def slowly() -> AsyncIterator[bytes]:
        for _ in range(8):
            await asyncio.sleep(0.1)
            yield b"x"

    await gateway.serve("upload", ECHO)
    assert (await gateway.http.post(UPLOAD + "/x", content=slowly())).json()["size"] == 8


async def test_an_answer_that_breaks_off_is_seen_to_break_off(gateway: Any) -> None:
    async def parts() -> AsyncIterator[bytes]:
        yield b"begun"
        raise KeyError("midway")

    async def give(call: Call[None, None]) -> StreamingResponse:
        return StreamingResponse(parts())

    await gateway.serve("upload", [route(UPLOAD + "/x", give)])
    with pytest.raises(httpx.RemoteProtocolError):
        await gateway.http.get(UPLOAD + "/x")
