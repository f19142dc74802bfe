"""One chain: reads are gathered for a moment and sent together, to the endpoint that does best, or to as many as must
agree.

    answer = await chain.call(EthCall(to=contract, data=data), min_block=0)                    # at the head
    answer = await chain.call(call, finality="finalized")                                      # and at that tag
    answer = await chain.call(call, at_block=(await chain.block_at(a_week_ago_s)).number)

What could not be read is `Unread`, never a value. What was read is kept only where the chain is given a `Memory`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from math import ceil
from typing import Any, Protocol

import attrs
from loguru import logger

from streamgate.sdk.clock import Clock
from streamgate.sdk.evm import ChainId
from streamgate_auth.evm.ask import Asking, At, Finality, Read, Want
from streamgate_auth.evm.blocks import Block, Blocks, Logs
from streamgate_auth.evm.facts import ChainFacts
from streamgate_auth.evm.look import Batching, Lens, Tag
from streamgate_auth.evm.offenders import Offenders
from streamgate_auth.evm.quorum import Ballot, by_one
from streamgate_auth.evm.reads import ChainRead, Unread
from streamgate_auth.rpc.node import Node
from streamgate_auth.rpc.pool import NodeHealth, Pool
from streamgate_auth.rpc.wire import EndpointFault, Question, RpcError, parse_quantity

__all__ = ["Chain", "ChainOptions", "Memory", "Read"]

GATHER_S = 0.0005
OUTRUN_S = 2.0
"""Heads of good endpoints differ by less."""


@attrs.frozen(kw_only=True)
class ChainOptions:
    """How it is read; see `config.ChainSettings`, which has the same names."""

    confirmations: int = 0
    finality: Finality = "latest"
    quorum: int = 1
    batch_size: int = 100
    hedge_s: float = 0.5
    max_lag_blocks: int = 5
    batching: Batching = "auto"


class Memory(Protocol):
    """What was read before (`evm/watch/ownership.py`)."""

    def find(self, read: ChainRead, at: At, min_block: int, max_age_s: float | None) -> Read | None:
        """One that is still good, is no older, and has seen that block."""

    def keep(self, read: ChainRead, at: At, answer: Read) -> None: ...


@attrs.define(eq=False)
class _Wanted:
    future: asyncio.Future[Read | Unread]
    min_block: int


class Chain:
    """See above."""

    def __init__(
        self,
        facts: ChainFacts,
        nodes: Sequence[Node],
        clock: Clock,
        options: ChainOptions,
        memory: Memory | None = None,
    ) -> None:
        self.facts = facts
        self._memory = memory
        self._options = options
        self._lens = Lens(facts.id, clock, options.batching, facts.multicall, facts.number_from)
        self._pool = Pool(
            nodes,
            clock,
            head_of=self._head_of,
            hedge_s=options.hedge_s,
            max_lag_blocks=options.max_lag_blocks,
            chain=facts.id,
        )
        self._asking = Asking(lens=self._lens, pool=self._pool, clock=clock, confirmations=options.confirmations)
        self._blocks = Blocks(
            chain=facts.id,
            pool=self._pool,
            lens=self._lens,
            block_time_s=facts.block_time_s,
            quorum=options.quorum,
        )
        self._offenders = Offenders(clock)
        self._wanted: dict[Want, _Wanted] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._timer: asyncio.TimerHandle | None = None

    @property
    def id(self) -> ChainId:
        return self.facts.id

    async def call(
        self,
        read: ChainRead,
        *,
        min_block: int = 0,
        max_age_s: float | None = None,
        finality: Finality | None = None,
        at_block: int | None = None,
    ) -> Read | Unread:
        """The answer at a block that is `min_block` or later. Never raises for what endpoints do.

        Args:
            max_age_s: nothing is answered that was read longer ago.
            finality: where a gain must be seen, too; None: as the chain is configured.
            at_block: at this block alone. Nodes that keep no old states cannot say.
        """
        if self._offenders.is_refused(read):
            return Unread(f"{self.id}: the contract used up its gas every time; it is not asked for a while")
        at: At = at_block if at_block is not None else finality or self._options.finality
        if self._memory is not None:
            kept = self._memory.find(read, at, min_block, max_age_s)
            if kept is not None:
                return kept
        key = Want(read, at)
        loop = asyncio.get_running_loop()
        wanted = self._wanted.get(key)
        if wanted is None:
            if not self._wanted:
                self._timer = loop.call_later(GATHER_S, self._send)
            wanted = self._wanted[key] = _Wanted(loop.create_future(), min_block)
        wanted.min_block = max(wanted.min_block, min_block)
        return await asyncio.shield(wanted.future)  # others may wait for it too

    async def head(self) -> Block:
        """See `Blocks.head`."""
        return await self._blocks.head()

    def is_outrun(self, block_number: int) -> bool:
        """Whether an endpoint has shown a head that is newer by more than `OUTRUN_S`."""
        newest = self._pool.newest_head()
        return newest is not None and newest - block_number > max(1, ceil(OUTRUN_S / self.facts.block_time_s))

    async def block(self, which: int | Tag) -> Block | None:
        """See `Blocks.block`."""
        return await self._blocks.block(which)

    async def logs(
        self, first: int, last: int, addresses: Sequence[str], topics: Sequence[str | Sequence[str] | None]
    ) -> Logs:
        """See `Blocks.logs`."""
        return await self._blocks.logs(first, last, addresses, topics)

    async def block_at(self, unix_s: float) -> Block:
        """See `Blocks.block_at`."""
        return await self._blocks.block_at(unix_s)

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
        gathered, self._wanted = list(self._wanted.items()), {}
        for is_apart in (False, True):
            some = [each for each in gathered if self._offenders.is_apart(each[0].read) is is_apart]
            size = self._options.batch_size
            for start in range(0, len(some), size):
                self._spawn(self._read(dict(some[start : start + size])))

    async def _read(self, gathered: dict[Want, _Wanted]) -> None:
        wants = [
            want if want.min_block == wanted.min_block else attrs.evolve(want, min_block=wanted.min_block)
            for want, wanted in gathered.items()
        ]
        try:
            if self._options.quorum == 1:
                await by_one(self._asking, wants, self._settle(gathered))
            else:
                await Ballot.hold(self._asking, self._options.quorum, self.id, wants, self._settle(gathered))
        finally:
            for left in gathered.values():
                _resolve(left, Unread(f"{self.id}: could not be read"))

    def _settle(self, gathered: dict[Want, _Wanted]) -> Callable[[Want, Read | Unread], None]:
        def settle(want: Want, answer: Read | Unread) -> None:
            if isinstance(answer, Unread):
                self._offenders.note(want.read, is_offence=answer.is_of_contract)
                logger.bind(chain=self.id, reason=answer.reason).warning("a read of the chain failed")
                answer = attrs.evolve(answer, reason=f"{self.id}: {answer.reason}")
            else:
                self._offenders.note(want.read, is_offence=False)
                if self._memory is not None:
                    self._memory.keep(want.read, want.at, answer)
            _resolve(gathered[want], answer)

        return settle

    async def _head_of(self, node: Node) -> int:
        (answer,) = await self._lens.verified(node, [Question("eth_blockNumber")])
        if isinstance(answer, RpcError):
            raise EndpointFault(f"error {answer.code}", "refused")
        return parse_quantity(answer)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _resolve(wanted: _Wanted, answer: Read | Unread) -> None:
    if not wanted.future.done():
        wanted.future.set_result(answer)
