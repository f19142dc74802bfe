"""What can be played, ready to be sent: presentations in memory with their texts, loaded when they are asked for."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from functools import cached_property

import attrs
from sqlalchemy.orm import Session

from streamgate.contracts.events import PicturesChanged, RenditionReady, TextsChanged
from streamgate.contracts.media import MediaPlan
from streamgate.events import Received
from streamgate.sdk.clock import Clock
from streamgate.sdk.db import Database
from streamgate.sdk.playlists.dash import render_manifest
from streamgate.sdk.playlists.hls import render_media_playlist, render_multivariant
from streamgate.sdk.playlists.presentation import Presentation, Track

from .extent import ALL, Extent, cut
from .loading import Loaded, load_presentation
from .picture_repository import Pictures, pictures_of
from .showing import Showing
from .text_repository import CHAPTERS, KeptText, texts_of, tracks_of

_KEPT = 256
_EXTENTS = 16
"""Of one media version; a gate's rule makes few, and one that is changed often no more."""
_GROWS_S = 5.0
"""A presentation that may still get renditions is read again after so long, should the event about it be lost."""


@attrs.define(eq=False, slots=False)
class Texts:
    """A presentation and its texts, each rendered at most once: relative URLs are the same for every session."""

    presentation: Presentation
    _playlists: dict[str, bytes] = attrs.field(factory=dict)

    @cached_property
    def multivariant(self) -> bytes:
        return render_multivariant(self.presentation).encode()

    @cached_property
    def manifest(self) -> bytes:
        return render_manifest(self.presentation).encode()

    def playlist(self, track: Track) -> bytes:
        if track.id not in self._playlists:
            self._playlists[track.id] = render_media_playlist(track).encode()
        return self._playlists[track.id]


@attrs.define(eq=False)
class Listing:
    """What there is of a media version, and what is open to those to whom not all of it is."""

    whole: Texts
    plan: MediaPlan | None  # where something of it is listed that is not made yet
    showing: Showing
    said: tuple[KeptText, ...]
    is_complete: bool
    loaded_at_s: float
    _parts: OrderedDict[Extent, Texts | None] = attrs.field(factory=OrderedDict)

    @property
    def has_chapters(self) -> bool:
        return any(each.name == CHAPTERS for each in self.said)

    def within(self, extent: Extent) -> Texts | None:
        """None where nothing of it may be played."""
        if extent == ALL:
            return self.whole
        if extent not in self._parts:
            presentation = cut(self.whole.presentation, extent)
            self._parts[extent] = None if presentation is None else Texts(presentation)
            if len(self._parts) > _EXTENTS:
                self._parts.popitem(last=False)
        return self._parts[extent]


class Catalogue:
    """The newest 256 media versions that were asked for."""

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._clock = clock
        self._listings: OrderedDict[tuple[str, int], Listing] = OrderedDict()
        self._loading: dict[tuple[str, int], asyncio.Task[Listing | None]] = {}

    async def listing(self, content_id: str, media_version: int) -> Listing | None:
        """None where that version cannot be played."""
        key = (content_id, media_version)
        found = self._listings.get(key)
        if found is not None and (found.is_complete or self._clock.monotonic_s() - found.loaded_at_s < _GROWS_S):
            self._listings.move_to_end(key)
            return found
        loading = self._loading.get(key)
        if loading is None:
            loading = asyncio.create_task(self._load(key))
            self._loading[key] = loading
            loading.add_done_callback(lambda _: self._loading.pop(key, None))
        return await asyncio.shield(loading)

    async def on_rendition_ready(self, event: Received[RenditionReady]) -> None:
        self._listings.pop((event.body.subject_id, event.body.media_version), None)

    async def on_pictures_changed(self, event: Received[PicturesChanged]) -> None:
        self._forget(event.body.subject_id)

    async def on_texts_changed(self, event: Received[TextsChanged]) -> None:
        self._forget(event.body.subject_id)

    def _forget(self, content_id: str) -> None:
        """All versions: they share what the creator gave."""
        for key in [key for key in self._listings if key[0] == content_id]:
            del self._listings[key]

    async def forget_all(self) -> None:
        self._listings.clear()

    async def _load(self, key: tuple[str, int]) -> Listing | None:
        def read(session: Session) -> tuple[Loaded | None, Pictures, tuple[KeptText, ...]]:
            loaded = load_presentation(session, *key)
            if loaded is None:
                return None, Pictures(), ()
            return loaded, pictures_of(session, *key), texts_of(session, *key)

        loaded, pictures, said = await self._db.read(read)
        if loaded is None:
            self._listings.pop(key, None)
            return None
        presentation = attrs.evolve(loaded.presentation, captions=tracks_of(said))
        listing = Listing(
            Texts(presentation),
            loaded.plan,
            Showing(pictures, presentation),
            said,
            loaded.is_complete and pictures.is_settled,
            self._clock.monotonic_s(),
        )
        self._listings[key] = listing
        self._listings.move_to_end(key)
        while len(self._listings) > _KEPT:
            self._listings.popitem(last=False)
        return listing
