"""Publishes a plugin's outbox, after the commit, at least once.

Events about one subject leave one after another; other subjects do not wait for it (on the memory bus publishing
lasts until every group has handled, retries included). A row goes some time after its publishing has returned,
many at a time, so a crash in between publishes it twice with the same id, and consumers know it again.

With several replicas one of them relays a plugin's outbox at a time (`Engine.relay_turn`).
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import Collection

import attrs
from loguru import logger
from sqlalchemy import MetaData, bindparam, delete, select
from sqlalchemy.orm import Session

from streamgate.events import Events
from streamgate.sdk.db.engine import Engine
from streamgate.sdk.db.outbox import forget_before
from streamgate.sdk.db.tables import inbox_of, outbox_of
from streamgate.telemetry.measures import Levels

BACKLOG = Levels(
    "streamgate_outbox_waiting_rows", "Events that wait to be published, as far as the relay looks (256).", ("plugin",)
)

POLL_S = 2.0
"""Finds rows whose wake was lost: another replica's, or a write whose caller gave up."""
TURN_PAUSE_S = 0.05
BACKOFF_S = (0.1, 0.3, 1.0, 3.0, 5.0)
FLUSH_S = 5.0
IN_FLIGHT = 256
LANES = 64
FORGET_PAUSE_S = 0.05
"""Between two deletions of what was published: nobody waits for them, and each takes a commit of the database that
others' changes wait for."""
INBOX_AGE_S = 30 * 24 * 3600
"""Four times what JetStream keeps a message, so that a dead letter that is replayed is still known."""
PRUNE_EVERY_S = 3600.0


@attrs.frozen
class _Row:
    seq: int
    event_id: str
    subject: str
    lane: str
    envelope: bytes


class _Published:
    """Rows that are published, and still in the table."""

    def __init__(self) -> None:
        self.seqs: set[int] = set()
        self.are_some = asyncio.Event()

    def add(self, seq: int) -> None:
        self.seqs.add(seq)
        self.are_some.set()

    def forget(self, seqs: Collection[int]) -> None:
        self.seqs.difference_update(seqs)
        if not self.seqs:
            self.are_some.clear()


