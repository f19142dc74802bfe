"""What a media version's keys derive from, in the database: random, wrapped by the master key, made once.

Functions take a session of the database and never commit.
"""

from __future__ import annotations

import secrets

import attrs
from sqlalchemy import ColumnElement, delete, select
from sqlalchemy.orm import Session

from streamgate.sdk.db import insert_into
from streamgate.sdk.secrets import MasterKey

from ..tables import SecretRow
from .content_keys import SECRET_BYTES


@attrs.frozen(kw_only=True)
class StoredSecret:
    """`secret` is never printed."""

    secret: bytes = attrs.field(repr=False)
    key_period_s: float


class Secrets:
    """Args:
    key_period_s: of media versions that are encrypted from now on.
    """

    def __init__(self, master: MasterKey, *, key_period_s: float) -> None:
        self._master = master
        self._key_period_s = key_period_s

    def ensure(self, session: Session, content_id: str, media_version: int, now_ms: int) -> None:
        """Makes one where there is none; of two at once, one is kept."""
        wrapped = self._master.wrap(purpose_of(content_id, media_version), secrets.token_bytes(SECRET_BYTES))
        row = {
            "content_id": content_id,
            "media_version": media_version,
            "wrapped": wrapped,
            "key_period_s": self._key_period_s,
            "created_at_ms": now_ms,
        }
        session.execute(insert_into(session, SecretRow).values(row).on_conflict_do_nothing())

    def find(self, session: Session, content_id: str, media_version: int) -> StoredSecret | None:
        """None for a version that was never encrypted.

        Raises:
            MasterKeyFault: it was wrapped by a master key that is not known here.
        """
        asked = select(SecretRow.wrapped, SecretRow.key_period_s).where(*_of(content_id, media_version))
        row = session.execute(asked).first()
        if row is None:
            return None
        secret = self._master.unwrap(purpose_of(content_id, media_version), row.wrapped)
        return StoredSecret(secret=secret, key_period_s=row.key_period_s)


def forget(session: Session, content_id: str, media_version: int) -> None:
    session.execute(delete(SecretRow).where(*_of(content_id, media_version)))


def purpose_of(content_id: str, media_version: int) -> str:
    """As the table says it (`WRAPPED`): what is wrapped for one version opens no other."""
    return f"streaming.content/{content_id}/{media_version}"


def _of(content_id: str, media_version: int) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    return SecretRow.content_id == content_id, SecretRow.media_version == media_version
