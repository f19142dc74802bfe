"""The audit trail of requests: every one that changes state is told, so that no route can be forgotten.

A unit of every process (`streamgate.process_units`). The web layer calls `on_request` when a request has ended; the
entry waits in a bounded queue and never holds up a request. What must not be lost is audited in the transaction that
does it (`sdk/audit.py`). `Route.audited` exempts what is frequent and harmless, and what is told there.

What nobody known was refused is told once a minute for each address, route and outcome, with how often it was: whoever
is refused a thousand times a second writes a row a minute, and a thousand such addresses no more than MAX_TALLIES.
"""

from __future__ import annotations

import asyncio
from collections import deque

import attrs
from loguru import logger

from streamgate.context import CallContext, use_call
from streamgate.contracts.audit import AUDITED, AuditEntry, AuditOutcome
from streamgate.errors import StreamgateError
from streamgate.events import Events
from streamgate.plugins import PluginContext
from streamgate.sdk.clock import SYSTEM_CLOCK, Clock, rfc3339
from streamgate.sdk.edge.addresses import counted_as
from streamgate.sdk.ids import uuid7
from streamgate.telemetry.measures import Counts
from streamgate.telemetry.requests import Access, shown_path

CHANGING = frozenset({"POST", "PUT", "PATCH", "DELETE"})
MAX_WAITING = 10_000
AT_ONCE = 32
AGAIN_S = 1.0
DRAIN_S = 5.0
PATH_CHARS = 500
WINDOW_S = 60.0
MAX_TALLIES = 500
"""Rows of refusals a minute; what comes from yet another address is counted by route alone."""

DROPPED = Counts("streamgate_audit_requests_dropped_total", "Audit entries of requests that found no room.")


def process_units(ctx: PluginContext) -> list[RequestAudit]:
    return [RequestAudit(ctx.events)]


@attrs.define
class Tally:
    """Requests of nobody known that ended alike. `request` is the first of them. `client`: empty for many."""

    request: Access
    client: str
    is_one_path: bool = True
    count: int = 0
    last_at_s: float = 0.0


class Tallies:
    """Of one window."""

    def __init__(self, max_tallies: int = MAX_TALLIES) -> None:
        self._max_tallies = max_tallies
        self._tallies: dict[tuple[str, ...], Tally] = {}

    def note(self, request: Access) -> None:
        assert request.route is not None
        client = counted_as(request.client)
        key: tuple[str, ...] = (client, request.method, request.route.path, str(request.status), request.code)
        if key not in self._tallies and len(self._tallies) >= self._max_tallies:
            client, key = "", ("", request.method, request.route.path)
        tally = self._tallies.setdefault(key, Tally(request, client))
        tally.count += 1
        tally.last_at_s = request.at_s
        tally.is_one_path &= request.path == tally.request.path

    def take(self) -> list[Tally]:
        taken, self._tallies = list(self._tallies.values()), {}
        return taken


