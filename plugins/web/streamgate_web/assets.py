"""The files of the page, read once, with a policy that lets only them run."""

from __future__ import annotations

import hashlib
import importlib.resources
from collections.abc import Iterator
from importlib.resources.abc import Traversable

import attrs


def content_security_policy(media_origin: str = "") -> str:
    """hls.js feeds the video element and its worker by blob: URLs and makes its tracks of captions from `data:,WEBVTT`,
    wallets bring their icon as a data: URL (EIP-6963); everything else is of this origin, but encrypted segments of a
    content network (`media_origin`), where there is one."""
    connect = " ".join(filter(None, ("connect-src 'self'", media_origin)))
    return "; ".join(
        (
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self'",
            "img-src 'self' data:",
            connect,
            "media-src 'self' blob: data:",
            "worker-src blob:",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
        )
    )


CONTENT_SECURITY_POLICY = content_security_policy()

VENDORED = frozenset({"vendor/hls.min.js", "vendor/secp256k1.js", "vendor/sha3.js"})
"""What `build.py` brings from npm."""

MEDIA_TYPES = {
    "html": "text/html; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
    "txt": "text/plain; charset=utf-8",
}


@attrs.frozen
class Asset:
    media_type: str
    etag: str
    body: bytes

    def filled(self, place: bytes, text: bytes) -> Asset:
        """With `text` in place of `place`, which is in it once."""
        before, found, after = self.body.partition(place)
        assert found
        return _asset(self.media_type, before + text + after)

    def headers(self, policy: str) -> dict[str, str]:
        """`no-cache`: kept by the browser, asked about at each use."""
        return {"ETag": self.etag, "Cache-Control": "no-cache", "Content-Security-Policy": policy}


def _asset(media_type: str, body: bytes) -> Asset:
    return Asset(media_type, f'"{hashlib.sha256(body).hexdigest()[:32]}"', body)


def load_assets() -> dict[str, Asset]:
    """By path below `static/`: `index.html`, `vendor/hls.min.js`.

    Raises:
        FileNotFoundError: something of npm was not put in place (`make install` does it).
    """
    root = importlib.resources.files("streamgate_web") / "static"
    found = dict(_walk(root, ""))
    missing = sorted(VENDORED.difference(found))
    if missing:
        said = f"{', '.join(missing)}: not in place; run `make install`, or plugins/web/build.py after npm"
        raise FileNotFoundError(said)
    return found


def _walk(folder: Traversable, prefix: str) -> Iterator[tuple[str, Asset]]:
    for entry in folder.iterdir():
        if entry.is_dir():
            yield from _walk(entry, f"{prefix}{entry.name}/")
            continue
        media_type = MEDIA_TYPES.get(entry.name.rpartition(".")[2])
        if media_type is not None:
            body = entry.read_bytes()
            yield f"{prefix}{entry.name}", _asset(media_type, body)
