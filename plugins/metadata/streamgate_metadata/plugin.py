"""Metadata's answers to the kernel."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from streamgate.contracts.events import (
    CONTENT_DELETED,
    GATE_CHANGED,
    MEDIA_FAILED,
    MEDIA_PLANNED,
    MEDIA_PLAYABLE,
    MEDIA_READY,
    UPLOAD_FAILED,
    UPLOAD_FINISHED,
)
from streamgate.contracts.live import LIVE
from streamgate.contracts.metadata import METADATA
from streamgate.contracts.prefixes import SERVICES
from streamgate.events import EventSubscription
from streamgate.health import Check
from streamgate.hooks import hookimpl
from streamgate.lifecycle import Unit
from streamgate.plugins import PluginContext, PluginInfo
from streamgate.services import Offer
from streamgate.web.routes import Route


class MetadataPlugin:
    def __init__(self, ctx: PluginContext) -> None:
        from streamgate.sdk.clock import SYSTEM_CLOCK
        from streamgate.sdk.db import Database
        from streamgate_metadata.hearing import Hearing
        from streamgate_metadata.routes import MetadataRoutes
        from streamgate_metadata.service import MetadataService
        from streamgate_metadata.tables import TABLES

        self.db = Database.for_plugin(ctx, TABLES, migrations="streamgate_metadata.migrations")
        self.service = MetadataService(self.db, SYSTEM_CLOCK)
        self._hearing = Hearing(self.db, SYSTEM_CLOCK)
        self._routes = MetadataRoutes(self.service)

    @hookimpl
    def collect_services(self) -> Sequence[Offer[Any]]:
        return [Offer(METADATA, self.service)]

    @hookimpl
    def collect_routes(self) -> Sequence[Route]:
        return self._routes.routes()

    @hookimpl
    def collect_subscriptions(self) -> Sequence[EventSubscription]:
        return self._hearing.subscriptions()

    @hookimpl
    def collect_units(self) -> Sequence[Unit]:
        return self.db.units()

    @hookimpl
    def collect_checks(self) -> Sequence[Check]:
        return [self.db.check()]


PLUGIN = PluginInfo(
    name="metadata",
    summary="Content rows, the catalogue and its search.",
    build=MetadataPlugin,
    offers=(METADATA,),
    tells=(CONTENT_DELETED, LIVE),
    hears=(
        UPLOAD_FINISHED,
        UPLOAD_FAILED,
        MEDIA_PLANNED,
        MEDIA_PLAYABLE,
        MEDIA_READY,
        MEDIA_FAILED,
        GATE_CHANGED,
    ),
    port=SERVICES["metadata"].port,
    prefixes=SERVICES["metadata"].prefixes,
    uses_database=True,
)
