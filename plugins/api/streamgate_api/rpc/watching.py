"""Progress of a transcode as a server stream: its status now and at every change, until it has ended."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from google.protobuf.message import Message

from streamgate.errors import Unavailable
from streamgate_api.proto import transcode_pb2
from streamgate_api.rpc.calls import Calls, Context, caller_of, parse, told
from streamgate_api.rpc.health import wait_for
from streamgate_api.rpc.operations import operation_of

EVERY_S = 0.5
ENDED = frozenset({"done", "failed", "dead", "cancelled"})
_STATUS = operation_of(transcode_pb2.DESCRIPTOR.services_by_name["TranscodeService"].methods_by_name["Status"])


class Watching:
    def __init__(self, calls: Calls, draining: asyncio.Event, *, every_s: float = EVERY_S) -> None:
        self._calls = calls
        self._draining = draining
        self._every_s = every_s

    async def watch(self, payload: bytes, context: Context) -> AsyncIterator[Message]:
        assert _STATUS is not None
        operation = _STATUS
        caller = caller_of(context)
        said: Message | None = None

        async def read() -> Message:
            if self._draining.is_set():
                raise Unavailable("the server is stopping; watch again", retry_after_s=1)
            return await self._calls.operate(caller, operation, parse(transcode_pb2.TranscodeStatusRequest, payload))

        while True:
            now = await told(context, caller, "transcode.watch", read)
            if now != said:
                said = now
                yield now
            if getattr(now, "status", "") in ENDED:
                return
            await wait_for(self._draining, self._every_s)
