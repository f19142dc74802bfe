"""Upload's answers to the kernel."""

from __future__ import annotations

from collections.abc import Sequence

from streamgate.contracts.auth import AUTH
from streamgate.contracts.events import CONTENT_DELETED, UPLOAD_FAILED, UPLOAD_FINISHED
from streamgate.contracts.live import LIVE
from streamgate.contracts.metadata import METADATA
from streamgate.contracts.prefixes import SERVICES
from streamgate.events import EventSubscription, on_group
from streamgate.health import Check
from streamgate.hooks import hookimpl
from streamgate.lifecycle import Unit
from streamgate.plugins import PluginContext, PluginInfo
from streamgate.web.routes import Route
from streamgate_upload.config import UploadConfig


class UploadPlugin:
    def __init__(self, ctx: PluginContext) -> None:
        from streamgate.sdk.blobs import open_blobs
        from streamgate.sdk.clock import SYSTEM_CLOCK
        from streamgate.sdk.db import Database
        from streamgate.sdk.outgoing import guarded_client
        from streamgate_upload.appending import Appender
        from streamgate_upload.concatenating import Concatenator
        from streamgate_upload.digests import HashPool
        from streamgate_upload.finishing import Finisher, Verifier
        from streamgate_upload.holding import Holds
        from streamgate_upload.importing import Importer
        from streamgate_upload.live import Live
        from streamgate_upload.quota import Quota
        from streamgate_upload.receiving import ChunkReceiver
        from streamgate_upload.routes import PREFIX, UploadRoutes
        from streamgate_upload.sends import Sends
        from streamgate_upload.service import Uploads
        from streamgate_upload.single import SingleReceiver
        from streamgate_upload.sweeper import Sweeper
        from streamgate_upload.tables import TABLES
        from streamgate_upload.tus import TusRoutes

        config: UploadConfig = ctx.config
        clock = SYSTEM_CLOCK
        metadata, auth = ctx.services.get(METADATA), ctx.services.get(AUTH)
        stores = ("upload.db", "upload.blobs", "upload.hashing", "upload.verifying")
        self._db = db = Database.for_plugin(ctx, TABLES, migrations="streamgate_upload.migrations")
        self._blobs = blobs = open_blobs(ctx)
        self._hashing = hashing = HashPool("upload.hashing")
        # Of whole files, while their first viewers wait for the same cores.
        self._verifying = HashPool("upload.verifying", threads=1, niceness=10)
        sends, live = Sends(clock), Live(ctx.events, clock)
        quota = Quota(db, limit_bytes=config.quota_bytes, max_open=config.max_open_uploads)
        ctx.reloads.subscribe(ctx.name, quota.take)
        self.verifier = Verifier(db, blobs, clock, self._verifying, live, needs=stores)
        self.sweeper = Sweeper(
            db,
            blobs,
            clock,
            self.verifier,
            sends,
            live,
            every_s=config.sweep_every_s,
            is_alone=ctx.settings.is_embedded,
            needs=(*stores, self.verifier.name),
        )
        self.uploads = uploads = Uploads(
            db, blobs, clock, metadata, sends, config, quota=quota, live=live, wake_sweeper=self.sweeper.wake
        )
        self.receiver = ChunkReceiver(db, blobs, clock, hashing, sends, live, expire_after_s=config.expire_after_s)
        finisher = Finisher(db, blobs, clock, self.verifier, live)
        single = SingleReceiver(db, blobs, clock, uploads, metadata, auth, quota=quota, live=live)
        self.importer = Importer(
            db,
            blobs,
            clock,
            uploads,
            metadata,
            auth,
            guarded_client(ctx.settings.outgoing),
            sends,
            config,
            quota=quota,
            live=live,
            needs=(*stores, self.sweeper.name),
        )
        max_size_bytes = config.max_size_bytes
        holds = Holds(db, clock, sends, quota, expire_after_s=config.expire_after_s, max_size_bytes=max_size_bytes)
        self.appender = Appender(blobs, clock, sends, live, hashing, holds, finisher, max_size_bytes=max_size_bytes)
        self._loops: tuple[Unit, ...] = (self.verifier, self.sweeper, self.importer)
        self._routes = UploadRoutes(uploads, self.receiver, finisher, single, self.importer, quota, hashing)
        self.concatenator = Concatenator(db, blobs, clock, uploads, self.verifier, live)
        self._tus = TusRoutes(
            uploads,
            self.appender,
            self.concatenator,
            clock,
            f"{PREFIX}/tus",
            public_url=ctx.settings.public_url,
            max_size_bytes=max_size_bytes,
        )

    @hookimpl
    def collect_routes(self) -> Sequence[Route]:
        return [*self._routes.routes(), *self._tus.routes()]

    @hookimpl
    def collect_subscriptions(self) -> Sequence[EventSubscription]:
        return [on_group(CONTENT_DELETED, self.uploads.on_content_deleted, group="upload")]

    @hookimpl
    def collect_units(self) -> Sequence[Unit]:
        return [*self._db.units(), *self._blobs.units("upload"), self._hashing, self._verifying, *self._loops]

    @hookimpl
    def collect_checks(self) -> Sequence[Check]:
        return [self._db.check(), self._blobs.check()]


PLUGIN = PluginInfo(
    name="upload",
    summary="Takes uploads in chunks or by multipart, resumable, straight into the blob store.",
    build=UploadPlugin,
    needs=(METADATA, AUTH),
    tells=(UPLOAD_FINISHED, UPLOAD_FAILED, LIVE),
    hears=(CONTENT_DELETED,),
    config=UploadConfig,
    port=SERVICES["upload"].port,
    prefixes=SERVICES["upload"].prefixes,
    uses_database=True,
    uses_blobs=True,
)
