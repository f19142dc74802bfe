"""Streaming's answers to the kernel."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from streamgate.contracts.auth import ACCOUNTS, AUTH
from streamgate.contracts.events import (
    AUTH_SESSION_ENDED,
    CONTENT_DELETED,
    GATE_CHANGED,
    JOB_CHECKPOINT,
    JOB_FINISHED,
    JOBS_REQUESTED,
    MEDIA_FAILED,
    MEDIA_PLANNED,
    MEDIA_PLAYABLE,
    MEDIA_READY,
    PEOPLE_CHANGED,
    PICTURES_CHANGED,
    PROTECTION_CHANGED,
    RENDITION_READY,
    SESSION_ENDED,
    TEXTS_CHANGED,
    TOKEN_TRANSFERRED,
    UPLOAD_FAILED,
    UPLOAD_FINISHED,
)
from streamgate.contracts.jobs import JOBS
from streamgate.contracts.live import LIVE
from streamgate.contracts.metadata import METADATA
from streamgate.contracts.prefixes import SERVICES
from streamgate.contracts.streaming import STREAMING
from streamgate.contracts.transcode import TRANSCODER
from streamgate.events import EventSubscription, on_everyone, on_group
from streamgate.health import Check
from streamgate.hooks import hookimpl
from streamgate.lifecycle import Unit
from streamgate.plugins import PluginContext, PluginInfo
from streamgate.services import Offer
from streamgate.web.routes import Mount, Route

from .config import StreamingConfig

if TYPE_CHECKING:
    from streamgate.sdk.clock import Clock

GROUP = "streaming"
FLUSH_EVERY_S = 30.0
SWEEP_EVERY_S = 60.0
CANCEL_EVERY_S = 30.0
RECONCILE_EVERY_S = 300.0
COLLECT_EVERY_S = 60.0


class StreamingPlugin:
    """Args:
    clock: the machine's own, except in tests.
    """

    def __init__(self, ctx: PluginContext, clock: Clock | None = None) -> None:
        from streamgate.sdk.blobs import open_blobs
        from streamgate.sdk.clock import SYSTEM_CLOCK
        from streamgate.sdk.db import Database
        from streamgate.sdk.revocation import revocations_of
        from streamgate.sdk.secrets import master_key

        from .admission import Admission
        from .asking import Asking
        from .cancelling import Cancellations
        from .captioning import Captioning
        from .catalogue import Catalogue
        from .collector import Collector
        from .decider import Decider
        from .delivery import Delivery
        from .hearing import Hearing
        from .hot import HotSegments
        from .keeper import Keeper
        from .keys import PathKeys
        from .mounts import media_mounts
        from .offload import open_offload
        from .opening import Opening
        from .orchestration import Orchestration
        from .own_posters import OwnPosters
        from .own_texts import OwnTexts
        from .pending import Pending
        from .periodic import Periodic
        from .picturing import Picturing
        from .protected import serving
        from .protected.changing import Changing
        from .protected.granting import Granting
        from .protected.packaging import Packaging
        from .protected.routes import ProtectedRoutes
        from .protected.secrets import Secrets
        from .reconciler import Reconciler
        from .retrying import Retrying
        from .revoking import Revoking
        from .routes import StreamRoutes
        from .routes_poster import PosterRoutes
        from .routes_revoke import RevokeRoutes
        from .routes_texts import TextRoutes
        from .saying import Saying
        from .service import StreamingService
        from .sessions import Sessions
        from .tables import TABLES
        from .telling import Telling
        from .transfers import Transfers

        config: StreamingConfig = ctx.config
        clock = clock or SYSTEM_CLOCK
        auth, metadata = ctx.services.get(AUTH), ctx.services.get(METADATA)
        self._db = Database.for_plugin(ctx, TABLES, migrations="streamgate_streaming.migrations")
        self._blobs = open_blobs(ctx)
        self._keys = PathKeys(self._db, master_key(ctx), clock)
        secrets = Secrets(master_key(ctx), key_period_s=config.key_period_s)
        self._catalogue = Catalogue(self._db, clock, secrets, f"{config.cdn_url.rstrip('/')}{serving.PREFIX}")
        self._changing = Changing(self._db, metadata, secrets, clock)
        self._protected_routes = ProtectedRoutes(self._changing)
        self._keeper = Keeper(self._db, clock, config)
        self.revocations = revocations_of(ctx)
        transfers = Transfers(clock, max_age_s=config.lease_s / 2)
        self._decider = Decider(
            auth,
            clock,
            transfers,
            lease_s=config.lease_s,
            wait_s=config.decide_wait_s,
            on_refused=self._keeper.end_refused,
            on_gate=self._keeper.resting.note,
        )
        self._hearing = Hearing(self._db, auth, clock, self._keeper, self._decider, transfers)
        self._sessions = Sessions(self._db, metadata, clock, self._keeper, self._decider)
        revoking = Revoking(self._db, ctx.services.get(ACCOUNTS), metadata, clock, self._keeper)
        self._revoke_routes = RevokeRoutes(revoking)
        self._poster_routes = PosterRoutes(self._db, self._blobs, metadata, OwnPosters(self._db, self._blobs, clock))
        self._text_routes = TextRoutes(metadata, OwnTexts(self._db))
        self._opening = Opening(
            self._db,
            auth,
            metadata,
            self._catalogue,
            clock,
            config,
            self._keeper,
            self._decider,
            self._hearing,
            revoking,
            transfers,
            self.revocations,
            secrets,
        )
        cancellations = Cancellations(self._db, ctx.services.get(JOBS), clock)
        self._pictures = Picturing(self._db, self._blobs, clock)
        self._orchestration = Orchestration(
            self._db,
            self._blobs,
            ctx.services.get(JOBS),
            cancellations,
            self._pictures,
            Captioning(self._db, self._blobs, clock),
            clock,
            profile=config.profile,
            policy="" if config.rung_policy == "profile" else config.rung_policy,
        )
        self._service = StreamingService(self._db, self._orchestration, Retrying(self._db, self._blobs))
        hot = HotSegments(self._blobs, config.hot_cache_bytes)
        pending = Pending(
            self._db, ctx.services.get(TRANSCODER), Asking(self._db, self._blobs, ctx.services.get(JOBS)), clock
        )
        saying = Saying(self._db)
        offload = open_offload(config.offload, config.accel_prefix, self._blobs, clock)
        delivery = Delivery(
            self._keys,
            self._sessions,
            self._catalogue,
            self._blobs,
            hot,
            pending,
            saying,
            Granting(clock),
            offload,
            public_url=_configured_origin(ctx),
        )
        sealed = serving.Serving(self._db, self._catalogue, Packaging(self._blobs, hot), pending)
        self._mounts = media_mounts(delivery, sealed)
        self._routes = StreamRoutes(
            self._opening,
            self._sessions,
            self._keys,
            self._catalogue,
            self._service,
            metadata,
            lease_s=config.lease_s,
            licence_url=delivery.licence_url,
        )
        self._admission = Admission(delivery)
        self._telling = Telling(self._db, ctx.events, on_playable=self._pictures.on_media_playable)
        stores = ("streaming.db", "streaming.blobs")
        reconciler = Reconciler(self._db, ctx.services.get(JOBS), self._orchestration, clock)
        collector = Collector(self._db, self._blobs, clock)
        self._periodic = [
            Periodic("streaming.flush", FLUSH_EVERY_S, self._keeper.flush, clock, needs=stores, acts_at_stop=True),
            Periodic("streaming.sweep", SWEEP_EVERY_S, self._keeper.sweep, clock, needs=stores),
            Periodic("streaming.cancel", CANCEL_EVERY_S, cancellations.carry_out, clock, needs=stores),
            Periodic("streaming.reconcile", RECONCILE_EVERY_S, reconciler.reconcile, clock, needs=stores),
            Periodic("streaming.collect", COLLECT_EVERY_S, collector.collect, clock, needs=stores),
        ]

    @hookimpl
    def collect_services(self) -> Sequence[Offer[Any]]:
        return [Offer(STREAMING, self._service)]

    @hookimpl
    def collect_routes(self) -> Sequence[Route]:
        more = (self._revoke_routes, self._poster_routes, self._text_routes, self._protected_routes)
        return [*self._routes.routes(), self._admission.route(), *(route for each in more for route in each.routes())]

    @hookimpl
    def collect_mounts(self) -> Sequence[Mount]:
        return self._mounts

    @hookimpl
    def collect_subscriptions(self) -> Sequence[EventSubscription]:
        media, hearing = self._orchestration, self._hearing
        return [
            on_group(UPLOAD_FINISHED, media.on_upload_finished, group=GROUP),
            on_group(UPLOAD_FAILED, media.on_upload_failed, group=GROUP),
            on_group(CONTENT_DELETED, media.on_content_deleted, group=GROUP),
            on_everyone(CONTENT_DELETED, self._catalogue.on_content_deleted, resync=self._catalogue.forget_all),
            on_group(PROTECTION_CHANGED, self._changing.on_protection_changed, group=GROUP),
            on_everyone(PROTECTION_CHANGED, self._catalogue.on_protection_changed, resync=self._catalogue.forget_all),
            on_group(JOB_CHECKPOINT, media.on_job_checkpoint, group=GROUP),
            on_group(JOB_FINISHED, media.on_job_finished, group=GROUP),
            on_group(GATE_CHANGED, hearing.on_gate_changed, group=GROUP),
            on_everyone(GATE_CHANGED, hearing.on_gate_changed_everywhere, resync=hearing.resync),
            on_group(AUTH_SESSION_ENDED, hearing.on_sign_in_ended, group=GROUP),
            on_group(PEOPLE_CHANGED, hearing.on_people_changed, group=GROUP),
            on_everyone(PEOPLE_CHANGED, hearing.on_people_changed_everywhere, resync=hearing.resync),
            on_group(TOKEN_TRANSFERRED, hearing.on_token_transferred, group=GROUP),
            on_everyone(TOKEN_TRANSFERRED, hearing.on_transfer_everywhere, resync=hearing.resync),
            *self._telling.subscriptions(GROUP),
            on_everyone(SESSION_ENDED, self._keeper.on_session_ended, resync=self._keeper.resync),
            on_everyone(RENDITION_READY, self._catalogue.on_made, resync=self._catalogue.forget_all),
            on_everyone(MEDIA_READY, self._catalogue.on_made, resync=self._catalogue.forget_all),
            on_everyone(PICTURES_CHANGED, self._catalogue.on_pictures_changed, resync=self._catalogue.forget_all),
            on_everyone(TEXTS_CHANGED, self._catalogue.on_texts_changed, resync=self._catalogue.forget_all),
        ]

    @hookimpl
    def collect_units(self) -> Sequence[Unit]:
        stores = [*self._db.units(), *self._blobs.units("streaming")]
        return [*stores, self._keys, self._decider, *self._periodic]

    @hookimpl
    def collect_checks(self) -> Sequence[Check]:
        return [self._db.check(), self._blobs.check()]


def _configured_origin(ctx: PluginContext) -> str:
    """`server.public_url`; empty where the kernel has filled it with this process' own address, which may be behind a
    gateway."""
    url = ctx.settings.public_url
    return "" if url.endswith(":0") or url == ctx.base_urls.get(ctx.name) else url


PLUGIN = PluginInfo(
    name="streaming",
    summary="Playback sessions, playlists, manifests and media bytes for those who may watch.",
    build=StreamingPlugin,
    offers=(STREAMING,),
    needs=(AUTH, ACCOUNTS, METADATA, JOBS, TRANSCODER),
    tells=(
        JOBS_REQUESTED,
        MEDIA_PLANNED,
        MEDIA_PLAYABLE,
        RENDITION_READY,
        MEDIA_READY,
        MEDIA_FAILED,
        PICTURES_CHANGED,
        TEXTS_CHANGED,
        SESSION_ENDED,
        LIVE,
    ),
    hears=(
        UPLOAD_FINISHED,
        UPLOAD_FAILED,
        CONTENT_DELETED,
        PROTECTION_CHANGED,
        JOB_CHECKPOINT,
        JOB_FINISHED,
        GATE_CHANGED,
        AUTH_SESSION_ENDED,
        PEOPLE_CHANGED,
        TOKEN_TRANSFERRED,
        SESSION_ENDED,
        RENDITION_READY,
        MEDIA_PLAYABLE,
        MEDIA_READY,
        MEDIA_FAILED,
        PICTURES_CHANGED,
        TEXTS_CHANGED,
    ),
    acts_as_service=True,
    config=StreamingConfig,
    port=SERVICES["streaming"].port,
    prefixes=SERVICES["streaming"].prefixes,
    uses_database=True,
    uses_blobs=True,
    needs_master_key=True,
)
