"""Which contracts the stored gates name: read anew when a gate has changed, and now and then anyway."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping

from streamgate.contracts.events import GateChanged
from streamgate.events import Received
from streamgate.sdk.clock import Clock
from streamgate.sdk.db import Database
from streamgate_auth.evm.watch.repository import named_contracts

READ_AGAIN_S = 60.0
"""At the latest, should a message have been lost."""
_ADDRESS = re.compile(r"0x[0-9a-f]{40}")


class Named:
    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._clock = clock
        self._known: Mapping[str, frozenset[str]] = {}
        self._read_at_s: float | None = None
        self._reading = asyncio.Lock()

    async def on_gate_changed(self, event: Received[GateChanged]) -> None:
        self._read_at_s = None

    async def resync(self) -> None:
        self._read_at_s = None

    async def of(self, chain: str) -> frozenset[str]:
        """Contracts of an EVM chain, in lower case. Raises DatabaseUnavailable."""
        async with self._reading:
            now_s = self._clock.monotonic_s()
            if self._read_at_s is None or now_s - self._read_at_s >= READ_AGAIN_S:
                self._read_at_s = now_s  # before: whatever changes meanwhile is read again
                try:
                    found = await self._db.read(named_contracts)
                except BaseException:
                    self._read_at_s = None
                    raise
                self._known = {
                    each: frozenset(filter(_ADDRESS.fullmatch, contracts)) for each, contracts in found.items()
                }
        return self._known.get(chain, frozenset())
