"""The peer of the HTTP figures: Starlette alone on the same server, in one process.

python -m tests.bench.bare PORT [hypercorn|uvicorn [FOLDER]]

GET answers a small JSON at any path. POST writes the body to a new file in FOLDER, fsynced, and answers its size and
SHA-256: what somebody writes first who takes files.
"""

from __future__ import annotations

import asyncio
import hashlib
import itertools
import os
import sys
from pathlib import Path

import uvloop
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

_numbers = itertools.count()


async def answer(request: Request) -> JSONResponse:
    return JSONResponse({"status": "ok", "service": "bare", "version": "0", "mode": "all", "uptime_s": 1.0})


async def take(request: Request) -> JSONResponse:
    size_bytes = 0
    digest = hashlib.sha256()
    path = Path(request.app.state.folder) / str(next(_numbers))
    with path.open("wb") as file:
        async for part in request.stream():
            size_bytes += file.write(part)
            digest.update(part)
        file.flush()
        await asyncio.to_thread(os.fsync, file.fileno())
    return JSONResponse({"size_bytes": size_bytes, "sha256": digest.hexdigest()}, status_code=201)


APP = Starlette(
    routes=[Route("/{path:path}", answer, methods=["GET"]), Route("/{path:path}", take, methods=["POST"])],
)


def main(port: int, engine: str, folder: str) -> None:
    APP.state.folder = folder
    serve(APP, port, engine)


def serve(app: Starlette, port: int, engine: str) -> None:
    """Until it is ended."""
    if engine == "uvicorn":
        import uvicorn

        uvicorn.run(app, port=port, log_config=None, access_log=False)
        return
    from hypercorn.asyncio import serve as serve_by_hypercorn
    from hypercorn.config import Config

    config = Config()
    config.bind = [f"127.0.0.1:{port}"]
    config.accesslog = None
    config.errorlog = None
    uvloop.run(serve_by_hypercorn(app, config))  # type: ignore[arg-type]


if __name__ == "__main__":
    main(int(sys.argv[1]), *(*sys.argv[2:], *("hypercorn", "")[len(sys.argv) - 2 :]))
