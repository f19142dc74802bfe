"""hypercorn. Its own `read_timeout` is not used: it counts while an answer is being made, and would cut every
answer that takes longer. The head of a request falls under its idle time."""

from __future__ import annotations

import asyncio
import logging
import socket
from typing import Any

import hypercorn.protocol
from hypercorn.asyncio import serve as serve_hypercorn
from hypercorn.config import Config
from hypercorn.protocol.h11 import H11Protocol
from starlette.types import ASGIApp

from streamgate.engine.base import BACKLOG, MAX_HEAD_BYTES, MAX_WEBSOCKET_MESSAGE_BYTES
from streamgate.settings import ServerSettings

MAX_REQUESTS_A_CONNECTION = 1_000_000


async def serve(
    app: ASGIApp,
    bound: socket.socket,
    settings: ServerSettings,
    *,
    accepting: asyncio.Event,
    stopping: asyncio.Event,
) -> None:
    """An `Engine`."""

    async def until_stopped() -> None:
        """hypercorn asks for this when every socket accepts, and shuts down when it returns."""
        accepting.set()
        await stopping.wait()

    application: Any = app  # hypercorn types ASGI applications by its own TypedDicts
    await serve_hypercorn(application, _config(f"fd://{bound.detach()}", settings), shutdown_trigger=until_stopped)


def _config(address: str, settings: ServerSettings) -> Config:
    config = Config()
    config.bind = [address]
    config.backlog = BACKLOG
    config.accesslog = None
    config.errorlog = logging.getLogger("hypercorn.error")  # with no handler of its own: to our log
    config.include_server_header = False
    config.h11_max_incomplete_size = MAX_HEAD_BYTES
    config.websocket_max_message_size = MAX_WEBSOCKET_MESSAGE_BYTES
    config.keep_alive_timeout = settings.read_timeout_s
    config.keep_alive_max_requests = MAX_REQUESTS_A_CONNECTION
    config.graceful_timeout = settings.drain_timeout_s
    return config


class _Http1(H11Protocol):
    """Does not change to HTTP/2 in the middle of a connection (RFC 9113 took that out): a proxy that hands `Upgrade`
    on, as it must for WebSockets, would see no request from then on, and could judge none. HTTP/2 may begin one."""

    async def _check_protocol(self, event: Any) -> None:  # Any: an h11.Request, whose library is hypercorn's affair
        if not any(name == b"upgrade" and value.strip().lower() == b"h2c" for name, value in event.headers):
            await super()._check_protocol(event)


hypercorn.protocol.H11Protocol = _Http1  # type: ignore[attr-defined]  # hypercorn has no other place to say its class
