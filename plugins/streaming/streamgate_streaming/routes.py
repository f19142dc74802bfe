"""The typed routes: sessions and what is known of a stream. The bytes are `delivery.py`."""

from __future__ import annotations

from collections.abc import Callable

import attrs
from starlette.responses import Response

from streamgate.contracts.gate import GateRefused, GateUnknown
from streamgate.contracts.metadata import AccessQuery, ContentNotFound, Metadata
from streamgate.contracts.streaming import (
    MediaQuery,
    NotPlayable,
    PlaybackRevoked,
    RenditionState,
    SessionEnded,
    SessionUnknown,
    Streaming,
    TooManySessions,
)
from streamgate.errors import Unauthorized
from streamgate.sdk.playlists import dash, hls
from streamgate.sdk.playlists.captions import file_path
from streamgate.settings import Matches
from streamgate.web.routes import PUBLIC, Call, Route

from .answers import CaptionsAnswer, RenewAnswer, SessionAnswer, told_of
from .catalogue import Catalogue, Listing, Texts
from .extent import nothing_left
from .files import PREFIX
from .keys import PathKeys
from .opening import Opening
from .saying import CHAPTERS_FILE
from .sessions import Sessions
from .showing import POSTER_FILE, STORYBOARD_FILE

_OPENING = (Unauthorized, ContentNotFound, GateRefused, GateUnknown, PlaybackRevoked, NotPlayable, TooManySessions)
_CONTENT_ID = Matches(r"[A-Za-z0-9_-]{1,40}", "must be the id of a content: 1 to 40 letters, digits, - and _")
_CLIENT_ID = Matches(r"[A-Za-z0-9._~-]{0,128}", "must be at most 128 letters, digits, -, ., _ and ~")


@attrs.frozen(kw_only=True)
class SessionBody:
    """`client_id` tells one person's players apart. Without sign-in a session is found again only by a client id
    of at least 16 characters: make it random."""

    content_id: str = attrs.field(validator=_CONTENT_ID)
    client_id: str = attrs.field(default="", validator=_CLIENT_ID)


@attrs.frozen(kw_only=True)
class PlayQuery(SessionBody):
    """As a session is asked for."""


@attrs.frozen(kw_only=True)
class SessionPath:
    """Where `content_id` is given, a session of another content is unknown."""

    session_id: str
    content_id: str = ""


@attrs.frozen(kw_only=True)
class InfoQuery:
    content_id: str = attrs.field(validator=_CONTENT_ID)


@attrs.frozen(kw_only=True)
class InfoAnswer:
    """What plays, or where nothing does the newest attempt. Task, warnings and error are the newest attempt's, told to
    the content's owner and to moderators."""

    content_id: str
    media_version: int
    state: str
    playable: bool
    kind: str
    duration_s: float
    renditions: tuple[RenditionState, ...]
    task_id: str | None
    warnings: tuple[str, ...]
    error_code: str | None
    error_detail: str | None


