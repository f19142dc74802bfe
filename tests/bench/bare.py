"""The peer of the HTTP figures: Starlette alone on the same server, one JSON route.

python -m tests.bench.bare PORT
"""

from __future__ import annotations

import sys

import uvloop
from hypercorn.asyncio import serve
from hypercorn.config import Config
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route


async def health(request: Request) -> JSONResponse:
    return JSONResponse({"status": "ok", "service": "bare", "version": "0", "mode": "all", "uptime_s": 1.0})


if __name__ == "__main__":
    config = Config()
    config.bind = [f"127.0.0.1:{sys.argv[1]}"]
    config.accesslog = None
    config.errorlog = None
    uvloop.run(serve(Starlette(routes=[Route("/health", health), Route("/ready", health)]), config))  # type: ignore[arg-type]
