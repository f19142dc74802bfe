"""Who stands in for the other services: values of the contracts, decided by lists."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

from streamgate.context import Actor
from streamgate.contracts.auth import (
    AddressesQuery,
    DecideMany,
    DecideQuery,
    Decision,
    Decisions,
    LinkedWallets,
    WalletsAnswer,
    WalletsQuery,
)
from streamgate.contracts.gate import Explanation, Outcome
from streamgate.contracts.jobs import Bump, Cancel, Job, JobNotFound, JobQuery, JobState, NewJob, Task
from streamgate.contracts.media import MadeResult
from streamgate.contracts.metadata import AccessQuery, Content, ContentNotFound, Protection
from streamgate.contracts.transcode import CutQuery
from streamgate.testing.clock import FakeClock

CREATOR = Actor(kind="user", user_id="creator", roles=("creator",))
HOLDER = Actor(kind="user", user_id="holder", roles=("viewer",))


class Partial:
    """A stand-in for a service: what it does not define fails the test that calls it."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)

        async def never(*_: Any) -> Any:
            raise AssertionError(f"{type(self).__name__}.{name} was called")

        return never


class SteppedClock(FakeClock):
    """One whose wall can be set, as an operator or NTP does; what is measured goes on."""

    _stepped_s = 0.0

    def step(self, by_s: float) -> None:
        self._stepped_s += by_s

    def now_ms(self) -> int:
        return super().now_ms() + round(self._stepped_s * 1000)

    def now_s(self) -> float:
        return super().now_s() + self._stepped_s


class FakeAuth(Partial):
    """Decides by lists. `read_age_s`: how old the chain reading of each answer is. `preview_s`, `max_height_px`: what
    the policy says besides; `full` are those to whom every rendition is open."""

    def __init__(self, clock: FakeClock) -> None:
        self._clock = clock
        self.holders: set[str] = {CREATOR.user_id, HOLDER.user_id}
        self.public: set[str] = set()
        self.unknown = False
        self.grace_until_s = 0.0
        self.read_age_s = 0.0
        self.revision = 1
        self.preview_s = 0.0
        self.max_height_px: int | None = None
        self.full: set[str] = set()
        self.valid_until_s: float | None = None
        self.block_number: int | None = None
        self.tokens: dict[str, tuple[str, ...]] = {}  # by person
        self.fault: Exception | None = None
        self.calls: list[int] = []  # how many questions each call had
        self.asked: list[DecideQuery] = []
        self.may_answer = asyncio.Event()
        self.may_answer.set()

    async def decide(self, query: DecideQuery) -> Decision:
        return (await self.decide_many(DecideMany(queries=(query,)))).decisions[0]

    async def decide_many(self, query: DecideMany) -> Decisions:
        self.calls.append(len(query.queries))
        self.asked.extend(query.queries)
        read_at_s = self._clock.now_s() - self.read_age_s
        decisions = tuple(self._decide(each, read_at_s) for each in query.queries)
        await self.may_answer.wait()
        if self.fault is not None:
            raise self.fault
        return Decisions(decisions=decisions)

    def _decide(self, query: DecideQuery, read_at_s: float) -> Decision:
        is_public = query.content_id in self.public
        outcome: Outcome = "does_not_hold"
        if is_public or query.actor.user_id in self.holders:
            outcome = "holds"
        if self.unknown:
            outcome = "unknown"
        return Decision(
            outcome=outcome,
            is_public=is_public,
            explanation=Explanation(
                kind="erc721",
                outcome=outcome,
                text="holds a token",
                needed="1",
                held="0",
                chain="eip155:1",
                block_number=self.block_number,
                reason="cannot be read now" if outcome == "unknown" else "",
            ),
            read_at_s=read_at_s,
            grace_until_s=self.grace_until_s if outcome == "unknown" else 0.0,
            gate_revision=max(self.revision, query.min_revision),
            leaf_keys=("eip155:1/0xabc",),
            tokens=self.tokens.get(query.actor.user_id, ()) if outcome == "holds" else (),
            preview_s=self.preview_s if outcome == "does_not_hold" else 0.0,
            max_height_px=None if query.actor.user_id in self.full else self.max_height_px,
            valid_until_s=self.valid_until_s,
        )


