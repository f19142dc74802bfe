"""Captions that a film brings along: read out by a job, read again here, and kept with the version.

Nothing waits for them: a content plays without, and where they fail it says so among its warnings.
"""

from __future__ import annotations

import asyncio
import hashlib

from loguru import logger
from sqlalchemy.orm import Session

from streamgate.contracts.captions import CaptionsResult, FoundCaptions, MadeCaptions
from streamgate.contracts.events import JobFinished
from streamgate.events import Received
from streamgate.sdk.blobs import BlobMissing, BlobStore
from streamgate.sdk.clock import Clock
from streamgate.sdk.db import Database, first_time
from streamgate.sdk.playlists.captions import track_of
from streamgate.sdk.timedtext import webvtt
from streamgate.sdk.timedtext.cues import MAX_KEPT_BYTES, TextInvalid

from . import garbage
from . import media_repository as media
from . import text_repository as texts
from .own_texts import tell
from .results import RESULT_INVALID, fault_of, structured
from .tables import WorkRow
from .text_repository import NewText

GROUP = "streaming"


class CaptionsRefused(Exception):
    """They are not what was asked for; the message says why."""


class Captioning:
    """Takes in what was read out of a source."""

    def __init__(self, db: Database, blobs: BlobStore, clock: Clock) -> None:
        self._db = db
        self._blobs = blobs
        self._clock = clock

    async def on_job_finished(self, event: Received[JobFinished], work: WorkRow) -> None:
        body, now_ms = event.body, self._clock.now_ms()
        code, detail = fault_of(body)
        result = None if code else structured(CaptionsResult, body.result)
        found: list[NewText] = []
        try:
            if result is None and not code:
                raise CaptionsRefused("the job's answer cannot be read")
            if result is not None:
                tracks = await self._tracks(work)
                found = [await self._read(tracks, each) for each in result.captions]
        except CaptionsRefused as fault:
            code, detail = RESULT_INVALID, str(fault)

        def take(session: Session) -> None:
            content = media.content_for_update(session, work.content_id)
            known = media.reread_work(session, work.job_id)
            if known is None or not first_time(session, event.event_id, group=GROUP):
                return
            version = media.find_media(session, known.content_id, known.media_version)
            if version is not None and version.state != "failed":
                if code:
                    version.warnings = [*version.warnings, f"captions: {code}: {detail}"]
                    logger.bind(content_id=version.content_id, code=code).warning("no captions were read out")
                else:
                    for each in found:
                        texts.store(session, known.content_id, known.media_version, each)
                    tell(session, content, known.media_version)
            garbage.throw_away_lost(session, known.content_id, now_ms, job_id=known.job_id)
            session.delete(known)

        await self._db.write(take)

    async def _tracks(self, work: WorkRow) -> dict[int, FoundCaptions]:
        def read(session: Session) -> dict[int, FoundCaptions]:
            version = media.find_media(session, work.content_id, work.media_version)
            plan = media.plan_of(version) if version is not None else None
            return {each.index: each for each in plan.captions} if plan is not None else {}

        return await self._db.read(read)

    async def _read(self, tracks: dict[int, FoundCaptions], made: MadeCaptions) -> NewText:
        """Raises CaptionsRefused."""
        track = tracks.get(made.index)
        if track is None:
            raise CaptionsRefused("captions came that were not planned")
        try:
            data = await self._blobs.read(made.key, 0, MAX_KEPT_BYTES + 1)
        except (BlobMissing, ValueError) as fault:
            raise CaptionsRefused("captions are not there as told") from fault
        if len(data) > MAX_KEPT_BYTES or hashlib.sha256(data).hexdigest() != made.sha256:
            raise CaptionsRefused("captions have other bytes than told")
        try:
            cues = await asyncio.to_thread(webvtt.parse, data.decode())
        except (TextInvalid, UnicodeDecodeError) as fault:
            raise CaptionsRefused(f"captions cannot be read: {fault}") from fault
        shown = track_of(track)
        return NewText(
            name=shown.name,
            kind=shown.kind,
            language=shown.language,
            label=shown.label,
            is_default=False,
            cues=len(cues),
            text=webvtt.render(cues),
        )
