"""The path key: made once, kept in the database under the master key, in memory while the process runs."""

from __future__ import annotations

import secrets

from sqlalchemy import select
from sqlalchemy.orm import Session

from streamgate.sdk.clock import Clock
from streamgate.sdk.db import Database, insert_into
from streamgate.sdk.secrets import MasterKey

from .path_token import PathKey, make_token, read_token
from .tables import KeyRow

PURPOSE = "streaming.path"
_KEY_ID = "k1"
_KEY_BYTES = 32


class PathKeys:
    """A unit; tokens can be made and read while it runs."""

    needs: tuple[str, ...] = ("streaming.db",)

    def __init__(self, db: Database, master: MasterKey, clock: Clock) -> None:
        self.name = "streaming.path-key"
        self._db = db
        self._master = master
        self._clock = clock
        self._key: PathKey | None = None

    async def start(self) -> None:
        """Raises MasterKeyFault: the stored key was wrapped by another master key."""
        made = self._master.wrap(PURPOSE, secrets.token_bytes(_KEY_BYTES))
        now_ms = self._clock.now_ms()

        def make_once(session: Session) -> tuple[str, bytes]:
            """Replicas that start together all end up with the first one's."""
            row = {"purpose": PURPOSE, "key_id": _KEY_ID, "wrapped": made, "created_at_ms": now_ms}
            session.execute(insert_into(session, KeyRow).values(row).on_conflict_do_nothing())
            stored = session.execute(select(KeyRow.key_id, KeyRow.wrapped).where(KeyRow.purpose == PURPOSE)).one()
            return stored.key_id, stored.wrapped

        key_id, wrapped = await self._db.write(make_once)
        self._key = PathKey(key_id, self._master.unwrap(PURPOSE, wrapped))

    async def stop(self) -> None:
        self._key = None

    def make(self, session_id: str) -> str:
        if self._key is None:
            raise RuntimeError("the path key is not loaded")
        return make_token(self._key, session_id)

    def read(self, token: str) -> str | None:
        """The session id of a token of ours; None for anything else."""
        return None if self._key is None else read_token(self._key, token)
