"""grpc.health.v1: SERVING follows `/ready`, and for one service whether anybody serves it now.

Balancers ask often, and always the same few questions: while it is known whether the process is ready, the answer is
looked up, and no request is made of the question (so it gets no request id).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Collection

import grpc
from grpc_health.v1 import health_pb2

from streamgate.errors import NotFound
from streamgate_api.inside import Ask
from streamgate_api.rpc.calls import CALLS, OK, Caller, Calls, Context, Handler, Refused, caller_of, parse, told

FRESH_S = 1.0  # anybody may ask, so dependencies are probed no more often than this
_SERVES = {
    "streamgate.v1.AuthService": "auth",
    "streamgate.v1.ContentService": "metadata",
    "streamgate.v1.NftService": "auth",
    "streamgate.v1.StreamingService": "streaming",
    "streamgate.v1.TranscodeService": "transcoder",
    "streamgate.v1.UploadService": "upload",
}
_STATUS = health_pb2.HealthCheckResponse
_ANSWERS: dict[int, bytes] = {
    status: _STATUS(status=status).SerializeToString() for status in (_STATUS.SERVING, _STATUS.NOT_SERVING)
}


class Health:
    """Args:
    services: full names that may be asked about; the empty name is the whole.
    is_there: whether a service of the nine is served anywhere now.
    """

    def __init__(
        self, calls: Calls, services: Collection[str], draining: asyncio.Event, is_there: Callable[[str], bool]
    ) -> None:
        self._calls = calls
        self._services = frozenset(services)
        self._draining = draining
        self._is_there = is_there
        self._ready: tuple[float, bool] | None = None
        self._asking = asyncio.Lock()
        asked = {health_pb2.HealthCheckRequest(service=name).SerializeToString(): name for name in ("", *services)}
        self._questions: dict[bytes, str] = asked

    def handlers(self) -> dict[str, Handler]:
        """By the full path of the method."""
        path = f"/{health_pb2.DESCRIPTOR.services_by_name['Health'].full_name}"
        return {
            f"{path}/Check": grpc.unary_unary_rpc_method_handler(self._check),
            f"{path}/Watch": grpc.unary_stream_rpc_method_handler(
                self._watch, response_serializer=_STATUS.SerializeToString
            ),
        }

    async def _check(self, payload: bytes, context: Context) -> bytes:
        question = self._questions.get(payload)
        if question is not None and self._ready is not None and time.monotonic() - self._ready[0] <= FRESH_S:
            CALLS.of("health", OK).add()
            return _ANSWERS[self._status_of(question, is_ready=self._ready[1])]
        return await self._look(payload, context)

    async def _look(self, payload: bytes, context: Context) -> bytes:
        caller = caller_of(context)

        async def work() -> bytes:
            name = parse(health_pb2.HealthCheckRequest, payload).service
            if name and name not in self._services:
                raise NotFound(f"no service is named {name}")
            return _ANSWERS[await self._status(caller, name)]

        return await told(context, caller, "health", work)

    async def _watch(self, payload: bytes, context: Context) -> AsyncIterator[health_pb2.HealthCheckResponse]:
        """Never ends by itself; a name that is not known may become one (as the protocol wants it)."""
        caller = caller_of(context)

        async def read() -> health_pb2.HealthCheckRequest:
            return parse(health_pb2.HealthCheckRequest, payload)

        name = (await told(context, caller, "health", read)).service
        said: int | None = None
        while True:
            is_last = self._draining.is_set()
            is_known = not name or name in self._services
            status = await self._status(caller, name) if is_known else _STATUS.SERVICE_UNKNOWN
            if status != said:
                said = status
                yield _STATUS(status=status)
            if is_last:
                return
            await wait_for(self._draining, FRESH_S)

    async def _status(self, caller: Caller, name: str) -> health_pb2.HealthCheckResponse.ServingStatus:
        return self._status_of(name, is_ready=not self._draining.is_set() and await self._is_ready(caller))

    def _status_of(self, name: str, *, is_ready: bool) -> health_pb2.HealthCheckResponse.ServingStatus:
        is_well = is_ready and not self._draining.is_set()
        if is_well and (not name or self._is_there(_SERVES[name])):
            return _STATUS.SERVING
        return _STATUS.NOT_SERVING

    async def _is_ready(self, caller: Caller) -> bool:
        async with self._asking:
            now_s = time.monotonic()
            if self._ready is None or now_s - self._ready[0] > FRESH_S:
                try:
                    await self._calls.ask(caller, Ask(method="GET", path="/ready"))
                    self._ready = (now_s, True)
                except Refused:
                    self._ready = (now_s, False)
            return self._ready[1]


async def wait_for(event: asyncio.Event, longest_s: float) -> None:
    """Until the event, or for so long."""
    try:
        async with asyncio.timeout(longest_s):
            await event.wait()
    except TimeoutError:
        return
