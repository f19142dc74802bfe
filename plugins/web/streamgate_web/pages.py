"""`/` and `/assets/…`."""

from __future__ import annotations

import attrs
from starlette.responses import Response

from streamgate.errors import NotFound
from streamgate.web.routes import PUBLIC, Call, Route
from streamgate_web.assets import Asset


class AssetUnknown(NotFound):
    code, title = "web.not_found", "No such file"


@attrs.frozen(kw_only=True)
class AssetPath:
    path: str


class Pages:
    """Args:
    profile: of the process; the page offers its throw-away wallet in `dev` alone.
    """

    def __init__(self, assets: dict[str, Asset], *, profile: str) -> None:
        self._assets = assets
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
        return _answer(call, self._page)

    async def _asset(self, call: Call[None, AssetPath]) -> Response:
        asset = self._assets.get(call.query.path)
        if asset is None:
            raise AssetUnknown("the page has no such file")
        return _answer(call, asset)


def _answer(call: Call[None, None] | Call[None, AssetPath], asset: Asset) -> Response:
    if asset.etag in call.request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=asset.headers())
    return Response(asset.body, media_type=asset.media_type, headers=asset.headers())
