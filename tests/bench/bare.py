"""The peer of the HTTP figures: Starlette alone on the same server, one JSON route.

python -m tests.bench.bare PORT [hypercorn|uvicorn]
"""

from __future__ import annotations

import sys

import uvloop
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route


async def health(request: Request) -> JSONResponse:
    return JSONResponse({"status": "ok", "service": "bare", "version": "0", "mode": "all", "uptime_s": 1.0})


APP = Starlette(routes=[Route("/health", health), Route("/ready", health)])


def main(port: int, engine: str) -> None:
    if engine == "uvicorn":
        import uvicorn

        uvicorn.run(APP, port=port, log_config=None, access_log=False)
        return
    from hypercorn.asyncio import serve
    from hypercorn.config import Config

    config = Config()
    config.bind = [f"127.0.0.1:{port}"]
    config.accesslog = None
    config.errorlog = None
    uvloop.run(serve(APP, config))  # type: ignore[arg-type]


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else "hypercorn")
