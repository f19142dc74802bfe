"""What can be played, ready to be sent: presentations in memory with their texts, loaded when they are asked for."""

from __future__ import annotations

import asyncio
import math
from collections import OrderedDict
from functools import cached_property, partial

import attrs
from sqlalchemy.orm import Session

from streamgate.contracts.events import (
    ContentDeleted,
    MediaReady,
    PicturesChanged,
    ProtectionChanged,
    RenditionReady,
    TextsChanged,
)
from streamgate.contracts.media import MediaPlan
from streamgate.contracts.streaming import SegmentUnknown
from streamgate.events import Received
from streamgate.sdk.clock import Clock
from streamgate.sdk.db import Database
from streamgate.sdk.playlists.dash import render_manifest
from streamgate.sdk.playlists.hls import render_media_playlist, render_multivariant
from streamgate.sdk.playlists.presentation import Presentation, Track
from streamgate.sdk.playlists.stills import IFRAMES_FILE, has_iframes, render_iframes

from .extent import ALL, Extent, cut
from .loading import Loaded, load_presentation
from .media_repository import find_content
from .picture_repository import Pictures, pictures_of
from .protected.content_keys import ContentKeys, key_periods
from .protected.secrets import Secrets, StoredSecret
from .showing import Showing
from .text_repository import CHAPTERS, KeptText, texts_of, tracks_of

LICENCE = "urn:streamgate:licence"
"""In the manifest of encrypted segments, in place of each session's own address: players take it as it stands, and
resolve nothing."""
_FOLDER = "urn:streamgate:folder/"
"""In texts that are answered elsewhere, in place of each session's folder."""
_KEPT = 256
_EXTENTS = 16
"""Of one media version; a gate's rule makes few, and one that is changed often no more."""
_GROWS_S = 5.0
"""A presentation that may still get renditions is read again after so long, should the event about it be lost."""
_FILLS_S = 60.0
"""One that is made as it is asked for: what was made meanwhile is found without asking for it again."""


@attrs.define(eq=False, slots=False)
class Texts:
    """A presentation and its texts, each rendered at most once: relative URLs are the same for every session.
    `sealing`: where they are of encrypted segments."""

    presentation: Presentation
    sealing: ContentKeys | None = None
    _playlists: dict[str, bytes] = attrs.field(factory=dict)

    @cached_property
    def multivariant(self) -> bytes:
        return render_multivariant(self.presentation, sealing=self.sealing).encode()

    @cached_property
    def manifest(self) -> bytes:
        return render_manifest(self.presentation, sealing=self.sealing, licence_url=LICENCE).encode()

    def multivariant_at(self, folder: str) -> str:
        """For an answer elsewhere: `folder` is the session's."""
        return self._multivariant_elsewhere.replace(_FOLDER, folder)

    def manifest_at(self, folder: str, licence_url: str) -> str:
        return self._manifest_elsewhere.replace(_FOLDER, folder).replace(LICENCE, licence_url)

    @cached_property
    def _multivariant_elsewhere(self) -> str:
        return render_multivariant(self.presentation, folder=_FOLDER, sealing=self.sealing)

    @cached_property
    def _manifest_elsewhere(self) -> str:
        return render_manifest(self.presentation, folder=_FOLDER, sealing=self.sealing, licence_url=LICENCE)

    def iframes(self, track: Track) -> bytes:
        """Raises SegmentUnknown: they are encrypted, or it is not known of every segment where its key frame ends."""
        if self.sealing is not None or not has_iframes(track):
            raise SegmentUnknown(f"{track.id} has no list of key frames, or none yet")
        name = f"{track.id}/{IFRAMES_FILE}"
        if name not in self._playlists:
            self._playlists[name] = render_iframes(track).encode()
        return self._playlists[name]

    def playlist(self, track: Track) -> bytes:
        if track.id not in self._playlists:
            self._playlists[track.id] = render_media_playlist(track, self.sealing).encode()
        return self._playlists[track.id]


@attrs.define(eq=False, slots=False)
class Listing:
    """What there is of a media version, and what is open to those to whom not all of it is. `keys`: of one that is, or
    was, encrypted."""

    whole: Texts
    plan: MediaPlan | None  # where something of it is listed that is not made yet
    showing: Showing
    said: tuple[KeptText, ...]
    is_complete: bool
    loaded_at_s: float
    keys: ContentKeys | None = None
    is_encrypted: bool = False  # when it was loaded
    _parts: OrderedDict[tuple[Extent, bool], Texts | None] = attrs.field(factory=OrderedDict)

    @property
    def has_chapters(self) -> bool:
        return any(each.name == CHAPTERS for each in self.said)

    @property
    def lasts_s(self) -> float:
        """How long until it is read again."""
        if not self.is_complete:
            return _GROWS_S
        return math.inf if self.plan is None else _FILLS_S

    @cached_property
    def kids(self) -> dict[bytes, tuple[str, int]]:
        """Rendition and key period by the name of a CENC key."""
        if self.keys is None:
            return {}
        tracks = self.whole.presentation.tracks
        places = ((track.id, period) for track in tracks for period in range(len(self.keys.starts)))
        return {self.keys.kid(*place): place for place in places}

    def within(self, extent: Extent, *, is_sealed: bool = False) -> Texts | None:
        """None where nothing of it may be played. A preview is clear: a key would open what is behind it."""
        sealing = self.keys if is_sealed and not extent.preview_s else None
        if extent == ALL and sealing is None:
            return self.whole
        wanted = (extent, sealing is not None)
        if wanted not in self._parts:
            presentation = cut(self.whole.presentation, extent)
            self._parts[wanted] = None if presentation is None else Texts(presentation, sealing)
            if len(self._parts) > _EXTENTS:
                self._parts.popitem(last=False)
        return self._parts[wanted]


