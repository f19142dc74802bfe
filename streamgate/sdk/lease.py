"""One of several replicas does the work: a row that its holder renews, judged by the database's clock alone.

    # tables.py
    leaders = leader_table(TABLES)

    # plugin.py
    self._leader = Leader("worker.scheduler", self.db, leaders, self._scheduler.lead, needs=("worker.db",))
    collect_units → [*self.db.units(), self._leader]

    # scheduler.py
    async def lead(self, leadership: Leadership) -> None:          # cancelled when leadership is lost
        while True:
            await self._db.write(self._fire_due)                    # which begins with leadership.check(session)
            await self._clock.sleep(1)

Nobody's wall clock but the database's counts, so clocks that disagree make no two leaders. A process that was frozen
may still believe for a moment that it leads: what must not happen twice is fenced with `Leadership.check`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import attrs
from loguru import logger
from prometheus_client import Gauge
from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Integer,
    MetaData,
    String,
    Table,
    literal_column,
    select,
    update,
)
from sqlalchemy.orm import Session

from streamgate.errors import Conflict, StreamgateError
from streamgate.sdk.clock import SYSTEM_CLOCK, Clock
from streamgate.sdk.db import Database, insert_into
from streamgate.sdk.ids import new_id

LEADER_S = 15.0
"""How long nobody leads after a leader was killed."""
RENEWALS_PER_LEASE = 3
"""Two may fail before the leadership is lost."""
CANCEL_S = 5.0
"""How long cancelled work has to clean up before it is left behind."""

_LEADS = Gauge("streamgate_leader_held", "1 where this process leads", ["leader"])
_NOW_MS = {
    "sqlite": "(CAST(julianday('now') * 86400000 AS INTEGER) - 210866760000000)",
    "postgresql": "CAST(extract(epoch FROM clock_timestamp()) * 1000 AS BIGINT)",
}


class LeadershipLost(Conflict):
    code, title = "leader.lost", "Another process leads by now"


def leader_table(tables: MetaData) -> Table:
    """`<plugin>_leaders`, one row for each thing that is led."""
    return Table(
        f"{tables.info['plugin']}_leaders",
        tables,
        Column("name", String(100), primary_key=True),
        Column("holder", String(40), nullable=False),
        Column("until_ms", BigInteger, nullable=False),  # on the database's clock
        Column("term", Integer, nullable=False),
    )


def database_now_ms(session: Session) -> ColumnElement[int]:
    """Milliseconds since 1970 on the database's clock, now and not at the begin of the transaction."""
    return literal_column(_NOW_MS[session.get_bind().dialect.name], BigInteger)


@attrs.frozen
class Leadership:
    """One time of leading. `term` grows with each, whoever holds it."""

    name: str
    holder: str
    term: int
    table: Table = attrs.field(repr=False)

    def check(self, session: Session) -> None:
        """Call it first in a write that only the leader may do. Until the write is committed nobody else leads.

        Raises:
            LeadershipLost: `leader.lost`.
        """
        held = select(self.table.c.term).where(*_held(session, self.table, self.name, self.holder))
        if session.scalar(held.with_for_update(read=True)) is None:
            raise LeadershipLost(f"{self.name} is led by another process by now")


