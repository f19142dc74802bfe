"""What our own requests refuse, against a server of plain bytes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from streamgate.sdk.http import OutgoingFault, outgoing_client, post_json


@asynccontextmanager
async def answering(answer: bytes) -> AsyncIterator[str]:
    """A server that says `answer` to every request, and its address."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{port}/with-a-key"


def response(body: bytes, head: bytes = b"200 OK") -> bytes:
    return b"HTTP/1.1 %s\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s" % (head, len(body), body)


async def post(url: str, *, max_answer_bytes: int = 100) -> bytes:
    async with outgoing_client(timeout_s=2, verify=False) as client:
        return await post_json(client, url, b"{}", max_answer_bytes=max_answer_bytes)


async def test_an_answer_within_the_limit_is_whole() -> None:
    async with answering(response(b"x" * 100)) as url:
        assert await post(url) == b"x" * 100


async def test_an_answer_past_the_limit_is_not_read() -> None:
    async with answering(response(b"x" * 101)) as url:
        with pytest.raises(OutgoingFault, match="more than 100 bytes"):
            await post(url)


@pytest.mark.parametrize("head", [b"500 No", b"302 Found\r\nLocation: http://127.0.0.1:1/", b"204 Nothing"])
async def test_only_200_is_an_answer_and_no_redirect_is_followed(head: bytes) -> None:
    async with answering(response(b"", head)) as url:
        with pytest.raises(OutgoingFault, match=f"HTTP status {head[:3].decode()}"):
            await post(url)


async def test_a_fault_names_no_address(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    async with answering(b"garbage\r\n\r\n") as url:
        with pytest.raises(OutgoingFault) as caught:
            await post(url)
    assert "with-a-key" not in str(caught.value)
    with pytest.raises(OutgoingFault, match="not reached"):
        await post("http://127.0.0.1:1/with-a-key")
