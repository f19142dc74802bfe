"""The HTTP server of one listener: hypercorn in this process' event loop, on a socket that is bound before.

Sockets are bound before anything is built, so that a busy port is named first and a started process accepts
at once. Timeouts: the head of a request may take `read_timeout_s` (hypercorn's idle time), each next part of
a body the same (`intake.py`), and a client that takes no bytes for `write_timeout_s` is cut by the system
(TCP_USER_TIMEOUT, where there is one: Linux). hypercorn's own `read_timeout` is not used: it counts while an
answer is being made, and would cut every answer that takes longer.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from typing import Any

from hypercorn.asyncio import serve
from hypercorn.config import Config
from loguru import logger
from starlette.types import ASGIApp, Receive, Scope, Send

from streamgate.settings import ServerSettings

BACKLOG = 1024
MAX_REQUESTS_A_CONNECTION = 1_000_000
DRAIN_SHARE = 0.8  # of the whole drain requests may use; the rest is for cutting them and for what stops behind


class PortBusy(OSError):
    """Names the address and what to do."""


def bind(host: str, port: int) -> socket.socket:
    """A bound TCP socket; port 0 takes a free one (`getsockname()[1]` tells which).

    Raises:
        PortBusy: the address is taken, or not ours; the message names it.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_STREAM)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        bound.bind((host, port))
    except OSError as fault:
        bound.close()
        reason = os.strerror(fault.errno or 0)
        said = f"cannot listen on {host}:{port}: {reason}; stop what holds it or set SERVER_PORT"
        raise PortBusy(fault.errno, said) from fault
    bound.setblocking(False)
    return bound


class Server:
    """A unit. `start` returns when requests are answered; `stop` lets running ones finish, then cuts them."""

    needs: tuple[str, ...] = ()

    def __init__(self, name: str, app: ASGIApp, bound: socket.socket, settings: ServerSettings) -> None:
        self.name = name
        self.port: int = bound.getsockname()[1]
        self._app = app
        self._bound = bound
        self._settings = settings
        self._accepting = asyncio.Event()
        self._stopping = asyncio.Event()
        self._serving: asyncio.Task[None] | None = None
        self._requests: set[asyncio.Task[Any]] = set()

    async def start(self) -> None:
        """Raises what hypercorn raises when it cannot serve."""
        _set_write_timeout(self._bound, self._settings.write_timeout_s)
        # hypercorn owns the descriptor from here, so that closing it really ends the listening.
        config = _config(f"fd://{self._bound.detach()}", self._settings)
        app: Any = self._follow  # hypercorn types ASGI applications by its own TypedDicts
        serving = serve(app, config, shutdown_trigger=self._run_until_stopped)
        self._serving = asyncio.create_task(serving, name=self.name)
        accepting = asyncio.create_task(self._accepting.wait())
        await asyncio.wait([self._serving, accepting], return_when=asyncio.FIRST_COMPLETED)
        accepting.cancel()
        if self._serving.done():
            await self._serving  # raises why
            raise RuntimeError(f"{self.name} ended before it served")

    async def stop(self) -> None:
        """A second call does nothing. What still runs after most of `drain_timeout_s` is cancelled: where nothing
        was answered yet, the caller gets a 503."""
        self._stopping.set()
        self._bound.close()
        serving, self._serving = self._serving, None
        if serving is None:
            return
        drain_s = self._settings.drain_timeout_s
        await asyncio.wait([serving], timeout=drain_s * DRAIN_SHARE)
        if not serving.done():
            logger.bind(server=self.name, requests=len(self._requests)).warning("requests were cut")
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
        finally:
            self._requests.discard(request)

    async def _run_until_stopped(self) -> None:
        """hypercorn asks for this when every socket accepts, and shuts down when it returns."""
        self._accepting.set()
        await self._stopping.wait()


def _config(address: str, settings: ServerSettings) -> Config:
    config = Config()
    config.bind = [address]
    config.backlog = BACKLOG
    config.accesslog = None
    config.errorlog = logging.getLogger("hypercorn.error")  # with no handler of its own: to our log
    config.include_server_header = False
    config.keep_alive_timeout = settings.read_timeout_s
    config.keep_alive_max_requests = MAX_REQUESTS_A_CONNECTION
    config.graceful_timeout = settings.drain_timeout_s
    return config


def _set_write_timeout(bound: socket.socket, write_timeout_s: float) -> None:
    """Accepted sockets inherit it from the one that listens."""
    option = getattr(socket, "TCP_USER_TIMEOUT", None)
    if option is not None:
        bound.setsockopt(socket.IPPROTO_TCP, option, int(write_timeout_s * 1000))
