"""Schedules over HTTP: one's own, for the kinds that one may submit; administrators see all."""

from __future__ import annotations

from typing import Any

import attrs
from sqlalchemy.orm import Session

from streamgate.context import Actor
from streamgate.contracts.jobs import PayloadInvalid, ScheduleInvalid, ScheduleNotFound, TooManyJobs, UnknownKind
from streamgate.errors import FieldError
from streamgate.sdk.audit import audit
from streamgate.sdk.clock import Clock
from streamgate.sdk.db import Database
from streamgate.sdk.ids import uuid7
from streamgate.settings import Matches, config_field
from streamgate.web.routes import CREATOR, Call, Route
from streamgate_worker import schedules
from streamgate_worker.cursor import read_names, write_names
from streamgate_worker.intake import Intake, is_admin
from streamgate_worker.routes import PREFIX, Submitted
from streamgate_worker.scheduler import job_of
from streamgate_worker.schedules import Schedule, WantedSchedule, parse_cron, to_schedule

IS_NAME = Matches(
    r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", "must be 1 to 100 letters, digits, -, . and _, a letter or digit the first"
)
MAX_PER_OWNER = 100


@attrs.frozen(kw_only=True)
class ScheduleBody:
    name: str = config_field(help="Names the schedule among one's own; an existing one is replaced.", validator=IS_NAME)
    cron: str = config_field(
        help="Five fields (minute, hour, day of month, month, day of week) or @hourly, @daily, @weekly, @monthly, "
        "@yearly. Where clocks are changed: an hour field that begins with * means every so often, any other one a "
        "time of the day, which runs once."
    )
    kind: str
    payload: dict[str, Any]
    timezone: str = config_field("UTC", help="Name of the IANA time zone database, such as Europe/Berlin.")
    enabled: bool = True
    catch_up: bool = config_field(
        True, help="Moments that were missed while nothing ran make one job afterwards; false: none."
    )


@attrs.frozen(kw_only=True)
class NameQuery:
    name: str
    owner: str | None = config_field(None, help="Administrators: whose; by default one's own.")


@attrs.frozen(kw_only=True)
class RunBody:
    name: str
    owner: str | None = config_field(None, help="Administrators: whose; by default one's own.")


@attrs.frozen(kw_only=True)
class SchedulesQuery:
    limit: int = config_field(50, help="1 to 200.", validator=[attrs.validators.ge(1), attrs.validators.le(200)])
    cursor: str = ""


@attrs.frozen(kw_only=True)
class Schedules:
    items: tuple[Schedule, ...]
    next_cursor: str | None


class ScheduleRoutes:
    def __init__(self, intake: Intake, db: Database, clock: Clock) -> None:
        self._intake = intake
        self._db = db
        self._clock = clock

    def routes(self) -> list[Route]:
        return [
            Route(
                "POST",
                f"{PREFIX}/schedule",
                self.put,
                policy=CREATOR,
                body=ScheduleBody,
                answer=Schedule,
                summary="Queue a job again and again; a schedule of the same name is replaced",
                errors=(UnknownKind, PayloadInvalid, ScheduleInvalid, TooManyJobs),
            ),
            Route(
                "GET",
                f"{PREFIX}/schedules",
                self.list_all,
                policy=CREATOR,
                query=SchedulesQuery,
                answer=Schedules,
                summary="One's own schedules; administrators see all",
            ),
            Route(
                "DELETE",
                f"{PREFIX}/schedule",
                self.remove,
                policy=CREATOR,
                query=NameQuery,
                summary="Remove a schedule; its jobs stay",
                errors=(ScheduleNotFound,),
            ),
            Route(
                "POST",
                f"{PREFIX}/schedule/run",
                self.run,
                policy=CREATOR,
                body=RunBody,
                answer=Submitted,
                status=202,
                summary="Queue the job of a schedule now, beside its moments",
                errors=(ScheduleNotFound, PayloadInvalid, TooManyJobs),
            ),
        ]

    async def put(self, call: Call[ScheduleBody, None]) -> Schedule:
        body, actor, now_ms = call.body, call.actor, self._clock.now_ms()
        kind = await self._intake.check(actor, body.kind, body.payload)
        next_ms = parse_cron(body.cron, body.timezone).following(now_ms)
        if next_ms is None:
            error = FieldError("cron", "names a day that does not come")
            raise ScheduleInvalid("the schedule would never run", errors=(error,))
        wanted = WantedSchedule(
            owner=actor.user_id,
            name=body.name,
            cron=body.cron,
            timezone=body.timezone,
            kind=kind.name,
            payload=body.payload,
            is_enabled=body.enabled,
            catches_up=body.catch_up,
        )

        def work(session: Session) -> Schedule:
            is_new = schedules.find(session, wanted.owner, wanted.name) is None
            if is_new and schedules.count_of(session, wanted.owner) >= MAX_PER_OWNER:
                raise TooManyJobs(f"at most {MAX_PER_OWNER} schedules of one person; remove some")
            schedules.put(session, wanted, next_ms if body.enabled else None, now_ms)
            detail = {"kind": kind.name, "cron": body.cron, "timezone": body.timezone}
            audit(session, "schedule.set", on=_on(wanted.owner, wanted.name), actor=actor, detail=detail)
            return to_schedule(_found(session, wanted.owner, wanted.name))

        return await self._db.write(work)

    async def list_all(self, call: Call[None, SchedulesQuery]) -> Schedules:
        query = call.query
        owner = None if is_admin(call.actor) else call.actor.user_id
        after = read_names(query.cursor)
        rows = await self._db.read(lambda session: schedules.page(session, owner, after, query.limit + 1))
        shown = rows[: query.limit]
        has_more = len(rows) > query.limit
        return Schedules(
            items=tuple(map(to_schedule, shown)),
            next_cursor=write_names(shown[-1].owner, shown[-1].name) if has_more else None,
        )

    async def remove(self, call: Call[None, NameQuery]) -> None:
        actor, name = call.actor, call.query.name
        owner = _whose(actor, call.query.owner, name)

        def work(session: Session) -> None:
            if not schedules.remove(session, owner, name):
                raise _not_found(name)
            audit(session, "schedule.removed", on=_on(owner, name), actor=actor)

        await self._db.write(work)

    async def run(self, call: Call[RunBody, None]) -> Submitted:
        """Checked again: who may ask for the kind, and what the payload leads to, may have changed."""
        actor, name = call.actor, call.body.name
        owner = _whose(actor, call.body.owner, name)
        row = await self._db.read(lambda session: _found(session, owner, name))
        await self._intake.check(actor, row.kind, row.payload)
        now_ms = self._clock.now_ms()

        def note(session: Session, job_id: str) -> None:
            schedules.note_run(session, row, now_ms, job_id)

        taken = await self._intake.submit(actor, job_of(row, f"now:{uuid7()}"), also=note)
        return Submitted(job_id=taken.job_id, status=taken.status)


def _found(session: Session, owner: str, name: str) -> schedules.ScheduleRow:
    row = schedules.find(session, owner, name)
    if row is None:
        raise _not_found(name)
    return row


def _not_found(name: str) -> ScheduleNotFound:
    return ScheduleNotFound(f"there is no schedule {name[:100]}")


def _whose(actor: Actor, owner: str | None, name: str) -> str:
    """Somebody else's schedule is not found."""
    if owner is None or owner == actor.user_id:
        return actor.user_id
    if not is_admin(actor):
        raise _not_found(name)
    return owner


def _on(owner: str, name: str) -> str:
    return f"schedule:{owner}/{name}"
