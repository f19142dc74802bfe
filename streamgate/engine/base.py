"""What a server must do to serve us: one coroutine, behind which hypercorn and uvicorn are alike.

`tests/kernel/engine` is the suite both pass: serving, draining, clients that stall, heads that grow or never end.
"""

from __future__ import annotations

import asyncio
import importlib
import os
import socket
from collections.abc import Coroutine
from typing import Any, Literal, Protocol

from starlette.types import ASGIApp

from streamgate.settings import ServerSettings

EngineName = Literal["hypercorn", "uvicorn"]

BACKLOG = 1024
MAX_HEAD_BYTES = 65_536
"""A head that is not complete by then is cut by the server; the edge refuses smaller ones with a problem."""
MAX_WEBSOCKET_MESSAGE_BYTES = 1_048_576


class PortBusy(OSError):
    """Names the address and what to do."""


class EngineMissing(RuntimeError):
    """The server that is configured is not installed; the message says how it is."""


class Engine(Protocol):
    """Serves an ASGI application on a bound socket until it is told to stop."""

    def __call__(
        self,
        app: ASGIApp,
        bound: socket.socket,
        settings: ServerSettings,
        *,
        accepting: asyncio.Event,
        stopping: asyncio.Event,
    ) -> Coroutine[Any, Any, None]:
        """Sets `accepting` when connections are accepted. After `stopping` it accepts none, closes idle ones and
        returns when what runs has ended; whoever set it cancels requests that take too long.

        The descriptor is taken out of `bound`, so that closing it really ends the listening. The head of a request
        may take `settings.read_timeout_s` and have MAX_HEAD_BYTES; an idle connection is kept as long. No answer
        says which server this is, and no signal handler is set.
        """


def engine_named(name: EngineName) -> Engine:
    """Raises EngineMissing where its library is not installed."""
    try:
        found: Engine = importlib.import_module(f"streamgate.engine.{name}").serve
    except ModuleNotFoundError as fault:
        said = f"server.engine: {name} is not installed (no module {fault.name}); install streamgate-kernel[{name}]"
        raise EngineMissing(f"{said} or set server.engine to hypercorn") from fault
    return found


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
