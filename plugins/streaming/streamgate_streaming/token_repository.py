"""Which token a session plays by: one that goes round among friends gives one stream.

A session takes one token of each contract that its decision names, and keeps it while the decision does. Others have
room with the same token while fewer people than the limit have taken it; one person's sessions count once, for they
have a limit of their own. Functions never commit.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Sequence
from itertools import groupby

import attrs
from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from streamgate.sdk.db import insert_into

from .locks import lock
from .tables import SessionRow, TokenRow

MAX_TOKENS = 100
"""Of one decision, as many are looked at."""
_BUCKETS = 64
"""Locks for tokens: PostgreSQL has room for some thousand at a time, and a batch may name many tokens."""


@attrs.frozen(kw_only=True)
class TokenLimit:
    """`people`: with one token at once. `idle_before_ms`: a session that was last used before gives way."""

    people: int
    idle_before_ms: int


@attrs.frozen(kw_only=True)
class Taken:
    """Nothing is free of this token's contract; `by`: the running sessions of others who took what would do."""

    token: str
    by: tuple[str, ...]


def lock_tokens(session: Session, tokens: Iterable[str]) -> None:
    """Before any row is locked, and all that the transaction will ask for at once, or two could wait for each other."""
    for bucket in sorted({zlib.crc32(token.encode()) % _BUCKETS for token in tokens}):
        lock(session, f"token {bucket}")


def take(
    session: Session, *, session_id: str, user_id: str, tokens: Sequence[str], limit: TokenLimit
) -> tuple[Taken | None, tuple[str, ...]]:
    """Takes what the session needs, instead of what it had, or nothing. Needs `lock_tokens`.

    Returns:
        What nothing is free of, if so; and the idle sessions of others that must end for it.
    """
    chosen, replaced = [], []
    for _, group in groupby(sorted(tokens[:MAX_TOKENS]), key=_contract_of):
        candidates = list(group)
        token, idle, taken = _choose(session, session_id, user_id, candidates, limit)
        if taken is not None:
            return taken, ()
        chosen.append(token)
        replaced.extend(idle)
    session.execute(delete(TokenRow).where(TokenRow.session_id == session_id))
    if chosen:
        values = [{"token": token, "session_id": session_id, "user_id": user_id} for token in chosen]
        session.execute(insert_into(session, TokenRow), values)
    return None, tuple(dict.fromkeys(replaced))


def leave(session: Session, session_id: str, *, but: Sequence[str]) -> None:
    """What the session took is free again, but for these tokens."""
    held = delete(TokenRow).where(TokenRow.session_id == session_id, TokenRow.token.not_in(but[:MAX_TOKENS]))
    session.execute(held)


def _choose(
    session: Session, session_id: str, user_id: str, candidates: Sequence[str], limit: TokenLimit
) -> tuple[str, list[str], Taken | None]:
    """The token this session has already, or this person in another one, or the first that has room; with those idle
    that must give way for it."""
    rows = session.execute(
        select(TokenRow.token, TokenRow.user_id, TokenRow.session_id, SessionRow.seen_at_ms)
        .join(SessionRow, SessionRow.session_id == TokenRow.session_id)
        .where(TokenRow.token.in_(candidates), SessionRow.state != "ended")
        .order_by(TokenRow.token, TokenRow.session_id)
    ).all()
    own = {row.token: row.session_id == session_id for row in rows if row.user_id == user_id}
    others = {token: [row for row in rows if row.token == token and row.user_id != user_id] for token in candidates}
    preferred = sorted(candidates, key=lambda token: (token not in own, not own.get(token, False)))
    for token in preferred:
        if len({row.user_id for row in others[token]}) < limit.people:
            return token, [], None
    for token in preferred:
        busy = {row.user_id for row in others[token] if row.seen_at_ms >= limit.idle_before_ms}
        if len(busy) < limit.people:
            return token, [row.session_id for row in others[token] if row.user_id not in busy], None
    token = preferred[0]
    every = [row.session_id for each in preferred for row in others[each]]
    return token, [], Taken(token=token, by=tuple(dict.fromkeys(every)))


def _contract_of(token: str) -> str:
    return token.rpartition("/")[0]
