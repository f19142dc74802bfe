"""The log of decisions, which is their audit: what differed from the decision before it, written in batches behind the
answers. Every decision is counted by a metric; a session that is decided anew each half minute is one row.

A refusal that is repeated is noted again after a while, so that somebody who keeps trying is seen; of one content only
so many in an hour, so that a crowd that is refused cannot fill the disk.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Mapping
from functools import partial

import attrs
from loguru import logger
from sqlalchemy.orm import Session

from streamgate.contracts.auth import DecideQuery, Decision
from streamgate.contracts.gate import Reading
from streamgate.errors import StreamgateError
from streamgate.sdk.clock import Clock
from streamgate.sdk.db import Database
from streamgate.sdk.ids import new_id
from streamgate.wire import to_plain
from streamgate_auth.gate.metrics import DECISIONS_LEFT_OUT
from streamgate_auth.gate.repository_decisions import DecisionRecord, add_decisions, forget_decisions

FLUSH_EVERY_S = 1.0
FORGET_EVERY_S = 3600.0
REPEATED_AFTER_S = 600.0
MAX_REFUSALS_PER_HOUR = 1000
MAX_REMEMBERED = 50_000
MAX_WAITING = 5000
BATCH = 500


@attrs.frozen(kw_only=True)
class _Noted:
    query: DecideQuery
    decision: Decision
    basis: str
    readings: Mapping[str, Reading]
    at_ms: int


@attrs.define
class _Hour:
    """Refusals of one content since then."""

    since_s: float
    count: int = 0


class DecisionLog:
    """A unit. `note` is quick and never fails.

    Args:
        keep_days: what is older is forgotten; 0: nothing is written.
    """

    name = "auth.decisions"
    needs = ("auth.db",)

    def __init__(self, db: Database, clock: Clock, *, keep_days: int) -> None:
        self._db = db
        self._clock = clock
        self._keep_days = keep_days
        self._last: OrderedDict[tuple[str, str], tuple[object, float]] = OrderedDict()
        self._hours: OrderedDict[str, _Hour] = OrderedDict()
        self._waiting: list[_Noted] = []
        self._task: asyncio.Task[None] | None = None

    def note(self, query: DecideQuery, decision: Decision, basis: str, readings: Mapping[str, Reading]) -> None:
        """Of people alone: services decide nothing for themselves."""
        if not self._keep_days or query.actor.kind == "service" or not self._is_news(query, decision, basis):
            return
        if len(self._waiting) >= MAX_WAITING or not self._has_room(query.content_id, decision):
            DECISIONS_LEFT_OUT.inc()
            return
        noted = _Noted(query=query, decision=decision, basis=basis, readings=readings, at_ms=self._clock.now_ms())
        self._waiting.append(noted)

    def _is_news(self, query: DecideQuery, decision: Decision, basis: str) -> bool:
        key, now_s = (query.actor.user_id, query.content_id), self._clock.monotonic_s()
        now = (decision.gate_revision, decision.outcome, basis, decision.max_height_px)
        before, since_s = self._last.get(key, (None, now_s))
        if before == now and (decision.outcome == "holds" or now_s - since_s < REPEATED_AFTER_S):
            return False
        self._last[key] = (now, now_s)
        self._last.move_to_end(key)
        if len(self._last) > MAX_REMEMBERED:
            self._last.popitem(last=False)
        return True

    def _has_room(self, content_id: str, decision: Decision) -> bool:
        if decision.outcome == "holds":
            return True
        now_s = self._clock.monotonic_s()
        hour = self._hours.get(content_id)
        if hour is None or now_s - hour.since_s >= 3600:
            hour = self._hours[content_id] = _Hour(now_s)
            self._hours.move_to_end(content_id)
            if len(self._hours) > MAX_REMEMBERED:
                self._hours.popitem(last=False)
        hour.count += 1
        return hour.count <= MAX_REFUSALS_PER_HOUR

    # --- writing --------------------------------------------------------------------------------

    async def start(self) -> None:
        self._task = asyncio.create_task(self._write_on(), name=self.name)

    async def stop(self) -> None:
        """What waits is written first."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
            self._task = None
        try:
            await self.flush()
        except StreamgateError as fault:
            logger.bind(error=fault.code, left=len(self._waiting)).warning("decisions were not written")

    async def flush(self) -> None:
        """Raises DatabaseUnavailable; what was not written waits."""
        while self._waiting:
            batch = self._waiting[:BATCH]
            records = [_record(noted) for noted in batch]
            del self._waiting[: len(batch)]
            try:
                await self._db.write(partial(add_decisions, records=records))
            except StreamgateError:
                self._waiting[:0] = batch
                raise

    async def forget(self) -> None:
        """Those that are older than they are kept."""
        before_ms = self._clock.now_ms() - self._keep_days * 86_400_000

        def some(session: Session) -> int:
            return forget_decisions(session, before_ms=before_ms, limit=BATCH)

        while await self._db.write(some) == BATCH:
            pass

    async def _write_on(self) -> None:
        forget_at_s = self._clock.monotonic_s()
        while True:
            await self._clock.sleep(FLUSH_EVERY_S)
            try:
                await self.flush()
                if self._clock.monotonic_s() >= forget_at_s:
                    forget_at_s = self._clock.monotonic_s() + FORGET_EVERY_S
                    await self.forget()
            except Exception:  # the database is away, or worse: nothing of it may end the log
                logger.exception("the log of decisions could not be kept")


def _record(noted: _Noted) -> DecisionRecord:
    query, decision = noted.query, noted.decision
    return DecisionRecord(
        decision_id=new_id("d"),
        content_id=query.content_id,
        user_id=query.actor.user_id,
        address=query.actor.address,
        revision=decision.gate_revision,
        outcome=decision.outcome,
        basis=noted.basis,
        max_height_px=decision.max_height_px,
        at_ms=noted.at_ms,
        explanation=to_plain(decision.explanation),
        readings={path: to_plain(reading) for path, reading in noted.readings.items()},
    )
