"""Auth's queries on people, sign-ins and keys. Functions of a session; none commits."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

import attrs
from sqlalchemy import ColumnElement, delete, insert, or_, select, update
from sqlalchemy.orm import Session

from streamgate.sdk.db import insert_into
from streamgate.sdk.evm import Address
from streamgate.sdk.ids import new_id
from streamgate_auth.repository_wallets import ProvenWallet
from streamgate_auth.tables import ApiKeyRow, KeyRow, SessionRow, UsedChallengeRow, table_of

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
    """A sign-in as it stands; `generation` is that of its good refresh token. `proof`: what a contract wallet on
    `chain` accepted (`tables.SessionRow`); None where a key signed."""

    session_id: str
    user_id: str
    address: Address
    generation: int
    chain: str = ""
    proof: bytes | None = attrs.field(default=None, repr=False)


@attrs.frozen(kw_only=True)
class Device:
    """What a sign-in was made with and from, for its person to recognise it by."""

    scheme: str
    chain: str
    user_agent: str
    client: str  # IP address


@attrs.frozen(kw_only=True)
class SignInRecord:
    """A running sign-in as its person sees it. `name`: what they call it, or ""."""

    session_id: str
    name: str
    address: str
    device: Device
    created_at_ms: int
    refreshed_at_ms: int
    expires_at_ms: int


@attrs.frozen(kw_only=True)
class Rotation:
    """What became of a refresh token. `sign_in` is there when `outcome` is `rotated`."""

    outcome: Literal["rotated", "unknown", "ended", "expired", "reused"]
    sign_in: SignIn | None = None
    user_id: str = ""  # whose it was, when `reused`


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


def delete_keys(session: Session, kids: Iterable[str]) -> None:
    session.execute(delete(KeyRow).where(KeyRow.kid.in_(list(kids))))


# --- sign-ins ---------------------------------------------------------------------------------------


def use_challenge(session: Session, fingerprint: str, *, expires_at_ms: int) -> bool:
    """Uses a challenge up; False when somebody has already."""
    table = table_of(UsedChallengeRow)
    statement = insert_into(session, table).on_conflict_do_nothing().returning(table.c.fingerprint)
    values = {"fingerprint": fingerprint, "expires_at_ms": expires_at_ms}
    return session.execute(statement, values).first() is not None


def forget(session: Session, *, over_before_ms: int, now_ms: int) -> None:
    """Used challenges that nobody can answer any more, and sign-ins that ended or ran out before then, with the
    addresses and browsers they were made from."""
    session.execute(delete(UsedChallengeRow).where(UsedChallengeRow.expires_at_ms < now_ms - _USED_MARGIN_MS))
    is_long_over = or_(SessionRow.ended_at_ms < over_before_ms, SessionRow.expires_at_ms < over_before_ms)
    session.execute(delete(SessionRow).where(is_long_over))


def begin_sign_in(
    session: Session, user_id: str, wallet: ProvenWallet, device: Device, *, now_ms: int, ttl_ms: int
) -> SignIn:
    sign_in = SignIn(
        session_id=new_id("a"),
        user_id=user_id,
        address=wallet.address,
        generation=1,
        chain=device.chain,
        proof=wallet.proof,
    )
    times = {"created_at_ms": now_ms, "refreshed_at_ms": now_ms, "expires_at_ms": now_ms + ttl_ms}
    values = {**attrs.asdict(sign_in), **attrs.asdict(device), **times, "end_reason": ""}
    session.execute(insert(table_of(SessionRow)), values)
    return sign_in


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
        end_sign_ins(session, SessionRow.session_id == session_id, "refresh_reused", now_ms=now_ms)
        return Rotation(outcome="reused", user_id=row.user_id)
    return Rotation(outcome="expired")


def end_sign_ins(session: Session, which: ColumnElement[bool], reason: str, *, now_ms: int) -> list[SignIn]:
    """Ends those that run, and says which they were; ending twice keeps the first reason."""
    rows = session.scalars(
        update(SessionRow)
        .where(which, SessionRow.ended_at_ms.is_(None), SessionRow.expires_at_ms > now_ms)
        .values(ended_at_ms=now_ms, end_reason=reason)
        .returning(SessionRow)
    )
    return [_sign_in(row) for row in rows]


def running_sign_in(session: Session, session_id: str, *, now_ms: int) -> SignIn | None:
    row = session.get(SessionRow, session_id)
    if row is None or row.ended_at_ms is not None or row.expires_at_ms <= now_ms:
        return None
    return _sign_in(row)


def list_sign_ins(session: Session, user_id: str, *, now_ms: int, limit: int) -> list[SignInRecord]:
    """The running ones, those used last first."""
    rows = session.scalars(
        select(SessionRow)
        .where(SessionRow.user_id == user_id, SessionRow.ended_at_ms.is_(None), SessionRow.expires_at_ms > now_ms)
        .order_by(SessionRow.refreshed_at_ms.desc(), SessionRow.session_id)
        .limit(limit)
    )
    return [
        SignInRecord(
            session_id=row.session_id,
            name=row.name,
            address=row.address,
            device=Device(scheme=row.scheme, chain=row.chain, user_agent=row.user_agent, client=row.client),
            created_at_ms=row.created_at_ms,
            refreshed_at_ms=row.refreshed_at_ms,
            expires_at_ms=row.expires_at_ms,
        )
        for row in rows
    ]


def name_sign_in(session: Session, user_id: str, session_id: str, name: str, *, now_ms: int) -> bool:
    """False: they have no such running sign-in."""
    named = session.execute(
        update(SessionRow)
        .where(
            SessionRow.session_id == session_id,
            SessionRow.user_id == user_id,
            SessionRow.ended_at_ms.is_(None),
            SessionRow.expires_at_ms > now_ms,
        )
        .values(name=name)
        .returning(SessionRow.session_id)
    )
    return named.first() is not None


def revoked_since(session: Session, at_ms: int, *, limit: int) -> list[str]:
    """Sign-ins and API keys that ended after that, the latest first."""
    sign_ins = session.execute(
        select(SessionRow.ended_at_ms, SessionRow.session_id)
        .where(SessionRow.ended_at_ms > at_ms)
        .order_by(SessionRow.ended_at_ms.desc())
        .limit(limit)
    )
    keys = session.execute(
        select(ApiKeyRow.revoked_at_ms, ApiKeyRow.key_id)
        .where(ApiKeyRow.revoked_at_ms > at_ms)
        .order_by(ApiKeyRow.revoked_at_ms.desc())
        .limit(limit)
    )
    ended = sorted(((at, name) for at, name in (*sign_ins, *keys)), reverse=True)
    return [name for _, name in ended[:limit]]


def _sign_in(row: SessionRow) -> SignIn:
    return SignIn(
        session_id=row.session_id,
        user_id=row.user_id,
        address=Address(row.address),
        generation=row.generation,
        chain=row.chain,
        proof=row.proof,
    )
