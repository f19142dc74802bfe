"""Writing the audit trail from inside a transaction: told if and only if the act is committed.

def revoke(session: Session) -> None:
    repository.revoke(session, key_id)
    audit(session, "auth.api_key_revoked", on=f"api_key:{key_id}")
"""

from __future__ import annotations

import time

from sqlalchemy.orm import Session

from streamgate.context import Actor, current_call
from streamgate.contracts.audit import AUDITED, AuditEntry, AuditOutcome
from streamgate.sdk.db import emit


def audit(
    session: Session,
    act: str,
    *,
    on: str,
    outcome: AuditOutcome = "done",
    actor: Actor | None = None,
    client: str = "",
    code: str = "",
    detail: dict[str, str] | None = None,
) -> None:
    """Notes an act in the transaction that does it.

    Args:
        act: past tense and dotted (`auth.signed_in`).
        on: what it was done to, `<kind>:<id>`.
        actor: who; the current call's actor where none is given (not yet known at sign-in).
        client: the address that it came from, where that is known here.
    """
    call = current_call()
    who = actor or call.actor
    entry = AuditEntry(
        subject_id=on,
        at_ms=time.time_ns() // 1_000_000,
        act=act,
        outcome=outcome,
        who=who.user_id,
        who_kind=who.kind,
        address=who.address,
        client=client,
        request_id=call.request_id,
        code=code,
        detail=detail or {},
    )
    emit(session, AUDITED, entry)
