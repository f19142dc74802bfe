"""The page's files, in memory, under an address that changes with their content.

/assets/<release>/app.js     may be kept for ever: other content has another <release>
/assets/<anything>/app.js    a page loaded before an upgrade still finds its files, but keeps none
"""

from __future__ import annotations

import gzip
import hashlib
from pathlib import Path

import attrs
from starlette.types import Receive, Scope, Send

from streamgate.web.problems import MethodNotAllowed, RouteNotFound, problem_response
from streamgate.web.request_id import header, request_id_of

PREFIX = "/assets"
FOR_EVER = b"public, max-age=31536000, immutable"
MEDIA_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
}
GZIP_FROM_BYTES = 1024


@attrs.frozen
class Asset:
    body: bytes
    packed: bytes | None  # gzip, where it is worth it
    media_type: bytes


class Assets:
    """An ASGI application mounted at `/assets`.

    Args:
        folder: every file below it whose kind is known is served; the others (the page itself) are not.
    """

    def __init__(self, folder: Path) -> None:
        self._assets = {
            path.relative_to(folder).as_posix(): _load(path)
            for path in sorted(folder.rglob("*"))
            if path.suffix in MEDIA_TYPES
        }
        digest = hashlib.sha256()
        for name, asset in self._assets.items():
            digest.update(f"{name}\0{len(asset.body)}\0".encode() + asset.body)
        self.release = digest.hexdigest()[:16]

    @property
    def base(self) -> str:
        """Where the files are now: `/assets/<release>`."""
        return f"{PREFIX}/{self.release}"

    def __contains__(self, name: str) -> bool:
        return name in self._assets

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        release, _, name = scope["path"].removeprefix(f"{PREFIX}/").partition("/")
        asset = self._assets.get(name)
        if asset is None:
            await problem_response(RouteNotFound("no such file"), request_id_of(scope))(scope, receive, send)
            return
        if scope["method"] not in ("GET", "HEAD"):
            refused = MethodNotAllowed(allowed=("GET", "HEAD"))
            await problem_response(refused, request_id_of(scope))(scope, receive, send)
            return
        takes_gzip = b"gzip" in (header(scope, b"accept-encoding") or b"")
        body = asset.packed if takes_gzip and asset.packed is not None else asset.body
        headers = [
            (b"content-type", asset.media_type),
            (b"content-length", b"%d" % len(body)),
            (b"cache-control", FOR_EVER if release == self.release else b"no-store"),
            (b"x-content-type-options", b"nosniff"),
            (b"cross-origin-resource-policy", b"same-origin"),
        ]
        if asset.packed is not None:
            headers.append((b"vary", b"accept-encoding"))
        if body is asset.packed:
            headers.append((b"content-encoding", b"gzip"))
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})


def _load(path: Path) -> Asset:
    body = path.read_bytes()
    packed = gzip.compress(body, mtime=0) if len(body) >= GZIP_FROM_BYTES else None
    return Asset(body, packed, MEDIA_TYPES[path.suffix].encode())