class Relay:
    """A unit. It starts after the subscriptions of this process (`events`), because the memory bus delivers to
    those who are there, and stops before them, having published what it can in `FLUSH_S`."""

    def __init__(
        self, plugin: str, engine: Engine, tables: MetaData, events: Events, *, needs: tuple[str, ...]
    ) -> None:
        self.name = f"{plugin}.outbox"
        self.needs = needs
        self._plugin = plugin
        self._engine = engine
        self._outbox = outbox_of(tables)
        self._inbox = inbox_of(tables)
        columns = self._outbox.c
        # Made once: to make a statement is most of the work of asking it.
        self._find = (
            select(columns.seq, columns.event_id, columns.subject, columns.lane, columns.envelope)
            .where(columns.seq.not_in(bindparam("known", expanding=True)))
            .order_by(columns.seq)
            .limit(bindparam("most"))
        )
        self._delete = delete(self._outbox).where(columns.seq == bindparam("gone"))
        self._events = events
        self._wake = asyncio.Event()
        self._stopping = asyncio.Event()
        self._failures = 0
        self._prune_at_s = 0.0
        self._forget_at_s = 0.0
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        self._stopping.clear()
        self._task = asyncio.create_task(self._run(), name=self.name)

    async def stop(self) -> None:
        task, self._task = self._task, None
        if task is None:
            return
        self._stopping.set()
        self._wake.set()
        _, late = await asyncio.wait({task}, timeout=FLUSH_S)
        for each in late:
            logger.bind(unit=self.name).warning("outbox is not empty; the rest is relayed at the next start")
            each.cancel()
            await asyncio.wait({each})

    def wake(self) -> None:
        """Something was committed. Call it from the event loop."""
        self._wake.set()

    # --- the loop -----------------------------------------------------------------------------------

    async def _run(self) -> None:
        while True:
            self._wake.clear()
            pause_s = POLL_S
            try:
                async with self._engine.relay_turn(self._plugin) as has_turn:
                    if has_turn:
                        await self._drain()
                        self._failures = 0
                        await self._prune()
                    elif await self._pending([], 1):
                        pause_s = TURN_PAUSE_S  # its holder may have looked just before our commit
            except Exception as fault:
                pause_s = BACKOFF_S[min(self._failures, len(BACKOFF_S) - 1)]
                self._failures += 1
                logger.bind(unit=self.name, error=repr(fault), again_in_s=pause_s).warning("outbox waits")
                if self._stopping.is_set():
                    return
                await asyncio.sleep(pause_s)  # commits go on meanwhile; each of them must not try at once
                continue
            if self._stopping.is_set() and not self._wake.is_set():
                return  # what was committed before the stop has been looked for after it
            try:
                async with asyncio.timeout(pause_s):
                    await self._wake.wait()
            except TimeoutError:
                pass

    async def _drain(self) -> None:
        """Returns when nothing is left. Raises the first fault, when all running lanes have ended."""
        lanes: dict[str, deque[_Row]] = {}
        running: dict[asyncio.Task[None], str] = {}
        known: set[int] = set()
        published = _Published()
        forgetting = asyncio.create_task(self._forget(published, known))
        fault: BaseException | None = None
        try:
            while True:
                self._wake.clear()
                room = IN_FLIGHT - len(known)
                rows = await self._pending(known, room) if room and fault is None else []
                if fault is None:
                    BACKLOG.set(len(known) - len(published.seqs) + len(rows), self._plugin)
                for row in rows:
                    if row.lane in lanes:
                        lanes[row.lane].append(row)
                    elif len(lanes) < LANES:
                        lanes[row.lane] = deque([row])
                        lane = self._run_lane(lanes[row.lane], published, forgetting)
                        running[asyncio.create_task(lane)] = row.lane
                    else:
                        continue  # found again when a lane is free
                    known.add(row.seq)
                if not running and (not known or forgetting.done()):
                    break
                fault = await self._one_done(running, lanes, known, forgetting) or fault
            if forgetting.done():
                fault = forgetting.exception() or fault
        finally:
            left = {*running, forgetting}
            for task in left:
                task.cancel()
            await asyncio.wait(left)
        if fault is not None:
            raise fault

    async def _one_done(
        self,
        running: dict[asyncio.Task[None], str],
        lanes: dict[str, deque[_Row]],
        known: set[int],
        forgetting: asyncio.Task[None],
    ) -> BaseException | None:
        """Waits until a lane has ended, rows are forgotten or something was committed; returns a fault of the former
        two."""
        woken = asyncio.create_task(self._wake.wait())
        waited = {woken, *running}
        if not forgetting.done():
            waited.add(forgetting)
        try:
            await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
        finally:
            woken.cancel()
        fault = forgetting.exception() if forgetting.done() else None
        for task in [task for task in running if task.done()]:
            lane = lanes.pop(running.pop(task))
            known.difference_update(row.seq for row in lane)
            fault = task.exception() or fault
        return fault

    async def _run_lane(self, lane: deque[_Row], published: _Published, forgetting: asyncio.Task[None]) -> None:
        """The next row does not wait until the one before is gone from the table. Where rows cannot be forgotten no
        more are published: all that are left in the table are, once more, and in their order."""
        while lane and not forgetting.done():
            row = lane[0]
            await self._events.publish_envelope(row.subject, row.envelope, row.event_id)
            lane.popleft()
            published.add(row.seq)

    async def _forget(self, published: _Published, known: set[int]) -> None:
        """Ends with a fault only. A row stays known until it is gone, so that nobody takes it again."""
        while True:
            await published.are_some.wait()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout_at(self._forget_at_s):
                    await self._stopping.wait()
            seqs = list(published.seqs)
            await self._delete_rows(seqs)
            self._forget_at_s = asyncio.get_running_loop().time() + FORGET_PAUSE_S
            published.forget(seqs)
            known.difference_update(seqs)
            self._wake.set()

    async def _delete_rows(self, seqs: Collection[int]) -> None:
        gone = [{"gone": seq} for seq in seqs]

        def delete_all(session: Session) -> None:
            session.execute(self._delete, gone)

        await self._engine.write(delete_all, {})

    async def _pending(self, known: Collection[int], most: int) -> list[_Row]:
        asked = {"known": list(known), "most": most}
        return await self._engine.read(lambda session: [_Row(*row) for row in session.execute(self._find, asked)])

    async def _prune(self) -> None:
        now_s = time.time()
        if now_s >= self._prune_at_s:
            self._prune_at_s = now_s + PRUNE_EVERY_S
            before_ms = int((now_s - INBOX_AGE_S) * 1000)
            await self._engine.write(lambda session: forget_before(session, self._inbox, before_ms), {})
