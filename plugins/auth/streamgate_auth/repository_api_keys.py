"""Auth's queries on API keys. Functions of a session; none commits."""

from __future__ import annotations

from collections.abc import Sequence

import attrs
from sqlalchemy import ColumnElement, delete, func, or_, select, update
from sqlalchemy.orm import Session

from streamgate_auth.tables import ApiKeyRow


@attrs.frozen(kw_only=True)
class ApiKeyRecord:
    """A key as it is kept: never the key. `roles` None: those of its person."""

    key_id: str
    digest: str
    user_id: str
    name: str
    scopes: tuple[str, ...]
    roles: tuple[str, ...] | None
    created_at_ms: int
    expires_at_ms: int | None
    used_at_ms: int | None = None


def forget_keys(session: Session, *, over_before_ms: int) -> None:
    """Those that were revoked or expired before then."""
    is_long_over = or_(ApiKeyRow.revoked_at_ms < over_before_ms, ApiKeyRow.expires_at_ms < over_before_ms)
    session.execute(delete(ApiKeyRow).where(is_long_over))


def add_key(session: Session, key: ApiKeyRecord) -> None:
    session.add(
        ApiKeyRow(
            key_id=key.key_id,
            digest=key.digest,
            user_id=key.user_id,
            name=key.name,
            scopes=list(key.scopes),
            roles=None if key.roles is None else list(key.roles),
            created_at_ms=key.created_at_ms,
            expires_at_ms=key.expires_at_ms,
            used_at_ms=None,
            revoked_at_ms=None,
        )
    )
    session.flush()


def find_by_digest(session: Session, digest: str, *, now_ms: int) -> ApiKeyRecord | None:
    """None: unknown, revoked or expired."""
    row = session.scalar(select(ApiKeyRow).where(ApiKeyRow.digest == digest, *_is_good(now_ms)))
    return None if row is None else _record(row)


def list_keys(session: Session, user_id: str, *, now_ms: int) -> list[ApiKeyRecord]:
    """Those that are good, the newest first."""
    rows = session.scalars(
        select(ApiKeyRow)
        .where(ApiKeyRow.user_id == user_id, *_is_good(now_ms))
        .order_by(ApiKeyRow.created_at_ms.desc(), ApiKeyRow.key_id)
    )
    return [_record(row) for row in rows]


def count_keys(session: Session, user_id: str, *, now_ms: int) -> int:
    return (
        session.scalar(
            select(func.count()).select_from(ApiKeyRow).where(ApiKeyRow.user_id == user_id, *_is_good(now_ms))
        )
        or 0
    )


def revoke_keys(session: Session, user_id: str, key_id: str | None, *, now_ms: int) -> Sequence[str]:
    """One key of a person, or all of them; the ids of those that were revoked by it."""
    return session.scalars(
        update(ApiKeyRow)
        .where(
            ApiKeyRow.user_id == user_id,
            ApiKeyRow.revoked_at_ms.is_(None),
            *(() if key_id is None else (ApiKeyRow.key_id == key_id,)),
        )
        .values(revoked_at_ms=now_ms)
        .returning(ApiKeyRow.key_id)
    ).all()


def note_use(session: Session, key_id: str, *, now_ms: int) -> None:
    session.execute(update(ApiKeyRow).where(ApiKeyRow.key_id == key_id).values(used_at_ms=now_ms))


def _is_good(now_ms: int) -> tuple[ColumnElement[bool], ...]:
    return (
        ApiKeyRow.revoked_at_ms.is_(None),
        or_(ApiKeyRow.expires_at_ms.is_(None), ApiKeyRow.expires_at_ms > now_ms),
    )


def _record(row: ApiKeyRow) -> ApiKeyRecord:
    return ApiKeyRecord(
        key_id=row.key_id,
        digest=row.digest,
        user_id=row.user_id,
        name=row.name,
        scopes=tuple(row.scopes),
        roles=None if row.roles is None else tuple(row.roles),
        created_at_ms=row.created_at_ms,
        expires_at_ms=row.expires_at_ms,
        used_at_ms=row.used_at_ms,
    )
