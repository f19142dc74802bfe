"""Which pages of other sites may call this API (CORS, Fetch standard section 3.2)."""

from __future__ import annotations

from urllib.parse import urlsplit

from starlette.types import Receive, Scope, Send

from streamgate.settings import ServerSettings
from streamgate.web.problems import RawHeaders

MAX_AGE_S = 600
METHODS = "GET, HEAD, POST, PUT, PATCH, DELETE"
REQUEST_HEADERS = (
    "Authorization, Content-Type, Content-Digest, Idempotency-Key, If-Match, If-None-Match, Last-Event-ID, Range, "
    "Tus-Resumable, Upload-Checksum, Upload-Concat, Upload-Defer-Length, Upload-Length, Upload-Metadata, "
    "Upload-Offset, X-API-Key, X-HTTP-Method-Override, X-Request-ID, Traceparent"
)
EXPOSED = (
    "Accept-Ranges, Content-Length, Content-Range, ETag, Idempotency-Replayed, Location, RateLimit-Limit, "
    "RateLimit-Remaining, RateLimit-Reset, Retry-After, Tus-Checksum-Algorithm, Tus-Extension, Tus-Max-Size, "
    "Tus-Resumable, Tus-Version, Upload-Concat, Upload-Expires, Upload-Length, Upload-Metadata, Upload-Offset, "
    "X-Request-ID"
)
_ALLOW_ORIGIN = b"access-control-allow-origin"


class Cors:
    """Credentials are for exact origins only; `*` lets anybody read what anybody may."""

    def __init__(self, settings: ServerSettings) -> None:
        listed = {_origin(origin) for origin in settings.cors_origins if origin != "*"}
        if settings.public_url:
            listed.add(_origin(settings.public_url))
        exposed = (b"access-control-expose-headers", EXPOSED.encode())
        credentials = (b"access-control-allow-credentials", b"true")
        self._by_origin: dict[bytes, RawHeaders] = {
            origin.encode(): [(_ALLOW_ORIGIN, origin.encode()), credentials, exposed] for origin in listed
        }
        self.for_media: RawHeaders = [(_ALLOW_ORIGIN, b"*"), exposed]
        """Whoever has a playback address may play it on any page: it is the credential, so no other is taken."""
        self._others: RawHeaders = [(_ALLOW_ORIGIN, b"*"), exposed] if "*" in settings.cors_origins else []

    def headers_for(self, origin: bytes) -> RawHeaders:
        """What an answer to a page of this origin says; nothing where it may not read it."""
        return self._by_origin.get(origin, self._others)


class Preflight:
    """An ASGI application: answers a browser's question whether a request may be sent. Who may not is told nothing."""

    def __init__(self) -> None:
        self._headers = [
            (b"access-control-allow-methods", METHODS.encode()),
            (b"access-control-allow-headers", REQUEST_HEADERS.encode()),
            (b"access-control-max-age", b"%d" % MAX_AGE_S),
            (b"vary", b"Access-Control-Request-Method, Access-Control-Request-Headers"),
            (b"cache-control", b"no-store"),
        ]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 204, "headers": self._headers})
        await send({"type": "http.response.body", "body": b"", "more_body": False})


def _origin(url: str) -> str:
    """As browsers send it: lower case, without the scheme's own port."""
    parts = urlsplit(url.lower())
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    own = {"http": 80, "https": 443}.get(parts.scheme)
    port = "" if parts.port in (None, own) else f":{parts.port}"
    return f"{parts.scheme}://{host}{port}"
