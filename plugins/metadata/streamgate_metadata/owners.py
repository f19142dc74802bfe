"""Addresses of owners, for those who are signed in: asked of auth in one go, kept a while, left out when it is away."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Iterable

import attrs
from loguru import logger

from streamgate.context import Actor
from streamgate.contracts.auth import Accounts, WalletsQuery
from streamgate.contracts.metadata import Content
from streamgate.errors import StreamgateError
from streamgate.sdk.breaker import Breaker
from streamgate.sdk.clock import Clock

KEPT_S = 60.0
KEPT_MAX = 10_000
TIMEOUT_S = 0.5
PAUSE_S = 10.0


class Owners:
    """A primary wallet that changes is shown a minute late at most: it names, and opens nothing."""

    def __init__(self, accounts: Accounts, clock: Clock) -> None:
        self._accounts = accounts
        self._clock = clock
        self._breaker = Breaker(PAUSE_S, clock)
        self._kept: OrderedDict[str, tuple[str | None, float]] = OrderedDict()

    async def shown_to(self, actor: Actor, contents: Iterable[Content]) -> tuple[Content, ...]:
        """The contents with `owner_address` where the actor is signed in and it is known."""
        contents = tuple(contents)
        if not actor.is_signed_in:
            return contents
        known = await self._addresses({content.owner for content in contents})
        return tuple(attrs.evolve(content, owner_address=known.get(content.owner)) for content in contents)

    async def _addresses(self, user_ids: set[str]) -> dict[str, str | None]:
        now_s = self._clock.monotonic_s()
        kept = {user_id: self._kept[user_id] for user_id in user_ids if user_id in self._kept}
        known = {user_id: address for user_id, (address, until_s) in kept.items() if now_s < until_s}
        missing = sorted(user_ids - known.keys())
        if not missing or not self._breaker.allows():
            return known
        try:
            async with asyncio.timeout(TIMEOUT_S):
                answer = await self._accounts.wallets_of(WalletsQuery(user_ids=tuple(missing)))
        except (StreamgateError, TimeoutError) as fault:
            self._breaker.failed()
            logger.bind(error=repr(fault)).debug("owners' addresses cannot be had; left out")
            return known
        self._breaker.worked()
        found = {person.user_id: next(iter(person.addresses), None) for person in answer.people}
        for user_id in missing:
            self._kept[user_id] = (found.get(user_id), now_s + KEPT_S)
            self._kept.move_to_end(user_id)
        while len(self._kept) > KEPT_MAX:
            self._kept.popitem(last=False)
        return known | {user_id: found.get(user_id) for user_id in missing}
