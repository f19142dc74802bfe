"""Metadata's answers to the kernel."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from streamgate.contracts.auth import ACCOUNTS
from streamgate.contracts.cache import CACHE_DROPPED
from streamgate.contracts.events import (
    CONTENT_DELETED,
    GATE_CHANGED,
    MEDIA_FAILED,
    MEDIA_PLANNED,
    MEDIA_PLAYABLE,
    MEDIA_READY,
    PICTURES_CHANGED,
    PROTECTION_CHANGED,
    UPLOAD_FAILED,
    UPLOAD_FINISHED,
)
from streamgate.contracts.live import LIVE
from streamgate.contracts.metadata import METADATA
from streamgate.contracts.prefixes import SERVICES
from streamgate.events import EventSubscription
from streamgate.health import Check
from streamgate.hooks import hookimpl
from streamgate.lifecycle import SimpleUnit, Unit
from streamgate.plugins import PluginContext, PluginInfo
from streamgate.services import Offer
from streamgate.web.routes import Route

CONTENTS_TTL_S = 5.0
"""How long another process may know an old state of a content when it did not hear of the change."""
FACETS_TTL_S = 2.0


class MetadataPlugin:
    def __init__(self, ctx: PluginContext) -> None:
        from streamgate.contracts.metadata import Content, Facets
        from streamgate.sdk.cache import Cached
        from streamgate.sdk.clock import SYSTEM_CLOCK
        from streamgate.sdk.db import Database
        from streamgate_metadata.changes import Changes
        from streamgate_metadata.hearing import Hearing
        from streamgate_metadata.owners import Owners
        from streamgate_metadata.routes import MetadataRoutes
        from streamgate_metadata.search.filling import Filling
        from streamgate_metadata.service import MetadataService
        from streamgate_metadata.tables import TABLES

        self.db = Database.for_plugin(ctx, TABLES, migrations="streamgate_metadata.migrations")
        self._contents = Cached("metadata.contents", Content, ctx.events, ttl_s=CONTENTS_TTL_S)
        self._facets = Cached("metadata.facets", Facets, ctx.events, ttl_s=FACETS_TTL_S, max_entries=1000)
        self._changes = Changes(self.db, ctx.events, self._contents, self._facets)
        owners = Owners(ctx.services.get(ACCOUNTS), SYSTEM_CLOCK)
        self.service = MetadataService(self.db, SYSTEM_CLOCK, self._changes, owners, self._contents, self._facets)
        self._hearing = Hearing(self._changes, SYSTEM_CLOCK)
        self._filling = Filling(self.db, SYSTEM_CLOCK)
        self._routes = MetadataRoutes(self.service)

    @hookimpl
    def collect_services(self) -> Sequence[Offer[Any]]:
        return [Offer(METADATA, self.service)]

    @hookimpl
    def collect_routes(self) -> Sequence[Route]:
        return self._routes.routes()

    @hookimpl
    def collect_subscriptions(self) -> Sequence[EventSubscription]:
        return [
            *self._hearing.subscriptions(),
            *self._contents.subscriptions(),
            *self._facets.subscriptions(),
        ]

    @hookimpl
    def collect_units(self) -> Sequence[Unit]:
        last_changes = SimpleUnit("metadata.changes", on_stop=self._changes.settled, needs=("metadata.db",))
        return [*self.db.units(), last_changes, self._filling]

    @hookimpl
    def collect_checks(self) -> Sequence[Check]:
        return [self.db.check()]


PLUGIN = PluginInfo(
    name="metadata",
    summary="Content rows, the catalogue and its search.",
    build=MetadataPlugin,
    offers=(METADATA,),
    needs=(ACCOUNTS,),
    tells=(CONTENT_DELETED, PROTECTION_CHANGED, LIVE, CACHE_DROPPED),
    hears=(
        UPLOAD_FINISHED,
        UPLOAD_FAILED,
        MEDIA_PLANNED,
        MEDIA_PLAYABLE,
        MEDIA_READY,
        MEDIA_FAILED,
        PICTURES_CHANGED,
        GATE_CHANGED,
        CACHE_DROPPED,
    ),
    port=SERVICES["metadata"].port,
    prefixes=SERVICES["metadata"].prefixes,
    uses_database=True,
)
