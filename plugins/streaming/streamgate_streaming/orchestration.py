"""From the last byte of a source to the first segment: what is heard, and the step it causes.

Each handler does its work and notes the event in one transaction, so hearing it again changes nothing. Blobs are
looked at before: what a transaction must not wait for. Services are called after: nothing that was decided waits for
one, or is undone by one that is away.
"""

from __future__ import annotations

from collections.abc import Callable

import attrs
from loguru import logger
from sqlalchemy.orm import Session

from streamgate.contracts.captions import CAPTIONS_KIND
from streamgate.contracts.events import (
    ContentDeleted,
    JobCheckpoint,
    JobFinished,
    UploadFailed,
    UploadFinished,
)
from streamgate.contracts.jobs import JobQuery, Jobs
from streamgate.contracts.media import ASKED_KIND, AUDIO_KIND, CHUNK_KIND, COPY_KIND, PROBE_KIND, MadePart, ProbeResult
from streamgate.contracts.streaming import NotPlayable, Transcode, TranscodeStarted
from streamgate.errors import StreamgateError
from streamgate.events import Received
from streamgate.sdk.blobs import BlobMissing, BlobStore
from streamgate.sdk.clock import Clock
from streamgate.sdk.db import Database, first_time

from . import garbage, making
from . import media_repository as repository
from . import picture_repository as pictures
from . import session_repository as sessions
from . import text_repository as texts
from .cancelling import Cancellations, cancel_later
from .captioning import Captioning
from .picture_repository import all_that_came
from .picturing import PICTURE_KINDS, Picturing
from .plans import plan_blob, plans_prefix
from .results import RESULT_INVALID, fault_of, keys_of, parts_of, structured
from .tables import ContentRow, MediaRow, WorkRow

GROUP = "streaming"
KINDS_OF_PARTS = frozenset({CHUNK_KIND, ASKED_KIND, AUDIO_KIND, COPY_KIND})
IN_THE_MAKING = ("planning", "encoding")
TAKES_PARTS = ("encoding", "ready")
"""Of what is ready a rung may still be made, because somebody asks for it."""
DEFAULT_PRIORITY = 5

Take = Callable[[Session, ContentRow, MediaRow, WorkRow], None]