@attrs.frozen
class _Read:
    loaded: Loaded
    pictures: Pictures
    said: tuple[KeptText, ...]
    secret: StoredSecret | None
    is_encrypted: bool


class Catalogue:
    """The newest 256 media versions that were asked for.

    Args:
        media: where encrypted segments are fetched from, without a `/` at its end.
    """

    def __init__(self, db: Database, clock: Clock, secrets: Secrets, media: str) -> None:
        self._db = db
        self._clock = clock
        self._secrets = secrets
        self._media = media
        self._listings: OrderedDict[tuple[str, int], Listing] = OrderedDict()
        self._loading: dict[tuple[str, int], asyncio.Task[Listing | None]] = {}

    async def listing(self, content_id: str, media_version: int) -> Listing | None:
        """None where that version cannot be played."""
        key = (content_id, media_version)
        found = self._listings.get(key)
        if found is not None and self._clock.monotonic_s() - found.loaded_at_s < found.lasts_s:
            self._listings.move_to_end(key)
            return found
        loading = self._loading.get(key)
        if loading is None:
            loading = asyncio.create_task(self._load(key))
            self._loading[key] = loading
            loading.add_done_callback(partial(self._loaded, key))
        return await asyncio.shield(loading)

    async def on_made(self, event: Received[RenditionReady] | Received[MediaReady]) -> None:
        """There is more of it, or less: `media.ready` comes again where a rung was taken off, or put on again."""
        self._drop((event.body.subject_id, event.body.media_version))

    async def on_pictures_changed(self, event: Received[PicturesChanged]) -> None:
        self._forget(event.body.subject_id)

    async def on_texts_changed(self, event: Received[TextsChanged]) -> None:
        self._forget(event.body.subject_id)

    async def on_protection_changed(self, event: Received[ProtectionChanged]) -> None:
        self._forget(event.body.subject_id)

    async def on_content_deleted(self, event: Received[ContentDeleted]) -> None:
        """What is encrypted is served without a session that would end."""
        self._forget(event.body.subject_id)

    def _forget(self, content_id: str) -> None:
        """All versions: they share what the creator gave."""
        for key in [key for key in (*self._listings, *self._loading) if key[0] == content_id]:
            self._drop(key)

    async def forget_all(self) -> None:
        for key in (*self._listings, *self._loading):
            self._drop(key)

    def _drop(self, key: tuple[str, int]) -> None:
        """What is being read now may have been read before the change: whoever waits for it has it, nobody else."""
        self._listings.pop(key, None)
        self._loading.pop(key, None)

    def _loaded(self, key: tuple[str, int], loading: asyncio.Task[Listing | None]) -> None:
        if self._loading.get(key) is loading:
            del self._loading[key]

    async def for_session(self, content_id: str, media_version: int, *, is_sealed: bool) -> Listing | None:
        """As `listing`. Of what a session plays encrypted there are keys, whatever was known before; None where there
        are none all the same: nothing of it is served clear."""
        listing = await self.listing(content_id, media_version)
        if not is_sealed:
            return listing
        if listing is not None and listing.keys is None:
            self._listings.pop((content_id, media_version), None)
            listing = await self.listing(content_id, media_version)
        return None if listing is None or listing.keys is None else listing

    async def _load(self, key: tuple[str, int]) -> Listing | None:
        def read(session: Session) -> _Read | None:
            loaded = load_presentation(session, *key)
            if loaded is None:
                return None
            content = find_content(session, key[0])
            return _Read(
                loaded,
                pictures_of(session, *key),
                texts_of(session, *key),
                self._secrets.find(session, *key),
                is_encrypted=content is not None and content.protection == "encrypted",
            )

        found = await self._db.read(read)
        if found is None:
            self._listings.pop(key, None)
            return None
        loaded, pictures, said = found.loaded, found.pictures, found.said
        presentation = attrs.evolve(loaded.presentation, captions=tracks_of(said), storyboard=pictures.storyboard)
        listing = Listing(
            Texts(presentation),
            loaded.plan,
            Showing(pictures, presentation),
            said,
            loaded.is_complete and pictures.is_settled,
            self._clock.monotonic_s(),
            self._keys(key, found),
            found.is_encrypted,
        )
        if self._loading.get(key) is not asyncio.current_task():
            return listing
        self._listings[key] = listing
        self._listings.move_to_end(key)
        while len(self._listings) > _KEPT:
            self._listings.popitem(last=False)
        return listing

    def _keys(self, key: tuple[str, int], found: _Read) -> ContentKeys | None:
        if found.secret is None:
            return None
        return ContentKeys(
            media=f"{self._media}/{key[0]}/{key[1]}/",
            secret=found.secret.secret,
            starts=key_periods(found.loaded.presentation, found.secret.key_period_s),
        )
