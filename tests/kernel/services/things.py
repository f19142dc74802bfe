"""A contract with everything a contract may have, and a service that keeps it."""

from __future__ import annotations

import asyncio
from typing import Protocol

import attrs

from streamgate.context import current_call
from streamgate.errors import (
    Conflict,
    Forbidden,
    StreamgateError,
)
from streamgate.services import ServiceRef, method


class TestRefused(Forbidden):
    __test__ = False
    code, title = "services_test.refused", "Refused by the test"


class UnknownHere(Conflict):
    """Known to the service, not to the caller: taken out of the registry below."""

    code, title, retryable = "services_test.unknown_here", "Only known over there", True


del StreamgateError._by_code[UnknownHere.code]


@attrs.frozen(kw_only=True)
class Part:
    n: int
    tags: tuple[str, ...] = ()


@attrs.frozen(kw_only=True)
class Question:
    text: str
    part: Part | None = None
    parts: tuple[Part, ...] = ()
    amount: str = "0"


@attrs.frozen(kw_only=True)
class Seen:
    """What the service saw of its caller."""

    request_id: str
    user_id: str
    roles: tuple[str, ...]
    remaining_s: float | None
    traceparent: str


class Base(Protocol):
    async def inherited(self) -> str: ...


class Things(Base, Protocol):
    async def echo(self, question: Question) -> Question: ...

    async def nothing(self) -> None: ...

    async def maybe(self, question: Question) -> Part | None: ...

    async def seen(self) -> Seen: ...

    async def fail(self, question: Question) -> None: ...

    @method(timeout_s=0.1)
    async def slow(self, question: Question) -> str: ...

    @method(timeout_s=1.0, idempotent=True)
    async def again(self, question: Question) -> str: ...


THINGS = ServiceRef("things", Things)


class Implementation:
    """Faults come from `faults`, one a call; `waits_s` likewise for `again`."""

    def __init__(self) -> None:
        self.faults: list[Exception] = []
        self.waits_s: list[float] = []
        self.calls = 0
        self.finished = asyncio.Event()

    async def inherited(self) -> str:
        return "inherited"

    async def echo(self, question: Question) -> Question:
        return question

    async def nothing(self) -> None:
        return None

    async def maybe(self, question: Question) -> Part | None:
        return question.part

    async def seen(self) -> Seen:
        call = current_call()
        return Seen(
            request_id=call.request_id,
            user_id=call.actor.user_id,
            roles=call.actor.roles,
            remaining_s=call.remaining_s(),
            traceparent=call.traceparent,
        )

    async def fail(self, question: Question) -> None:
        raise self.faults.pop(0)

    async def slow(self, question: Question) -> str:
        try:
            await asyncio.sleep(30)
        finally:
            self.finished.set()
        return "too late"

    async def again(self, question: Question) -> str:
        self.calls += 1
        mine = self.calls
        if self.waits_s:
            await asyncio.sleep(self.waits_s.pop(0))
        if self.faults:
            raise self.faults.pop(0)
        return f"answer {mine}"


class Caught:
    """The lines logged at error level while the fixture lives."""

    def __init__(self) -> None:
        self.lines: list[str] = []


ROADS = ["direct", "wired", "memory", "nats"]


Q = Question(text="ü", part=Part(n=1, tags=("a", "b")), parts=(Part(n=2), Part(n=3)), amount=str(2**256 - 1))
