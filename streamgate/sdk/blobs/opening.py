"""From configuration to the one store that all plugins of a process share."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote, urlsplit

from streamgate.plugins import PluginContext
from streamgate.sdk.blobs.agreement import Agreement
from streamgate.sdk.blobs.base import BlobStore, StoreFault
from streamgate.sdk.blobs.disk import DiskStore


def open_blobs(ctx: PluginContext) -> BlobStore:
    """The store of this process; it works while its units run.

    Raises:
        StoreFault: `blobs.url` is no store we know.
    """
    return ctx.shared("streamgate.blobs", lambda: _make(ctx))


def _make(ctx: PluginContext) -> BlobStore:
    url = urlsplit(ctx.settings.blobs.url)
    if not ctx.settings.blobs.url:
        root = ctx.data_dir / "blobs"
    elif url.scheme == "file" and url.netloc in ("", "localhost") and url.path.startswith("/"):
        root = Path(unquote(url.path))
    else:
        raise StoreFault(f"blobs.url: {ctx.settings.blobs.url!r} is not supported; write file:///path")
    agreement = None if ctx.bus.is_local else Agreement(ctx.bus, root, ctx.events.source)
    return DiskStore(root.absolute(), reserve_bytes=ctx.settings.blobs.reserve_bytes, agreement=agreement)
