"""What others may ask of the webhook secrets that worker keeps: never what they are."""

from __future__ import annotations

from typing import Protocol

import attrs

from streamgate.services import ServiceRef, method


@attrs.frozen(kw_only=True)
class SecretQuery:
    """`owner`: a user id; secrets are a person's own."""

    owner: str
    name: str


@attrs.frozen(kw_only=True)
class SecretFound:
    exists: bool


class Webhooks(Protocol):
    @method(timeout_s=3, idempotent=True)
    async def find_secret(self, query: SecretQuery) -> SecretFound: ...


WEBHOOKS = ServiceRef("webhooks", Webhooks)
"""Offered by worker."""
