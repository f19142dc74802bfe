"""Auth's queries on people, sign-ins and keys. Functions of a session; none commits."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal

import attrs
from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from streamgate.sdk.db import insert_into
from streamgate.sdk.evm import Address
from streamgate.sdk.ids import new_id
from streamgate_auth.tables import KeyRow, SessionRow, UsedChallengeRow, UserRow, WalletRow

NAMESPACE = "eip155"
# A used challenge is forgotten this long after it expired: replicas' clocks differ.
_USED_MARGIN_MS = 600_000


@attrs.frozen(kw_only=True)
class StoredKey:
    kid: str
    purpose: str
    generation: int
    wrapped: bytes
    public: dict[str, str] | None
    created_at_ms: int


@attrs.frozen(kw_only=True)
class SignIn:
    """A sign-in as it stands; `generation` is that of its good refresh token."""

    session_id: str
    user_id: str
    address: Address
    generation: int


@attrs.frozen(kw_only=True)
class Rotation:
    """What became of a refresh token. `sign_in` is there when `outcome` is `rotated`."""

    outcome: Literal["rotated", "unknown", "ended", "expired", "reused"]
    sign_in: SignIn | None = None


# --- keys -------------------------------------------------------------------------------------------


def load_keys(session: Session) -> list[StoredKey]:
    """All of them, newest generation first."""
    rows = session.scalars(select(KeyRow).order_by(KeyRow.generation.desc()))
    return [
        StoredKey(
            kid=row.kid,
            purpose=row.purpose,
            generation=row.generation,
            wrapped=row.wrapped,
            public=row.public,
            created_at_ms=row.created_at_ms,
        )
        for row in rows
    ]


def add_keys(session: Session, keys: Iterable[StoredKey]) -> None:
    """Of two processes that make the same generation at once, the first one's stays."""
    for key in keys:
        session.execute(insert_into(session, KeyRow).values(**attrs.asdict(key)).on_conflict_do_nothing())


# --- sign-ins ---------------------------------------------------------------------------------------


def use_challenge(session: Session, fingerprint: str, *, expires_at_ms: int, now_ms: int) -> bool:
    """Uses a challenge up; False when somebody has already."""
    session.execute(delete(UsedChallengeRow).where(UsedChallengeRow.expires_at_ms < now_ms - _USED_MARGIN_MS))
    statement = (
        insert_into(session, UsedChallengeRow)
        .values(fingerprint=fingerprint, expires_at_ms=expires_at_ms)
        .on_conflict_do_nothing()
        .returning(UsedChallengeRow.fingerprint)
    )
    return session.execute(statement).first() is not None


def ensure_user(session: Session, address: Address, *, now_ms: int) -> str:
    """The person a wallet belongs to; a wallet never seen is a new person."""
    owner = select(WalletRow.user_id).where(WalletRow.namespace == NAMESPACE, WalletRow.address == address)
    known: str | None = session.scalar(owner)
    if known is not None:
        return known
    linked: str | None = session.scalar(
        insert_into(session, WalletRow)
        .values(namespace=NAMESPACE, address=address, user_id=new_id("p"), linked_at_ms=now_ms)
        .on_conflict_do_nothing()
        .returning(WalletRow.user_id)
    )
    if linked is None:  # signed in with the same new wallet at the same moment, elsewhere
        return session.scalars(owner).one()
    session.add(UserRow(user_id=linked, created_at_ms=now_ms))
    return linked


def begin_sign_in(session: Session, user_id: str, address: Address, *, now_ms: int, ttl_ms: int) -> SignIn:
    row = SessionRow(
        session_id=new_id("a"),
        user_id=user_id,
        address=address,
        generation=1,
        created_at_ms=now_ms,
        refreshed_at_ms=now_ms,
        expires_at_ms=now_ms + ttl_ms,
        ended_at_ms=None,
        end_reason="",
    )
    session.add(row)
    session.flush()
    return _sign_in(row)


def rotate(session: Session, session_id: str, generation: int, *, now_ms: int, ttl_ms: int) -> Rotation:
    """Trades a refresh token for the next one. One that was traded before ends the whole sign-in: either its
    holder or whoever traded it is a thief, and nobody can tell which."""
    rotated = session.scalar(
        update(SessionRow)
        .where(
            SessionRow.session_id == session_id,
            SessionRow.generation == generation,
            SessionRow.ended_at_ms.is_(None),
            SessionRow.expires_at_ms > now_ms,
        )
        .values(generation=generation + 1, refreshed_at_ms=now_ms, expires_at_ms=now_ms + ttl_ms)
        .returning(SessionRow)
    )
    if rotated is not None:
        return Rotation(outcome="rotated", sign_in=_sign_in(rotated))
    row = session.get(SessionRow, session_id, populate_existing=True)
    if row is None or generation > row.generation:
        return Rotation(outcome="unknown")
    if row.ended_at_ms is not None:
        return Rotation(outcome="ended")
    if generation < row.generation:
        end_sign_in(session, session_id, "refresh_reused", now_ms=now_ms)
        return Rotation(outcome="reused")
    return Rotation(outcome="expired")


def end_sign_in(session: Session, session_id: str, reason: str, *, now_ms: int) -> None:
    """Ending twice keeps the first reason."""
    session.execute(
        update(SessionRow)
        .where(SessionRow.session_id == session_id, SessionRow.ended_at_ms.is_(None))
        .values(ended_at_ms=now_ms, end_reason=reason)
    )


def load_wallets(session: Session, user_ids: Sequence[str]) -> dict[str, tuple[Address, ...]]:
    """The wallets of several people, each one's oldest first; people without any are left out."""
    found: dict[str, tuple[Address, ...]] = {}
    rows = session.execute(
        select(WalletRow.user_id, WalletRow.address)
        .where(WalletRow.user_id.in_(user_ids))
        .order_by(WalletRow.linked_at_ms, WalletRow.address)
    )
    for user_id, address in rows:
        found[user_id] = (*found.get(user_id, ()), Address(address))
    return found


def _sign_in(row: SessionRow) -> SignIn:
    return SignIn(
        session_id=row.session_id, user_id=row.user_id, address=Address(row.address), generation=row.generation
    )
