"""The endpoints of one chain: whom to ask first, when to ask a second one, whom to ask instead.

- Order: breaker closed before open, not lagging before lagging, then by cost in steps of two (an endpoint that is a
  little slower than a later one keeps its configured place).
- Hedge: who takes longer than usual (its p95, at most `hedge_s`) gets company; the first answer counts.
- Lag is measured against the other endpoints' heads: a chain that stands still lags nobody, and one endpoint alone
  cannot lag. With two others or more their second-highest head counts, so that one that boasts moves nothing.
- Heads of those that are not asked anyway are asked for in the background, at most every few seconds, and only while
  somebody reads; after a long silence the first read waits for them a moment.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from math import log2
from typing import Any, Generic, TypeVar

import attrs
from loguru import logger

from streamgate.sdk.clock import Clock
from streamgate_auth.metrics import RPC_BREAKER, RPC_HEDGES, RPC_LAG
from streamgate_auth.rpc.health import BREAKER_VALUES, BreakerState
from streamgate_auth.rpc.node import Node
from streamgate_auth.rpc.wire import EndpointFault, FaultKind

T = TypeVar("T")
Ask = Callable[[Node], Awaitable[T]]

MIN_HEDGE_S = 0.02
COST_STEP_S = 0.01
POLL_S = 5.0
SILENCE_S = 60.0
MAX_WAIT_FOR_HEADS_S = 0.5


class NoAnswer(Exception):
    """No endpoint could say. The text is for people and names endpoints by their number."""


@attrs.frozen
class Answered(Generic[T]):
    node: Node
    value: T


@attrs.frozen(kw_only=True)
class NodeHealth:
    """One endpoint as its operator sees it: by number and host, as the rest of its URL may be secret.

    `score` from 0 to 1; `lag` in blocks behind the other endpoints, None where that cannot be said.
    """

    endpoint: int
    host: str
    score: float
    p50_ms: float | None
    calls: int
    failures: int
    breaker: BreakerState
    head: int | None
    lag: int | None
    last_fault: FaultKind | None


class Pool:
    """Args:
    head_of: one question to a node, for its head (block or slot). Raises EndpointFault.
    hedge_s: longest wait before a second endpoint is asked.
    """

    def __init__(
        self,
        nodes: Sequence[Node],
        clock: Clock,
        *,
        head_of: Ask[int],
        hedge_s: float,
        max_lag_blocks: int,
        chain: str,
    ) -> None:
        self.nodes = tuple(nodes)
        self._clock = clock
        self._head_of = head_of
        self._hedge_s = hedge_s
        self._max_lag_blocks = max_lag_blocks
        self._chain = chain
        self._polled_at_s: float | None = None
        self._tasks: set[asyncio.Task[Any]] = set()

    async def first(self, ask: Ask[T], *, tried: set[int] | None = None) -> Answered[T]:
        """The first good answer.

        Args:
            tried: numbers of endpoints to leave out; those asked now are added, at the moment they are.

        Raises:
            NoAnswer: all that were left failed.
        """
        tried = set() if tried is None else tried
        await self._know_heads()
        self._probe(ask, tried)
        running: dict[asyncio.Task[T], Node] = {}
        reason = "every endpoint was asked" if tried else "no endpoint is configured"
        try:
            while True:
                is_hedge = bool(running)
                node = self._next(tried, only_good=is_hedge) if len(running) < 2 else None
                if node is not None:
                    tried.add(node.number)
                    if is_hedge:
                        RPC_HEDGES.labels(chain=self._chain).inc()
                    running[asyncio.create_task(self._measured(node, ask))] = node
                elif not running:
                    raise NoAnswer(reason)
                wait_s = self._patience_s(node) if node is not None and len(running) < 2 else None
                done, _ = await asyncio.wait(running, timeout=wait_s, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    node = running.pop(task)
                    try:
                        return Answered(node, task.result())
                    except EndpointFault as fault:
                        reason = f"endpoint {node.number}: {fault}"
        finally:
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)

    async def several(self, ask: Ask[T], count: int, *, tried: set[int] | None = None) -> list[Answered[T]]:
        """Good answers of so many different endpoints; fewer where there are no more.

        Raises:
            NoAnswer: there is none at all.
        """
        shared = set() if tried is None else tried
        found = await asyncio.gather(*(self.first(ask, tried=shared) for _ in range(count)), return_exceptions=True)
        faults = [each for each in found if isinstance(each, BaseException)]
        for fault in faults:
            if not isinstance(fault, NoAnswer):
                raise fault
        answers = [each for each in found if isinstance(each, Answered)]
        if not answers:
            raise faults[0] if faults else NoAnswer("no endpoint was asked")
        return answers

    async def of(self, node: Node, ask: Ask[T]) -> T:
        """The answer of this one. Raises EndpointFault."""
        return await self._measured(node, ask)

    def outvoted(self, node: Node) -> None:
        """So many others as the quorum wants agreed on something else than it said."""
        logger.bind(chain=self._chain, endpoint=node.number).warning("endpoint was outvoted")
        node.health.failed("outvoted")

    def note_head(self, node: Node, number: int) -> None:
        node.health.note_head(number)
        RPC_LAG.labels(chain=self._chain, endpoint=str(node.number)).set(self.lag(node) or 0)

    def lag(self, node: Node) -> int | None:
        """Blocks that it is behind the others; None where there is nobody to compare with."""
        own = node.health.fresh_head
        others = [each.health.fresh_head for each in self.nodes if each is not node]
        heads = sorted((head for head in others if head is not None), reverse=True)
        if own is None or not heads:
            return None
        return max(0, heads[min(1, len(heads) - 1)] - own)

    def is_lagging(self, node: Node) -> bool:
        return (self.lag(node) or 0) > self._max_lag_blocks

    def newest_head(self) -> int | None:
        """The highest that any endpoint told lately, be it true or not."""
        heads = (each.health.fresh_head for each in self.nodes)
        return max((head for head in heads if head is not None), default=None)

    def best_head(self) -> int | None:
        """The highest that an endpoint told which is neither failing nor alone ahead of the others."""
        heads = [each.health.fresh_head for each in self.nodes if each.health.breaker == "closed"]
        known = sorted((head for head in heads if head is not None), reverse=True)
        return known[1 if len(known) > 2 else 0] if known else None

    def health(self) -> tuple[NodeHealth, ...]:
        return tuple(self._health_of(node) for node in self.nodes)

    async def close(self) -> None:
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    # --- whom, and when -------------------------------------------------------------------------

    def _next(self, tried: set[int], *, only_good: bool) -> Node | None:
        left = [node for node in self.nodes if node.number not in tried]
        if only_good:
            left = [node for node in left if node.health.breaker == "closed" and not self.is_lagging(node)]
        return min(left, key=self._rank, default=None)

    def _rank(self, node: Node) -> tuple[bool, bool, int, int]:
        step = int(log2(max(node.health.cost_s, COST_STEP_S) / COST_STEP_S))
        return node.health.breaker != "closed", self.is_lagging(node), step, node.number

    def _patience_s(self, node: Node) -> float:
        usual_s = node.health.usual_s(0.95)
        return self._hedge_s if usual_s is None else min(self._hedge_s, max(usual_s, MIN_HEDGE_S))

    async def _measured(self, node: Node, ask: Ask[T]) -> T:
        health, began_s = node.health, self._clock.monotonic_s()
        try:
            value = await ask(node)
        except EndpointFault as fault:
            was_closed = health.breaker == "closed"
            health.failed(fault.kind)
            if was_closed and health.breaker == "open":
                logger.bind(chain=self._chain, endpoint=node.number, reason=str(fault)).warning("endpoint is left out")
            raise
        except asyncio.CancelledError:
            health.overtaken(self._clock.monotonic_s() - began_s)
            raise
        finally:
            state = BREAKER_VALUES[health.breaker]
            RPC_BREAKER.labels(chain=self._chain, endpoint=str(node.number)).set(state)
        health.worked(self._clock.monotonic_s() - began_s)
        RPC_BREAKER.labels(chain=self._chain, endpoint=str(node.number)).set(BREAKER_VALUES["closed"])
        return value

    def _health_of(self, node: Node) -> NodeHealth:
        health, p50_s = node.health, node.health.usual_s(0.5)
        return NodeHealth(
            endpoint=node.number,
            host=node.host,
            score=round(health.score, 3),
            p50_ms=None if p50_s is None else round(1000 * p50_s, 1),
            calls=health.calls,
            failures=health.failures,
            breaker=health.breaker,
            head=health.head,
            lag=self.lag(node),
            last_fault=health.last_fault,
        )

    # --- beside the answers ---------------------------------------------------------------------

    def _probe(self, ask: Ask[T], tried: set[int]) -> None:
        """Half-open endpoints get the same question, and nobody waits for them, unless there is nobody else."""
        if not any(node.number not in tried and node.health.breaker == "closed" for node in self.nodes):
            return
        for node in self.nodes:
            if node.number not in tried and node.health.begin_probe():
                tried.add(node.number)
                self._spawn(self._measured(node, ask))

    async def _know_heads(self) -> None:
        now_s = self._clock.monotonic_s()
        if len(self.nodes) < 2 or (self._polled_at_s is not None and now_s - self._polled_at_s < POLL_S):
            return
        was_silent = self._polled_at_s is None or now_s - self._polled_at_s > SILENCE_S
        self._polled_at_s = now_s
        polls = [self._spawn(self._poll(node)) for node in self.nodes]
        if was_silent:
            await asyncio.wait(polls, timeout=min(2 * self._hedge_s, MAX_WAIT_FOR_HEADS_S))

    async def _poll(self, node: Node) -> None:
        """A good answer says little of its health: a node that knows its head may still fail every call."""
        began_s = self._clock.monotonic_s()
        try:
            self.note_head(node, await self._head_of(node))
            node.health.estimate(self._clock.monotonic_s() - began_s)
        except EndpointFault as fault:
            node.health.failed(fault.kind)
            logger.bind(chain=self._chain, endpoint=node.number, reason=str(fault)).debug("endpoint tells no head")

    def _spawn(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        task = asyncio.create_task(_quietly(work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task


async def _quietly(work: Coroutine[Any, Any, Any]) -> None:
    try:
        await work
    except EndpointFault:
        return  # it was counted where it was measured
