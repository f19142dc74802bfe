"""The HTTP server of one listener, in this process' event loop, on a socket that is bound before.

Sockets are bound before anything is built, so that a busy port is named first and a started process accepts
at once. Timeouts: the head of a request may take `read_timeout_s` (the engine's affair), each next part of a body
the same (`web/intake.py`), and a client that takes no bytes for `write_timeout_s` is cut by the system
(TCP_USER_TIMEOUT, where there is one: Linux).
"""

from __future__ import annotations

import asyncio
import socket
from typing import Any

from loguru import logger
from starlette.types import ASGIApp, Receive, Scope, Send

from streamgate.engine.base import EngineMissing, PortBusy, bind, engine_named
from streamgate.settings import ServerSettings

__all__ = ["EngineMissing", "PortBusy", "Server", "bind"]

DRAIN_SHARE = 0.8  # of the whole drain requests may use; the rest is for cutting them and for what stops behind


class Server:
    """A unit. `start` returns when requests are answered; `stop` lets running ones finish, then cuts them.

    Raises:
        EngineMissing: `settings.engine` is not installed.
    """

    needs: tuple[str, ...] = ()

    def __init__(self, name: str, app: ASGIApp, bound: socket.socket, settings: ServerSettings) -> None:
        self.name = name
        self.port: int = bound.getsockname()[1]
        self._engine = engine_named(settings.engine)
        self._app = app
        self._bound = bound
        self._settings = settings
        self._stopping = asyncio.Event()
        self._is_cutting = False
        self._serving: asyncio.Task[None] | None = None
        self._requests: set[asyncio.Task[Any]] = set()

    async def start(self) -> None:
        """Raises what the engine raises when it cannot serve."""
        _set_write_timeout(self._bound, self._settings.write_timeout_s)
        is_accepting = asyncio.Event()
        serving = self._engine(
            self._follow, self._bound, self._settings, accepting=is_accepting, stopping=self._stopping
        )
        self._serving = asyncio.create_task(serving, name=self.name)
        accepting = asyncio.create_task(is_accepting.wait())
        await asyncio.wait([self._serving, accepting], return_when=asyncio.FIRST_COMPLETED)
        accepting.cancel()
        if self._serving.done():
            await self._serving  # raises why
            raise RuntimeError(f"{self.name} ended before it served")

    async def stop(self) -> None:
        """A second call does nothing. What still runs after most of `drain_timeout_s` is cancelled: where nothing
        was answered yet, the caller gets a 503."""
        self._stopping.set()
        self._bound.close()  # ours still, where the server never started
        serving, self._serving = self._serving, None
        if serving is None:
            return
        drain_s = self._settings.drain_timeout_s
        await asyncio.wait([serving], timeout=drain_s * DRAIN_SHARE)
        if not serving.done():
            logger.bind(server=self.name, requests=len(self._requests)).warning("requests were cut")
            self._is_cutting = True
            for request in self._requests:
                request.cancel()
            await asyncio.wait([serving], timeout=drain_s * (1 - DRAIN_SHARE))
        if not serving.done():
            serving.cancel()
            await asyncio.wait([serving], timeout=1)
        elif not serving.cancelled():
            serving.result()

    async def _follow(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The application, each of whose requests can be cut."""
        request = asyncio.current_task()
        if request is None or scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        self._requests.add(request)
        try:
            await self._app(scope, receive, send)
        except asyncio.CancelledError:
            if not self._is_cutting:  # else it was answered, and is no fault of the application
                raise
        finally:
            self._requests.discard(request)


def _set_write_timeout(bound: socket.socket, write_timeout_s: float) -> None:
    """Accepted sockets inherit it from the one that listens."""
    option = getattr(socket, "TCP_USER_TIMEOUT", None)
    if option is not None:
        bound.setsockopt(socket.IPPROTO_TCP, option, int(write_timeout_s * 1000))
