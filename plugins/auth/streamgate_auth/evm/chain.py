"""One chain: calls are gathered for a moment, sent as one batch, at one block, to the first endpoint that answers.

    answer = await chain.call(EthCall(to=contract, data=data), min_block=0)

What could not be read by any endpoint is `Unread`, never a value. Nothing is kept: two decisions read twice.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence

import attrs
from loguru import logger

from streamgate.sdk.clock import Clock
from streamgate.sdk.evm import ChainId, chain_number
from streamgate_auth.evm.reads import ChainRead, Returned, Reverted, Unread
from streamgate_auth.evm.rpc import Answer, Endpoint, EndpointFault, Question, RpcError, parse_quantity
from streamgate_auth.metrics import RPC_CALLS, RPC_SECONDS

GATHER_S = 0.001
AVOID_S = 10.0  # an endpoint that failed is asked last for so long


@attrs.frozen(kw_only=True)
class Read:
    """`latest` is at `block_number`; `confirmed` so many blocks before it as the chain's settings want (the same
    object when they want none). `read_at_s`: Unix time before the question was sent."""

    latest: Returned | Reverted
    confirmed: Returned | Reverted
    block_number: int
    read_at_s: float


@attrs.define(eq=False)
class _Wanted:
    future: asyncio.Future[Read | Unread]
    min_block: int


class Chain:
    """Args:
    confirmations: read each call a second time, so many blocks before the head.
    """

    def __init__(
        self,
        chain: ChainId,
        endpoints: Sequence[Endpoint],
        clock: Clock,
        *,
        confirmations: int = 0,
        batch_size: int = 100,
    ) -> None:
        self.id = chain
        self._endpoints = tuple(endpoints)
        self._clock = clock
        self._confirmations = confirmations
        self._batch_size = batch_size
        self._wanted: dict[ChainRead, _Wanted] = {}
        self._failed_at_s: dict[int, float] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._timer: asyncio.TimerHandle | None = None

    async def call(self, call: ChainRead, *, min_block: int = 0) -> Read | Unread:
        """The answer at a block that is `min_block` or later. Never raises for what endpoints do."""
        loop = asyncio.get_running_loop()
        wanted = self._wanted.get(call)
        if wanted is None:
            if not self._wanted:
                self._timer = loop.call_later(GATHER_S, self._send)
            wanted = self._wanted[call] = _Wanted(loop.create_future(), min_block)
        wanted.min_block = max(wanted.min_block, min_block)
        return await asyncio.shield(wanted.future)  # others may wait for it too

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

    def _send(self) -> None:
        gathered, self._wanted = list(self._wanted.items()), {}
        for start in range(0, len(gathered), self._batch_size):
            task = asyncio.create_task(self._read(dict(gathered[start : start + self._batch_size])))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _read(self, wanted: dict[ChainRead, _Wanted]) -> None:
        """Each endpoint in turn is asked for what the ones before it could not say."""
        reason = "no endpoint is configured"
        try:
            for number in self._in_turn():
                try:
                    answers = await self._ask(self._endpoints[number], wanted)
                except EndpointFault as fault:
                    answers, reason = {}, f"endpoint {number + 1}: {fault}"
                for call, answer in answers.items():
                    if isinstance(answer, Unread):
                        reason = f"endpoint {number + 1}: {answer.reason}"
                    else:
                        _resolve(wanted.pop(call), answer)
                if not wanted:
                    self._failed_at_s.pop(number, None)
                    return
                self._failed_at_s[number] = self._clock.monotonic_s()
                logger.bind(chain=self.id, endpoint=number + 1, reason=reason).warning("endpoint could not say")
        finally:
            for left in wanted.values():
                _resolve(left, Unread(f"{self.id}: {reason}"))

    def _in_turn(self) -> list[int]:
        now_s = self._clock.monotonic_s()

        def is_avoided(number: int) -> bool:
            failed_at_s = self._failed_at_s.get(number)
            return failed_at_s is not None and now_s - failed_at_s < AVOID_S

        return sorted(range(len(self._endpoints)), key=is_avoided)

    async def _ask(self, endpoint: Endpoint, wanted: Mapping[ChainRead, _Wanted]) -> dict[ChainRead, Read | Unread]:
        """Raises EndpointFault: nothing of it can be used."""
        read_at_s = self._clock.now_s()
        identity, head = await self._timed(endpoint, [Question("eth_chainId"), Question("eth_blockNumber")])
        if parse_quantity(identity) != chain_number(self.id):
            raise EndpointFault(f"it is not {self.id}")
        block_number = parse_quantity(head)
        confirmed_number = max(0, block_number - self._confirmations)
        calls = [call for call, each in wanted.items() if each.min_block <= block_number]
        found: dict[ChainRead, Read | Unread] = {call: Unread("it is behind") for call in wanted}
        if calls:
            latest = await self._call_at(endpoint, calls, block_number)
            confirmed = latest if not self._confirmations else await self._call_at(endpoint, calls, confirmed_number)
            for call in calls:
                found[call] = _read_of(latest[call], confirmed[call], block_number, read_at_s)
        return found

    async def _timed(self, endpoint: Endpoint, questions: Sequence[Question]) -> list[Answer | RpcError]:
        """Raises EndpointFault."""
        outcome = "failed"
        try:
            with RPC_SECONDS.labels(chain=self.id).time():
                answers = await endpoint.ask(questions)
            outcome = "answered"
        finally:
            RPC_CALLS.labels(chain=self.id, endpoint="", outcome=outcome).inc()
        return answers

    async def _call_at(
        self, endpoint: Endpoint, calls: Iterable[ChainRead], block_number: int
    ) -> dict[ChainRead, Returned | Reverted | Unread]:
        calls = tuple(calls)
        answers = await self._timed(endpoint, [call.question(hex(block_number)) for call in calls])
        return {call: call.result(answer) for call, answer in zip(calls, answers, strict=True)}


def _read_of(
    latest: Returned | Reverted | Unread,
    confirmed: Returned | Reverted | Unread,
    block_number: int,
    read_at_s: float,
) -> Read | Unread:
    if isinstance(latest, Unread):
        return latest
    if isinstance(confirmed, Unread):
        return confirmed
    return Read(latest=latest, confirmed=confirmed, block_number=block_number, read_at_s=read_at_s)


def _resolve(wanted: _Wanted, answer: Read | Unread) -> None:
    if not wanted.future.done():
        wanted.future.set_result(answer)
