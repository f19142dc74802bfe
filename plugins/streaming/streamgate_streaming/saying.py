"""Captions and chapters as a session is sent them: playlists, pieces and whole files, cut to what is open to it."""

from __future__ import annotations

import asyncio
import re
from collections import OrderedDict

from streamgate.contracts.streaming import CaptionsUnknown, SegmentUnknown
from streamgate.sdk.db import Database
from streamgate.sdk.playlists import captions, hls
from streamgate.sdk.timedtext import webvtt
from streamgate.sdk.timedtext.cues import Cue

from . import text_repository as texts
from .catalogue import Listing
from .extent import nothing_left, shut
from .live import LiveSession
from .text_repository import CHAPTERS, KeptText

FILES = (
    r"(?P<said>chapters\.vtt|captions/(?P<caption>[a-z0-9-]{2,35}(?:\.cc)?)"
    r"(?:\.vtt|/(?P<pieces>playlist\.m3u8)|/(?P<piece>0|[1-9][0-9]{0,6})(?:-(?P<until>[1-9][0-9]{0,6}))?\.vtt))"
)
"""Names below a session's folder."""
CHAPTERS_FILE = "chapters.vtt"
KEPT_BYTES = 16 << 20
"""Of texts that are in memory, read; a film's captions have about 0.1 MB."""


class Saying:
    """Holds the cues of what was asked for last, for every session alike."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._kept: OrderedDict[tuple[str, str], tuple[tuple[Cue, ...], int]] = OrderedDict()
        self._held_bytes = 0

    async def find(self, listing: Listing, live: LiveSession, asked: re.Match[str]) -> tuple[str, bytes]:
        """Media type and bytes.

        Raises:
            CaptionsUnknown: none under this name, or not any more.
            GateRefused: it is beyond what is open to the session.
            SegmentUnknown: the film has no such piece.
        """
        open_texts, whole = listing.within(live.extent), listing.whole.presentation
        name = asked["caption"] or CHAPTERS
        kept = next((each for each in listing.said if each.name == name), None)
        if kept is None:
            raise CaptionsUnknown("this content has no such captions" if asked["caption"] else "it has no chapters")
        if open_texts is None:
            raise nothing_left(live.extent, live.decision, whole)
        shown = open_texts.presentation
        if asked["pieces"]:
            return hls.MEDIA_TYPE, captions.render_playlist(shown.spans, shown.target_duration_s).encode()
        cues = await self._cues(live.content_id, kept)
        if asked["piece"] is None:
            return webvtt.MEDIA_TYPE, captions.render_file(cues, shown.spans[-1][1]).encode()
        n, last = int(asked["piece"]), int(asked["until"] or 0) - 1
        if max(n, last) >= len(whole.spans) or (asked["until"] and last < n):
            raise SegmentUnknown("these captions have no such piece")
        if max(n, last) >= len(shown.spans):
            raise shut(live.content_id, live.extent, live.decision)
        if asked["until"]:
            part = captions.render_part(cues, shown.spans[n][0], shown.spans[last][1])
            return webvtt.MEDIA_TYPE, part.encode()
        return webvtt.MEDIA_TYPE, captions.render_piece(cues, shown.spans[n]).encode()

    async def _cues(self, content_id: str, wanted: KeptText) -> tuple[Cue, ...]:
        key = (content_id, wanted.sha256)
        found = self._kept.get(key)
        if found is not None:
            self._kept.move_to_end(key)
            return found[0]
        text = await self._db.read(
            lambda session: texts.text_of(session, content_id, wanted.media_version, wanted.name)
        )
        if text is None:
            raise CaptionsUnknown("these captions were taken back")
        cues = await asyncio.to_thread(webvtt.read_own, text)
        if key not in self._kept:
            self._kept[key] = (cues, wanted.size_bytes)
            self._held_bytes += wanted.size_bytes
        while self._held_bytes > KEPT_BYTES:
            _, (_, size_bytes) = self._kept.popitem(last=False)
            self._held_bytes -= size_bytes
        return cues
