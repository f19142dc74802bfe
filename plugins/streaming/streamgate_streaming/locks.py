"""Locks that last as long as the transaction: what counts together is changed one after another."""

from __future__ import annotations

from sqlalchemy import text
from sqlalchemy.orm import Session


def lock(session: Session, whose: str, *, shared: bool = False) -> None:
    """Without it two transactions at once would both find room, or neither see what the other has just written.
    SQLite writes one after another anyway.

    Args:
        shared: beside others who share it, and not beside one who does not.
    """
    if session.get_bind().dialect.name == "postgresql":
        function = "pg_advisory_xact_lock_shared" if shared else "pg_advisory_xact_lock"
        statement = text(f"SELECT {function}(hashtextextended(:whose, 0))")
        session.execute(statement, {"whose": f"streaming:{whose}"})
