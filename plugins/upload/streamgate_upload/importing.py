"""Imports: files that we fetch from a URL, in the background, into the blob store.

The row is the work: whoever holds it fetches, for HOLD_S, prolonged while bytes come; what a killed process held
another one takes up, from the beginning.
"""

from __future__ import annotations

import asyncio
import re
import secrets
from collections.abc import AsyncIterator
from urllib.parse import unquote, urlsplit

import attrs
from loguru import logger
from sqlalchemy.orm import Session

from streamgate.context import Actor
from streamgate.contracts.auth import Auth, SetGate
from streamgate.contracts.gate import Rule
from streamgate.contracts.metadata import ContentDelete, Metadata
from streamgate.contracts.uploads import ChunkBusy, ImportRefused
from streamgate.errors import FieldError, Invalid, StreamgateError
from streamgate.sdk.blobs import BlobInfo, BlobStore
from streamgate.sdk.clock import Clock
from streamgate.sdk.db import Database
from streamgate.sdk.outgoing import GuardedClient, StreamedAnswer, Unreachable
from streamgate_upload import ending, repository
from streamgate_upload.config import UploadConfig
from streamgate_upload.details import check_gate
from streamgate_upload.live import Live
from streamgate_upload.measures import RECEIVED
from streamgate_upload.names import is_content_type
from streamgate_upload.quota import Quota
from streamgate_upload.repository import Upload
from streamgate_upload.sends import Send, Sends
from streamgate_upload.service import NewUpload, Uploads

HOLD_S = 60.0
RENEW_S = 1.0
POLL_S = 5.0
ATTEMPTS_MAX = 4
TAKEN_MAX = 10
"""So often it is taken up at most where no attempt says how it ended: whoever fetched it died."""
FIRST_PAUSE_S = 5.0


@attrs.frozen(kw_only=True)
class Wanted:
    """What is asked for: `title` and `gate` are a new content's only."""

    url: str
    title: str | None = None
    content_id: str | None = None
    gate: Rule | None = None


