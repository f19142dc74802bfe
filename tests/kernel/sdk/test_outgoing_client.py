"""The guarded client against servers of plain bytes: connections, redirects, limits."""

from __future__ import annotations

import asyncio
import datetime
import ssl
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import attrs
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from streamgate.sdk.outgoing import (
    AddressRefused,
    AnswerTooLarge,
    AnswerUnusable,
    GuardedClient,
    TimedOut,
    Unreachable,
    UrlRefused,
    guarded_client,
)
from streamgate.settings import OutgoingSettings
from streamgate.testing.attacks import attack


@attrs.define
class Served:
    port: int
    requests: list[bytes] = attrs.field(factory=list)
    connections: int = 0
    sni: list[str] = attrs.field(factory=list)


@asynccontextmanager
async def serving(
    answer: Callable[[bytes], bytes], tls: ssl.SSLContext | None = None, *, stays: bool = False
) -> AsyncIterator[Served]:
    """A server that says `answer(head)` to each request, and with `stays` keeps the connection."""
    served = Served(0)
    handlers: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        handlers.add(task)
        try:
            served.connections += 1
            served.requests.append(head := await reader.readuntil(b"\r\n\r\n"))
            writer.write(answer(head))
            await writer.drain()
            if stays:
                await reader.read()
        finally:
            writer.close()

    if tls is not None:
        tls.sni_callback = lambda _, name, __: served.sni.append(name)
    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
    async with server:
        served.port = server.sockets[0].getsockname()[1]
        try:
            yield served
        finally:
            await asyncio.gather(*handlers, return_exceptions=True)  # a client may leave in the handshake


def response(body: bytes, head: str = "200 OK", *lines: str) -> bytes:
    more = "".join(f"{line}\r\n" for line in lines)
    return f"HTTP/1.1 {head}\r\nContent-Length: {len(body)}\r\n{more}\r\n".encode() + body


@asynccontextmanager
async def client(
    *hosts: str, addresses: Sequence[str] = ("127.0.0.1",), verify: ssl.SSLContext | None = None
) -> AsyncIterator[GuardedClient]:
    """A client that may reach these hosts only, all of them on this machine."""

    async def resolve(host: str, port: int) -> Sequence[str]:
        return addresses

    settings = OutgoingSettings(allow_http=True, ports=(0,), allow_hosts=hosts)
    made = guarded_client(settings, resolve=resolve, verify=verify)
    try:
        yield made
    finally:
        await made.aclose()


async def get(http: GuardedClient, url: str, *, limit_bytes: int = 100, timeout_s: float = 5) -> bytes:
    return (await http.request("GET", url, limit_bytes=limit_bytes, timeout_s=timeout_s)).body


async def test_the_checked_address_is_asked_by_the_hosts_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:1")
    async with serving(lambda _: response(b"bytes")) as served, client("files.example") as http:
        url = f"http://files.example:{served.port}/a%20b?c=d#e"
        assert await get(http, url) == b"bytes"
        assert await get(http, url) == b"bytes"
    head = served.requests[0].lower()
    assert head.startswith(b"get /a%20b?c=d http/1.1\r\n")
    assert f"host: files.example:{served.port}\r\n".encode() in head
    assert b"accept-encoding: identity\r\n" in head
    assert served.connections == 2  # none is kept for another host's request


async def test_what_is_not_allowed_is_never_connected_to() -> None:
    async with serving(lambda _: response(b"secret")) as served, client() as http:
        for host in ("127.0.0.1", "localhost", "looks-fine.example", "[::ffff:127.0.0.1]"):
            with pytest.raises(AddressRefused):
                await get(http, f"http://{host}:{served.port}/")
    assert served.connections == 0


@attack("A9", "B29")
@pytest.mark.parametrize("where", ["http://127.0.0.1:{port}/", "//localhost:{port}/", "http://other.example:{port}/"])
async def test_a_redirect_is_checked_anew(where: str) -> None:
    async with (
        serving(lambda _: response(b"secret")) as inside,
        serving(lambda _: response(b"", "302 Found", f"Location: {where.format(port=inside.port)}")) as outside,
        client("files.example") as http,
    ):
        with pytest.raises(AddressRefused):
            await get(http, f"http://files.example:{outside.port}/")
    assert inside.connections == 0


async def test_a_redirect_to_another_scheme_is_refused() -> None:
    answer = response(b"", "302 Found", "Location: file:///etc/passwd")
    async with serving(lambda _: answer) as served, client("files.example") as http:
        with pytest.raises(UrlRefused):
            await get(http, f"http://files.example:{served.port}/")


