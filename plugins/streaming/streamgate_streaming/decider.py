"""Decides running sessions again: one question at a time for each, many sessions in one call.

10,000 sessions cost a few calls a second, not one each: what falls due within a moment is asked together (200 at most),
unless a request waits for it; at most four calls run side by side, so that one slow chain does not hold up the others.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Awaitable, Callable, Sequence

from loguru import logger

from streamgate.contracts.auth import Auth, DecideMany, Decision
from streamgate.contracts.gate import GateUnknown
from streamgate.errors import StreamgateError, Unavailable
from streamgate.sdk.clock import Clock

from .lease import Lease, Moment, after_decision, after_silence, decision_for
from .live import LiveSession
from .transfers import Transfers

BATCH = 200
GATHER_S = 0.25
_GATHER_SHARE = 240
"""What is due in the background has half a lease of time; it is gathered for this share of one, at most `GATHER_S`."""
CALLS_AT_ONCE = 4
MAX_WAITING = 256

Refused = Callable[[Sequence[LiveSession]], Awaitable[None]]
Rebased = Callable[[LiveSession, Decision], None]


class Decider:
    """A unit.

    Args:
        on_refused: ends sessions; it is awaited before anybody who waits for the decision goes on.
        on_gate: told when a decision rests on something else than the one before.
        wait_s: how long a request waits for a decision.
    """

    needs: tuple[str, ...] = ("streaming.db",)

    def __init__(
        self,
        auth: Auth,
        clock: Clock,
        transfers: Transfers,
        *,
        lease_s: float,
        wait_s: float,
        on_refused: Refused,
        on_gate: Rebased,
    ) -> None:
        self.name = "streaming.decider"
        self._auth = auth
        self._clock = clock
        self._transfers = transfers
        self._lease_s = lease_s
        self._gather_s = min(GATHER_S, lease_s / _GATHER_SHARE)
        self._wait_s = wait_s
        self._on_refused = on_refused
        self._on_gate = on_gate
        self._due: deque[LiveSession] = deque()
        self._wake = asyncio.Event()
        self._at_once = asyncio.Event()
        self._calls: set[asyncio.Task[None]] = set()
        self._loop: asyncio.Task[None] | None = None
        self._waiting = 0

    async def start(self) -> None:
        self._loop = asyncio.create_task(self._run(), name=self.name)

    async def stop(self) -> None:
        tasks = {*self._calls, *([self._loop] if self._loop is not None else [])}
        self._loop = None
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        while self._due:
            _release(self._due.popleft())

    # --- asking -------------------------------------------------------------------------------------

    def want(self, live: LiveSession, *, at_once: bool = False) -> asyncio.Future[None]:
        """Asks for a decision, unless one is under way; the future ends when it is applied.

        Args:
            at_once: somebody waits; otherwise it is gathered with others for a moment.
        """
        if live.deciding is None:
            live.deciding = asyncio.get_running_loop().create_future()
            self._due.append(live)
            self._wake.set()
        if at_once or len(self._due) >= BATCH:
            self._at_once.set()
        return live.deciding

    async def decide(self, live: LiveSession) -> None:
        """Waits for a decision; the caller then looks at the lease again.

        Raises:
            GateUnknown: none came in time, or too many requests wait already.
        """
        if self._waiting >= MAX_WAITING:
            raise GateUnknown("too many requests wait for a decision", retry_after_s=1)
        self._waiting += 1
        try:
            async with asyncio.timeout(self._wait_s):
                await asyncio.shield(self.want(live, at_once=True))
        except TimeoutError as fault:
            if not live.ended:  # one that is over is not yet written down, but it is decided
                raise GateUnknown("the gate was not decided in time", retry_after_s=1) from fault
        finally:
            self._waiting -= 1

    def apply(self, live: LiveSession, decision: Decision, at: Moment) -> bool:
        """Brings an answer that arrived at `at` to the session's lease; False when it is a refusal, which the caller
        must carry out."""
        if live.ended or decision.gate_revision < max(live.gate_revision, self._transfers.revision_of(live.content_id)):
            return True  # over, or by a rule that is no more: the lease stays as it is
        decision = decision_for(live.actor, decision)
        live.lease, outcome = after_decision(
            live.lease, decision, at=at, lease_s=self._lease_s, may_preview=live.is_preview
        )
        if outcome == "unknown":
            if decision.gate_revision != live.gate_revision:  # another rule has let them in
                live.lease = Lease(ask_from_s=live.lease.ask_from_s)
            live.grace = reason_of(decision) if decision.grace_until_s else ""
            bound = logger.bind(session_id=live.session_id, reason=decision.explanation.reason)
            bound.warning("gate cannot be decided; the lease runs out")
        elif outcome == "extended" and live.take(decision, at.mono_of(decision.read_at_s)):
            self._on_gate(live, decision)
        return outcome != "refused"

    # --- the loop -----------------------------------------------------------------------------------

    async def _run(self) -> None:
        while True:
            await self._wake.wait()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._gather_s):
                    await self._at_once.wait()
            self._at_once.clear()
            self._wake.clear()
            while self._due:
                while len(self._calls) >= CALLS_AT_ONCE:
                    await asyncio.wait(self._calls, return_when=asyncio.FIRST_COMPLETED)
                batch = [self._due.popleft() for _ in range(min(BATCH, len(self._due)))]
                call = asyncio.create_task(self._decide(batch), name=f"{self.name}.call")
                self._calls.add(call)
                call.add_done_callback(self._calls.discard)

    async def _decide(self, batch: Sequence[LiveSession]) -> None:
        try:
            await self._ask(batch)
        except Exception:
            logger.bind(sessions=len(batch)).exception("sessions could not be decided")
        finally:
            for live in batch:
                _release(live)

    async def _ask(self, batch: Sequence[LiveSession]) -> None:
        queries = tuple(self._transfers.question(live.content_id, live.actor) for live in batch)
        try:
            decisions = (await self._auth.decide_many(DecideMany(queries=queries))).decisions
        except StreamgateError as fault:
            if len(batch) > 1 and not isinstance(fault, Unavailable):
                for live in batch:  # one question that cannot be answered must not silence the others
                    await self._ask([live])
                return
            logger.bind(sessions=len(batch), code=fault.code).warning("gate cannot be asked; leases run out")
            for live in batch:
                live.lease = after_silence(live.lease, now_s=self._clock.monotonic_s(), lease_s=self._lease_s)
            return
        arrived = Moment.now(self._clock)
        if len(decisions) != len(batch):
            raise ValueError(f"{len(decisions)} decisions for {len(batch)} questions")
        outdated, refused = [], []
        for live, query, decision in zip(batch, queries, decisions, strict=True):
            latest = self._transfers.question(live.content_id, live.actor)
            if (query.min_block, query.min_revision) != (latest.min_block, latest.min_revision):
                outdated.append(live)  # a token of theirs moved meanwhile, or the gate changed
            elif not self.apply(live, decision, arrived):
                refused.append(live)
        if refused:
            await self._on_refused(refused)
        if outdated:
            await self._ask(outdated)


def reason_of(decision: Decision) -> str:
    """Why it is unknown, in the words of the part that is."""
    waiting = [decision.explanation]
    while waiting:
        node = waiting.pop(0)
        if node.reason and node.outcome == "unknown":
            return node.reason
        waiting.extend(node.parts)
    return "the gate cannot be decided now"


def blocks_of(decision: Decision) -> dict[str, int]:
    """The newest block of each chain that it was made from."""
    blocks: dict[str, int] = {}
    waiting = [decision.explanation]
    while waiting:
        node = waiting.pop()
        if node.chain and node.block_number is not None:
            blocks[node.chain] = max(node.block_number, blocks.get(node.chain, 0))
        waiting.extend(node.parts)
    return blocks


def _release(live: LiveSession) -> None:
    deciding, live.deciding = live.deciding, None
    if deciding is not None and not deciding.done():
        deciding.set_result(None)
