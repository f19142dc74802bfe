"""`/` and `/assets/…`."""

from __future__ import annotations

import attrs
from starlette.responses import Response

from streamgate.errors import NotFound
from streamgate.web.routes import PUBLIC, Call, Route
from streamgate_web.assets import Asset, content_security_policy


class AssetUnknown(NotFound):
    code, title = "web.not_found", "No such file"


@attrs.frozen(kw_only=True)
class AssetPath:
    path: str


class Pages:
    """Args:
    profile: of the process; the page offers its throw-away wallet in `dev` alone.
    media_origin: where its player may fetch, too; empty: from this origin alone.
    """

    def __init__(self, assets: dict[str, Asset], *, profile: str, media_origin: str = "") -> None:
        self._assets = assets
        self._policy = content_security_policy(media_origin)
        self._page = assets["index.html"].filled(b'data-profile=""', f'data-profile="{profile}"'.encode())

    def routes(self) -> list[Route]:
        return [
            Route("GET", "/", self._index, policy=PUBLIC, summary="The page", produces=("text/html",)),
            Route(
                "GET",
                "/assets/{path:path}",
                self._asset,
                policy=PUBLIC,
                query=AssetPath,
                summary="A file of the page",
                produces=("text/css", "text/javascript", "image/svg+xml"),
                errors=(AssetUnknown,),
            ),
        ]

    async def _index(self, call: Call[None, None]) -> Response:
        return self._answer(call, self._page)

    async def _asset(self, call: Call[None, AssetPath]) -> Response:
        asset = self._assets.get(call.query.path)
        if asset is None:
            raise AssetUnknown("the page has no such file")
        return self._answer(call, asset)

    def _answer(self, call: Call[None, None] | Call[None, AssetPath], asset: Asset) -> Response:
        headers = asset.headers(self._policy)
        if asset.etag in call.request.headers.get("if-none-match", ""):
            return Response(status_code=304, headers=headers)
        return Response(asset.body, media_type=asset.media_type, headers=headers)
