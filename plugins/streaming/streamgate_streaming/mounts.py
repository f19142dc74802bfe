"""Where the media bytes are, and how OpenAPI describes them: the bytes themselves go past every typed route."""

from __future__ import annotations

from typing import Any, Literal

import attrs

from streamgate.contracts.gate import GateRefused, GateUnknown
from streamgate.contracts.streaming import (
    CaptionsUnknown,
    KeyUnknown,
    LicenceInvalid,
    PictureUnknown,
    SegmentPending,
    SegmentUnknown,
    SessionEnded,
    SessionUnknown,
    TooManyKeys,
)
from streamgate.errors import NotFound, TooLarge
from streamgate.sdk.playlists import dash, hls
from streamgate.sdk.playlists.storyboard import VTT_TYPE
from streamgate.web.routes import PUBLIC, TOKEN, Call, Mount, Route

from . import by_query
from .delivery import KEY_TYPE, Delivery
from .entities import RangeRefused
from .files import PREFIX
from .protected import serving
from .showing import MEDIA_TYPE as IMAGE

_MEDIA = ("video/mp4", "audio/mp4")
_CONDITIONS = {"Range": "One range of bytes; answered 206.", "If-None-Match": "The ETag that is known; answered 304."}
_ALSO = {
    206: "The part that was asked for.",
    302: "It is at the store, where that is configured; the address is good for seconds.",
    304: "It is what is known already.",
}
_ERRORS = (SessionUnknown, SegmentUnknown, SessionEnded, GateRefused, GateUnknown)


@attrs.frozen(kw_only=True)
class TopPath:
    """`token`: from the URLs of a session."""

    token: str


@attrs.frozen(kw_only=True)
class TrackPath(TopPath):
    rendition: str


@attrs.frozen(kw_only=True)
class SheetPath(TopPath):
    """`number`: as the index names it, from 0 on."""

    number: int


@attrs.frozen(kw_only=True)
class CaptionPath(TopPath):
    """`name`: as playlists name it: the language in small letters, and `.cc` of captions that tell of sounds."""

    name: str


@attrs.frozen(kw_only=True)
class PiecePath(CaptionPath):
    """`number`: of the piece, from 0 on."""

    number: int


@attrs.frozen(kw_only=True)
class SegmentPath(TrackPath):
    number: int


@attrs.frozen(kw_only=True)
class KeyPath(TrackPath):
    """`period`: of the keys, as the playlist names it, from 0 on."""

    period: int


@attrs.frozen(kw_only=True)
class SealedPath:
    """`mode`: `hls` (AES-128) or `cenc` (for DASH)."""

    content_id: str
    media_version: int
    mode: Literal["hls", "cenc"]
    rendition: str


@attrs.frozen(kw_only=True)
class SealedSegmentPath(SealedPath):
    number: int


@attrs.frozen(kw_only=True)
class SealedHeadPath(SealedPath):
    """`head`: `init`, or of CENC `init-` and the number of a key period."""

    head: str


@attrs.frozen(kw_only=True)
class LicenceKey:
    kty: str
    kid: str
    k: str


@attrs.frozen(kw_only=True)
class LicenceAnswer:
    keys: tuple[LicenceKey, ...]
    type: str


@attrs.frozen(kw_only=True)
class SegmentQuery:
    """`number`: of the segment, from 0 on, or `init`. `session`: the token in the URLs of a session."""

    content_id: str
    rendition: str
    number: str
    session: str


