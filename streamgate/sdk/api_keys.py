"""`X-API-Key`: auth says who acts with a key and what its scopes leave of their roles; the answer is kept briefly."""

from __future__ import annotations

import asyncio
import re
from collections import OrderedDict

import attrs

from streamgate.context import Actor
from streamgate.contracts.auth import (
    API_KEY_PREFIX,
    Accounts,
    ApiKeyQuery,
    AuthUnavailable,
    KeyInvalid,
    VerifiedApiKey,
    api_key_digest,
)
from streamgate.errors import StreamgateError, Unavailable
from streamgate.sdk.clock import Clock
from streamgate.sdk.revocation import Revocations

KEPT_S = 10.0
MAX_KEPT = 4096
_KEY = re.compile(re.escape(API_KEY_PREFIX) + r"[A-Za-z0-9_-]{43}", re.ASCII)


@attrs.frozen
class _Kept:
    answer: VerifiedApiKey
    asked_at_s: float  # monotonic


class ApiKeyCheck:
    """Who a key is. A revoked one is refused as soon as this process hears of it, and after `KEPT_S` at the latest."""

    def __init__(self, accounts: Accounts, revocations: Revocations, clock: Clock) -> None:
        self._accounts = accounts
        self._revocations = revocations
        self._clock = clock
        self._kept: OrderedDict[str, _Kept] = OrderedDict()  # by digest: no key lies in memory
        self._asking: dict[str, tuple[asyncio.Task[VerifiedApiKey], float]] = {}  # and since when

    async def actor(self, api_key: str) -> Actor:
        """Raises KeyInvalid: 401. AuthUnavailable: 503, auth cannot be asked now."""
        if not _KEY.fullmatch(api_key):
            raise KeyInvalid("this is not an API key; send one as `X-API-Key: sgk_…`")
        digest = api_key_digest(api_key)
        kept = self._kept.get(digest)
        if kept is None or self._is_old(kept):
            kept = await self._ask(digest)
        actor = kept.answer.actor
        is_over = 0 < kept.answer.expires_at_ms <= self._clock.now_ms()
        if actor is None or is_over or actor.credential in self._revocations:
            raise KeyInvalid("the API key is unknown, expired or revoked")
        return actor

    def _is_old(self, kept: _Kept) -> bool:
        """Also where the roles of its person are others since it was asked for."""
        if self._clock.monotonic_s() >= kept.asked_at_s + KEPT_S:
            return True
        actor = kept.answer.actor
        return actor is not None and self._revocations.has_changed_since(actor.user_id, kept.asked_at_s)

    async def _ask(self, digest: str) -> _Kept:
        """One question a key, whose answer serves all who wait for it."""
        if digest not in self._asking:
            started = asyncio.ensure_future(self._accounts.verify_api_key(ApiKeyQuery(digest=digest)))
            started.add_done_callback(lambda done: self._asked(digest, done))
            self._asking[digest] = started, self._clock.monotonic_s()
        task, asked_at_s = self._asking[digest]
        try:
            answer = await asyncio.shield(task)
        except StreamgateError as fault:
            retry_after_s = fault.retry_after_s if isinstance(fault, Unavailable) else None
            raise AuthUnavailable("API keys cannot be checked now", retry_after_s=retry_after_s or 1) from fault
        kept = self._kept[digest] = _Kept(answer, asked_at_s)
        self._kept.move_to_end(digest)
        if len(self._kept) > MAX_KEPT:
            self._kept.popitem(last=False)
        return kept

    def _asked(self, digest: str, task: asyncio.Task[VerifiedApiKey]) -> None:
        self._asking.pop(digest, None)
        if not task.cancelled():
            task.exception()  # looked at, as everybody who waited may have left
