"""The administrator of the machine itself: an API key in a file that only they can read.

On the embedded default (SQLite, one process) whoever can read the data directory has everything anyway, the master
key included. So that commands on that machine can ask the running server over HTTP, auth leaves a key with the role
admin in `admin.key` at each start; the one before is revoked by the same transaction.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from sqlalchemy.orm import Session

from streamgate.context import Actor
from streamgate.sdk.clock import Clock
from streamgate.sdk.db import Database
from streamgate_auth.api_keys import SCOPES, add_audited, new_key, revoke_audited
from streamgate_auth.ending import Ending

FILE_NAME = "admin.key"
USER_ID = "p_local_admin"
ROLES = ("admin", "creator", "viewer")
ACTOR = Actor(kind="user", user_id=USER_ID, roles=ROLES)


class LocalAdmin:
    """A unit's work. `folder`: the data directory."""

    def __init__(self, folder: Path, *, db: Database, ending: Ending, clock: Clock) -> None:
        self._path = folder / FILE_NAME
        self._db = db
        self._ending = ending
        self._clock = clock

    async def start(self) -> None:
        """Raises OSError: the file cannot be written; then no key was made."""
        now_ms = self._clock.now_ms()
        made = new_key(USER_ID, "local administrator", SCOPES, now_ms=now_ms, roles=ROLES)
        _write_privately(self._path, made.api_key)

        def replace(session: Session) -> list[str]:
            revoked = revoke_audited(session, ACTOR, None, now_ms=now_ms)
            add_audited(session, made, ACTOR)
            return revoked

        await self._ending.tell(await self._db.write(replace))


def _write_privately(path: Path, text: str) -> None:
    """The file appears whole or not at all, and is never readable by others."""
    handle, draft = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)  # 0600
    try:
        os.write(handle, text.encode() + b"\n")
    finally:
        os.close(handle)
    Path(draft).replace(path)
