"""The audit trail: who did what, on what, how it ended. Monitor keeps it; everybody writes it.

Two roads lead there, and both are this one event. What must not be lost rides the transaction of its cause
(`sdk.audit.audit`). Every state-changing request is told besides by the web layer when it is answered, so that no
route can be forgotten.
"""

from __future__ import annotations

from typing import Literal

import attrs

from streamgate.events import EventType

AuditOutcome = Literal["done", "refused", "failed"]


@attrs.frozen(kw_only=True)
class AuditEntry:
    """One act. It never holds a token, a signature or a secret.

    Args:
        subject_id: what it was done to: `content:c_…`, `session:s_…`, `user:u_…`; the path for a request.
        at_ms: when, milliseconds since 1970.
        act: past tense and dotted (`auth.signed_in`, `gate.set`), or `http` for a request.
        outcome: `refused`: not allowed (401, 403, 404, 409, 422, 429); `failed`: it broke (5xx).
        who: user id, or the name of one of our services; empty for nobody known.
        address: the wallet that signed in.
        client: IP address the request came from, where there was one.
        code: stable code of the error, where it was not done.
        detail: what else tells the story, short texts.
    """

    subject_id: str
    revision: int = 0
    at_ms: int
    act: str
    outcome: AuditOutcome
    who: str = ""
    who_kind: Literal["anonymous", "user", "service"] = "anonymous"
    address: str = ""
    client: str = ""
    request_id: str = ""
    code: str = ""
    detail: dict[str, str] = attrs.field(factory=dict)


AUDITED = EventType("audit.recorded", AuditEntry)
