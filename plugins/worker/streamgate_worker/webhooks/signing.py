"""Signatures of webhooks, as the Standard Webhooks specification (1.0.0) has them, so that its libraries verify ours.

    webhook-id: 0198…                     the same at every attempt: receivers drop what they have seen
    webhook-timestamp: 1800000000         seconds since 1970, of this attempt
    webhook-signature: v1,K5oZ… v1,9d2…   HMAC-SHA256 over `id.timestamp.body`, base64; one for each secret that counts

Id and time are inside, so that neither an old message nor another's can be passed off as new.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import os
from collections.abc import Sequence

PREFIX = "whsec_"
SECRET_BYTES = 32
MIN_BYTES, MAX_BYTES = 24, 64
"""What the specification takes."""


def new_secret() -> bytes:
    return os.urandom(SECRET_BYTES)


def write_secret(secret: bytes) -> str:
    return PREFIX + base64.b64encode(secret).decode()


def read_secret(text: str) -> bytes:
    """Raises ValueError, in words for whoever gave it."""
    try:
        secret = base64.b64decode(text.removeprefix(PREFIX), validate=True)
    except (binascii.Error, ValueError) as fault:
        raise ValueError(f"is {PREFIX} and base64") from fault
    if not text.startswith(PREFIX) or not MIN_BYTES <= len(secret) <= MAX_BYTES:
        raise ValueError(f"is {PREFIX} and {MIN_BYTES} to {MAX_BYTES} bytes in base64")
    return secret


def headers(webhook_id: str, at_s: int, body: bytes, secrets: Sequence[bytes]) -> dict[str, str]:
    """Without a secret there is no signature."""
    found = {"webhook-id": webhook_id, "webhook-timestamp": str(at_s)}
    if secrets:
        signed = f"{webhook_id}.{at_s}.".encode() + body
        found["webhook-signature"] = " ".join(f"v1,{_signature(secret, signed)}" for secret in secrets)
    return found


def _signature(secret: bytes, signed: bytes) -> str:
    return base64.b64encode(hmac.digest(secret, signed, hashlib.sha256)).decode()
