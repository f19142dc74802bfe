"""Playback that was taken back, in the database: who may not open sessions, of what, until when. Functions never
commit."""

from __future__ import annotations

from collections.abc import Sequence

import attrs
from sqlalchemy import ColumnElement, and_, delete, or_, select
from sqlalchemy.orm import Session

from .addresses import comparable
from .locks import lock
from .session_repository import end_which
from .tables import RevocationRow, SessionRow

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


def add(session: Session, row: RevocationRow) -> None:
    """Waits for sessions that are being opened, so that each of them is either found by who ends them now or finds
    this."""
    lock(session, _ALL)
    session.add(row)
    session.flush()


def find_against(session: Session, content_id: str, viewer: Viewer, now_ms: int) -> RevocationRow | None:
    """What keeps this viewer from opening a session; the one that lasts longest.

    Raises:
        WalletsWanted: one by an address might.
    """
    lock(session, _ALL, shared=True)
    everybody = and_(RevocationRow.user_id == "", RevocationRow.address == "")
    meant: list[ColumnElement[bool]] = [RevocationRow.address != ""]
    if viewer.user_id:
        meant.append(RevocationRow.user_id == viewer.user_id)
    if not viewer.is_owner:
        meant.append(everybody)
    found = session.scalars(
        select(RevocationRow)
        .where(RevocationRow.content_id.in_(("", content_id)), RevocationRow.until_ms > now_ms, or_(*meant))
        .order_by(RevocationRow.until_ms.desc())
    ).all()
    by_address = [row for row in found if row.address]
    if by_address and viewer.addresses is None and viewer.user_id:
        raise WalletsWanted
    own = {comparable(address) for address in viewer.addresses or ()}
    return next((row for row in found if not row.address or comparable(row.address) in own), None)


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
    gone = delete(RevocationRow).where(RevocationRow.revocation_id == revocation_id)
    return session.execute(gone.returning(RevocationRow.revocation_id)).first() is not None


def forget_past(session: Session, now_ms: int) -> None:
    session.execute(delete(RevocationRow).where(RevocationRow.until_ms <= now_ms))


def people_watching(session: Session, content_id: str, *, after_id: str, limit: int) -> list[str]:
    """Who has running sessions, of a content or of any; a page, by user id."""
    which = [SessionRow.state != "ended", SessionRow.user_id > after_id]
    if content_id:
        which.append(SessionRow.content_id == content_id)
    people = select(SessionRow.user_id).where(*which).distinct().order_by(SessionRow.user_id).limit(limit)
    return list(session.scalars(people))


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
