"""Auth's queries on invitation codes. Functions of a session; none commits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import attrs
from sqlalchemy import ColumnElement, delete, func, insert, or_, select, tuple_, update
from sqlalchemy.orm import Session

from streamgate.sdk.db import insert_into
from streamgate_auth.gate.tables import InvitationRow, RedemptionRow
from streamgate_auth.tables import WalletRow


@attrs.frozen(kw_only=True)
class InvitationRecord:
    """An invitation as it is kept: never the code."""

    invitation_id: str
    digest: str
    scope_id: str
    campaign: str
    made_by: str
    uses: int
    used: int
    created_at_ms: int
    expires_at_ms: int | None
    revoked_at_ms: int | None = None


def add_invitations(session: Session, records: Sequence[InvitationRecord]) -> None:
    session.execute(insert(InvitationRow), [attrs.asdict(record) for record in records])


def count_invitations(session: Session, scope_id: str, *, now_ms: int) -> int:
    """Those that are neither revoked nor expired."""
    lasting = (InvitationRow.revoked_at_ms.is_(None), _is_in_time(now_ms))
    statement = select(func.count()).select_from(InvitationRow).where(InvitationRow.scope_id == scope_id, *lasting)
    return session.scalar(statement) or 0


def forget_invitations(session: Session, scope_id: str, *, before_ms: int) -> None:
    """Those that were revoked before then, with what they had opened, and those that expired before it unused."""
    unused = (InvitationRow.used == 0) & (InvitationRow.expires_at_ms < before_ms)
    over = (InvitationRow.scope_id == scope_id) & ((InvitationRow.revoked_at_ms < before_ms) | unused)
    named = select(InvitationRow.invitation_id).where(over)
    session.execute(
        delete(RedemptionRow).where(RedemptionRow.scope_id == scope_id, RedemptionRow.invitation_id.in_(named))
    )
    session.execute(delete(InvitationRow).where(over))


def list_invitations(
    session: Session, scope_id: str, campaign: str, *, before: tuple[int, str] | None, limit: int
) -> list[InvitationRecord]:
    """The newest first, after the place `before`. `campaign` "": of all."""
    statement = select(InvitationRow).where(InvitationRow.scope_id == scope_id)
    if campaign:
        statement = statement.where(InvitationRow.campaign == campaign)
    if before is not None:
        statement = statement.where(tuple_(InvitationRow.created_at_ms, InvitationRow.invitation_id) < before)
    ordered = statement.order_by(InvitationRow.created_at_ms.desc(), InvitationRow.invitation_id.desc())
    return [_record(row) for row in session.scalars(ordered.limit(limit))]


def find_invitation(session: Session, invitation_id: str) -> InvitationRecord | None:
    row = session.get(InvitationRow, invitation_id)
    return None if row is None else _record(row)


def find_by_digest(session: Session, digest: str) -> InvitationRecord | None:
    row = session.scalar(select(InvitationRow).where(InvitationRow.digest == digest))
    return None if row is None else _record(row)


def revoke_invitation(session: Session, invitation_id: str, *, now_ms: int) -> bool:
    """False: it was revoked before."""
    statement = (
        update(InvitationRow)
        .where(InvitationRow.invitation_id == invitation_id, InvitationRow.revoked_at_ms.is_(None))
        .values(revoked_at_ms=now_ms)
        .returning(InvitationRow.invitation_id)
    )
    return session.scalar(statement) is not None


def invited_by(session: Session, invitation: InvitationRecord) -> Sequence[str]:
    """Who redeemed it."""
    statement = select(RedemptionRow.user_id).where(
        RedemptionRow.scope_id == invitation.scope_id,
        RedemptionRow.campaign == invitation.campaign,
        RedemptionRow.invitation_id == invitation.invitation_id,
    )
    return session.scalars(statement).all()


def redeem(
    session: Session, invitation: InvitationRecord, user_id: str, *, now_ms: int
) -> Literal["redeemed", "already", "useless"]:
    """Gives the invitation to a person, and takes one of its uses; neither where they are invited already, or where it
    has no more use. The statements hold their rows until the commit, so that no use is given twice."""
    values = {"invitation_id": invitation.invitation_id, "redeemed_at_ms": now_ms}
    key = {"scope_id": invitation.scope_id, "campaign": invitation.campaign, "user_id": user_id}
    over = select(InvitationRow.invitation_id).where(InvitationRow.revoked_at_ms.is_not(None))
    given = session.scalar(
        insert_into(session, RedemptionRow)
        .values(**key, **values)
        .on_conflict_do_update(
            index_elements=list(key),
            set_=values,
            where=RedemptionRow.invitation_id.in_(over.scalar_subquery()),  # what a revoked code gave, another may give
        )
        .returning(RedemptionRow.user_id)
    )
    if given is None:
        return "already"
    taken = session.scalar(
        update(InvitationRow)
        .where(InvitationRow.invitation_id == invitation.invitation_id, *_is_good(now_ms))
        .values(used=InvitationRow.used + 1)
        .returning(InvitationRow.used)
    )
    return "useless" if taken is None else "redeemed"


def is_invited(session: Session, scope_id: str, campaign: str, *, user_id: str, addresses: Sequence[str]) -> bool:
    """The person, or, where none is named, whoever these wallets belong to."""
    who: ColumnElement[bool] = RedemptionRow.user_id == user_id
    if not user_id:
        who = RedemptionRow.user_id.in_(select(WalletRow.user_id).where(WalletRow.address.in_(addresses)))
    statement = (
        select(RedemptionRow.user_id)
        .join(InvitationRow, InvitationRow.invitation_id == RedemptionRow.invitation_id)
        .where(
            RedemptionRow.scope_id == scope_id,
            RedemptionRow.campaign == campaign,
            who,
            InvitationRow.revoked_at_ms.is_(None),
        )
    )
    return session.scalar(statement.limit(1)) is not None


def _is_good(now_ms: int) -> tuple[ColumnElement[bool], ...]:
    return (
        InvitationRow.revoked_at_ms.is_(None),
        InvitationRow.used < InvitationRow.uses,
        _is_in_time(now_ms),
    )


def _is_in_time(now_ms: int) -> ColumnElement[bool]:
    return or_(InvitationRow.expires_at_ms.is_(None), InvitationRow.expires_at_ms > now_ms)


def _record(row: InvitationRow) -> InvitationRecord:
    return InvitationRecord(
        invitation_id=row.invitation_id,
        digest=row.digest,
        scope_id=row.scope_id,
        campaign=row.campaign,
        made_by=row.made_by,
        uses=row.uses,
        used=row.used,
        created_at_ms=row.created_at_ms,
        expires_at_ms=row.expires_at_ms,
        revoked_at_ms=row.revoked_at_ms,
    )
