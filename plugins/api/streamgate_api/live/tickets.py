"""Tickets: a page's EventSource and WebSocket send no headers, and a token does not belong into an address.

A ticket is a random number, good once and for TTL_S. What it stands for, the caller's own credential, is sealed with
a key made of the ticket and kept in the cache under a hash of it: any gateway can redeem it, whoever reads the cache
learns nothing, and whoever writes there can make no ticket without a credential that is good by itself.
"""

from __future__ import annotations

import base64
import hashlib
import re
import secrets
from collections.abc import Mapping

import attrs
import orjson
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from streamgate.contracts.cache import Cache, CacheKey, CacheSet
from streamgate.errors import Unauthorized
from streamgate.sdk.clock import Clock, rfc3339

NAMESPACE = "api.tickets"
TTL_S = 60
CREDENTIALS = ("authorization", "x-api-key")
_TICKET = re.compile(r"[A-Za-z0-9_-]{43}")
_NONCE = bytes(12)  # each key seals one thing


class TicketInvalid(Unauthorized):
    code, title = "events.ticket_invalid", "The ticket is not valid"


@attrs.frozen(kw_only=True)
class Ticket:
    """For `?ticket=` of one connection that begins before `expires_at`."""

    ticket: str
    expires_at: str
    expires_in_s: int


class Tickets:
    def __init__(self, cache: Cache, clock: Clock) -> None:
        self._cache = cache
        self._clock = clock

    async def issue(self, credentials: Mapping[str, str]) -> Ticket:
        """Raises Unavailable when the cache is away."""
        ticket = secrets.token_urlsafe(32)
        name, key = _name_and_key(ticket)
        until_ms = self._clock.now_ms() + TTL_S * 1000
        sealed = AESGCM(key).encrypt(_NONCE, orjson.dumps({"until_ms": until_ms, "sent": dict(credentials)}), None)
        value = base64.b64encode(sealed).decode()
        await self._cache.set(CacheSet(key=name, value=value, ttl_s=TTL_S, namespace=NAMESPACE))
        return Ticket(ticket=ticket, expires_at=rfc3339(until_ms), expires_in_s=TTL_S)

    async def redeem(self, ticket: str) -> dict[str, str]:
        """The credentials it stands for, as headers.

        Raises:
            TicketInvalid: none of ours, used, or expired.
            Unavailable: the cache is away.
        """
        refused = TicketInvalid("the ticket was used, has expired or is none; ask for another")
        if not _TICKET.fullmatch(ticket):
            raise refused
        name, key = _name_and_key(ticket)
        entry = await self._cache.get(CacheKey(key=name, namespace=NAMESPACE))
        if not entry.found or not (await self._cache.delete(CacheKey(key=name, namespace=NAMESPACE))).deleted:
            raise refused
        try:
            opened = orjson.loads(AESGCM(key).decrypt(_NONCE, base64.b64decode(str(entry.value)), None))
        except (InvalidTag, ValueError) as fault:
            raise refused from fault
        if self._clock.now_ms() >= opened["until_ms"]:
            raise refused
        sent: dict[str, str] = opened["sent"]
        return sent


def credentials_in(headers: Mapping[str, str]) -> dict[str, str]:
    return {name: headers[name] for name in CREDENTIALS if name in headers}


def _name_and_key(ticket: str) -> tuple[str, bytes]:
    return hashlib.sha256(f"name:{ticket}".encode()).hexdigest(), hashlib.sha256(f"key:{ticket}".encode()).digest()
