"""`/docs`: the API to read and to try, from `/openapi.json`, by our own script alone."""

from __future__ import annotations

import hashlib
import importlib.resources

import attrs
from starlette.responses import Response

from streamgate.web.routes import PUBLIC, Call, Route

CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "connect-src 'self'",
        "img-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)
_FILES = {
    "/docs": ("docs.html", "text/html", "The API, to read and to try"),
    "/docs/docs.js": ("docs.js", "text/javascript", "The script of /docs"),
    "/docs/docs.css": ("docs.css", "text/css", "The style of /docs"),
}


@attrs.frozen
class _Page:
    body: bytes
    media_type: str
    etag: str

    async def answer(self, call: Call[None, None]) -> Response:
        """A file of the documentation page."""
        headers = {"etag": self.etag, "cache-control": "no-cache", "content-security-policy": CONTENT_SECURITY_POLICY}
        if call.request.headers.get("if-none-match") == self.etag:
            return Response(status_code=304, headers=headers)
        return Response(self.body, headers=headers, media_type=self.media_type)


def docs_routes() -> list[Route]:
    return [
        Route(
            "GET",
            path,
            _page(name, media_type).answer,
            policy=PUBLIC,
            produces=(media_type,),
            reads_bearer=False,
            also={304: "As the asker has it"},
            summary=summary,
        )
        for path, (name, media_type, summary) in _FILES.items()
    ]


def _page(name: str, media_type: str) -> _Page:
    body = (importlib.resources.files("streamgate.sdk.edge") / "static" / name).read_bytes()
    return _Page(body, f"{media_type}; charset=utf-8", f'"{hashlib.sha256(body).hexdigest()[:32]}"')
