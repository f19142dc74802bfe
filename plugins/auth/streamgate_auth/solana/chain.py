"""One Solana cluster: reads are gathered for a moment and sent together, to the endpoint that does best, or to as many
as must agree.

    told, accounts = await chain.read([MintAccounts(wallet, mint), Accounts((mint,))], commitment="confirmed")

What could not be read is `Unread`, never a value. Nothing is kept: two decisions read twice. Solana's nodes keep no old
states, so that endpoints are compared at the slots they are at, which `max_lag_blocks` holds together.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterator, Sequence
from typing import Any, Literal

import attrs
from loguru import logger

from streamgate.sdk.clock import Clock
from streamgate_auth.evm.facts import ChainFacts
from streamgate_auth.rpc.node import Node
from streamgate_auth.rpc.pool import POLL_S, NodeHealth, Pool
from streamgate_auth.solana.asking import SLOT_S, Asking, Want
from streamgate_auth.solana.reads import Commitment, Lane, SolanaRead, Told, Unread
from streamgate_auth.solana.voting import by_one, by_quorum
from streamgate_auth.solana.watch import HoldingsWatch

GATHER_S = 0.0005
_POLLED_SLOTS = int(2 * POLL_S / SLOT_S)
"""Heads that are compared for the order of asking may have been heard of a poll apart, and slots go on meanwhile."""


@attrs.frozen(kw_only=True)
class SolanaOptions:
    """How it is read; see `chain_settings.ChainSettings`, which has the same names."""

    finality: Literal["latest", "safe", "finalized"] = "latest"
    quorum: int = 1
    batch_size: int = 100
    hedge_s: float = 0.5
    max_lag_blocks: int = 10
    max_answer_bytes: int = 1_048_576
    is_batching: bool = True


@attrs.define(eq=False)
class _Wanted:
    future: asyncio.Future[Told | Unread]


class SolanaChain:
    """See above."""

    def __init__(self, facts: ChainFacts, nodes: Sequence[Node], clock: Clock, options: SolanaOptions) -> None:
        self.facts = facts
        self.finality = options.finality
        self.watch = HoldingsWatch(clock)
        self._options = options
        self._asking = Asking(
            chain=facts.id, clock=clock, max_lag_slots=options.max_lag_blocks, is_batching=options.is_batching
        )
        self._pool = self._asking.pool = Pool(
            nodes,
            clock,
            head_of=self._asking.head_of,
            hedge_s=options.hedge_s,
            max_lag_blocks=options.max_lag_blocks + _POLLED_SLOTS,
            chain=facts.id,
        )
        self._wanted: dict[Want, _Wanted] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._timer: asyncio.TimerHandle | None = None

    @property
    def id(self) -> str:
        return self.facts.id

    async def read(
        self, reads: Sequence[SolanaRead], *, commitment: Commitment = "confirmed", min_slot: int = 0
    ) -> list[Told | Unread]:
        """The answers, each at a slot that is `min_slot` or later. Never raises for what endpoints do."""
        loop = asyncio.get_running_loop()
        futures = []
        for read in reads:
            key = Want(read, commitment, min_slot)
            wanted = self._wanted.get(key)
            if wanted is None:
                if not self._wanted:
                    self._timer = loop.call_later(GATHER_S, self._send)
                wanted = self._wanted[key] = _Wanted(loop.create_future())
            futures.append(asyncio.shield(wanted.future))  # others may wait for it too
        return list(await asyncio.gather(*futures))

    def health(self) -> tuple[NodeHealth, ...]:
        """Each endpoint, as its calls went."""
        return self._pool.health()

    async def close(self) -> None:
        """Ends what is being asked; whoever waits for it learns nothing."""
        if self._timer is not None:
            self._timer.cancel()
        gathered, self._wanted = self._wanted, {}
        for wanted in gathered.values():
            _resolve(wanted, Unread(f"{self.id}: stopping"))
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._pool.close()

    def _send(self) -> None:
        gathered, self._wanted = self._wanted, {}
        lanes: dict[Lane, list[Want]] = {}
        for want in gathered:
            lanes.setdefault(want.read.lane, []).append(want)
        for lane, wants in lanes.items():
            for batch in self._batches(wants):
                self._spawn(self._read(lane, {want: gathered[want] for want in batch}))

    def _batches(self, wants: Sequence[Want]) -> Iterator[list[Want]]:
        """So many together as are allowed, and as an answer is likely to hold."""
        batch, weight_bytes = list[Want](), 0
        for want in wants:
            weight_bytes += want.read.weight_bytes
            if batch and (len(batch) == self._options.batch_size or weight_bytes > self._options.max_answer_bytes // 2):
                yield batch
                batch, weight_bytes = [], want.read.weight_bytes
            batch.append(want)
        yield batch

    async def _read(self, lane: Lane, gathered: dict[Want, _Wanted]) -> None:
        def settle(want: Want, answer: Told | Unread) -> None:
            if isinstance(answer, Unread):
                logger.bind(chain=self.id, reason=answer.reason).warning("a read of the chain failed")
                answer = Unread(f"{self.id}: {answer.reason}")
            _resolve(gathered[want], answer)

        try:
            if self._options.quorum == 1:
                await by_one(self._asking, lane, tuple(gathered), settle)
            else:
                await by_quorum(self._asking, lane, self._options.quorum, tuple(gathered), settle)
        finally:
            for left in gathered.values():
                _resolve(left, Unread(f"{self.id}: could not be read"))

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _resolve(wanted: _Wanted, answer: Told | Unread) -> None:
    if not wanted.future.done():
        wanted.future.set_result(answer)
