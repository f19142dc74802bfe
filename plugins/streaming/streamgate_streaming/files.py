"""`<token>/<name>`: which file of a stream a path names, and whether it is open to a session. Nothing is read here."""

from __future__ import annotations

import re

import attrs

from streamgate.contracts.streaming import SegmentUnknown
from streamgate.sdk.playlists import dash, hls
from streamgate.sdk.playlists.presentation import Track
from streamgate.sdk.playlists.stills import IFRAMES_FILE, IMAGES_FILE
from streamgate.sdk.playlists.storyboard import VTT_TYPE

from . import showing
from .catalogue import Listing, Texts
from .extent import nothing_left, shut
from .live import LiveSession
from .loading import INIT
from .saying import FILES as SAID

PREFIX = "/api/v1/stream/s"
FILE = re.compile(
    re.escape(PREFIX) + r"/(?P<token>[A-Za-z0-9_-]{1,512})/"
    r"(?:(?P<top>master\.m3u8|manifest\.mpd|licence)|" + SAID + r"|"
    r"(?P<picture>poster\.jpg|storyboard\.vtt|storyboard/playlist\.m3u8|storyboard/(?P<sheet>0|[1-9][0-9]{0,2})\.jpg)|"
    r"(?P<track>[a-z0-9][a-z0-9_-]{0,31})/(?:(?P<named>playlist\.m3u8|iframes\.m3u8|init\.mp4)|"
    r"(?P<n>0|[1-9][0-9]{0,6})\.m4s|(?P<key>0|[1-9][0-9]{0,6})\.key))"
)


@attrs.frozen(kw_only=True)
class Blob:
    key: str
    size_bytes: int
    sha256: str
    media_type: str

    @property
    def etag(self) -> bytes:
        return f'"{self.sha256[:32]}"'.encode()


@attrs.frozen(kw_only=True)
class Unmade:
    """Listed, and still to be made. `n`: of the segment, or INIT."""

    track: Track
    n: int


@attrs.frozen
class Admitted:
    """A file's name, and the session that may have bytes of its content now."""

    asked: re.Match[str]
    live: LiveSession
    listing: Listing

    @property
    def is_licence(self) -> bool:
        return self.asked["top"] == "licence"

    def opened(self) -> Blob | Unmade | tuple[str, bytes]:
        """The file, as far as it is open to the session.

        Raises:
            GateRefused: it is there, and beyond what the session's decision opens.
            SegmentUnknown, PictureUnknown: it is not there.
        """
        asked, live, listing = self.asked, self.live, self.listing
        if asked["key"] or self.is_licence:
            raise SegmentUnknown("a key is no file")
        if asked["picture"]:
            return _picture(listing, live, asked)
        texts = listing.within(live.extent, is_sealed=live.is_sealed)
        if texts is not None and texts.sealing is not None and (asked["n"] or asked["named"] == "init.mp4"):
            _find(listing.whole, asked)
            raise SegmentUnknown("of this content segments are encrypted, and at the addresses that its playlists name")
        if texts is listing.whole:
            return _find(listing.whole, asked)
        if texts is not None:
            try:
                return _find(texts, asked)
            except SegmentUnknown:
                pass  # what there is at all has to be known, to say which of the two it is
        _find(listing.whole, asked)
        if texts is None:
            raise nothing_left(live.extent, live.decision, listing.whole.presentation)
        raise shut(live.content_id, live.extent, live.decision)


def _find(texts: Texts, asked: re.Match[str]) -> Blob | Unmade | tuple[str, bytes]:
    """A blob, one to be made, or a text with its media type. Raises SegmentUnknown."""
    if asked["top"] == "master.m3u8":
        return hls.MEDIA_TYPE, texts.multivariant
    if asked["top"] == "manifest.mpd":
        return dash.MEDIA_TYPE, texts.manifest
    track = texts.presentation.track(asked["track"])
    if track is None:
        raise SegmentUnknown(f"no rendition {asked['track']} in this stream")
    if asked["named"] == "playlist.m3u8":
        return hls.MEDIA_TYPE, texts.playlist(track)
    if asked["named"] == IFRAMES_FILE:
        return hls.MEDIA_TYPE, texts.iframes(track)
    if asked["named"] == "init.mp4":
        if not track.init_key:
            return Unmade(track=track, n=INIT)
        return blob_of(track, track.init_key, track.init_size_bytes, track.init_sha256)
    n = int(asked["n"])
    if n >= len(track.segments):
        raise SegmentUnknown(f"{track.id} has no segment {n}")
    segment = track.segments[n]
    if not segment.key:
        return Unmade(track=track, n=n)
    return blob_of(track, segment.key, segment.size_bytes, segment.sha256)


def blob_of(track: Track, key: str, size_bytes: int, sha256: str) -> Blob:
    return Blob(key=key, size_bytes=size_bytes, sha256=sha256, media_type=f"{track.kind}/mp4")


def _picture(listing: Listing, live: LiveSession, asked: re.Match[str]) -> Blob | tuple[str, bytes]:
    """Raises GateRefused, PictureUnknown."""
    found = listing.showing.find(live, asked["picture"], asked["sheet"])
    if isinstance(found, bytes):
        return (hls.MEDIA_TYPE if asked["picture"] == IMAGES_FILE else VTT_TYPE), found
    return Blob(key=found.key, size_bytes=found.size_bytes, sha256=found.sha256, media_type=showing.MEDIA_TYPE)
