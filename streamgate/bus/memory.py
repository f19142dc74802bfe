"""The bus inside one process. It keeps the rules of the real one: bytes only, bounded, retried, drained."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections import Counter, OrderedDict
from collections.abc import Awaitable, Callable
from typing import Any

import attrs
from loguru import logger

from streamgate.bus.base import (
    MAX_PAYLOAD_BYTES,
    BusUnavailable,
    DeadLetter,
    Handler,
    Reject,
    Responder,
    Resync,
    RetryPolicy,
    StillDead,
    Subscription,
    check_event,
    check_pattern,
    check_size,
    check_subject,
    is_retryable,
    matches,
)
from streamgate.bus.lanes import REMEMBERED_IDS, EveryoneLane, WorkerPool, spawn_apart
from streamgate.errors import DeadlineExceeded, Internal, Unavailable

DEAD_LETTERS = 1_000


class _Left(Exception):
    """The member stopped before the message's turn came, or cancelled its handler."""


@attrs.define(eq=False)
class _Share:
    """A subscription. `others` holds it with those of its kind for as long as it takes messages."""

    others: list[Any]
    work: WorkerPool | EveryoneLane

    async def stop(self) -> None:
        if self in self.others:
            self.others.remove(self)
        await self.work.drain()


@attrs.define(eq=False)
class _Server(_Share):
    work: WorkerPool
    subject: str
    responder: Responder


@attrs.define(eq=False)
class _Listener(_Share):
    work: EveryoneLane


@attrs.define(eq=False)
class _Member(_Share):
    work: WorkerPool
    handler: Handler

    async def handle(self, payload: bytes) -> None:
        """One try, when a place is free; raises what the handler raises, or _Left."""

        async def begin() -> None:
            if self not in self.others:
                raise _Left
            await self.handler(payload)

        task = self.work.spawn(begin)
        await asyncio.wait({task})
        if task.cancelled():
            raise _Left
        task.result()


