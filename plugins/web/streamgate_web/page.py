"""The page at `/`: one document, whose scripts and styles are files of ours and nobody else's."""

from __future__ import annotations

import hashlib

from starlette.responses import Response

from streamgate import __version__
from streamgate.web.routes import PUBLIC, Call, Route
from streamgate_web.assets import Assets

# Media bytes come by MediaSource (`blob:`); nothing is inline, framed, or from elsewhere.
CONTENT_SECURITY_POLICY = "; ".join(
    [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        "media-src 'self' blob:",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    ]
)
HEADERS = {
    "content-security-policy": CONTENT_SECURITY_POLICY,
    "cache-control": "no-cache",
    "cross-origin-opener-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=()",
    "x-frame-options": "DENY",
}
HLS_SCRIPT = "vendor/hls.min.js"


class Page:
    """Args:
    template: the document; `{{base}}`, `{{hls}}` and `{{version}}` are filled in.
    """

    def __init__(self, template: str, assets: Assets) -> None:
        # Without hls.js (npm has not run) browsers that play HLS themselves still do.
        hls = f'<script src="{assets.base}/{HLS_SCRIPT}" defer></script>' if HLS_SCRIPT in assets else ""
        filled = template.replace("{{base}}", assets.base).replace("{{hls}}", hls).replace("{{version}}", __version__)
        self.body = filled.encode()
        self._etag = f'"{hashlib.sha256(self.body).hexdigest()[:32]}"'

    def routes(self) -> list[Route]:
        return [
            Route(
                "GET",
                "/",
                self._get,
                policy=PUBLIC,
                reads_bearer=False,
                produces=("text/html",),
                summary="The page: what this is, what is on it, and a player for what is public",
            )
        ]

    async def _get(self, call: Call[None, None]) -> Response:
        headers = {**HEADERS, "etag": self._etag}
        if call.request.headers.get("if-none-match") == self._etag:
            return Response(status_code=304, headers=headers)
        return Response(self.body, 200, headers, "text/html; charset=utf-8")
