"""What the SDK and the web layer do on the bus in every process: what each identity must allow."""

from __future__ import annotations

from streamgate.contracts.audit import AUDITED
from streamgate.contracts.auth import ACCOUNTS, AUTH, AUTH_REVOKED
from streamgate.contracts.logs import LOGS
from streamgate.contracts.metrics import METRICS
from streamgate.identity.declared import Asks, BusUse
from streamgate.sdk.blobs.agreement import SUBJECT

EVERY_PROCESS = BusUse(
    asks=(Asks(AUTH, ("jwks",)), Asks(ACCOUNTS, ("recently_revoked", "verify_api_key"))),  # `sdk/bearer.py`
    tells=(AUDITED, LOGS, METRICS),
    hears=(AUTH_REVOKED,),
)

WITH_BLOBS = BusUse(tells=(SUBJECT,), hears=(SUBJECT,), only_with="uses_blobs")