class Orchestration:
    """Owns the media versions."""

    def __init__(
        self,
        db: Database,
        blobs: BlobStore,
        jobs: Jobs,
        cancellations: Cancellations,
        pictures: Picturing,
        captions: Captioning,
        clock: Clock,
        *,
        profile: str,
        policy: str,
    ) -> None:
        self._profile = profile  # of uploads
        self._policy = policy  # where nobody says otherwise
        self._db = db
        self._blobs = blobs
        self._jobs = jobs
        self._cancellations = cancellations
        self._pictures = pictures
        self._captions = captions
        self._clock = clock

    # --- sources ------------------------------------------------------------------------------------

    async def on_upload_finished(self, event: Received[UploadFinished]) -> None:
        body, now_ms = event.body, self._clock.now_ms()

        def take(session: Session) -> None:
            if not first_time(session, event.event_id, group=GROUP):
                return
            content = repository.content_for_update(session, body.content_id)
            is_over = content.is_deleted or body.upload_id == content.failed_upload_id
            if is_over or body.revision <= content.upload_revision:
                return
            content.owner = body.owner
            content.upload_id, content.upload_revision = body.upload_id, body.revision
            content.source_key, content.source_size_bytes = body.source_key, body.size_bytes
            making.begin_version(
                session,
                content,
                profile=self._profile,
                policy=self._policy,
                priority=DEFAULT_PRIORITY,
                now_ms=now_ms,
            )

        await self._db.write(take)

    async def on_upload_failed(self, event: Received[UploadFailed]) -> None:
        """A source that was taken back after all: what was made of it may not be watched."""
        body, now_ms = event.body, self._clock.now_ms()

        def withdraw(session: Session) -> list[str]:
            if not first_time(session, event.event_id, group=GROUP):
                return []
            content = repository.content_for_update(session, body.content_id)
            content.failed_upload_id = body.upload_id
            if content.upload_id == body.upload_id:
                content.upload_id = content.source_key = ""
            stopped = []
            for media in repository.media_versions(session, body.content_id):
                if media.upload_id == body.upload_id and media.state != "failed":
                    if media.state in IN_THE_MAKING or repository.has_open_jobs(session, media):
                        stopped.append(cancel_later(session, media, now_ms))
                    making.fail_version(session, content, media, body.code, body.detail, now_ms=now_ms)
                    sessions.end_all_of(
                        session, body.content_id, "withdrawn", now_ms, media_version=media.media_version
                    )
            return stopped

        await self._cancellations.cancel(await self._db.write(withdraw))

    async def on_content_deleted(self, event: Received[ContentDeleted]) -> None:
        """Nothing is served any more, nothing is made any more, what was made is collected."""
        content_id, now_ms = event.body.subject_id, self._clock.now_ms()

        def forget(session: Session) -> list[str]:
            if not first_time(session, event.event_id, group=GROUP):
                return []
            content = repository.content_for_update(session, content_id)
            content.is_deleted = True
            sessions.end_all_of(session, content_id, "deleted", now_ms)
            stopped = []
            for media in repository.media_versions(session, content_id):
                if media.state in IN_THE_MAKING or repository.has_open_jobs(session, media):
                    stopped.append(cancel_later(session, media, now_ms))
                repository.drop_version(session, media, now_ms)
            pictures.forget_own(session, content_id, now_ms)
            texts.forget_own(session, content_id)
            garbage.throw_away_below(session, all_that_came(content_id), now_ms)
            garbage.throw_away_lost(session, content_id, now_ms)
            return stopped

        await self._cancellations.cancel(await self._db.write(forget))

    async def transcode(self, wanted: Transcode) -> TranscodeStarted:
        """The task that makes the newest source's media anew; the running one, where the same is being made.

        Raises:
            NotPlayable: there is no source yet.
        """
        begun = await self._begin(wanted)
        if not begun.is_new and await self._has_ended(begun.task_id):
            begun = await self._begin(wanted, over=begun.task_id)
        return begun

    async def _begin(self, wanted: Transcode, *, over: str = "") -> TranscodeStarted:
        """`over`: a task that has ended, though its version is still in the making."""
        now_ms = self._clock.now_ms()
        policy = wanted.policy or self._policy

        def begin(session: Session) -> TranscodeStarted:
            is_known = repository.find_content(session, wanted.content_id) is not None
            content = repository.content_for_update(session, wanted.content_id) if is_known else None
            if content is None or content.is_deleted or not content.source_key:
                raise NotPlayable(f"content {wanted.content_id} has no source yet: upload one first")
            newest = repository.find_media(session, content.content_id, content.newest_version)
            if (
                newest is not None
                and newest.state in IN_THE_MAKING
                and newest.root_id != over
                and (newest.source_key, newest.profile, newest.policy) == (content.source_key, wanted.profile, policy)
            ):
                return TranscodeStarted(task_id=newest.root_id, is_new=False)
            media = making.begin_version(
                session, content, profile=wanted.profile, policy=policy, priority=wanted.priority, now_ms=now_ms
            )
            return TranscodeStarted(task_id=media.root_id)

        return await self._db.write(begin)

    async def _has_ended(self, root_id: str) -> bool:
        """Whether a task ended unfinished, and we have yet to hear of it."""
        try:
            task = await self._jobs.task(JobQuery(job_id=root_id))
        except StreamgateError:  # not heard of yet, or worker is away: then it is taken as running
            return False
        return task.status in ("cancelled", "failed", "dead")

    # --- jobs ---------------------------------------------------------------------------------------

    async def on_job_checkpoint(self, event: Received[JobCheckpoint]) -> None:
        body = event.body
        work = await self._work(body.job_id) if body.kind in KINDS_OF_PARTS else None
        if work is None:
            return
        parts = await self._new(work, parts_of(body.result) or ())
        now_ms = self._clock.now_ms()

        def take(session: Session, content: ContentRow, media: MediaRow, work: WorkRow) -> None:
            if media.state in TAKES_PARTS:
                making.accept_parts(session, content, media, parts, is_final=False, now_ms=now_ms)
                making.settle(session, content, media, now_ms=now_ms)

        await self._handle(event.event_id, body.job_id, take, is_over=False)

    async def on_job_finished(self, event: Received[JobFinished]) -> None:
        work = await self._work(event.body.job_id)
        if work is None:
            return
        if work.kind == CAPTIONS_KIND:
            await self._captions.on_job_finished(event, work)
        elif work.kind in PICTURE_KINDS:
            await self._pictures.on_job_finished(event, work)
        elif work.kind == PROBE_KIND:
            await self._on_probe_finished(event, work)
        else:
            await self._on_parts_finished(event, work)

    async def _on_probe_finished(self, event: Received[JobFinished], work: WorkRow) -> None:
        body, now_ms = event.body, self._clock.now_ms()
        code, detail = fault_of(body)
        probed = None if code else structured(ProbeResult, body.result)
        if probed is not None:  # its jobs may begin as soon as they are asked for
            blob = plan_blob(work.content_id, work.media_version, probed.plan)
            await self._blobs.put_bytes(blob.key, blob.data)
        parts = await self._new(work, probed.parts) if probed is not None else ()

        def take(session: Session, content: ContentRow, media: MediaRow, work: WorkRow) -> None:
            if media.state != "planning":
                forget_plan(session)
                return
            if probed is not None:
                making.try_plan(session, content, media, probed.plan, parts, now_ms=now_ms)
            else:
                fault = (code, detail) if code else (RESULT_INVALID, "the probe's answer cannot be read")
                making.fail_version(session, content, media, *fault, now_ms=now_ms)

        def forget_plan(session: Session) -> None:
            garbage.throw_away_below(session, plans_prefix(work.content_id, work.media_version), now_ms)
            garbage.throw_away_copies(session, work.content_id, work.media_version, now_ms)

        await self._handle(event.event_id, body.job_id, take, is_over=True, too_late=forget_plan)

    async def _on_parts_finished(self, event: Received[JobFinished], work: WorkRow) -> None:
        body, now_ms = event.body, self._clock.now_ms()
        code, detail = fault_of(body)
        said = None if code else parts_of(body.result)
        if said is None and not code:
            code, detail = RESULT_INVALID, "the job's answer cannot be read"
        parts = await self._new(work, said or ())

        def take(session: Session, content: ContentRow, media: MediaRow, work: WorkRow) -> None:
            if media.state not in TAKES_PARTS:
                garbage.throw_away(session, keys_of(parts), now_ms)
                return
            was_ready, warnings = media.state == "ready", list(media.warnings)
            making.accept_parts(session, content, media, parts, is_final=True, now_ms=now_ms)
            making.accept_end(session, media, work, code, detail)
            making.settle(session, content, media, now_ms=now_ms)
            if was_ready and media.warnings != warnings:
                making.tell_again(session, content, media)

        def too_late(session: Session) -> None:
            garbage.throw_away(session, keys_of(parts), now_ms)

        await self._handle(event.event_id, body.job_id, take, is_over=True, too_late=too_late)

    async def _handle(
        self,
        event_id: str,
        job_id: str,
        take: Take,
        *,
        is_over: bool,
        too_late: Callable[[Session], None] | None = None,
    ) -> None:
        """Runs `take` once for the event, or `too_late` where the version is gone. When the job is over, its note goes,
        and so does what its lost leases left."""
        now_ms = self._clock.now_ms()

        def handle(session: Session) -> None:
            known = repository.find_work(session, job_id)
            if known is None:
                return
            content = repository.content_for_update(session, known.content_id)
            work = repository.reread_work(session, job_id)
            if work is None or not first_time(session, event_id, group=GROUP):
                return
            media = repository.find_media(session, work.content_id, work.media_version)
            if media is not None:
                take(session, content, media, work)
            elif too_late is not None:
                too_late(session)
            if is_over:
                garbage.throw_away_lost(session, work.content_id, now_ms, job_id=work.job_id)
                if work.kind == COPY_KIND and (media is None or media.state == "failed"):
                    garbage.throw_away_copies(session, work.content_id, work.media_version, now_ms)
                session.delete(work)

        await self._db.write(handle)

    async def _work(self, job_id: str) -> WorkRow | None:
        """What a job of ours is for; None for one that is not ours, or over."""
        return await self._db.read(lambda session: repository.find_work(session, job_id))

    async def _new(self, work: WorkRow, parts: tuple[MadePart, ...]) -> tuple[MadePart, ...]:
        """The parts without the segments that are indexed already (a checkpoint tells all so far), and without what
        the blob store does not hold in the size that was told: that does not count."""
        known = await self._db.read(
            lambda session: repository.indexed_keys(session, work.content_id, work.media_version)
        )
        kept = []
        for part in parts:
            fresh = [segment for segment in part.segments if segment.key not in known]
            if fresh and await self._holds(part.init_key, part.init_size_bytes):
                there = [segment for segment in fresh if await self._holds(segment.key, segment.size_bytes)]
                kept.append(attrs.evolve(part, segments=tuple(there)))
        return tuple(kept)

    async def _holds(self, key: str, size_bytes: int) -> bool:
        try:
            found = await self._blobs.stat(key)
        except (BlobMissing, ValueError):
            found = None
        is_there = found is not None and found.size_bytes == size_bytes
        if not is_there:
            logger.bind(key=key, size_bytes=size_bytes).warning("made blob is not there as told")
        return is_there
