"""Requests of this process that are writing a chunk now, and how one of them is told to stop."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from streamgate.contracts.uploads import ChunkBusy
from streamgate.sdk.clock import Clock


class Send:
    """One such request."""

    def __init__(self, upload_id: str, clock: Clock) -> None:
        self.upload_id = upload_id
        self._clock = clock
        self._limit: asyncio.Timeout | None = None
        self._last_bytes_s = clock.monotonic_s()
        self.ended = asyncio.Event()

    def note_bytes(self) -> None:
        self._last_bytes_s = self._clock.monotonic_s()

    @property
    def silent_s(self) -> float:
        """How long no byte has come."""
        return self._clock.monotonic_s() - self._last_bytes_s

    async def __aenter__(self) -> Send:
        self._limit = await asyncio.timeout(None).__aenter__()
        return self

    async def __aexit__(self, *fault: object) -> None:
        limit, self._limit = self._limit, None
        assert limit is not None
        try:
            await limit.__aexit__(*fault)  # type: ignore[arg-type]
        except TimeoutError as timeout:
            raise ChunkBusy("Another request took over this chunk, or the upload has ended") from timeout

    def interrupt(self) -> None:
        """Ends the request with ChunkBusy while it writes; after that it does nothing."""
        if self._limit is not None and not self._limit.expired():
            self._limit.reschedule(asyncio.get_running_loop().time())


class Sends:
    """All of them, by claim."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._by_claim: dict[str, Send] = {}

    @contextmanager
    def running(self, claim: str, upload_id: str) -> Iterator[Send]:
        send = self._by_claim[claim] = Send(upload_id, self._clock)
        try:
            yield send
        finally:
            del self._by_claim[claim]
            send.ended.set()

    def find(self, claim: str) -> Send | None:
        return self._by_claim.get(claim)

    def interrupt_upload(self, upload_id: str) -> None:
        """Its bytes are wanted no more."""
        for send in self._by_claim.values():
            if send.upload_id == upload_id:
                send.interrupt()