class RequestAudit:
    """A unit; `on_request` may be called before its start and counts from then on."""

    name = "audit.requests"
    needs = ("bus", "events")

    def __init__(self, events: Events, *, clock: Clock = SYSTEM_CLOCK, max_waiting: int = MAX_WAITING) -> None:
        self._events = events
        self._clock = clock
        self._max_waiting = max_waiting
        self._waiting: deque[tuple[str, Access | Tally]] = deque()
        self._tallies = Tallies()
        self._window: asyncio.Task[None] | None = None
        self._dropped = 0
        self._has_some = asyncio.Event()
        self._is_stopping = False
        self._sending: asyncio.Task[None] | None = None

    def on_request(self, request: Access) -> None:
        """Notes it, if it was to change something and reached a route."""
        if request.method not in CHANGING or request.route is None or request.route.audited == "none":
            return
        if request.route.audited == "refused" and request.status < 400:
            return
        if request.status >= 400 and request.actor.kind == "anonymous":
            self._tallies.note(request)
            if self._window is None:
                self._window = asyncio.create_task(self._close_window(), name=f"{self.name}.window")
            return
        self._add(request)

    def _add(self, told: Access | Tally) -> None:
        if len(self._waiting) >= self._max_waiting:
            self._dropped += 1
            DROPPED.of().add()
            return
        self._waiting.append((uuid7(), told))
        self._has_some.set()

    async def _close_window(self) -> None:
        await self._clock.sleep(WINDOW_S)
        self._window = None
        self._add_tallies()

    def _add_tallies(self) -> None:
        for tally in self._tallies.take():
            self._add(tally)

    async def start(self) -> None:
        self._is_stopping = False
        self._sending = asyncio.create_task(self._send_on(), name=self.name)

    async def stop(self) -> None:
        """Tells what waits, for at most `DRAIN_S`."""
        sending, self._sending = self._sending, None
        if sending is None:
            return
        window, self._window = self._window, None
        if window is not None:
            window.cancel()
            await asyncio.wait({window})
        self._add_tallies()
        self._is_stopping = True
        self._has_some.set()
        _, late = await asyncio.wait({sending}, timeout=DRAIN_S)
        for task in late:
            task.cancel()
            await asyncio.wait({task})
        if self._waiting:
            logger.bind(unit=self.name, lost=len(self._waiting)).warning("audit entries of requests were lost")

    async def _send_on(self) -> None:
        while True:
            await self._has_some.wait()
            self._has_some.clear()
            while self._waiting:
                batch = [self._waiting[n] for n in range(min(AT_ONCE, len(self._waiting)))]
                told = await asyncio.gather(*(self._tell(*each) for each in batch))
                for _ in batch:
                    self._waiting.popleft()
                again = [each for each, was_told in zip(batch, told, strict=True) if not was_told]
                self._waiting.extendleft(reversed(again))
                if again:
                    await self._clock.sleep(AGAIN_S)
            self._tell_dropped()
            if self._is_stopping:
                return

    async def _tell(self, event_id: str, told: Access | Tally) -> bool:
        request = told.request if isinstance(told, Tally) else told
        call = CallContext(request_id=request.request_id, actor=request.actor)
        try:
            with use_call(call):
                entry = entry_of_tally(told) if isinstance(told, Tally) else entry_of(told)
                await self._events.publish(AUDITED, entry, event_id=event_id)
        except StreamgateError as fault:
            if fault.retryable:
                return False
            self._lost(request, fault.code)
        except Exception as fault:  # one entry that nobody can carry must not end all telling
            self._lost(request, repr(fault))
        return True

    def _lost(self, request: Access, error: str) -> None:
        DROPPED.of().add()
        logger.bind(unit=self.name, error=error, request_id=request.request_id).error("audit entry cannot be told")

    def _tell_dropped(self) -> None:
        dropped, self._dropped = self._dropped, 0
        if dropped:
            logger.bind(unit=self.name, dropped=dropped).warning("audit entries of requests were dropped")


def entry_of(request: Access) -> AuditEntry:
    """The entry of a request that has ended and reached a route."""
    assert request.route is not None
    return AuditEntry(
        subject_id=shown_path(request.path)[:PATH_CHARS],
        at_ms=int(request.at_s * 1000),
        act="http",
        outcome=_outcome(request.status),
        who=request.actor.user_id,
        who_kind=request.actor.kind,
        address=request.actor.address,
        client=request.client,
        request_id=request.request_id,
        code=request.code,
        detail={"method": request.method, "route": request.route.path, "status": str(request.status)},
    )


def entry_of_tally(tally: Tally) -> AuditEntry:
    """The first one's entry; of several with their count, since when, and what they have in common."""
    first, entry = tally.request, entry_of(tally.request)
    if tally.count == 1:
        return entry
    common = {name: text for name, text in entry.detail.items() if tally.client or name != "status"}
    return attrs.evolve(
        entry,
        subject_id=entry.subject_id if tally.is_one_path or first.route is None else first.route.path,
        at_ms=int(tally.last_at_s * 1000),
        client=tally.client,
        code=entry.code if tally.client else "",
        detail={**common, "count": str(tally.count), "since": rfc3339(int(first.at_s * 1000))},
    )


def _outcome(status: int) -> AuditOutcome:
    if status < 400:
        return "done"
    return "refused" if status < 500 else "failed"