@attack("A9", "B29")
async def test_a_name_that_moves_inside_between_two_hops_is_refused() -> None:
    answers = [["127.0.0.1"], ["127.0.0.1"]]

    async def resolve(host: str, port: int) -> Sequence[str]:
        return answers.pop(0)

    def redirect(head: bytes) -> bytes:
        return response(b"", "302 Found", "Location: http://moves.example/again")

    async with serving(redirect) as served:
        settings = OutgoingSettings(allow_http=True, ports=(0,), allow_hosts=("files.example",))
        http = guarded_client(settings, resolve=resolve)
        with pytest.raises(AddressRefused):
            await get(http, f"http://files.example:{served.port}/")
        await http.aclose()
    assert served.connections == 1


async def test_redirects_are_followed_and_counted() -> None:
    def count(head: bytes) -> bytes:
        step = int(head.split(b" ")[1].strip(b"/"))
        return response(b"there") if step == 0 else response(b"", "302 Found", f"Location: /{step - 1}")

    async with serving(count) as served, client("files.example") as http:
        assert await get(http, f"http://files.example:{served.port}/5") == b"there"
        with pytest.raises(AnswerUnusable):
            await get(http, f"http://files.example:{served.port}/6")
        posted = await http.request(
            "POST", f"http://files.example:{served.port}/5", content=b"x", limit_bytes=10, timeout_s=5
        )
        assert posted.status == 302


async def test_credentials_stay_with_their_origin() -> None:
    async with (
        serving(lambda _: response(b"ok")) as second,
        serving(lambda _: response(b"", "307 Go", f"Location: http://b.example:{second.port}/")) as first,
        client("a.example", "b.example") as http,
    ):
        headers = {"Authorization": "Bearer s3cret", "X-Plain": "kept"}
        url = f"http://a.example:{first.port}/"
        await http.request("GET", url, headers=headers, limit_bytes=10, timeout_s=5)
    assert b"s3cret" in first.requests[0]
    assert b"s3cret" not in second.requests[0]
    assert b"kept" in second.requests[0]


async def test_a_told_length_past_the_limit_is_not_read() -> None:
    async with serving(lambda _: response(b"x" * 101)) as served, client("files.example") as http:
        with pytest.raises(AnswerTooLarge) as caught:
            await get(http, f"http://files.example:{served.port}/")
    assert caught.value.code == "outgoing.too_large"


async def test_an_answer_without_a_length_is_cut_at_the_limit() -> None:
    endless = b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 101
    async with serving(lambda _: endless) as served, client("files.example") as http:
        with pytest.raises(AnswerTooLarge):
            await get(http, f"http://files.example:{served.port}/")
        assert await get(http, f"http://files.example:{served.port}/", limit_bytes=101) == b"x" * 101


@attack("B33")
async def test_compressed_bytes_are_refused() -> None:
    bomb = response(b"\x1f\x8b", "200 OK", "Content-Encoding: gzip")
    async with serving(lambda _: bomb) as served, client("files.example") as http:
        with pytest.raises(AnswerUnusable):
            await get(http, f"http://files.example:{served.port}/")


@pytest.mark.parametrize("said", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n12"], ids=["silent", "stalls"])
async def test_time_is_limited_in_all(said: bytes) -> None:
    async with serving(lambda _: said, stays=True) as served, client("files.example") as http:
        with pytest.raises(TimedOut):
            await get(http, f"http://files.example:{served.port}/", timeout_s=0.2)


@pytest.mark.parametrize("said", [b"garbage\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n12", b""])
async def test_a_broken_answer_is_told_without_the_url(said: bytes) -> None:
    async with serving(lambda _: said) as served, client("files.example") as http:
        with pytest.raises(Unreachable) as caught:
            await get(http, f"http://files.example:{served.port}/?key=s3cret")
    assert "s3cret" not in str(caught.value)


async def test_the_next_address_is_tried() -> None:
    async with serving(lambda _: response(b"second")) as served:
        async with client("files.example", addresses=["127.0.0.2", "127.0.0.1"]) as http:
            assert await get(http, f"http://files.example:{served.port}/") == b"second"
        async with client("files.example", addresses=["127.0.0.2", "127.0.0.3"]) as http:
            with pytest.raises(Unreachable):
                await get(http, f"http://files.example:{served.port}/")


async def test_the_certificate_must_be_the_hosts(tmp_path: Path) -> None:
    server_side, client_side = certificate_for("files.example", tmp_path)
    async with (
        serving(lambda _: response(b"safe"), server_side) as served,
        client("files.example", "other.example", verify=client_side) as http,
    ):
        assert await get(http, f"https://files.example:{served.port}/") == b"safe"
        with pytest.raises(Unreachable):
            await get(http, f"https://other.example:{served.port}/")
    assert served.sni == ["files.example", "other.example"]


def certificate_for(host: str, folder: Path) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """A server's context with a certificate of its own, and the context of a client that believes it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, host)])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = folder / "both.pem"
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    pem.write_bytes(secret + made.public_bytes(serialization.Encoding.PEM))
    server_side = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server_side.load_cert_chain(pem)
    return server_side, ssl.create_default_context(cafile=str(pem))
