"""Whose turn it is to bring bytes to an upload that takes them one after the other (tus).

One request at a time holds an upload, for HOLD_S, prolonged with each chunk. What it writes down, it writes as its
holder, so that one that lost its turn changes nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from loguru import logger
from sqlalchemy.orm import Session

from streamgate.context import Actor
from streamgate.contracts.uploads import (
    ChunkBusy,
    FinalTakesNone,
    OffsetMismatch,
    UploadBusy,
    UploadGone,
    UploadTooLarge,
)
from streamgate.errors import BadRequest
from streamgate.sdk.blobs import PartInfo
from streamgate.sdk.clock import Clock
from streamgate.sdk.db import Database
from streamgate_upload import repository
from streamgate_upload.quota import Quota
from streamgate_upload.receiving import closed
from streamgate_upload.repository import Upload
from streamgate_upload.sends import Sends
from streamgate_upload.tables import UploadRow

Change = Callable[[UploadRow], None]

HOLD_S = 30.0
BUSY_WAIT_S = 5.0
BUSY_POLL_S = 0.25
SILENT_S = 2.0


class Holds:
    """Args:
    expire_after_s: pushed on by each change of a holder.
    silent_s: after so long without bytes a request loses the upload to another one.
    """

    def __init__(
        self,
        db: Database,
        clock: Clock,
        sends: Sends,
        quota: Quota,
        *,
        expire_after_s: float,
        max_size_bytes: int,
        silent_s: float = SILENT_S,
    ) -> None:
        self._db = db
        self._clock = clock
        self._sends = sends
        self._quota = quota
        self._expire_after_ms = round(expire_after_s * 1000)
        self._max_size_bytes = max_size_bytes
        self.silent_s = silent_s

    async def take(self, actor: Actor, upload_id: str, offset: int, holder: str, size_bytes: int | None) -> Upload:
        """Waits for its turn. What has ended is given as it is, and not held.

        Args:
            size_bytes: of the whole file, where the request tells it.

        Raises:
            UploadNotFound, UploadGone, UploadClosed, FinalTakesNone, UploadBusy, OffsetMismatch.
            BadRequest, UploadTooLarge, QuotaExceeded: that size cannot be.
        """
        ends_at_s = self._clock.monotonic_s() + BUSY_WAIT_S

        def run(session: Session) -> Upload:
            return self._try_take(session, actor, upload_id, offset, holder, size_bytes)

        while True:
            upload = await self._db.write(run)
            if upload.holder in ("", holder):
                return upload
            if self._clock.monotonic_s() >= ends_at_s:
                raise UploadBusy(f"Upload {upload_id!r} is being sent to by another request", retry_after_s=1)
            await self._wait_for(upload.holder)

    def _try_take(
        self, session: Session, actor: Actor, upload_id: str, offset: int, holder: str, size_bytes: int | None
    ) -> Upload:
        row = repository.get_owned(session, upload_id, actor, lock=True)
        upload = repository.to_upload(row)
        now_ms = self._clock.now_ms()
        check_open(upload, now_ms)
        if row.holder and row.held_until_ms > now_ms:
            return upload
        if offset != row.received_bytes:
            raise OffsetMismatch(
                f"Upload {upload_id!r} goes on at {row.received_bytes}, not at {offset}",
                extra={"offset": row.received_bytes},
            )
        if size_bytes is not None and size_bytes != row.size_bytes:
            self._set_size(session, row, size_bytes)
        if row.status == "receiving":
            row.holder, row.held_until_ms = holder, now_ms + round(HOLD_S * 1000)
        else:
            row.holder = ""
        return repository.to_upload(row)

    def _set_size(self, session: Session, row: UploadRow, size_bytes: int) -> None:
        if row.size_bytes:
            raise BadRequest(f"The upload has {row.size_bytes} bytes; Upload-Length cannot make them {size_bytes}")
        if size_bytes < max(row.received_bytes, 1):
            raise BadRequest(f"{row.received_bytes} bytes have come; Upload-Length cannot be {size_bytes}")
        if size_bytes > self._max_size_bytes:
            raise UploadTooLarge(f"At most {self._max_size_bytes} bytes are taken")
        row.size_bytes = row.counted_bytes = size_bytes
        self._quota.check_stored(session, row.owner)

    async def _wait_for(self, holder: str) -> None:
        send = self._sends.find(holder)
        if send is None:  # in another process, or just ended
            await self._clock.sleep(BUSY_POLL_S)
            return
        if send.silent_s >= self.silent_s:
            send.interrupt()
        try:
            async with asyncio.timeout(BUSY_POLL_S):
                await send.ended.wait()
        except TimeoutError:
            return

    async def let_go(self, upload_id: str, holder: str) -> None:
        def run(session: Session) -> None:
            row = repository.get_held(session, upload_id, holder)
            if row is not None:
                row.holder = ""

        try:
            await self._db.write(run)
        except Exception as fault:
            logger.bind(upload_id=upload_id, error=repr(fault)).warning("hold left to run out")

    async def change(
        self, upload_id: str, holder: str, change: Change, *, done: Sequence[tuple[int, PartInfo]] = ()
    ) -> Upload:
        """Keeps the turn, and writes down what has come: with `done` chunks, all of it or nothing.

        Raises:
            ChunkBusy, UploadGone: it passed to another request, or was ended.
            QuotaExceeded: of an upload whose size is not known yet, more came than there is room for.
        """

        def run(session: Session) -> Upload:
            row = repository.get_held(session, upload_id, holder)
            if row is None:
                gone = repository.find(session, upload_id)
                if gone is not None:
                    check_open(gone, self._clock.now_ms())
                raise ChunkBusy("Another request took over this upload")
            for index, part in done:
                repository.add_done(session, upload_id, index, part.sha256, part.tag)
            change(row)
            row.updated_at_ms = self._clock.now_ms()
            row.held_until_ms = row.updated_at_ms + round(HOLD_S * 1000)
            row.expires_at_ms = row.updated_at_ms + self._expire_after_ms
            if not row.size_bytes and row.counted_bytes < row.received_bytes:
                row.counted_bytes = row.received_bytes
                self._quota.check_stored(session, row.owner)
            return repository.to_upload(row)

        return await self._db.write(run)


def check_open(upload: Upload, now_ms: int) -> None:
    """Raises UploadGone, UploadClosed, FinalTakesNone: it takes no bytes in a row, or none any more."""
    check_there(upload, now_ms)
    if upload.form == "final":
        raise FinalTakesNone(f"Upload {upload.upload_id!r} is made of partial uploads")
    if upload.form not in ("tus", "partial"):
        raise closed(upload)


def check_there(upload: Upload, now_ms: int) -> None:
    """Raises UploadGone: it came to nothing, or is too old by now, whether anybody has looked or not."""
    is_held = upload.holder != "" and upload.held_until_ms > now_ms
    is_late = upload.status == "receiving" and upload.expires_at_ms <= now_ms and not is_held
    if is_late or upload.status in ("failed", "aborted", "expired"):
        status = "expired" if is_late else upload.status
        raise UploadGone(f"Upload {upload.upload_id!r} is {status}", extra={"status": status})
