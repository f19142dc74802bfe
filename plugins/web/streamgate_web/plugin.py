"""The page's answers to the kernel."""

from __future__ import annotations

from collections.abc import Sequence

from streamgate.hooks import hookimpl
from streamgate.plugins import PluginContext, PluginInfo
from streamgate.web.routes import Route
from streamgate_web.config import WebConfig
from streamgate_web.diagnose import diagnose


class WebPlugin:
    def __init__(self, ctx: PluginContext) -> None:
        from streamgate_web.assets import load_assets
        from streamgate_web.pages import Pages

        config: WebConfig = ctx.config
        self._pages = Pages(load_assets(), profile=ctx.settings.profile, media_origin=config.media_origin)

    @hookimpl
    def collect_routes(self) -> Sequence[Route]:
        return self._pages.routes()


PLUGIN = PluginInfo(
    name="web",
    summary="The page: sign in with a wallet, share a video, say who may watch, watch.",
    build=WebPlugin,
    config=WebConfig,
    port=9011,
    prefixes=("/", "/assets"),
    diagnose=diagnose,
)
