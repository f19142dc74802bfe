"""From configuration to the one store that all plugins of a process share."""

from __future__ import annotations

import asyncio
from functools import partial
from pathlib import Path
from urllib.parse import SplitResult, unquote, urlsplit

from streamgate.plugins import PluginContext
from streamgate.sdk.blobs.agreement import Agreement, store_id
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
    if url.scheme == "s3":
        return _make_s3(ctx, url)
    if not ctx.settings.blobs.url:
        root = ctx.data_dir / "blobs"
    elif url.scheme == "file" and url.netloc in ("", "localhost") and url.path.startswith("/"):
        root = Path(unquote(url.path))
    else:
        raise StoreFault(f"blobs.url: {ctx.settings.blobs.url!r} is not supported; write file:///path or s3://bucket")
    agreement = None
    if not ctx.bus.is_local:
        identify = partial(asyncio.to_thread, store_id, root)
        agreement = Agreement(ctx.bus, str(root), ctx.events.source, identify)
    return DiskStore(root.absolute(), reserve_bytes=ctx.settings.blobs.reserve_bytes, agreement=agreement)


def _make_s3(ctx: PluginContext, url: SplitResult) -> BlobStore:
    from streamgate.sdk.blobs.s3 import S3Store  # its driver is imported only where it is used
    from streamgate.sdk.blobs.s3_bucket import Bucket, parse_place

    settings = ctx.settings.blobs
    place = parse_place(url)
    if bool(settings.access_key) != bool(settings.secret_key):
        raise StoreFault("blobs: set both access_key and secret_key, or neither")
    bucket = Bucket(place, access_key=settings.access_key.reveal(), secret_key=settings.secret_key.reveal())
    store = S3Store(bucket)
    if not ctx.bus.is_local:
        store.agreement = Agreement(ctx.bus, str(place), ctx.events.source, store.identify)
    return store
