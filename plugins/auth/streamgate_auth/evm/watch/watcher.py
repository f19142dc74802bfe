"""The one who follows the chains: of all replicas the leader, each chain by itself, so that none waits for another."""

from __future__ import annotations

import asyncio

from loguru import logger
from sqlalchemy.orm import Session

from streamgate.contracts.events import GATE_CHANGED
from streamgate.contracts.watched import AUTH_WATCHED, Watched
from streamgate.errors import StreamgateError
from streamgate.events import Events, EventSubscription, on_everyone
from streamgate.lifecycle import SimpleUnit, Unit
from streamgate.sdk.clock import Clock
from streamgate.sdk.db import Database
from streamgate.sdk.evm import ChainId
from streamgate.sdk.lease import Leader, Leadership, LeadershipLost
from streamgate_auth.evm.chains import Chains
from streamgate_auth.evm.watch import repository
from streamgate_auth.evm.watch.follower import Follower
from streamgate_auth.evm.watch.metrics import WATCH_FAULTS
from streamgate_auth.evm.watch.named import Named
from streamgate_auth.evm.watch.ownership import Ownership
from streamgate_auth.evm.watch.tables import leaders
from streamgate_auth.rpc.pool import NoAnswer


class Watcher:
    """Args:
    interval_s: between two looks at a chain.
    """

    def __init__(
        self,
        *,
        db: Database,
        chains: Chains,
        ownership: Ownership,
        events: Events,
        clock: Clock,
        interval_s: float,
    ) -> None:
        self._db = db
        self._chains = chains
        self._ownership = ownership
        self._events = events
        self._clock = clock
        self._interval_s = interval_s
        self._named = Named(db, clock)

    @property
    def units(self) -> list[Unit]:
        leader = Leader(
            "auth.watcher", self._db, leaders, self.lead, needs=("auth.db", "auth.chains", "bus"), clock=self._clock
        )
        return [leader, SimpleUnit("auth.ownership", on_stop=self._ownership.close)]

    @property
    def subscriptions(self) -> list[EventSubscription]:
        named, ownership = self._named, self._ownership
        return [
            on_everyone(GATE_CHANGED, named.on_gate_changed, resync=named.resync),
            on_everyone(AUTH_WATCHED, ownership.on_watched, resync=ownership.resync),
        ]

    async def lead(self, leadership: Leadership) -> None:
        """Until it is cancelled, or led by another. Chains come and go with the local one."""
        followed: dict[ChainId, asyncio.Task[None]] = {}
        try:
            while True:
                for chain in await self._chains.watched():
                    if chain not in followed:
                        followed[chain] = asyncio.create_task(self._follow(chain, leadership))
                for task in followed.values():
                    if task.done():
                        task.result()
                await self._clock.sleep(self._interval_s)
        finally:
            for task in followed.values():
                task.cancel()
            await asyncio.gather(*followed.values(), return_exceptions=True)

    async def _follow(self, chain: ChainId, leadership: Leadership) -> None:
        """Raises LeadershipLost."""
        follower = Follower(chain, self._db, leadership, self._tell, self._clock)
        is_well = True
        while True:
            has_more = False
            try:
                has_more = await self._look(follower, chain)
                is_well = True
            except LeadershipLost:
                raise
            except (NoAnswer, StreamgateError) as fault:
                WATCH_FAULTS.labels(chain=chain).inc()
                if is_well:
                    logger.bind(chain=chain, reason=str(fault)).warning("the chain's transfers cannot be followed now")
                is_well = False
            if not has_more:
                await self._clock.sleep(self._interval_s)

    async def _look(self, follower: Follower, chain: ChainId) -> bool:
        opened = await self._chains.get(chain)
        return False if opened is None else await follower.step(opened, await self._named.of(chain))

    async def _tell(self, watched: Watched) -> None:
        """This process at once, the others by the bus; itself, too, which changes nothing."""
        self._ownership.hear(watched)
        await self._events.broadcast(AUTH_WATCHED, watched)


async def load_watched(db: Database, chain: str) -> tuple[int, dict[str, int]] | None:
    """The version of what is watched, and from which block on each contract is. Raises DatabaseUnavailable."""

    def load(session: Session) -> tuple[int, dict[str, int]] | None:
        following = repository.load_following(session, chain)
        return None if following is None else (following.version, dict(following.contracts))

    return await db.read(load)
