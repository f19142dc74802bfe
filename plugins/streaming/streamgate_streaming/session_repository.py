"""Playback sessions in the database. Functions take a session of the database and never commit.

An ended session stays ended: no function brings one back.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import cast

import attrs
from sqlalchemy import ColumnElement, Table, bindparam, delete, exists, func, select, update
from sqlalchemy.orm import Session

from streamgate.context import Actor
from streamgate.contracts.auth import Decision
from streamgate.contracts.events import SESSION_ENDED, SessionEndedEvent
from streamgate.sdk.db import emit, insert_into

from .extent import is_preview
from .tables import LeafRow, SessionRow, TokenRow

_PAGE = 500  # ids in one statement


@attrs.frozen(kw_only=True)
class StoredSession:
    """A session as its row has it. `actor` is anonymous where nobody was signed in."""

    session_id: str
    content_id: str
    media_version: int
    actor: Actor
    client_id: str
    state: str
    reason: str = ""
    gate_revision: int
    seen_at_ms: int
    is_preview: bool = False
    is_sealed: bool = False

    @property
    def is_ended(self) -> bool:
        return self.state == "ended"


def find_session(session: Session, session_id: str) -> StoredSession | None:
    row = session.get(SessionRow, session_id)
    return None if row is None else stored_of(row)


def running_on(
    session: Session, leaf_key: str, user_ids: Sequence[str], *, after_id: str, limit: int
) -> list[StoredSession]:
    """A page of these people's running sessions that rest on tokens of this contract, by id."""
    rests_on_it = exists().where(LeafRow.leaf_key == leaf_key, LeafRow.session_id == SessionRow.session_id)
    page = (
        select(SessionRow)
        .where(SessionRow.user_id.in_(user_ids), SessionRow.state != "ended", SessionRow.session_id > after_id)
        .where(rests_on_it)
        .order_by(SessionRow.session_id)
        .limit(limit)
    )
    return [stored_of(row) for row in session.scalars(page)]


def running_of_people(session: Session, user_ids: Sequence[str], *, after_id: str, limit: int) -> list[StoredSession]:
    """A page of what these people play, by id."""
    page = (
        select(SessionRow)
        .where(SessionRow.user_id.in_(user_ids), SessionRow.state != "ended", SessionRow.session_id > after_id)
        .order_by(SessionRow.session_id)
        .limit(limit)
    )
    return [stored_of(row) for row in session.scalars(page)]


def running_among(session: Session, session_ids: Sequence[str]) -> list[StoredSession]:
    """Those of them that run; at most as many as a statement has room for."""
    wanted = select(SessionRow).where(SessionRow.session_id.in_(session_ids), SessionRow.state != "ended")
    return [stored_of(row) for row in session.scalars(wanted)]


def running_of_content(session: Session, content_id: str, *, after_id: str, limit: int) -> list[StoredSession]:
    """A page of a content's running sessions, by id."""
    page = (
        select(SessionRow)
        .where(SessionRow.content_id == content_id, SessionRow.state != "ended", SessionRow.session_id > after_id)
        .order_by(SessionRow.session_id)
        .limit(limit)
    )
    return [stored_of(row) for row in session.scalars(page)]


def count_active(session: Session, content_id: str) -> tuple[int, int]:
    """How many sessions of a content are in use now, and how many signed-in people have them."""
    viewers = func.count(func.distinct(func.nullif(SessionRow.user_id, "")))
    in_use = select(func.count(), viewers).where(SessionRow.content_id == content_id, SessionRow.state == "active")
    sessions, people = session.execute(in_use).one()
    return sessions, people


def is_watched(session: Session, content_id: str) -> bool:
    """Whether a session of a content is in use."""
    in_use = exists().where(SessionRow.content_id == content_id, SessionRow.state == "active")
    return bool(session.execute(select(in_use)).scalar_one())


def ended_among(session: Session, session_ids: Sequence[str]) -> dict[str, str]:
    """Which of these are over, with their reasons; one without a row is over too."""
    ended = dict.fromkeys(session_ids, "ended")
    for at in range(0, len(session_ids), _PAGE):
        page = session_ids[at : at + _PAGE]
        rows = select(SessionRow.session_id, SessionRow.state, SessionRow.reason).where(SessionRow.session_id.in_(page))
        for session_id, state, reason in session.execute(rows):
            if state == "ended":
                ended[session_id] = reason
            else:
                del ended[session_id]
    return ended


def end_sessions(session: Session, session_ids: Iterable[str], reason: str, now_ms: int) -> int:
    """Ends those of them that run, and tells every replica. Returns how many there were."""
    wanted = list(session_ids)
    pages = (wanted[at : at + _PAGE] for at in range(0, len(wanted), _PAGE))
    return sum(len(end_which(session, SessionRow.session_id.in_(page), reason, now_ms)) for page in pages)


