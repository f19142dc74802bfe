"""What every listener answers about itself: `/health`, `/ready`, `/openapi.json`. No credential is read."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import orjson
from starlette.responses import Response

from streamgate.health import Liveness, Readiness
from streamgate.web.openapi import Description
from streamgate.web.routes import PUBLIC, Call, Route
from streamgate.wire import to_plain

NO_CACHE = {"cache-control": "no-cache"}


def system_routes(
    liveness: Callable[[], Liveness],
    readiness: Callable[[], Awaitable[Readiness]],
    description: Callable[[], Description],
) -> list[Route]:
    async def health(call: Call[None, None]) -> Liveness:
        return liveness()

    async def ready(call: Call[None, None]) -> Response:
        found = await readiness()
        status = 200 if found.ready else 503
        headers = {"cache-control": "no-store"} if found.ready else {"cache-control": "no-store", "retry-after": "1"}
        return Response(orjson.dumps(to_plain(found)), status, headers, "application/json")

    async def openapi(call: Call[None, None]) -> Response:
        return cached_json(description(), call.request.headers.get("if-none-match"))

    ready_said = "The process can do its work: every dependency is probed; 503 when not"
    unchanged: dict[str, Any] = {"answer": dict[str, Any], "also": {304: "As the asker has it"}}
    open_to_all: dict[str, Any] = {"policy": PUBLIC, "reads_bearer": False}
    return [
        Route("GET", "/health", health, answer=Liveness, summary="The process lives", **open_to_all),
        Route("GET", "/ready", ready, answer=Readiness, summary=ready_said, also={503: "Not ready"}, **open_to_all),
        Route("GET", "/openapi.json", openapi, summary="This API, described", **unchanged, **open_to_all),
    ]


def cached_json(description: Description, if_none_match: str | None) -> Response:
    """The document, or 304 where the asker has it already."""
    headers: dict[str, Any] = {**NO_CACHE, "etag": f'"{description.sha256[:32]}"'}
    if if_none_match == headers["etag"]:
        return Response(status_code=304, headers=headers)
    return Response(description.document, 200, headers, "application/json")
