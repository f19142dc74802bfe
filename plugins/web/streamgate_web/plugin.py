"""The page's answers to the kernel."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from loguru import logger

from streamgate.hooks import hookimpl
from streamgate.plugins import PluginContext, PluginInfo
from streamgate.web.routes import PUBLIC, Mount, Route

STATIC = Path(__file__).parent / "static"


class WebPlugin:
    def __init__(self, ctx: PluginContext) -> None:
        from streamgate_web.assets import PREFIX, Assets
        from streamgate_web.page import HLS_SCRIPT, Page

        assets = Assets(STATIC)
        if HLS_SCRIPT not in assets:
            logger.bind(missing=HLS_SCRIPT).warning("hls.js is not installed; run plugins/web/build.py")
        self._page = Page((STATIC / "index.html").read_text(encoding="utf-8"), assets)
        self._mount = Mount(prefix=PREFIX, app=assets, policy=PUBLIC, summary="Scripts and styles of the page")

    @hookimpl
    def collect_routes(self) -> Sequence[Route]:
        return self._page.routes()

    @hookimpl
    def collect_mounts(self) -> Sequence[Mount]:
        return [self._mount]


PLUGIN = PluginInfo(
    name="web",
    summary="The page at /: what is on here, and a player for what is public.",
    build=WebPlugin,
    port=9011,
    prefixes=("/", "/assets"),
)
