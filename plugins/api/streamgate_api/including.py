"""`?include=` on a content: what several services say of it, asked at once, each for a bounded time.

Each part is an operation of the API of its own, asked in this process for the same caller: it says exactly what asking
it alone would say. What refuses or fails is named with its code, and the rest is answered.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import urlencode

import attrs
import orjson
from loguru import logger
from starlette.requests import Request
from starlette.types import ASGIApp

from streamgate.contracts.metadata import Content
from streamgate.contracts.streaming import MediaQuery, StatsQuery, Streaming
from streamgate.errors import DeadlineExceeded, FieldError, Internal, Invalid, StreamgateError
from streamgate.web.request_id import request_id_of
from streamgate.wire import to_plain
from streamgate_api.inside import Answer, Ask, ask

PART_TIMEOUT_S = 2.0
_OF_THIS_REQUEST = frozenset(
    {b"accept-encoding", b"content-length", b"content-type", b"if-none-match", b"range", b"transfer-encoding"}
)


@attrs.frozen(kw_only=True)
class IncludeError:
    """Why a part is missing: `status` and `code` are those of its own operation."""

    status: int
    code: str
    detail: str


@attrs.frozen(kw_only=True)
class ContentWithParts(Content):
    """A content; the parts and `include_errors` only where `include` asks for them. A part is null where there is
    nothing to tell, or where `include_errors` names it."""

    stream: dict[str, Any] | None = None
    transcode: dict[str, Any] | None = None
    gate: dict[str, Any] | None = None
    stats: dict[str, Any] | None = None
    include_errors: dict[str, IncludeError] = attrs.field(factory=dict)


class PartRefused(Exception):
    """Another operation's answer that is an error."""

    def __init__(self, error: IncludeError) -> None:
        super().__init__(error.code)
        self.error = error


Part = Callable[[Request, str], Awaitable[dict[str, Any] | None]]


class Including:
    """Args:
    app: the listener's own application, there once requests come.
    """

    def __init__(
        self, app: Callable[[], ASGIApp], streaming: Streaming, *, part_timeout_s: float = PART_TIMEOUT_S
    ) -> None:
        self._app = app
        self._streaming = streaming
        self._part_timeout_s = part_timeout_s
        self._parts: dict[str, Part] = {
            "stream": self._stream,
            "transcode": self._transcode,
            "gate": self._gate,
            "stats": self._stats,
        }

    def read(self, include: str) -> list[str]:
        """The names in `stream,gate`, each once. Raises Invalid."""
        names = list(dict.fromkeys(name for name in include.split(",") if name))
        unknown = [name for name in names if name not in self._parts]
        if unknown:
            message = f"{', '.join(unknown)} cannot be included; there are {', '.join(self._parts)}"
            raise Invalid("the query is not valid", errors=(FieldError("include", message),))
        return names

    async def parts(self, request: Request, content_id: str, names: list[str]) -> dict[str, Any]:
        """The members to add to the content's own."""
        found = await asyncio.gather(*(self._part(request, content_id, name) for name in names))
        members: dict[str, Any] = {}
        errors: dict[str, Any] = {}
        for name, part in zip(names, found, strict=True):
            is_error = isinstance(part, IncludeError)
            members[name] = None if is_error else part
            if is_error:
                errors[name] = to_plain(part)
        return {**members, "include_errors": errors}

    async def _part(self, request: Request, content_id: str, name: str) -> dict[str, Any] | IncludeError | None:
        try:
            async with asyncio.timeout(self._part_timeout_s):
                return await self._parts[name](request, content_id)
        except PartRefused as refusal:
            return refusal.error
        except TimeoutError:
            error: StreamgateError = DeadlineExceeded(f"{name} was not told within {self._part_timeout_s:g} s")
        except StreamgateError as fault:
            error = fault
        except Exception as fault:
            bound = logger.bind(request_id=request_id_of(request.scope), part=name)
            bound.opt(exception=fault).error("part of an answer failed")
            error = Internal()
        detail = error.detail if error.status != Internal.status else Internal.title
        return IncludeError(status=error.status, code=error.code, detail=detail)

    # --- the parts ------------------------------------------------------------------------------

    async def _stream(self, request: Request, content_id: str) -> dict[str, Any] | None:
        return await self._ask(request, "/api/v1/stream/info", content_id=content_id)

    async def _transcode(self, request: Request, content_id: str) -> dict[str, Any] | None:
        """Of the newest media version; nothing where none was begun."""
        media = await self._streaming.media(MediaQuery(content_id=content_id))
        if not media.root_id:
            return None
        return await self._ask(request, "/api/v1/transcode/status", task_id=media.root_id)

    async def _gate(self, request: Request, content_id: str) -> dict[str, Any] | None:
        return await self._ask(request, f"/api/v1/content/{content_id}/gate")

    async def _stats(self, request: Request, content_id: str) -> dict[str, Any] | None:
        stats: dict[str, Any] = to_plain(await self._streaming.stats(StatsQuery(content_id=content_id)))
        return stats

    async def _ask(self, request: Request, path: str, **query: str) -> dict[str, Any]:
        """Raises PartRefused."""
        headers = [pair for pair in request.scope["headers"] if pair[0] not in _OF_THIS_REQUEST]
        wanted = Ask(
            method="GET",
            path=path,
            query=urlencode(query).encode(),
            headers=headers,
            client=request.scope.get("client"),
            deadline_s=time.monotonic() + self._part_timeout_s,
        )
        answer = await ask(self._app(), wanted)
        plain: dict[str, Any] = orjson.loads(answer.body)
        if answer.status >= 400:
            raise PartRefused(_error_in(answer, plain))
        return plain


def _error_in(answer: Answer, problem: dict[str, Any]) -> IncludeError:
    code, detail = str(problem.get("code", Internal.code)), str(problem.get("detail", ""))
    return IncludeError(status=answer.status, code=code, detail=detail)
