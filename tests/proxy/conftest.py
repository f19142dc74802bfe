"""The site files of `deploy/nginx`, as they are but for ports and folders, before a real server and nginx."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import attrs
import httpx
import pytest

from streamgate.engine.server import Server, bind
from streamgate.settings import ServerSettings
from streamgate.testing.nginx import Nginx
from tests.plugins.streaming import conftest as streaming
from tests.plugins.streaming.theatre import Open, Theatre

SITES = Path(__file__).parents[2] / "deploy" / "nginx"

clock, open_theatre = streaming.clock, streaming.open_theatre


@attrs.frozen
class Behind:
    """A theatre that is reached through nginx alone; `asked`: the paths that got through to it."""

    theatre: Theatre
    url: str
    nginx: Nginx
    asked: list[str]

    async def fetch(self, session: dict[str, Any], path: str, **how: Any) -> httpx.Response:
        url = self.url + session["hls_url"].removesuffix("master.m3u8") + path
        async with httpx.AsyncClient() as http:
            return await http.request(how.pop("method", "GET"), url, **how)


OpenSite = Callable[..., AbstractAsyncContextManager[Behind]]


@pytest.fixture
def open_site(open_theatre: Open, tmp_path: Path) -> OpenSite:
    @asynccontextmanager
    async def open_it(site: str, **config: Any) -> AsyncIterator[Behind]:
        asked: list[str] = []
        socket = bind("127.0.0.1", 0)
        origin = f"127.0.0.1:{socket.getsockname()[1]}"
        async with open_theatre(**config) as theatre:

            async def noting(scope: Any, receive: Any, send: Any) -> None:
                if scope["type"] == "http":
                    asked.append(scope["path"])
                await theatre.home.app(scope, receive, send)

            server = Server("http", noting, socket, ServerSettings(drain_timeout_s=2))
            await server.start()
            text = (SITES / site).read_text(encoding="utf-8")
            for old, new in (
                ("127.0.0.1:9090", origin),
                ("listen 8080", "listen 127.0.0.1:@PORT@"),
                ("/srv/streamgate/blobs/", f"{tmp_path}/blobs/"),
                ("/var/cache/nginx/", "@FOLDER@/"),
            ):
                assert (old in text) or old.startswith(("/srv", "/var"))
                text = text.replace(old, new)
            try:
                with Nginx(text, user="root") as nginx:
                    yield Behind(theatre, f"http://127.0.0.1:{nginx.port}", nginx, asked)
            finally:
                await server.stop()

    return open_it