class FakeAccounts(Partial):
    """`wallets` by person. `fault`: what every question meets. `after_answer`: once, what happens next."""

    def __init__(self) -> None:
        self.wallets: dict[str, tuple[str, ...]] = {}
        self.fault: Exception | None = None
        self.after_answer: Callable[[], None] | None = None

    async def wallets_of(self, query: WalletsQuery) -> WalletsAnswer:
        return self._answer(query.user_ids)

    async def who_has(self, query: AddressesQuery) -> WalletsAnswer:
        return self._answer([each for each, theirs in self.wallets.items() if set(theirs) & set(query.addresses)])

    def _answer(self, user_ids: Iterable[str]) -> WalletsAnswer:
        if self.fault is not None:
            raise self.fault
        people = [LinkedWallets(user_id=each, addresses=self.wallets.get(each, ())) for each in user_ids]
        after, self.after_answer = self.after_answer, None
        if after is not None:
            after()
        return WalletsAnswer(people=tuple(people))


class FakeMetadata(Partial):
    """Contents that are there; those in `private` only for the creator. `protection` by content; `revision` of all."""

    def __init__(self) -> None:
        self.contents: set[str] = set()
        self.private: set[str] = set()
        self.protection: dict[str, Protection] = {}
        self.revision = 1

    async def get(self, query: AccessQuery) -> Content:
        is_owner = query.actor.user_id == CREATOR.user_id or query.actor.is_moderator
        is_hidden = (query.content_id in self.private or query.want == "change") and not is_owner
        if query.content_id not in self.contents or is_hidden:
            raise ContentNotFound(f"no content {query.content_id}")
        return Content(
            content_id=query.content_id,
            owner=CREATOR.user_id,
            title="A film",
            protection=self.protection.get(query.content_id, "none"),
            revision=self.revision,
        )


class FakeTranscoder(Partial):
    """Cuts what it is asked for once it is `open`. `cut_now`: by whom; `fault`: what every question meets."""

    def __init__(self) -> None:
        self.fault: Exception | None = None
        self.asked: list[CutQuery] = []
        self.open = asyncio.Event()
        self.open.set()
        self.cut_now: Callable[[CutQuery], Awaitable[MadeResult]] | None = None

    async def cut(self, query: CutQuery) -> MadeResult:
        self.asked.append(query)
        await self.open.wait()
        if self.fault is not None:
            raise self.fault
        assert self.cut_now is not None
        return await self.cut_now(query)


class FakeJobs(Partial):
    """Remembers what was cancelled; `known` root jobs can be. `fault`: what every question meets."""

    def __init__(self) -> None:
        self.fault: Exception | None = None
        self.known: set[str] = set()
        self.cancelled: list[str] = []
        self.bumped: list[str] = []
        self.tasks: dict[str, tuple[Job, ...]] = {}  # by root

    async def cancel(self, wanted: Cancel) -> Job:
        if self.fault is not None:
            raise self.fault
        if wanted.job_id not in self.known:
            raise JobNotFound(f"no job {wanted.job_id}")
        self.cancelled.append(wanted.job_id)
        return job_of(wanted.job_id, wanted.job_id, "cancelled")

    async def bump(self, wanted: Bump) -> None:
        if self.fault is not None:
            raise self.fault
        self.bumped.append(wanted.job_id)

    async def task(self, query: JobQuery) -> Task:
        if self.fault is not None:
            raise self.fault
        if query.job_id not in self.tasks:
            raise JobNotFound(f"no job {query.job_id}")
        jobs = self.tasks[query.job_id]
        status: JobState = "cancelled" if query.job_id in self.cancelled else "running"
        return Task(root=jobs[0], jobs=jobs, status=status, progress=0.0)

    def queued(self, *jobs: NewJob, **states: JobState) -> None:
        """What the queue tells of a task, root first; `states` by kind without its prefix, else running."""
        root_id = jobs[0].job_id
        told = (job_of(job.job_id, root_id, states.get(job.kind.removeprefix("media."), "running")) for job in jobs)
        self.tasks[root_id] = tuple(told)


def job_of(job_id: str, root_id: str, status: JobState) -> Job:
    dull: dict[str, Any] = {"owner": "", "subject_id": "", "progress": 0.0, "stage": "", "attempts": 1}
    code = "media.corrupt" if status in ("failed", "dead") else ""
    return Job(
        job_id=job_id, root_id=root_id, kind="media.probe", status=status, max_attempts=3, error_code=code, **dull
    )
