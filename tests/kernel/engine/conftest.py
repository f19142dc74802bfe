"""A server on a real socket, by either engine."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any, Literal

import attrs
import httpx
import pytest

from streamgate.engine.server import Server, bind
from streamgate.settings import ServerSettings
from streamgate.web.app import App
from streamgate.web.routes import Mount, Route

MakeApp = Callable[..., App]
Engine = Literal["hypercorn", "uvicorn"]


@pytest.fixture(params=["hypercorn", "uvicorn"])
def engine(request: pytest.FixtureRequest) -> Engine:
    name: Engine = request.param
    return name


@pytest.fixture
def settings(engine: Engine) -> ServerSettings:
    return ServerSettings(engine=engine, read_timeout_s=0.3, write_timeout_s=1.0, drain_timeout_s=5.0)


@pytest.fixture
async def serve(make_app: MakeApp, settings: ServerSettings) -> AsyncIterator[Callable[..., Any]]:
    """Starts a server on a free port; gives it and a client. Keywords replace single settings."""
    running: list[Any] = []

    async def start(routes: list[Route], mounts: tuple[Mount, ...] = (), **changes: Any) -> Any:
        chosen = attrs.evolve(settings, **changes)
        server = Server("http:toy", make_app(routes, mounts, settings=chosen), bind("127.0.0.1", 0), chosen)
        await server.start()
        client = httpx.AsyncClient(base_url=f"http://127.0.0.1:{server.port}", timeout=10)
        running.extend([client, server])
        return server, client

    yield start
    for each in running:
        await (each.aclose() if isinstance(each, httpx.AsyncClient) else each.stop())