class MemoryBus:
    """Everything in one event loop; nothing survives it (the outbox does).

    Args:
        retry: tries and pauses of group handlers.
        sleep: waits that many seconds between tries; tests pass one that does not.
        is_local: False when several service registries of one process share the bus, so that each serves the
            others as if they were remote.
    """

    def __init__(
        self,
        *,
        retry: RetryPolicy | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        is_local: bool = True,
    ) -> None:
        self.is_local = is_local
        self.max_payload_bytes = MAX_PAYLOAD_BYTES
        self._retry = retry or RetryPolicy()
        self._sleep = sleep
        self._groups: dict[tuple[str, str], list[_Member]] = {}
        self._listeners: list[_Listener] = []
        self._servers: list[_Server] = []
        self._accepted: OrderedDict[str, asyncio.Task[None]] = OrderedDict()
        self._dead: OrderedDict[str, DeadLetter] = OrderedDict()
        self._turn = itertools.count()
        self._stopping = asyncio.Event()
        self._is_running = False

    async def start(self) -> None:
        self._stopping.clear()
        self._is_running = True

    async def stop(self) -> None:
        self._is_running = False
        self._stopping.set()  # ends the pauses between tries; their publishers keep their rows
        members = [member for group in self._groups.values() for member in group]
        everything: list[Subscription] = [*members, *self._listeners, *self._servers]
        await asyncio.gather(*(subscription.stop() for subscription in everything))
        if unfinished := [task for task in self._accepted.values() if not task.done()]:
            await asyncio.wait(unfinished)
        self._accepted.clear()

    async def ping(self) -> None:
        self._check_running()

    def _check_running(self) -> None:
        if not self._is_running:
            raise BusUnavailable("the bus is not running")

    # --- messages -----------------------------------------------------------------------------------

    async def publish(self, subject: str, payload: bytes, *, message_id: str) -> None:
        check_event(subject, message_id=message_id)
        check_size(subject, payload, self.max_payload_bytes)
        self._check_running()
        delivery = self._accepted.get(message_id)
        if delivery is None:
            delivery = self._accepted[message_id] = spawn_apart(self._deliver(subject, payload, message_id))
            delivery.add_done_callback(lambda task: self._settle(message_id, task))
            self._tell(subject, payload, message_id)
        # Whoever waits may give up; the message has been accepted and goes on.
        await asyncio.shield(delivery)

    def _settle(self, message_id: str, delivery: asyncio.Task[None]) -> None:
        if delivery.cancelled() or delivery.exception() is not None:
            self._accepted.pop(message_id, None)
        while len(self._accepted) > REMEMBERED_IDS and next(iter(self._accepted.values())).done():
            self._accepted.popitem(last=False)

    async def _deliver(self, subject: str, payload: bytes, message_id: str) -> None:
        groups = [key for key, members in self._groups.items() if key[0] == subject and members]
        outcomes = await asyncio.gather(
            *(self._deliver_to(key, payload, message_id) for key in groups), return_exceptions=True
        )
        for outcome in outcomes:
            if outcome is not None:
                raise outcome

    async def _deliver_to(self, key: tuple[str, str], payload: bytes, message_id: str) -> None:
        subject, group = key
        log = logger.bind(subject=subject, group=group, message_id=message_id)
        faults = 0
        for tries in itertools.count(1):
            members = self._groups[key]
            if not members or self._stopping.is_set():
                raise BusUnavailable(f"group {group} left before it had handled {subject}")
            try:
                await members[next(self._turn) % len(members)].handle(payload)
                return
            except _Left:
                continue  # to another member, or out by the check above
            except Reject as fault:
                reason = str(fault)
                log.bind(reason=reason).error("message rejected; dead letter")
            except Exception as fault:
                reason = repr(fault)
                faults += not is_retryable(fault)
                if faults < self._retry.max_deliveries:
                    log.bind(tries=tries, error=repr(fault)).warning("handler failed; trying again")
                    await self._pause(self._retry.pause_after_s(tries))
                    continue
                log.opt(exception=fault).error("handler failed for the last time; dead letter")
            letter = DeadLetter(
                id=str(next(self._turn)),
                group=group,
                subject=subject,
                message_id=message_id,
                reason=reason,
                deliveries=tries,
                at_ms=time.time_ns() // 1_000_000,
                payload=payload,
            )
            self._dead[letter.id] = letter
            if len(self._dead) > DEAD_LETTERS:
                self._dead.popitem(last=False)
            return

    async def _pause(self, pause_s: float) -> None:
        waits = {asyncio.ensure_future(self._sleep(pause_s)), asyncio.ensure_future(self._stopping.wait())}
        _, pending = await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        for wait in pending:
            wait.cancel()

    async def broadcast(self, subject: str, payload: bytes) -> None:
        check_subject(subject)
        check_size(subject, payload, self.max_payload_bytes)
        self._tell(subject, payload, "")

    def _tell(self, subject: str, payload: bytes, message_id: str) -> None:
        for listener in self._listeners:
            if matches(listener.work.subject, subject):
                listener.work.offer(payload, message_id)

    async def dead_letters(self) -> dict[str, int]:
        return dict(Counter(letter.group for letter in self._dead.values()))

    async def list_dead_letters(self, *, after: str = "", limit: int = 50) -> list[DeadLetter]:
        later = (letter for letter in self._dead.values() if int(letter.id) > int(after or -1))
        return list(itertools.islice(later, limit))

    async def replay_dead_letter(self, letter_id: str) -> bool:
        self._check_running()
        letter = self._dead.get(letter_id)
        if letter is None:
            return False
        members = self._groups.get((letter.subject, letter.group))
        if not members:
            raise BusUnavailable(f"nobody of {letter.group} is there")
        try:
            await members[next(self._turn) % len(members)].handle(letter.payload)
        except _Left:
            raise BusUnavailable(f"{letter.group} stopped before it had handled the message") from None
        except Exception as fault:
            raise StillDead(f"{letter.group}: {fault!r}") from fault
        self._dead.pop(letter_id, None)
        return True

    async def discard_dead_letter(self, letter_id: str) -> bool:
        return self._dead.pop(letter_id, None) is not None

    # --- subscriptions ------------------------------------------------------------------------------

    async def subscribe_group(
        self, subject: str, group: str, handler: Handler, *, concurrency: int = 8
    ) -> Subscription:
        check_event(subject, group=group)
        self._check_running()
        others = self._groups.setdefault((subject, group), [])
        others.append(_Member(others, WorkerPool(concurrency), handler))
        return others[-1]

    async def subscribe_everyone(self, subject: str, handler: Handler, *, resync: Resync) -> Subscription:
        check_pattern(subject)
        self._check_running()
        listener = _Listener(self._listeners, EveryoneLane(subject, handler, resync, self._retry))
        self._listeners.append(listener)
        listener.work.note_gap()
        await listener.work.tried_resync()
        return listener

    # --- questions ----------------------------------------------------------------------------------

    async def request(self, subject: str, payload: bytes, *, timeout_s: float) -> bytes:
        check_subject(subject)
        check_size(subject, payload, self.max_payload_bytes)
        servers = [server for server in self._servers if matches(server.subject, subject)]
        if not servers:
            raise Unavailable(f"nobody serves {subject}")
        server = servers[next(self._turn) % len(servers)]
        if server.work.is_full:
            raise Unavailable(f"{subject} has too many questions waiting")
        task = server.work.spawn(lambda: server.responder(payload))
        done, _ = await asyncio.wait({task}, timeout=timeout_s)
        if not done:
            task.add_done_callback(_forget)
            raise DeadlineExceeded(f"{subject} did not answer within {timeout_s:.1f} s")
        if task.cancelled():
            raise Unavailable(f"{subject} stopped before it had answered")
        if (fault := task.exception()) is not None:
            logger.bind(subject=subject).opt(exception=fault).error("responder failed")
            raise Internal()
        check_size(f"the answer of {subject}", task.result(), self.max_payload_bytes)
        return task.result()

    async def serve(self, subject: str, group: str, responder: Responder, *, concurrency: int = 64) -> Subscription:
        check_pattern(subject)
        self._check_running()
        self._servers.append(_Server(self._servers, WorkerPool(concurrency), subject, responder))
        return self._servers[-1]


def _forget(task: asyncio.Task[bytes]) -> None:
    """Nobody waits for this answer any more; looks at its fault so that asyncio does not complain."""
    if not task.cancelled() and (fault := task.exception()) is not None:
        logger.opt(exception=fault).error("responder failed")
