"""Which tokens a session plays by: one that goes round among friends gives one stream.

A session takes every token that its decision names (or wallet, where that is named), for as long as the decision does.
Others have room with the same one while fewer people than the limit have taken it; one person's sessions count once,
for they have a limit of their own. Functions never commit.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Sequence
from typing import Any

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
    """A token that is not free; `by`: the running sessions of those who have taken it."""

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
        What is not free, if so; and the idle sessions of others that must end for it.
    """
    wanted = list(dict.fromkeys(tokens[:MAX_TOKENS]))
    others = _of_others(session, user_id, wanted) if wanted else {}
    replaced: list[str] = []
    for token in wanted:
        taken = others[token]
        if len({row.user_id for row in taken}) < limit.people:
            continue
        busy = {row.user_id for row in taken if row.seen_at_ms >= limit.idle_before_ms}
        if len(busy) >= limit.people:
            return Taken(token=token, by=tuple(row.session_id for row in taken)), ()
        replaced += [row.session_id for row in taken if row.user_id not in busy]
    session.execute(delete(TokenRow).where(TokenRow.session_id == session_id))
    if wanted:
        values = [{"token": token, "session_id": session_id, "user_id": user_id} for token in wanted]
        session.execute(insert_into(session, TokenRow), values)
    return None, tuple(dict.fromkeys(replaced))


def leave(session: Session, session_id: str, *, but: Sequence[str]) -> None:
    """What the session took is free again, but for these tokens."""
    held = delete(TokenRow).where(TokenRow.session_id == session_id, TokenRow.token.not_in(but[:MAX_TOKENS]))
    session.execute(held)


def _of_others(session: Session, user_id: str, tokens: Sequence[str]) -> dict[str, list[Any]]:
    """By token: who else has running sessions that have taken it, which, and when these were last used."""
    rows = session.execute(
        select(TokenRow.token, TokenRow.user_id, TokenRow.session_id, SessionRow.seen_at_ms)
        .join(SessionRow, SessionRow.session_id == TokenRow.session_id)
        .where(TokenRow.token.in_(tokens), TokenRow.user_id != user_id, SessionRow.state != "ended")
        .order_by(TokenRow.token, TokenRow.session_id)
    ).all()
    return {token: [row for row in rows if row.token == token] for token in tokens}