class Importer:
    """A unit: fetches what is due, `imports_at_once` at a time."""

    def __init__(
        self,
        db: Database,
        blobs: BlobStore,
        clock: Clock,
        uploads: Uploads,
        metadata: Metadata,
        auth: Auth,
        http: GuardedClient,
        sends: Sends,
        config: UploadConfig,
        *,
        quota: Quota,
        live: Live,
        needs: tuple[str, ...],
    ) -> None:
        self.name = "upload.importer"
        self.needs = needs
        self._db = db
        self._blobs = blobs
        self._clock = clock
        self._uploads = uploads
        self._metadata = metadata
        self._auth = auth
        self._http = http
        self._sends = sends
        self._config = config
        self._quota = quota
        self._live = live
        self._wake = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        self._tasks = [asyncio.create_task(self._run(), name=self.name) for _ in range(self._config.imports_at_once)]

    async def stop(self) -> None:
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        await self._http.aclose()

    # --- asking -----------------------------------------------------------------------------------

    async def submit(self, actor: Actor, wanted: Wanted) -> Upload:
        """The upload, which is fetched soon.

        Raises:
            UrlRefused, AddressRefused, Invalid, GateInvalid, QuotaExceeded, TooManyUploads, ContentNotFound.
        """
        self._http.check_url(wanted.url)
        if wanted.content_id is not None and not (wanted.title is None and wanted.gate is None):
            name = "gate" if wanted.title is None else "title"
            fault = FieldError(name, "is for a new content; change this one's own by itself")
            raise Invalid("The import cannot begin", errors=(fault,))
        if wanted.gate is not None:
            await check_gate(self._auth, wanted.gate)
        new = NewUpload(
            filename=_name_in(wanted.url),
            size_bytes=0,
            content_id=wanted.content_id,
            title=wanted.title,
            source_url=wanted.url,
        )
        upload = await self._uploads.open_import(actor, new)
        if wanted.gate is not None:
            await self._set_gate(actor, upload, wanted.gate)
        self._wake.set()
        return upload

    async def _set_gate(self, actor: Actor, upload: Upload, gate: Rule) -> None:
        """Nothing can be watched yet, so that the gate is there before the first byte."""
        try:
            await self._auth.set_gate(SetGate(content_id=upload.content_id, actor=actor, gate=gate))
        except StreamgateError:
            await self._uploads.abort(actor, upload.upload_id)
            await self._metadata.delete(ContentDelete(content_id=upload.content_id, actor=actor))
            raise

    # --- fetching ---------------------------------------------------------------------------------

    async def _run(self) -> None:
        while True:
            self._wake.clear()
            try:
                while await self._fetch_next():
                    pass
            except Exception as fault:
                logger.bind(unit=self.name, error=repr(fault)).warning("imports wait")
            try:
                async with asyncio.timeout(POLL_S):
                    await self._wake.wait()
            except TimeoutError:
                pass

    async def _fetch_next(self) -> bool:
        """False: nothing is due."""
        holder = secrets.token_hex(16)
        upload = await self._db.write(lambda session: self._take(session, holder))
        if upload is None:
            return False
        log = logger.bind(upload_id=upload.upload_id, content_id=upload.content_id, attempt=upload.attempts)
        with self._sends.running(holder, upload.upload_id) as send:
            try:
                await self._fetch(upload, holder, send)
            except (_Lost, ChunkBusy):  # the latter where it was interrupted here
                log.info("import ended by somebody else")
            except StreamgateError as fault:
                log.bind(code=fault.code).info("import failed")
                await self._failed(upload, holder, fault)
        return True

    def _take(self, session: Session, holder: str) -> Upload | None:
        now_ms = self._clock.now_ms()
        while rows := repository.due_imports(session, now_ms, 1):
            row = rows[0]
            if row.attempts >= TAKEN_MAX:
                detail = "Fetching it was begun again and again, and never came to an end"
                ending.give_up(session, row, "failed", now_ms, code=ending.INTERRUPTED, detail=detail)
                session.flush()
                continue
            row.holder, row.held_until_ms = holder, now_ms + round(HOLD_S * 1000)
            row.attempts += 1
            row.received_bytes = row.counted_bytes = 0
            return repository.to_upload(row)
        return None

    async def _fetch(self, upload: Upload, holder: str, send: Send) -> None:
        await self._blobs.delete(upload.source_key)  # of an attempt whose end was not written down
        left_bytes = await self._quota.left_bytes(upload.owner)
        limit_bytes = self._config.max_size_bytes
        if left_bytes is not None:
            self._quota.check_size(1, left_bytes)
            limit_bytes = min(limit_bytes, left_bytes)
        async with (
            send,
            self._http.stream(
                "GET", upload.source_url, limit_bytes=limit_bytes, timeout_s=self._config.import_timeout_s
            ) as answer,
        ):
            _check_answer(answer)
            begun = await self._change(upload.upload_id, holder, size_bytes=answer.size_bytes or 0, answer=answer)
            stored = await self._blobs.put(upload.source_key, self._watched(begun, holder, send, answer))
        await self._finish(upload, holder, stored)

    async def _watched(self, upload: Upload, holder: str, send: Send, answer: StreamedAnswer) -> AsyncIterator[bytes]:
        renew_at_s = self._clock.monotonic_s() + RENEW_S
        received_bytes = 0
        async for piece in answer.pieces():
            received_bytes += len(piece)
            send.note_bytes()
            RECEIVED.labels("import").inc(len(piece))
            if self._clock.monotonic_s() >= renew_at_s:
                renew_at_s = self._clock.monotonic_s() + RENEW_S
                await self._change(upload.upload_id, holder, received_bytes=received_bytes)
            await self._live.progress(upload, received_bytes)
            yield piece
        if received_bytes == 0:
            raise ImportRefused("The URL gives an empty file")

    async def _change(
        self,
        upload_id: str,
        holder: str,
        *,
        received_bytes: int = 0,
        size_bytes: int | None = None,
        answer: StreamedAnswer | None = None,
    ) -> Upload:
        """Raises _Lost: it was aborted, or passed to another process."""

        def run(session: Session) -> Upload:
            row = repository.get_held(session, upload_id, holder)
            if row is None:
                raise _Lost
            row.received_bytes, row.updated_at_ms = received_bytes, self._clock.now_ms()
            row.held_until_ms = row.updated_at_ms + round(HOLD_S * 1000)
            row.expires_at_ms = row.updated_at_ms + round(self._config.expire_after_s * 1000)
            row.counted_bytes = max(received_bytes, row.size_bytes if size_bytes is None else size_bytes)
            if size_bytes is not None:
                row.size_bytes = size_bytes
            if answer is not None:
                content_type = answer.headers.get("content-type", "").partition(";")[0].strip().lower()
                row.content_type = content_type if is_content_type(content_type) else ""
            return repository.to_upload(row)

        return await self._db.write(run)

    async def _finish(self, upload: Upload, holder: str, stored: BlobInfo) -> None:
        def run(session: Session) -> Upload:
            row = repository.get_held(session, upload.upload_id, holder)
            if row is None:
                raise _Lost
            row.size_bytes, row.sha256 = stored.size_bytes, stored.sha256
            ending.finish(session, row, "complete", self._clock.now_ms())
            self._quota.check_stored(session, row.owner)
            return repository.to_upload(row)

        try:
            finished = await self._db.write(run)
        except _Lost:
            now = await self._db.read(lambda session: repository.find(session, upload.upload_id))
            if now is None or now.status not in ("receiving", "complete"):  # else it is another process' by now
                await self._blobs.delete(upload.source_key)
            raise
        logger.bind(upload_id=upload.upload_id, content_id=upload.content_id, size_bytes=stored.size_bytes).info(
            "upload finished"
        )
        await self._live.changed(finished)

    async def _failed(self, upload: Upload, holder: str, fault: StreamgateError) -> None:
        """Tried again after a pause where that can help, a few times."""
        is_last = not fault.retryable or upload.attempts >= ATTEMPTS_MAX

        def run(session: Session) -> Upload | None:
            row = repository.get_held(session, upload.upload_id, holder)
            if row is None:
                return None
            now_ms = self._clock.now_ms()
            if is_last:
                ending.give_up(session, row, "failed", now_ms, code=fault.code, detail=fault.detail)
            else:
                pause_s = FIRST_PAUSE_S * 2 ** (upload.attempts - 1)
                row.holder, row.held_until_ms = "", now_ms + round(pause_s * 1000)
            return repository.to_upload(row)

        ended = await self._db.write(run)
        if ended is not None and is_last:
            await self._live.changed(ended)
            self._uploads.wake_sweeper()


class _Lost(Exception):
    """The upload is not ours to fetch any more."""


def _check_answer(answer: StreamedAnswer) -> None:
    if answer.status >= 500 or answer.status == 429:
        raise Unreachable(f"The host answered with HTTP status {answer.status}")
    if answer.status != 200:
        raise ImportRefused(f"The host answered with HTTP status {answer.status}")


def _name_in(url: str) -> str:
    """The last step of its path, as a person reads it."""
    return unquote(re.sub(r".*/", "", urlsplit(url).path))
