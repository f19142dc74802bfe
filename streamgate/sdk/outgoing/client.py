"""The guarded client: what it connects to is what was checked."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import attrs

from streamgate.sdk.outgoing.errors import AnswerTooLarge, AnswerUnusable, OutgoingError, TimedOut, Unreachable
from streamgate.sdk.outgoing.guard import Guard, Resolver, Target
from streamgate.settings import OutgoingSettings

if TYPE_CHECKING:
    import httpx

REDIRECTS_MAX = 5
CONNECT_TIMEOUT_S = 10.0
IDLE_TIMEOUT_S = 30.0
ADDRESSES_TRIED = 4
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_FOLLOWED = frozenset({"GET", "HEAD"})
_OF_ONE_ORIGIN = frozenset({"authorization", "cookie", "x-api-key"})
"""Headers that are not taken along when a redirect leads to another origin."""


@attrs.frozen
class Answer:
    """A whole answer. Header names are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class StreamedAnswer:
    """The head of an answer; `pieces` are its bytes, to be read once. `size_bytes` is None where it is not told."""

    def __init__(self, response: httpx.Response, limit_bytes: int, ends_at_s: float) -> None:
        self._response = response
        self._limit_bytes = limit_bytes
        self._ends_at_s = ends_at_s
        self.status = response.status_code
        self.headers: Mapping[str, str] = {name.lower(): value for name, value in response.headers.items()}
        length = self.headers.get("content-length", "")
        self.size_bytes = int(length) if length.isdecimal() and len(length) < 20 else None

    async def pieces(self) -> AsyncIterator[bytes]:
        """Raises AnswerTooLarge, TimedOut, Unreachable (it broke off)."""
        import httpx

        received_bytes = 0
        pieces = self._response.aiter_raw()
        while True:
            try:
                async with asyncio.timeout_at(self._ends_at_s):
                    piece = await anext(pieces, None)
            except (TimeoutError, httpx.TimeoutException) as fault:
                raise TimedOut("The answer took too long") from fault
            except (httpx.HTTPError, OSError) as fault:
                raise Unreachable(f"The answer broke off ({type(fault).__name__})") from fault
            if piece is None:
                return
            received_bytes += len(piece)
            if received_bytes > self._limit_bytes:
                raise AnswerTooLarge(f"The answer has more than {self._limit_bytes} bytes")
            yield piece