def media_mounts(delivery: Delivery, sealed: serving.Serving) -> list[Mount]:
    return [
        Mount(
            prefix=PREFIX,
            app=delivery,
            policy=TOKEN,
            summary="Playlists, manifests and media bytes",
            documents=(
                _text("master.m3u8", TopPath, hls.MEDIA_TYPE, "The multivariant playlist"),
                _text("manifest.mpd", TopPath, dash.MEDIA_TYPE, "The manifest"),
                _text("{rendition}/playlist.m3u8", TrackPath, hls.MEDIA_TYPE, "A rendition's playlist"),
                _text("{rendition}/iframes.m3u8", TrackPath, hls.MEDIA_TYPE, "A rendition's key frames"),
                _text("storyboard/playlist.m3u8", TopPath, hls.MEDIA_TYPE, "The sheets of the storyboard"),
                _text("storyboard.vtt", TopPath, VTT_TYPE, "The index of the storyboard"),
                _said("chapters.vtt", TopPath, "The chapters"),
                _said("captions/{name}.vtt", CaptionPath, "Captions in one file"),
                _said("captions/{name}/{number}.vtt", PiecePath, "A piece of captions"),
                _text("captions/{name}/playlist.m3u8", CaptionPath, hls.MEDIA_TYPE, "The pieces of captions"),
                _image("poster.jpg", TopPath, "The poster"),
                _image("storyboard/{number}.jpg", SheetPath, "A sheet of the storyboard"),
                _bytes(f"{PREFIX}/{{token}}/{{rendition}}/init.mp4", TrackPath, "A rendition's head"),
                _bytes(f"{PREFIX}/{{token}}/{{rendition}}/{{number}}.m4s", SegmentPath, "A segment"),
                _KEY,
                _LICENCE,
            ),
        ),
        Mount(
            prefix=serving.PREFIX,
            app=sealed,
            policy=PUBLIC,
            summary="Encrypted segments, the same for everybody",
            documents=(
                _sealed("{number}.m4s", SealedSegmentPath, "An encrypted segment"),
                _sealed("{head}.mp4", SealedHeadPath, "The head of an encrypted rendition"),
            ),
        ),
        Mount(
            prefix=by_query.PATH,
            app=by_query.SegmentByQuery(delivery),
            policy=TOKEN,
            summary="One segment, named by a query",
            documents=(_bytes(by_query.PATH, SegmentQuery, "One segment, named by a query"),),
        ),
    ]


def _text(name: str, query: type, media_type: str, summary: str) -> Route:
    path = f"{PREFIX}/{{token}}/{name}"
    return Route(
        "GET", path, _never, policy=TOKEN, query=query, produces=(media_type,), summary=summary, errors=_ERRORS
    )


def _said(name: str, query: type, summary: str) -> Route:
    return attrs.evolve(_text(name, query, VTT_TYPE, summary), errors=(*_ERRORS, CaptionsUnknown))


def _image(name: str, query: type, summary: str) -> Route:
    return attrs.evolve(
        _bytes(f"{PREFIX}/{{token}}/{name}", query, summary),
        produces=(IMAGE,),
        errors=(*_ERRORS, PictureUnknown, RangeRefused),
    )


def _bytes(path: str, query: type, summary: str) -> Route:
    return Route(
        "GET",
        path,
        _never,
        policy=TOKEN,
        query=query,
        produces=_MEDIA,
        summary=summary,
        headers_doc=_CONDITIONS,
        also=_ALSO,
        errors=(*_ERRORS, SegmentPending, RangeRefused),
    )


def _sealed(name: str, query: type, summary: str) -> Route:
    path = f"{serving.PREFIX}/{{content_id}}/{{media_version}}/{{mode}}/{{rendition}}/{name}"
    also = {status: words for status, words in _ALSO.items() if status != 302}
    errors = (SegmentUnknown, SegmentPending, RangeRefused)
    return attrs.evolve(_bytes(path, query, summary), policy=PUBLIC, reads_bearer=False, also=also, errors=errors)


async def _never(call: Call[Any, Any]) -> None:
    raise NotFound("the mount answers")


_KEYS = (*_ERRORS, KeyUnknown, TooManyKeys)
_KEY = Route(
    "GET",
    f"{PREFIX}/{{token}}/{{rendition}}/{{period}}.key",
    _never,
    policy=TOKEN,
    query=KeyPath,
    produces=(KEY_TYPE,),
    summary="A key of AES-128",
    description="Of an encrypted content: 16 bytes. There is none for what the session may not see, nor for a preview.",
    errors=_KEYS,
)
_LICENCE = Route(
    "POST",
    f"{PREFIX}/{{token}}/licence",
    _never,
    policy=TOKEN,
    query=TopPath,
    raw_body=True,
    accepts=("application/octet-stream",),
    answer=LicenceAnswer,
    only_reads=True,
    audited="none",
    summary="A licence of Clear Key",
    description='Asked as Clear Key of EME words it, by any Content-Type: `{"kids": ["<key id, base64url>"], "type": '
    '"temporary"}`. Of an encrypted content: the keys of these names, as far as the session may have them, and those '
    "of the other renditions for the same time.",
    errors=(*_KEYS, LicenceInvalid, TooLarge),
)
