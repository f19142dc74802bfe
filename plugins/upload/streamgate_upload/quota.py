"""How much a person may have: uploads open at once, and bytes in all."""

from __future__ import annotations

import attrs
from sqlalchemy.orm import Session

from streamgate.contracts.uploads import QuotaExceeded, TooManyUploads
from streamgate.sdk.db import Database
from streamgate_upload import repository
from streamgate_upload.config import UploadConfig


@attrs.frozen(kw_only=True)
class Usage:
    """`limit_bytes` 0: no limit."""

    used_bytes: int
    limit_bytes: int
    open_uploads: int
    open_limit: int


class Quota:
    """Counts open uploads with the size they are to have (or have so far, where that is not known), and finished ones
    until their content is deleted.

    Args:
        limit_bytes: for each person; 0 for none.
    """

    def __init__(self, db: Database, *, limit_bytes: int, max_open: int) -> None:
        self._db = db
        self._limit_bytes = limit_bytes
        self._max_open = max_open

    def take(self, config: UploadConfig) -> None:
        """New limits, from the next question on."""
        self._limit_bytes, self._max_open = config.quota_bytes, config.max_open_uploads

    async def usage(self, owner: str) -> Usage:
        def run(session: Session) -> Usage:
            return Usage(
                used_bytes=repository.counted_bytes(session, owner),
                limit_bytes=self._limit_bytes,
                open_uploads=repository.count_open(session, owner),
                open_limit=self._max_open,
            )

        return await self._db.read(run)

    def check_new(self, session: Session, owner: str, size_bytes: int) -> None:
        """Raises TooManyUploads, QuotaExceeded: there is no room for another upload of this size (0: not known)."""
        if repository.count_open(session, owner) >= self._max_open:
            raise TooManyUploads(f"{self._max_open} uploads are open already; complete or abort one", retry_after_s=60)
        if self._limit_bytes:
            used_bytes = repository.counted_bytes(session, owner)
            if used_bytes + max(size_bytes, 1) > self._limit_bytes:
                raise self._exceeded(used_bytes)

    async def left_bytes(self, owner: str) -> int | None:
        """None: no limit."""
        if not self._limit_bytes:
            return None
        return max(0, self._limit_bytes - await self._db.read(lambda session: repository.counted_bytes(session, owner)))

    def check_stored(self, session: Session, owner: str) -> None:
        """Raises QuotaExceeded: what is counted in this transaction is too much."""
        if self._limit_bytes:
            repository.lock_owner(session, owner)
            session.flush()
            used_bytes = repository.counted_bytes(session, owner)
            if used_bytes > self._limit_bytes:
                raise self._exceeded(used_bytes)

    def check_size(self, size_bytes: int, left_bytes: int | None) -> None:
        """Raises QuotaExceeded: a file of so many bytes is more than was left."""
        if left_bytes is not None and size_bytes > left_bytes:
            raise self._exceeded(self._limit_bytes - left_bytes)

    def _exceeded(self, used_bytes: int) -> QuotaExceeded:
        return QuotaExceeded(
            f"{used_bytes} of {self._limit_bytes} bytes are used; delete a content or abort an upload",
            extra={"used_bytes": used_bytes, "limit_bytes": self._limit_bytes},
        )
