"""What the owner of an upload sees of it at once: told to every process, kept nowhere."""

from __future__ import annotations

from collections import OrderedDict

from loguru import logger

from streamgate.contracts.live import LIVE, LiveUpdate
from streamgate.errors import StreamgateError
from streamgate.events import Events
from streamgate.sdk.clock import Clock
from streamgate_upload.repository import Upload

EVERY_S = 0.25
REMEMBERED = 2_000


class Live:
    """Progress of an upload at most four times a second, and each change of its state."""

    def __init__(self, events: Events, clock: Clock) -> None:
        self._events = events
        self._clock = clock
        self._told_s: OrderedDict[str, float] = OrderedDict()

    def is_due(self, upload_id: str) -> bool:
        """Whether progress of it would be told now."""
        told_s = self._told_s.get(upload_id)
        return told_s is None or self._clock.monotonic_s() - told_s >= EVERY_S

    async def progress(self, upload: Upload, received_bytes: int | None = None) -> None:
        """Args:
        received_bytes: where more has come than is written down.
        """
        if not self.is_due(upload.upload_id):
            return
        self._told_s[upload.upload_id] = self._clock.monotonic_s()
        self._told_s.move_to_end(upload.upload_id)
        while len(self._told_s) > REMEMBERED:
            self._told_s.popitem(last=False)
        await self._tell("upload.progress", upload, upload.received_bytes if received_bytes is None else received_bytes)

    async def changed(self, upload: Upload) -> None:
        """After the commit."""
        if upload.status != "receiving":
            self._told_s.pop(upload.upload_id, None)
        await self._tell("upload.changed", upload, upload.received_bytes)

    async def _tell(self, event: str, upload: Upload, received_bytes: int) -> None:
        if upload.form == "partial":  # nothing by itself; its final one is told of
            return
        size_bytes = upload.size_bytes
        update = LiveUpdate(
            owner=upload.owner,
            kind="upload",
            id=upload.upload_id,
            content_id=upload.content_id,
            event=event,
            data={
                "status": upload.status,
                "filename": upload.filename,
                "received_bytes": received_bytes,
                "size_bytes": size_bytes,
                "progress": round(received_bytes / size_bytes, 6) if size_bytes else 0.0,
                "failure": upload.failure,
            },
        )
        try:
            await self._events.broadcast(LIVE, update)
        except StreamgateError as fault:  # whoever watches asks for the status instead
            logger.bind(upload_id=upload.upload_id, error=fault.code).debug("progress not told")