class StreamRoutes:
    """Args:
    lease_s: from half of it on a player renews.
    licence_url: of a path token, where a manifest says that keys are.
    """

    def __init__(
        self,
        opening: Opening,
        sessions: Sessions,
        keys: PathKeys,
        catalogue: Catalogue,
        streaming: Streaming,
        metadata: Metadata,
        *,
        lease_s: float,
        licence_url: Callable[[str], str],
    ) -> None:
        self._opening = opening
        self._sessions = sessions
        self._keys = keys
        self._catalogue = catalogue
        self._streaming = streaming
        self._metadata = metadata
        self._lease_s = lease_s
        self._licence_url = licence_url

    def routes(self) -> list[Route]:
        return [
            Route(
                "POST",
                "/api/v1/stream/session",
                self.open,
                policy=PUBLIC,
                body=SessionBody,
                answer=SessionAnswer,
                status=201,
                only_reads=True,  # to watch needs the same by this road as by a playlist
                summary="Open a playback session",
                description="Public content and previews need no sign-in. The same person, client and content get one "
                "session; a preview becomes whole, with the same addresses, when its person opens it again with what "
                "the gate wants.",
                errors=_OPENING,
            ),
            Route(
                "POST",
                "/api/v1/stream/session/{session_id}/renew",
                self.renew,
                policy=PUBLIC,
                query=SessionPath,
                answer=RenewAnswer,
                only_reads=True,
                summary="Keep a playback session alive",
                audited="none",
                description="For its subject, and for the content's owner. Traffic renews a session too.",
                errors=(SessionUnknown, SessionEnded, GateUnknown),
            ),
            Route(
                "DELETE",
                "/api/v1/stream/session/{session_id}",
                self.close,
                policy=PUBLIC,
                query=SessionPath,
                summary="End a playback session",
                description="For its subject, and for the content's owner.",
                errors=(SessionUnknown,),
            ),
            Route(
                "GET",
                "/api/v1/stream/hls",
                self.hls,
                policy=PUBLIC,
                query=PlayQuery,
                produces=(hls.MEDIA_TYPE,),
                summary="The HLS playlist of a content",
                description="Opens a playback session as a POST would; the playlist's URLs carry it.",
                errors=_OPENING,
            ),
            Route(
                "GET",
                "/api/v1/stream/dash",
                self.dash,
                policy=PUBLIC,
                query=PlayQuery,
                produces=(dash.MEDIA_TYPE,),
                summary="The DASH manifest of a content",
                description="Opens a playback session as a POST would; the manifest's URLs carry it.",
                errors=_OPENING,
            ),
            Route(
                "GET",
                "/api/v1/stream/info",
                self.info,
                policy=PUBLIC,
                query=InfoQuery,
                answer=InfoAnswer,
                summary="What can be played of a content",
                errors=(ContentNotFound,),
            ),
        ]

    async def open(self, call: Call[SessionBody, None]) -> SessionAnswer:
        live = await self._opening.open(call.actor, call.body.content_id, call.body.client_id)
        folder = f"{PREFIX}/{self._keys.make(live.session_id)}"
        listing = await self._catalogue.listing(live.content_id, live.media_version)
        shown = None if listing is None else listing.showing
        return SessionAnswer(
            session_id=live.session_id,
            hls_url=f"{folder}/master.m3u8",
            dash_url=f"{folder}/manifest.mpd",
            poster_url=f"{folder}/{POSTER_FILE}" if shown is not None and shown.pictures.poster else None,
            storyboard_url=f"{folder}/{STORYBOARD_FILE}" if shown is not None and shown.has_storyboard(live) else None,
            chapters_url=f"{folder}/{CHAPTERS_FILE}" if listing is not None and listing.has_chapters else None,
            captions=_captions(listing, folder),
            **told_of(live, self._sessions.expires_at_ms(live)),
            renew_after_s=self._lease_s / 2,
        )

    async def hls(self, call: Call[None, PlayQuery]) -> Response:
        texts, token = await self._opened(call)
        return _playlist(texts.multivariant_at(f"{PREFIX}/{token}/"), hls.MEDIA_TYPE)

    async def dash(self, call: Call[None, PlayQuery]) -> Response:
        texts, token = await self._opened(call)
        return _playlist(texts.manifest_at(f"{PREFIX}/{token}/", self._licence_url(token)), dash.MEDIA_TYPE)

    async def _opened(self, call: Call[None, PlayQuery]) -> tuple[Texts, str]:
        """What plays, and the path token of the session that was opened for it."""
        live = await self._opening.open(call.actor, call.query.content_id, call.query.client_id)
        listing = await self._catalogue.for_session(live.content_id, live.media_version, is_sealed=live.is_sealed)
        if listing is None:  # deleted in between
            raise NotPlayable(f"content {live.content_id} is not playable any more")
        texts = listing.within(live.extent, is_sealed=live.is_sealed)
        if texts is None:
            raise nothing_left(live.extent, live.decision, listing.whole.presentation)
        return texts, self._keys.make(live.session_id)

    async def renew(self, call: Call[None, SessionPath]) -> RenewAnswer:
        live = await self._sessions.renew(call.actor, call.query.session_id, call.query.content_id)
        return RenewAnswer(
            session_id=live.session_id,
            **told_of(live, self._sessions.expires_at_ms(live)),
            renew_after_s=self._lease_s / 2,
        )

    async def close(self, call: Call[None, SessionPath]) -> None:
        await self._sessions.close(call.actor, call.query.session_id, call.query.content_id)

    async def info(self, call: Call[None, InfoQuery]) -> InfoAnswer:
        content_id = call.query.content_id
        content = await self._metadata.get(AccessQuery(content_id=content_id, actor=call.actor, want="see"))
        media = await self._streaming.media(MediaQuery(content_id=content_id, playing=True))
        newest = await self._streaming.media(MediaQuery(content_id=content_id))
        is_owner = call.actor.is_moderator or (call.actor.is_signed_in and call.actor.user_id == content.owner)
        return InfoAnswer(
            content_id=content_id,
            media_version=media.media_version,
            state=media.state,
            playable=media.playable,
            kind=content.kind,
            duration_s=media.duration_s,
            renditions=media.renditions,
            task_id=newest.root_id or None if is_owner else None,
            warnings=newest.warnings if is_owner else (),
            error_code=newest.error_code or None if is_owner else None,
            error_detail=newest.error_detail or None if is_owner else None,
        )


def _captions(listing: Listing | None, folder: str) -> tuple[CaptionsAnswer, ...]:
    tracks = listing.whole.presentation.captions if listing is not None else ()
    return tuple(
        CaptionsAnswer(
            language=each.language,
            kind=each.kind,
            label=each.label,
            default=each.is_default,
            url=f"{folder}/{file_path(each)}",
        )
        for each in tracks
    )


def _playlist(text: str, media_type: str) -> Response:
    return Response(text, media_type=media_type, headers={"Cache-Control": "private, no-store"})
