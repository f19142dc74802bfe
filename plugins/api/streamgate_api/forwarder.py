"""Forwards what another process serves, bytes streaming both ways.

Nothing is decided here: the service checks the bearer itself. A path nobody owns is 404; one whose owner is
away is 503 with Retry-After.

aiohttp, since it was measured at 80 µs of processor time a small request where httpx took 1,290 µs, and 0.3 ms
for 600 kB where httpx took 1.6 ms.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

import aiohttp
from prometheus_client import Counter
from starlette.requests import ClientDisconnect
from starlette.types import Receive, Scope, Send
from yarl import URL

from streamgate.errors import DeadlineExceeded, Unavailable
from streamgate.web.intake import has_body
from streamgate.web.problems import RouteNotFound
from streamgate_api.config import ApiConfig
from streamgate_api.headers import origin_of, to_client, to_service
from streamgate_api.targets import Targets

READ_BYTES = 256 * 1024
FORWARDED = Counter("streamgate_api_forwarded_total", "Requests handed on", ["service", "outcome"])
KEEP_ALIVE_S = 15.0  # below the time after which a service closes an idle connection


class Forwarder:
    """An ASGI application, mounted behind the routes. `start` and `stop` are its unit's."""

    def __init__(self, targets: Targets, config: ApiConfig) -> None:
        self._targets = targets
        self._config = config
        self._http: aiohttp.ClientSession | None = None

    async def start(self) -> None:
        self._http = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=KEEP_ALIVE_S),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=self._config.connect_timeout_s),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            skip_auto_headers=("User-Agent", "Accept", "Accept-Encoding", "Content-Type"),
            read_bufsize=READ_BYTES,
        )

    async def stop(self) -> None:
        if self._http is not None:
            await self._http.close()
            self._http = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Raises what the edge renders: RouteNotFound, Unavailable, DeadlineExceeded."""
        path: str = scope["path"]
        service = self._targets.owner_of(path)
        # `%2F` for the first sign would go on where the service's address ends, and `@` behind it begin another one.
        is_below_root = scope["raw_path"].startswith(b"/")
        if service is None or not is_below_root or any(step in (".", "..") for step in path.split("/")):
            raise RouteNotFound(f"nothing is served at {path}")
        body = RequestBody(receive, is_empty=not has_body(scope))
        outcome = "cut"
        try:
            await self._forward(service, scope, body, send)
            outcome = "answered"
        except Unavailable:
            outcome = "absent"
            raise
        except (aiohttp.ClientError, TimeoutError) as fault:
            if body.fault is not None:
                outcome = "client_left"
                raise body.fault from fault
            outcome = "timed_out" if isinstance(fault, TimeoutError) else "broken"
            if isinstance(fault, TimeoutError):
                raise DeadlineExceeded(f"{service} did not answer in time", retry_after_s=1) from fault
            raise Unavailable(f"{service} broke off", retry_after_s=1) from fault
        finally:
            FORWARDED.labels(service, outcome).inc()

    async def _forward(self, service: str, scope: Scope, body: RequestBody, send: Send) -> None:
        for base_url in self._targets.addresses_of(service):
            try:
                answer = await self._ask(service, base_url, scope, body)
            except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError):
                self._targets.failed(service, base_url)  # nothing was sent: the next one may be asked
                continue
            try:
                await self._hand_on(answer, body, send)
            finally:
                if not body.is_sent:
                    answer.close()  # the connection is in the middle of a request: never used again
                answer.release()
            return
        raise Unavailable(f"{service} is not there now", retry_after_s=1)

    async def _ask(self, service: str, base_url: str, scope: Scope, body: RequestBody) -> aiohttp.ClientResponse:
        """The head of the answer. The time for it runs from when the service has the whole request."""
        assert self._http is not None
        query = scope["query_string"]
        target = scope["raw_path"] + (b"?" + query if query else b"")
        headers = to_service(scope["headers"], origin_of(scope, hop=self._targets.hop_of(service, base_url)))
        async with asyncio.timeout(None) as limit:
            body.when_sent(lambda: limit.reschedule(asyncio.get_running_loop().time() + self._config.answer_timeout_s))
            return await self._http.request(
                scope["method"],
                URL(base_url + target.decode("latin-1"), encoded=True),
                headers=headers,
                data=None if body.is_sent else body.parts(),
                allow_redirects=False,
            )

    async def _hand_on(self, answer: aiohttp.ClientResponse, body: RequestBody, send: Send) -> None:
        headers = list(to_client(answer.raw_headers))
        await send({"type": "http.response.start", "status": answer.status, "headers": headers})
        # A client that leaves is not noticed by sending: the server swallows what goes to a closed connection.
        leaving = asyncio.create_task(body.until_client_leaves())
        leaving.add_done_callback(lambda task: None if task.cancelled() else answer.close())
        try:
            while True:
                async with asyncio.timeout(self._config.answer_timeout_s):
                    part = await answer.content.readany()
                is_last = not part or answer.content.at_eof()  # a small answer has come whole: one send instead of two
                await send({"type": "http.response.body", "body": part, "more_body": not is_last})
                if is_last:
                    return
        finally:
            leaving.cancel()


class RequestBody:
    """The caller's body on its way to the service, and what went wrong on the caller's side."""

    def __init__(self, receive: Receive, *, is_empty: bool) -> None:
        self._receive = receive
        self._sent = asyncio.Event()
        self._when_sent: Callable[[], None] | None = None
        self.fault: Exception | None = None
        if is_empty:
            self._sent.set()

    @property
    def is_sent(self) -> bool:
        return self._sent.is_set()

    def when_sent(self, tell: Callable[[], None]) -> None:
        """Calls `tell` once, when the last part is handed over; now, where it has been."""
        if self.is_sent:
            tell()
        else:
            self._when_sent = tell

    async def parts(self) -> AsyncIterator[bytes]:
        """Faults are kept too: the HTTP client replaces them by its own."""
        while not self.is_sent:
            try:
                message = await self._receive()
                if message["type"] == "http.disconnect":
                    raise ClientDisconnect
            except Exception as fault:
                self.fault = fault
                raise
            if message.get("body"):
                yield message["body"]
            if not message.get("more_body", False):
                self._sent.set()
                if self._when_sent is not None:
                    self._when_sent()

    async def until_client_leaves(self) -> None:
        """Only when the body is through: until then `parts` is told."""
        await self._sent.wait()
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self.fault = ClientDisconnect()
