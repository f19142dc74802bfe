"""Opening a playback session in the database: found again, or made within its limits. Functions never commit."""

from __future__ import annotations

import attrs
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from streamgate.context import Actor
from streamgate.contracts.auth import Decision
from streamgate.contracts.streaming import TooManySessions
from streamgate.sdk.clock import rfc3339

from .extent import is_preview
from .locks import lock
from .session_repository import StoredSession, end_sessions, set_decision, set_leaves, stored_of
from .tables import SessionRow
from .token_repository import Taken, TokenLimit, lock_tokens, take

_LISTED = 20


@attrs.frozen(kw_only=True)
class Wanted:
    """Whose session, of what. `client_id` of somebody who is not signed in: one that nobody guesses. `is_sealed`:
    whether it is encrypted."""

    content_id: str
    media_version: int
    actor: Actor
    client_id: str
    is_sealed: bool
    now_ms: int


@attrs.frozen(kw_only=True)
class Limits:
    """`idle_before_ms`: sessions that were last used before may be replaced."""

    person: int
    anonymous: int
    token: int
    idle_before_ms: int

    @property
    def of_token(self) -> TokenLimit:
        return TokenLimit(people=self.token, idle_before_ms=self.idle_before_ms)


class TokenInUse(Exception):
    """Others watch by a token that opens it."""

    def __init__(self, taken: Taken) -> None:
        super().__init__(taken.token)
        self.taken = taken


def open_session(
    session: Session, wanted: Wanted, decision: Decision, *, session_id: str, limits: Limits
) -> StoredSession:
    """The running session of the same person, client, content and media version, or a new one.

    One of an older media version ends, one from before it was encrypted or no more, and one of whom the whole was
    open to where now only the beginning is. Where a person has as many sessions as they may, the one that was idle
    longest ends; so where a content has as many of nobody known.

    Raises:
        TooManySessions: all of them are in use.
        TokenInUse: others watch by what would open it.
    """
    lock(session, wanted.actor.user_id or f"nobody on {wanted.content_id}")
    lock_tokens(session, decision.tokens)
    found = _same(session, wanted)
    if found is not None and not _is_of(found, wanted):
        end_sessions(session, [found.session_id], "version_changed", wanted.now_ms)
    elif found is not None and is_preview(decision) and not found.is_preview:
        end_sessions(session, [found.session_id], "refused", wanted.now_ms)
    elif found is not None:
        _use(session, found, wanted)
        set_decision(session, found.session_id, decision)
        _take(session, found.session_id, wanted, decision, limits)
        session.refresh(found)
        return stored_of(found)
    _make_room(session, wanted, limits)
    row = SessionRow(
        session_id=session_id,
        content_id=wanted.content_id,
        media_version=wanted.media_version,
        user_id=wanted.actor.user_id,
        client_id=wanted.client_id,
        roles=list(wanted.actor.roles),
        address=wanted.actor.address,
        credential=wanted.actor.credential,
        state="active",
        reason="",
        gate_revision=decision.gate_revision,
        is_preview=is_preview(decision),
        is_sealed=wanted.is_sealed,
        created_at_ms=wanted.now_ms,
        seen_at_ms=wanted.now_ms,
        ended_at_ms=None,
    )
    session.add(row)
    session.flush()
    set_leaves(session, session_id, decision.leaf_keys)
    _take(session, session_id, wanted, decision, limits)
    return stored_of(row)


def find_again(session: Session, wanted: Wanted) -> StoredSession | None:
    """The running session of the same person, client, content and media version, where there is one."""
    lock(session, wanted.actor.user_id or f"nobody on {wanted.content_id}")
    found = _same(session, wanted)
    if found is None or not _is_of(found, wanted):
        return None
    _use(session, found, wanted)
    return stored_of(found)


def _is_of(found: SessionRow, wanted: Wanted) -> bool:
    return (found.media_version, found.is_sealed) == (wanted.media_version, wanted.is_sealed)


def _take(session: Session, session_id: str, wanted: Wanted, decision: Decision, limits: Limits) -> None:
    taken, idle = take(
        session,
        session_id=session_id,
        user_id=wanted.actor.user_id,
        tokens=decision.tokens,
        limit=limits.of_token,
    )
    if taken is not None:
        raise TokenInUse(taken)
    end_sessions(session, idle, "replaced", wanted.now_ms)


def _use(session: Session, found: SessionRow, wanted: Wanted) -> None:
    """It ends with the sign-in that opened it last, and its roles are those of then."""
    found.roles, found.address = list(wanted.actor.roles), wanted.actor.address
    found.credential = wanted.actor.credential
    found.state, found.seen_at_ms = "active", wanted.now_ms
    session.flush()


def _same(session: Session, wanted: Wanted) -> SessionRow | None:
    return session.scalars(
        select(SessionRow)
        .where(
            SessionRow.user_id == wanted.actor.user_id,
            SessionRow.client_id == wanted.client_id,
            SessionRow.content_id == wanted.content_id,
            SessionRow.state != "ended",
        )
        .with_for_update()
        .execution_options(populate_existing=True)
    ).one_or_none()


def _make_room(session: Session, wanted: Wanted, limits: Limits) -> None:
    is_person = bool(wanted.actor.user_id)
    running = [SessionRow.user_id == wanted.actor.user_id, SessionRow.state != "ended"]
    if not is_person:
        running.append(SessionRow.content_id == wanted.content_id)
    count = session.execute(select(func.count()).select_from(SessionRow).where(*running)).scalar_one()
    surplus = count + 1 - (limits.person if is_person else limits.anonymous)
    if surplus <= 0:
        return
    idle = (
        select(SessionRow.session_id)
        .where(*running, SessionRow.seen_at_ms < limits.idle_before_ms)
        .order_by(SessionRow.seen_at_ms)
        .limit(surplus)
    )
    replaced = list(session.scalars(idle))
    if len(replaced) < surplus:
        detail = f"{count} playback sessions are in use; stop one, or wait until one is idle"
        raise TooManySessions(detail, extra={"sessions": _listed(session, wanted.actor.user_id)} if is_person else None)
    end_sessions(session, replaced, "replaced", wanted.now_ms)


def _listed(session: Session, user_id: str) -> list[dict[str, str]]:
    """A person's own sessions, so that they know which to stop (`DELETE /api/v1/stream/session/<id>`)."""
    running = (
        select(SessionRow)
        .where(SessionRow.user_id == user_id, SessionRow.state != "ended")
        .order_by(SessionRow.seen_at_ms)
        .limit(_LISTED)
    )
    return [
        {
            "session_id": row.session_id,
            "content_id": row.content_id,
            "client_id": row.client_id,
            "seen_at": rfc3339(row.seen_at_ms),
        }
        for row in session.scalars(running)
    ]
