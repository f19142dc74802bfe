"""What one monitor does for all: notes health, keeps log lines and the minutes of numbers, looks at the alert rules,
forgets what is old. Run by the leader lease (`sdk/lease.py`)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import TypeVar

from loguru import logger
from sqlalchemy.orm import Session

from streamgate.contracts.logs import LogLine
from streamgate.contracts.metrics import MetricsSnapshot, Sample
from streamgate.errors import StreamgateError
from streamgate.sdk.clock import Clock
from streamgate.sdk.db import Database
from streamgate.sdk.lease import Leadership, LeadershipLost
from streamgate_monitor import history_repository, log_repository
from streamgate_monitor.alerting import Alerting
from streamgate_monitor.config import MonitorConfig
from streamgate_monitor.history_repository import HealthNote
from streamgate_monitor.log_keeping import LogKeeping
from streamgate_monitor.numbers import MINUTE_MS, WINDOW_MS, Numbers
from streamgate_monitor.service import HealthReports, Report
from streamgate_monitor.tables import alerts, audit, health, logs, metrics

T = TypeVar("T")

LOGS_EVERY_S = 1.0
FORGET_EVERY_S = 300.0
FORGET_AT_ONCE = 5_000
"""Rows in one transaction, so that neither the lease nor what is written meanwhile waits for long."""
LATE_MS = 5_000
"""A minute is written so long after its end: snapshots are under way."""
DAY_MS = 86_400_000


class Leading:
    """`lead` is the work of a `Leader`."""

    def __init__(
        self,
        *,
        db: Database,
        config: MonitorConfig,
        reports: HealthReports,
        numbers: Numbers,
        lines: LogKeeping,
        alerting: Alerting,
        clock: Clock,
    ) -> None:
        self._db = db
        self._config = config
        self._reports = reports
        self._numbers = numbers
        self._lines = lines
        self._alerting = alerting
        self._clock = clock
        self._next_minute_ms = 0

    async def lead(self, leadership: Leadership) -> None:
        self._alerting.begin()
        self._next_minute_ms = await self._first_minute_ms()
        self._lines.begin(await self._db.read(log_repository.newest_at_ms))
        config = self._config
        async with asyncio.TaskGroup() as tasks:
            for every_s, work in (
                (config.health_every_s, self.note_health),
                (LOGS_EVERY_S, self.keep_lines),
                (config.alerts_every_s, self.look_at_rules),
                (LOGS_EVERY_S, self.keep_minutes),
                (FORGET_EVERY_S, self.forget),
            ):
                tasks.create_task(self._again_and_again(every_s, work, leadership))

    async def _again_and_again(
        self, every_s: float, work: Callable[[Leadership], Awaitable[None]], leadership: Leadership
    ) -> None:
        while True:
            try:
                await work(leadership)
            except LeadershipLost:
                return
            except StreamgateError as fault:
                logger.bind(work=work.__name__, code=fault.code).warning("monitoring waits")
            except Exception:
                logger.bind(work=work.__name__).exception("monitoring failed; again later")
            await self._clock.sleep(every_s)

    async def _first_minute_ms(self) -> int:
        """The one after the last that was written, where the numbers of it are still here: every monitor hears them."""
        this_ms = self._clock.now_ms() // MINUTE_MS * MINUTE_MS
        newest_ms = await self._db.read(history_repository.newest_minute_ms)
        if newest_ms is None or newest_ms >= this_ms:
            return this_ms
        return max(newest_ms + MINUTE_MS, self._oldest_minute_ms(this_ms))

    def _oldest_minute_ms(self, now_ms: int) -> int:
        return (now_ms - WINDOW_MS) // MINUTE_MS * MINUTE_MS + MINUTE_MS

    # --- the works ----------------------------------------------------------------------------------

    async def note_health(self, leadership: Leadership) -> None:
        report = await self._reports.report()
        now_ms = self._clock.now_ms()
        self._numbers.take(_as_numbers(report, now_ms), now_ms)
        note = HealthNote(
            at_ms=now_ms,
            ok=report.ok,
            services={
                name: {"ok": each.ok, "detail": each.detail, "latency_ms": each.latency_ms}
                for name, each in report.services.items()
            },
        )
        await self._write(leadership, lambda session: history_repository.add_health(session, note))

    async def keep_lines(self, leadership: Leadership) -> None:
        while taken := self._lines.take():
            try:
                await self._write(leadership, partial(_add_lines, taken=taken))
            except BaseException:
                self._lines.put_back(taken)
                raise

    async def keep_minutes(self, leadership: Leadership) -> None:
        now_ms = self._clock.now_ms()
        if self._next_minute_ms > now_ms:  # the clock was set back
            self._next_minute_ms = now_ms // MINUTE_MS * MINUTE_MS
        self._next_minute_ms = max(self._next_minute_ms, self._oldest_minute_ms(now_ms))
        while self._next_minute_ms + MINUTE_MS + LATE_MS <= now_ms:
            values = self._numbers.minute(self._next_minute_ms)
            await self._write(leadership, partial(history_repository.add_minute, values=values))
            self._next_minute_ms += MINUTE_MS

    async def look_at_rules(self, leadership: Leadership) -> None:
        await self._alerting.look(leadership)

    async def forget(self, leadership: Leadership) -> None:
        now_ms, config = self._clock.now_ms(), self._config

        for table, column, days in (
            (audit, "at_ms", config.audit_days),
            (logs, "at_ms", config.log_days),
            (metrics, "minute_ms", config.metric_days),
            (health, "at_ms", config.health_days),
            (alerts, "resolved_at_ms", config.alert_days),
        ):
            older = partial(
                history_repository.forget_before,
                table=table,
                column=column,
                at_ms=now_ms - days * DAY_MS,
                most=FORGET_AT_ONCE,
            )
            while await self._write(leadership, older):
                pass
        beyond = partial(log_repository.forget_beyond, lines=config.log_lines, most=FORGET_AT_ONCE)
        while await self._write(leadership, beyond):
            pass

    async def _write(self, leadership: Leadership, work: Callable[[Session], T]) -> T:
        def fenced(session: Session) -> T:
            leadership.check(session)
            return work(session)

        return await self._db.write(fenced)


def _add_lines(session: Session, taken: Sequence[tuple[str, Sequence[LogLine]]]) -> None:
    for instance, lines in taken:
        log_repository.add(session, instance, lines)


def _as_numbers(report: Report, at_ms: int) -> MetricsSnapshot:
    """So that rules can ask how services are."""
    samples = []
    for name, each in report.services.items():
        labels = {"of": name}
        samples.append(Sample(name="streamgate_service_up", kind="gauge", value=float(each.ok), labels=labels))
        latency = Sample(name="streamgate_service_latency_ms", kind="gauge", value=each.latency_ms, labels=labels)
        samples.append(latency)
    return MetricsSnapshot(instance="monitor-health", service="monitor", at_ms=at_ms, samples=tuple(samples))
