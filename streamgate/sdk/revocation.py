"""Credentials that are over although tokens of theirs still live: one set a process, heard of and asked for.

Auth adds to it in its own process the moment a revocation is committed; elsewhere the broadcast `auth.revoked` does,
and who missed one (at start, after a lost connection) asks auth for the recent ones. While auth cannot be asked, what
is known goes on being refused, the rest is taken until it expires: an access token lives for minutes.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict

import attrs
from loguru import logger

from streamgate.contracts.auth import AUTH_REVOKED, Accounts, Revoked
from streamgate.errors import StreamgateError
from streamgate.events import EventsUnit, Received, on_everyone
from streamgate.lifecycle import SimpleUnit
from streamgate.plugins import PluginContext
from streamgate.sdk.clock import SYSTEM_CLOCK, Clock

ASK_AGAIN_S = 5.0


@attrs.frozen
class _Change:
    heard_at_s: float  # monotonic
    until_ms: int


class Revocations:
    """One a process (`revocations_of`), so that auth and the authenticator see the same."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._until_ms: OrderedDict[str, int] = OrderedDict()
        self._changed: OrderedDict[str, _Change] = OrderedDict()
        self._is_behind = True
        self._asked_at_s = -ASK_AGAIN_S
        self._asking = asyncio.Lock()

    def __contains__(self, credential: str) -> bool:
        return credential in self._until_ms

    def add(self, revoked: Revoked) -> None:
        for credential in revoked.credentials:
            self._until_ms[credential] = max(revoked.until_ms, self._until_ms.get(credential, 0))
            self._until_ms.move_to_end(credential)
        for user_id in revoked.people:
            self._changed[user_id] = _Change(self._clock.monotonic_s(), revoked.until_ms)
            self._changed.move_to_end(user_id)
        now_ms = self._clock.now_ms()
        while self._until_ms and next(iter(self._until_ms.values())) < now_ms:
            self._until_ms.popitem(last=False)
        while self._changed and next(iter(self._changed.values())).until_ms < now_ms:
            self._changed.popitem(last=False)

    def has_changed_since(self, user_id: str, at_s: float) -> bool:
        """Whether this person's roles are others than they were at a time of the monotonic clock."""
        change = self._changed.get(user_id)
        return change is not None and change.heard_at_s >= at_s

    async def on_revoked(self, event: Received[Revoked]) -> None:
        self.add(event.body)

    async def note_gap(self) -> None:
        """Something may have been missed: the next who asks catches up."""
        self._is_behind = True
        self._asked_at_s = -ASK_AGAIN_S

    async def catch_up(self, accounts: Accounts) -> None:
        """Asks auth where something may have been missed, not more often than every few seconds. Never raises."""
        if not self._is_behind or self._clock.monotonic_s() - self._asked_at_s < ASK_AGAIN_S:
            return
        async with self._asking:
            if not self._is_behind or self._clock.monotonic_s() - self._asked_at_s < ASK_AGAIN_S:
                return
            self._asked_at_s = self._clock.monotonic_s()
            self._is_behind = False
            try:
                self.add(await accounts.recently_revoked())
            except StreamgateError as fault:
                self._is_behind = True
                logger.bind(code=fault.code).warning("recent revocations not to be had")
            except BaseException:  # cut short with the request that asked: the next one asks again
                self._is_behind = True
                raise


def revocations_of(ctx: PluginContext) -> Revocations:
    """The process' one set."""
    return ctx.shared(Revocations, lambda: Revocations(SYSTEM_CLOCK))


def process_units(ctx: PluginContext) -> list[SimpleUnit]:
    """Hears `auth.revoked` in every process (entry point `streamgate.process_units`)."""
    known = revocations_of(ctx)
    heard = EventsUnit(ctx.bus, [on_everyone(AUTH_REVOKED, known.on_revoked, resync=known.note_gap)])
    return [SimpleUnit("sdk.revocations", heard.start, heard.stop, needs=("bus",))]