class GuardedClient:
    """Requests to addresses that users give. Made by `guarded_client`; its owner closes it.

    No proxies, no cookies, no compression; each request has a connection of its own, to an address that was checked
    after the host was resolved once. Redirects are followed for GET and HEAD only, each checked anew; other methods
    get the redirect as the answer.
    """

    def __init__(self, guard: Guard, make_http: Callable[[], httpx.AsyncClient]) -> None:
        self._guard = guard
        self._make_http = make_http
        self._made: httpx.AsyncClient | None = None

    @property
    def _http(self) -> httpx.AsyncClient:
        """Made at the first request: most processes never send one, and httpx is a tenth of a start."""
        if self._made is None:
            self._made = self._make_http()
        return self._made

    def check_url(self, url: str) -> None:
        """What can be told of a URL at once, for an answer to whoever gives it. Raises UrlRefused, AddressRefused."""
        self._guard.check_url(url)

    async def aclose(self) -> None:
        made, self._made = self._made, None
        if made is not None:
            await made.aclose()

    async def request(
        self,
        method: str,
        url: str,
        *,
        limit_bytes: int,
        timeout_s: float,
        headers: Mapping[str, str] | None = None,
        content: bytes = b"",
    ) -> Answer:
        """A whole answer, whatever its status. Arguments and errors as in `stream`."""
        async with self.stream(
            method, url, limit_bytes=limit_bytes, timeout_s=timeout_s, headers=headers, content=content
        ) as answer:
            body = b"".join([piece async for piece in answer.pieces()])
            return Answer(answer.status, answer.headers, body)

    @asynccontextmanager
    async def stream(
        self,
        method: str,
        url: str,
        *,
        limit_bytes: int,
        timeout_s: float,
        headers: Mapping[str, str] | None = None,
        content: bytes = b"",
    ) -> AsyncIterator[StreamedAnswer]:
        """The answer as it comes, whatever its status.

        Args:
            limit_bytes: a longer body is refused, before it is read where its length is told.
            timeout_s: for everything, redirects and the whole body included.

        Raises:
            UrlRefused, AddressRefused, Unreachable, TimedOut, AnswerTooLarge, AnswerUnusable.
        """
        ends_at_s = asyncio.get_running_loop().time() + timeout_s
        try:
            async with asyncio.timeout_at(ends_at_s):
                response = await self._follow(method, url, dict(headers or {}), content)
        except TimeoutError as fault:
            raise TimedOut("The host took too long to answer") from fault
        try:
            if response.headers.get("content-encoding", "identity").strip().lower() not in ("", "identity"):
                raise AnswerUnusable("The host sent compressed bytes, which were not asked for")
            answer = StreamedAnswer(response, limit_bytes, ends_at_s)
            if method != "HEAD" and answer.size_bytes is not None and answer.size_bytes > limit_bytes:
                raise AnswerTooLarge(f"The answer has {answer.size_bytes} bytes; at most {limit_bytes} are taken")
            yield answer
        finally:
            await response.aclose()

    async def _follow(self, method: str, url: str, headers: dict[str, str], content: bytes) -> httpx.Response:
        for _ in range(REDIRECTS_MAX + 1):
            target = await self._guard.target(url)
            response = await self._send(method, target, headers, content)
            if method not in _FOLLOWED or response.status_code not in _REDIRECTS:
                return response
            location = response.headers.get("location")
            if location is None:
                return response
            await response.aclose()
            url, headers = _next(target, location, headers)
        raise AnswerUnusable(f"The URL redirects more than {REDIRECTS_MAX} times")

    async def _send(self, method: str, target: Target, headers: dict[str, str], content: bytes) -> httpx.Response:
        """By the first of its addresses that takes the connection."""
        import httpx

        fault: Exception | None = None
        for address in target.addresses[:ADDRESSES_TRIED]:
            request = self._http.build_request(
                method,
                target.url.copy_with(host=str(address)),
                headers={**headers, "Host": target.url.netloc.decode("ascii"), "Accept-Encoding": "identity"},
                content=content or None,
                extensions={"sni_hostname": target.host.strip("[]").rstrip(".")},
            )
            try:
                return await self._http.send(request, stream=True)
            except (httpx.ConnectTimeout, httpx.ConnectError) as refused:
                fault = refused
            except httpx.TimeoutException as slow:
                raise TimedOut(f"The host {target.host} took too long") from slow
            except (httpx.HTTPError, httpx.InvalidURL, ValueError, OSError) as broken:
                raise Unreachable(f"The host {target.host} does not answer ({type(broken).__name__})") from broken
        raise Unreachable(f"The host {target.host} takes no connection ({type(fault).__name__})") from fault


def _next(target: Target, location: str, headers: dict[str, str]) -> tuple[str, dict[str, str]]:
    import httpx

    try:
        url = target.url.join(location)
    except (httpx.InvalidURL, ValueError, UnicodeError) as fault:
        raise AnswerUnusable("The URL redirects to something that is no URL") from fault
    is_same = (url.scheme, url.raw_host, url.port) == (target.url.scheme, target.url.raw_host, target.url.port)
    kept = headers if is_same else {name: text for name, text in headers.items() if name.lower() not in _OF_ONE_ORIGIN}
    return str(url), kept


def guarded_client(
    settings: OutgoingSettings,
    *,
    resolve: Resolver | None = None,
    verify: ssl.SSLContext | None = None,
    max_connections: int = 16,
) -> GuardedClient:
    """A client for URLs that users give (`ctx.settings.outgoing`).

    Args:
        resolve: instead of the system's resolver.
        verify: instead of the usual certificate authorities.
    """

    def make_http() -> httpx.AsyncClient:
        import httpx

        return httpx.AsyncClient(
            follow_redirects=False,
            trust_env=False,
            verify=verify or httpx.create_ssl_context(trust_env=False),
            timeout=httpx.Timeout(IDLE_TIMEOUT_S, connect=CONNECT_TIMEOUT_S),
            # No connection is kept: one that was opened for a host must not serve another one at the same address.
            limits=httpx.Limits(max_connections=max_connections, max_keepalive_connections=0),
        )

    return GuardedClient(Guard(settings, resolve=resolve), make_http)


__all__ = ["Answer", "GuardedClient", "OutgoingError", "StreamedAnswer", "guarded_client"]