class Leader:
    """A unit that runs `work` where and as long as this process leads.

    `work(leadership)` is cancelled when the leadership is lost or the unit stops. When it returns or fails, the
    leadership is given up, and taken again, here or elsewhere, after a third of the lease.

    Args:
        table: from `leader_table`.
        lease_s: how long a leader may be silent.
    """

    def __init__(
        self,
        name: str,
        db: Database,
        table: Table,
        work: Callable[[Leadership], Awaitable[None]],
        *,
        needs: tuple[str, ...] = (),
        lease_s: float = LEADER_S,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self.name = name
        self.needs = needs
        self._db = db
        self._table = table
        self._work = work
        self._lease_s = lease_s
        self._every_s = lease_s / RENEWALS_PER_LEASE
        self._clock = clock
        self._log = logger.bind(unit=name)
        self._task: asyncio.Task[None] | None = None
        self.leadership: Leadership | None = None
        """While this process leads."""

    async def start(self) -> None:
        _LEADS.labels(self.name).set(0)
        self._task = asyncio.create_task(self._run(), name=self.name)

    async def stop(self) -> None:
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.wait({task})

    async def _run(self) -> None:
        while True:
            asked_s = self._clock.monotonic_s()
            try:
                leadership = await self._db.write(self._claim)
                if leadership is not None:
                    await self._lead(leadership, asked_s)
            except StreamgateError as fault:
                self._log.bind(code=fault.code).warning("could not ask who leads; again later")
            except Exception as fault:
                self._log.opt(exception=fault).error("leading failed; again later")
            await self._clock.sleep(self._every_s)

    async def _lead(self, leadership: Leadership, asked_s: float) -> None:
        self._log.bind(term=leadership.term).info("this process leads")
        self.leadership = leadership
        _LEADS.labels(self.name).set(1)
        working = asyncio.ensure_future(self._work(leadership))
        keeping = asyncio.create_task(self._keep(leadership, asked_s))
        try:
            await asyncio.wait({working, keeping}, return_when=asyncio.FIRST_COMPLETED)
            if working.done():
                working.result()
            else:
                self._log.warning("leadership is lost; its work stops")
        finally:
            await self._end(leadership, working, keeping)

    async def _end(self, leadership: Leadership, working: asyncio.Future[None], keeping: asyncio.Task[None]) -> None:
        """The work has stopped before the row is free."""
        for task in (working, keeping):
            task.cancel()
        _, late = await asyncio.wait({working, keeping}, timeout=CANCEL_S)
        self.leadership = None
        _LEADS.labels(self.name).set(0)
        if late:
            self._log.error("the work does not stop when it is cancelled; left behind, and the lease runs out")
            return
        try:
            await self._db.write(lambda session: self._release(session, leadership))
        except StreamgateError as fault:
            self._log.bind(code=fault.code).info("leadership was not given back; it runs out")

    async def _keep(self, leadership: Leadership, heard_s: float) -> None:
        """Returns when the leadership is lost, or nothing is known of it for as long as it lasts. Counted from
        before the asking, on a clock that never jumps: so we stop before the database gives it to another."""
        while True:
            await self._clock.sleep(self._every_s)
            asked_s = self._clock.monotonic_s()
            left_s = heard_s + self._lease_s - asked_s
            if left_s <= 0:
                return
            try:
                async with asyncio.timeout(left_s):
                    if not await self._db.write(lambda session: self._renew(session, leadership)):
                        return
            except TimeoutError:
                return
            except StreamgateError as fault:
                self._log.bind(code=fault.code).warning("leadership was not renewed; trying again")
            else:
                heard_s = asked_s

    # --- in a transaction -----------------------------------------------------------------------------

    def _claim(self, session: Session) -> Leadership | None:
        """Each time of leading has a holder of its own, so that a late word of an earlier one counts for nothing."""
        table, holder, now_ms = self._table, new_id("h"), database_now_ms(session)
        until_ms = now_ms + round(self._lease_s * 1000)
        statement = (
            insert_into(session, table)
            .values(name=self.name, holder=holder, until_ms=until_ms, term=1)
            .on_conflict_do_update(
                index_elements=["name"],
                set_={"holder": holder, "until_ms": until_ms, "term": table.c.term + 1},
                where=table.c.until_ms <= now_ms,
            )
            .returning(table.c.term)
        )
        term = session.scalar(statement)
        return None if term is None else Leadership(self.name, holder, term, table)

    def _renew(self, session: Session, leadership: Leadership) -> bool:
        return self._move(session, leadership, database_now_ms(session) + round(self._lease_s * 1000))

    def _release(self, session: Session, leadership: Leadership) -> bool:
        return self._move(session, leadership, 0)

    def _move(self, session: Session, leadership: Leadership, until_ms: Any) -> bool:
        held = _held(session, self._table, self.name, leadership.holder)
        moved = update(self._table).where(*held).values(until_ms=until_ms).returning(self._table.c.term)
        return session.scalar(moved) is not None


def _held(session: Session, table: Table, name: str, holder: str) -> tuple[ColumnElement[bool], ...]:
    return (table.c.name == name, table.c.holder == holder, table.c.until_ms > database_now_ms(session))