def end_all_of(session: Session, content_id: str, reason: str, now_ms: int, *, media_version: int | None = None) -> int:
    """Ends all sessions of a content, or of one version of it."""
    which = SessionRow.content_id == content_id
    if media_version is not None:
        which = which & (SessionRow.media_version == media_version)
    return len(end_which(session, which, reason, now_ms))


def running_by(session: Session, credential: str) -> list[str]:
    """Ids of the running sessions that this sign-in or API key opened."""
    query = select(SessionRow.session_id).where(SessionRow.credential == credential, SessionRow.state != "ended")
    return list(session.scalars(query))


def set_credential(session: Session, session_id: str, held_by: str) -> None:
    """Which sign-in or API key a session ends with."""
    session.execute(update(SessionRow).where(SessionRow.session_id == session_id).values(credential=held_by))


def end_old(session: Session, *, created_before_ms: int, seen_before_ms: int, now_ms: int) -> int:
    """Ends what is too old, and what nobody has used for too long."""
    expired = end_which(session, SessionRow.created_at_ms < created_before_ms, "expired", now_ms)
    return len(expired) + len(end_which(session, SessionRow.seen_at_ms < seen_before_ms, "abandoned", now_ms))


def note_seen(session: Session, seen_at_ms: Mapping[str, int]) -> None:
    """When sessions were last used; what is used is active."""
    table = SessionRow.__table__
    is_older = table.c.seen_at_ms < bindparam("at_ms")
    note = (
        update(cast(Table, table))
        .where(table.c.session_id == bindparam("used"), table.c.state != "ended", is_older)
        .values(seen_at_ms=bindparam("at_ms"), state="active")
    )
    used = [{"used": session_id, "at_ms": at_ms} for session_id, at_ms in sorted(seen_at_ms.items())]
    if used:
        session.connection().execute(note, used)  # in one go: there may be thousands


def mark_idle(session: Session, *, seen_before_ms: int) -> None:
    session.execute(
        update(SessionRow)
        .where(SessionRow.state == "active", SessionRow.seen_at_ms < seen_before_ms)
        .values(state="idle")
    )


def set_decision(session: Session, session_id: str, decision: Decision) -> bool:
    """What the latest decision opens and rests on, so that transfers find the session; whether it runs."""
    changed = session.execute(
        update(SessionRow)
        .where(SessionRow.session_id == session_id, SessionRow.state != "ended")
        .values(gate_revision=decision.gate_revision, is_preview=is_preview(decision))
        .returning(SessionRow.session_id)
    ).first()
    if changed is not None:
        session.execute(delete(LeafRow).where(LeafRow.session_id == session_id))
        set_leaves(session, session_id, decision.leaf_keys)
    return changed is not None


def forget_ended(session: Session, *, ended_before_ms: int) -> None:
    session.execute(delete(SessionRow).where(SessionRow.state == "ended", SessionRow.ended_at_ms < ended_before_ms))


# --- pieces -----------------------------------------------------------------------------------------


def end_which(session: Session, which: ColumnElement[bool], reason: str, now_ms: int) -> list[str]:
    """Ends all of them that run, and tells every replica; their ids."""
    ended = session.execute(
        update(SessionRow)
        .where(which, SessionRow.state != "ended")
        .values(state="ended", reason=reason, ended_at_ms=now_ms)
        .returning(SessionRow.session_id, SessionRow.content_id)
        .execution_options(synchronize_session="fetch")
    ).all()
    for at in range(0, len(ended), _PAGE):
        ids = [session_id for session_id, _ in ended[at : at + _PAGE]]
        session.execute(delete(LeafRow).where(LeafRow.session_id.in_(ids)))
        session.execute(delete(TokenRow).where(TokenRow.session_id.in_(ids)))
    for session_id, content_id in ended:
        body = SessionEndedEvent(subject_id=session_id, revision=1, content_id=content_id, reason=reason)
        emit(session, SESSION_ENDED, body)
    return [session_id for session_id, _ in ended]


def set_leaves(session: Session, session_id: str, leaf_keys: Iterable[str]) -> None:
    values = [{"leaf_key": key, "session_id": session_id} for key in sorted(set(leaf_keys))]
    if values:
        session.execute(insert_into(session, LeafRow).on_conflict_do_nothing(), values)


def stored_of(row: SessionRow) -> StoredSession:
    actor = Actor()
    if row.user_id:
        actor = Actor(
            kind="user",
            user_id=row.user_id,
            roles=tuple(row.roles),
            address=row.address,
            credential=row.credential,
        )
    return StoredSession(
        session_id=row.session_id,
        content_id=row.content_id,
        media_version=row.media_version,
        actor=actor,
        client_id=row.client_id,
        state=row.state,
        reason=row.reason,
        gate_revision=row.gate_revision,
        seen_at_ms=row.seen_at_ms,
        is_preview=row.is_preview,
        is_sealed=row.is_sealed,
    )
