"""The transcoder's answers to the kernel."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from streamgate.contracts.hooks import JobKind
from streamgate.contracts.jobs import JOBS, JOBS_AVAILABLE, JOBS_CANCELLED, JOBS_PAUSED
from streamgate.contracts.live import LIVE
from streamgate.contracts.metadata import METADATA
from streamgate.contracts.prefixes import SERVICES
from streamgate.contracts.streaming import STREAMING
from streamgate.contracts.transcode import TRANSCODE_STEPS, TRANSCODER
from streamgate.events import EventSubscription
from streamgate.health import Check
from streamgate.hooks import hookimpl
from streamgate.lifecycle import Unit
from streamgate.plugins import PluginContext, PluginInfo
from streamgate.services import Offer
from streamgate.web.routes import Route
from streamgate_transcoder.diagnose import diagnose

from .config import TranscoderConfig


class TranscoderPlugin:
    def __init__(self, ctx: PluginContext) -> None:
        from streamgate.sdk.blobs import open_blobs
        from streamgate.sdk.clock import SYSTEM_CLOCK
        from streamgate.sdk.jobs import Runner

        from .board import Board
        from .caption_jobs import CaptionJobs
        from .cuts import AT_ONCE, Cuts
        from .figures import Figures
        from .media_jobs import ASKED_AT_ONCE, COPIES_AT_ONCE, MediaJobs
        from .picture_jobs import PictureJobs
        from .pool import ChildPool
        from .profile_names import Profiles
        from .routes import TranscodeRoutes
        from .routes_steering import SteeringRoutes
        from .scaler import Scaler
        from .sizing import Sizing
        from .steering import Steering
        from .telling import Telling
        from .throughput import Throughput
        from .transcodes import Transcodes

        config: TranscoderConfig = ctx.config
        self._name = ctx.name
        self._blobs = open_blobs(ctx)
        # A probe, a sound track, copies, cuts, stretches of lazy rungs, captions and a poster beside the encoders: all
        # are short, and what is waited for most.
        beside = 4 + COPIES_AT_ONCE + ASKED_AT_ONCE + AT_ONCE
        self.pool = ChildPool(size=config.encoder_count + beside, warm=config.warm_children)
        sizing = Sizing(most=config.encoder_count, child_bytes=config.child_needs_bytes)
        throughput = Throughput(SYSTEM_CLOCK)
        board = Board(SYSTEM_CLOCK)
        profiles = Profiles(ctx.hooks)
        transcodes = Transcodes(ctx.services, SYSTEM_CLOCK, board, profiles)
        self.telling = Telling(board, transcodes, ctx.events, SYSTEM_CLOCK)
        watch = self.telling.watch
        self._jobs = MediaJobs(self.pool, self._blobs, config, sizing, throughput, profiles=profiles, watch=watch)
        self._cuts = Cuts(self.pool, self._blobs, self._jobs)
        self._captions = CaptionJobs(self.pool, self._blobs, config, self._jobs)
        self._pictures = PictureJobs(self.pool, self._blobs, config, self._jobs)
        self._runner = Runner(ctx, needs=(f"{ctx.name}.blobs", self.pool.name))
        kinds = tuple(kind.name for kind in self._jobs.kinds())
        jobs = ctx.services.get(JOBS)
        self._scaler = Scaler(self.pool, sizing, jobs, kinds, ctx.bus, SYSTEM_CLOCK)
        figures = Figures(self.pool, sizing, throughput, jobs, kinds, instance=ctx.events.source)
        self._routes = TranscodeRoutes(transcodes, figures, profiles)
        self._steering = SteeringRoutes(Steering(ctx.services, transcodes, ctx.events))

    @hookimpl
    def collect_services(self) -> Sequence[Offer[Any]]:
        return [Offer(TRANSCODER, self._cuts)]

    @hookimpl
    def collect_routes(self) -> Sequence[Route]:
        return [*self._routes.routes(), *self._steering.routes()]

    @hookimpl
    def collect_job_kinds(self) -> Sequence[JobKind]:
        return [*self._jobs.kinds(), *self._captions.kinds(), *self._pictures.kinds()]

    @hookimpl
    def collect_units(self) -> Sequence[Unit]:
        return [*self._blobs.units(self._name), self.pool, self._scaler, self.telling, self._runner]

    @hookimpl
    def collect_subscriptions(self) -> Sequence[EventSubscription]:
        return self.telling.subscriptions

    @hookimpl
    def collect_checks(self) -> Sequence[Check]:
        return [self._blobs.check()]


PLUGIN = PluginInfo(
    name="transcoder",
    summary="Probes, plans and encodes media in child processes.",
    build=TranscoderPlugin,
    offers=(TRANSCODER,),
    needs=(JOBS, METADATA, STREAMING),
    tells=(LIVE, TRANSCODE_STEPS),
    hears=(JOBS_AVAILABLE, JOBS_CANCELLED, JOBS_PAUSED, TRANSCODE_STEPS),
    acts_as_service=True,
    config=TranscoderConfig,
    port=SERVICES["transcoder"].port,
    prefixes=SERVICES["transcoder"].prefixes,
    uses_blobs=True,
    diagnose=diagnose,
)
