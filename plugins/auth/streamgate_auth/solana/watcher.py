"""Looks at what running playback rests on, and tells whose tokens are gone: `token.transferred`, as for other chains.

No one leads: each process looks after what it has decided itself (`watch.py`). Two that look after the same say the
same, which is harmless. What could not be told is told at the next look.
"""

from __future__ import annotations

import asyncio

from loguru import logger
from sqlalchemy.orm import Session

from streamgate.errors import StreamgateError
from streamgate.sdk.clock import Clock
from streamgate.sdk.db import Database
from streamgate_auth.evm.watch.metrics import WATCH_FAULTS
from streamgate_auth.moved import tell_moved
from streamgate_auth.solana.chain import SolanaChain
from streamgate_auth.solana.chains import SolanaChains
from streamgate_auth.solana.metrics import WATCHED_ACCOUNTS


class SolanaWatcher:
    """Args:
    interval_s: between two looks.
    """

    def __init__(self, *, db: Database, chains: SolanaChains, clock: Clock, interval_s: float) -> None:
        self._db = db
        self._chains = chains
        self._clock = clock
        self._interval_s = interval_s
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        if self._chains.watched():
            self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None

    async def look(self, chain: SolanaChain) -> None:
        """Once. Raises DatabaseUnavailable: nothing was told."""
        lost, reasons = await chain.watch.poll(chain.read)
        WATCHED_ACCOUNTS.labels(chain=chain.id).set(chain.watch.accounts)
        if reasons:
            WATCH_FAULTS.labels(chain=chain.id).inc()
        if not lost:
            return
        gone: dict[str, tuple[set[str], int]] = {}
        for each in lost:
            people, slot = gone.get(each.noted.contract, (set(), 0))
            gone[each.noted.contract] = people | {each.noted.user_id}, max(slot, each.slot)

        def tell(session: Session) -> None:
            for contract, (user_ids, slot) in gone.items():
                tell_moved(session, chain=chain.id, contract=contract, user_ids=user_ids, block_number=slot)

        await self._db.write(tell)
        chain.watch.forget(lost)

    async def _run(self) -> None:
        while True:
            await asyncio.gather(*map(self._look_safely, self._chains.watched()))
            await self._clock.sleep(self._interval_s)

    async def _look_safely(self, chain: SolanaChain) -> None:
        try:
            await self.look(chain)
        except StreamgateError as fault:
            WATCH_FAULTS.labels(chain=chain.id).inc()
            logger.bind(chain=chain.id, code=fault.code).warning("lost tokens could not be told of now")
