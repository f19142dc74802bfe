"""Looks over the uploads: gives up those to which nothing comes, and removes bytes that nobody will ask for."""

from __future__ import annotations

import asyncio
from functools import partial

from loguru import logger
from sqlalchemy.orm import Session

from streamgate.sdk.blobs import BlobStore
from streamgate.sdk.clock import Clock
from streamgate.sdk.db import Database
from streamgate_upload import ending, repository, tails
from streamgate_upload.finishing import Verifier
from streamgate_upload.live import Live
from streamgate_upload.measures import OPEN
from streamgate_upload.repository import Upload
from streamgate_upload.sends import Sends

BATCH = 100
KEEP_FAILED_S = 30 * 24 * 3600


class Sweeper:
    """A unit. `wake` makes it look now.

    Args:
        is_alone: no other process has this database, so claims that are found at the start belong to nobody.
    """

    def __init__(
        self,
        db: Database,
        blobs: BlobStore,
        clock: Clock,
        verifier: Verifier,
        sends: Sends,
        live: Live,
        *,
        every_s: float,
        is_alone: bool,
        needs: tuple[str, ...],
    ) -> None:
        self.name = "upload.sweeper"
        self.needs = needs
        self._db = db
        self._blobs = blobs
        self._clock = clock
        self._verifier = verifier
        self._sends = sends
        self._live = live
        self._every_s = every_s
        self._is_alone = is_alone
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        if self._is_alone:
            await self._db.write(repository.drop_all_claims)
        self._task = asyncio.create_task(self._run(), name=self.name)

    async def stop(self) -> None:
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.wait({task})

    def wake(self) -> None:
        self._wake.set()

    async def _run(self) -> None:
        while True:
            try:
                await self.sweep()
            except Exception as fault:
                logger.bind(unit=self.name, error=repr(fault)).warning("sweep failed; tried again later")
            try:
                async with asyncio.timeout(self._every_s):
                    await self._wake.wait()
            except TimeoutError:
                pass
            self._wake.clear()

    async def sweep(self) -> None:
        """One look. Two processes may look at once."""
        while expired := await self._db.write(self._expire):
            for upload in expired:
                self._sends.interrupt_upload(upload.upload_id)
                logger.bind(upload_id=upload.upload_id).info("upload expired")
                await self._live.changed(upload)
        await self._remove()
        await self._verifier.find_stale()
        before_ms = self._clock.now_ms() - KEEP_FAILED_S * 1000
        await self._db.write(lambda session: repository.prune(session, before_ms))
        OPEN.set(await self._db.read(repository.count_all_open))

    def _expire(self, session: Session) -> list[Upload]:
        now_ms = self._clock.now_ms()
        rows = repository.overdue(session, now_ms, BATCH)
        for row in rows:
            detail = "No byte came for too long"
            if row.form in ("single", "final"):
                ending.give_up(session, row, "failed", now_ms, code=ending.INTERRUPTED, detail="The request broke off")
            else:
                ending.give_up(session, row, "expired", now_ms, code=ending.EXPIRED, detail=detail)
        return [repository.to_upload(row) for row in rows]

    async def _remove(self) -> None:
        while uploads := await self._db.read(lambda session: repository.to_sweep(session, BATCH)):
            for upload in uploads:
                if upload.multipart_token:
                    await self._blobs.abort_multipart(upload.source_key, upload.multipart_token)
                await self._blobs.delete(upload.source_key)
                if upload.form in ("tus", "partial"):
                    await self._blobs.delete_prefix(tails.prefix_of(upload.upload_id))
            await self._db.write(partial(repository.set_swept, upload_ids=[each.upload_id for each in uploads]))
