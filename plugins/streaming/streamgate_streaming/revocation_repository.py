"""Playback that was taken back, in the database: who may not open sessions, of what, until when. Functions never
commit."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import attrs
from sqlalchemy import ColumnElement, and_, delete, exists, false, not_, or_, select
from sqlalchemy.orm import Session

from .addresses import comparable
from .locks import lock
from .session_repository import end_which
from .tables import RevocationRow, RevokedRow, SessionRow

_ALL = "revocations"


@attrs.frozen(kw_only=True)
class Scope:
    """Whose playback of what: each may be empty, and then is everybody's, or of everything. `address`: a wallet of
    theirs, whichever they sign in with; not beside `user_id`."""

    content_id: str = ""
    user_id: str = ""
    address: str = ""

    @property
    def is_of_somebody(self) -> bool:
        return bool(self.user_id or self.address)


@attrs.frozen(kw_only=True)
class Viewer:
    """`addresses`: their wallets; None where nobody has asked yet. `is_owner`: of the content."""

    user_id: str
    addresses: tuple[str, ...] | None
    is_owner: bool


class WalletsWanted(Exception):
    """Somebody's wallets decide whether they are meant."""


def add(session: Session, row: RevocationRow, names: Iterable[str]) -> None:
    """Waits for sessions that are being opened, so that each of them is either found by who ends them now or finds
    this.

    Args:
        names: whom it refuses, as in `RevokedRow`; none: everybody.
    """
    lock(session, _ALL)
    session.add(row)
    session.add_all(RevokedRow(revocation_id=row.revocation_id, name=name) for name in sorted(names))
    session.flush()


def find_against(session: Session, content_id: str, viewer: Viewer, now_ms: int) -> RevocationRow | None:
    """What keeps this viewer from opening a session; the one that lasts longest, as far as their wallets are known.

    Raises:
        WalletsWanted: one by a wallet might.
    """
    lock(session, _ALL, shared=True)
    in_force = (RevocationRow.content_id.in_(("", content_id)), RevocationRow.until_ms > now_ms)
    is_of_everybody = and_(RevocationRow.user_id == "", RevocationRow.address == "")
    meant: list[ColumnElement[bool]] = []
    if viewer.user_id:
        own = {viewer.user_id, *map(comparable, viewer.addresses or ())}
        names_them = exists().where(RevokedRow.revocation_id == RevocationRow.revocation_id, RevokedRow.name.in_(own))
        meant.append(names_them)
    if not viewer.is_owner:
        meant.append(is_of_everybody)
    longest = select(RevocationRow).where(*in_force, or_(false(), *meant)).order_by(RevocationRow.until_ms.desc())
    found = session.scalars(longest.limit(1)).first()
    if found is None and viewer.user_id and viewer.addresses is None:
        of_somebody = select(RevocationRow.revocation_id).where(*in_force, not_(is_of_everybody)).limit(1)
        if session.scalar(of_somebody) is not None:
            raise WalletsWanted
    return found


def in_force(
    session: Session, content_id: str | None, made_by: str | None, *, now_ms: int, after_id: str, limit: int
) -> list[RevocationRow]:
    """By id; of one content, or (None) of all and of the whole server; by one person, or (None) by anybody."""
    which = [RevocationRow.until_ms > now_ms, RevocationRow.revocation_id > after_id]
    if content_id is not None:
        which.append(RevocationRow.content_id == content_id)
    if made_by is not None:
        which.append(RevocationRow.made_by == made_by)
    return list(session.scalars(select(RevocationRow).where(*which).order_by(RevocationRow.revocation_id).limit(limit)))


def find(session: Session, revocation_id: str) -> RevocationRow | None:
    return session.get(RevocationRow, revocation_id)


def remove(session: Session, revocation_id: str) -> bool:
    session.execute(delete(RevokedRow).where(RevokedRow.revocation_id == revocation_id))
    gone = delete(RevocationRow).where(RevocationRow.revocation_id == revocation_id)
    return session.execute(gone.returning(RevocationRow.revocation_id)).first() is not None


def forget_past(session: Session, now_ms: int) -> None:
    past = select(RevocationRow.revocation_id).where(RevocationRow.until_ms <= now_ms)
    session.execute(delete(RevokedRow).where(RevokedRow.revocation_id.in_(past.scalar_subquery())))
    session.execute(delete(RevocationRow).where(RevocationRow.until_ms <= now_ms))


def end_within(
    session: Session, scope: Scope, people: Sequence[str], reason: str, now_ms: int, *, limit: int
) -> list[str] | None:
    """Ends a page of the running sessions that are meant; None where there are no more.

    Args:
        people: for whom, where it is about somebody.
    """
    which = [SessionRow.state != "ended"]
    if scope.content_id:
        which.append(SessionRow.content_id == scope.content_id)
    if scope.is_of_somebody:
        which.append(SessionRow.user_id.in_(people))
    page = list(session.scalars(select(SessionRow.session_id).where(*which).limit(limit)))
    return end_which(session, SessionRow.session_id.in_(page), reason, now_ms) if page else None
