"""One leased job from lease to outcome: the handler, the heartbeat beside it, and what is told to worker."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any, Literal

from loguru import logger

from streamgate.context import Actor, CallContext, new_request_id, use_call
from streamgate.contracts.hooks import JobKind
from streamgate.contracts.jobs import (
    HEARTBEAT_S,
    Checkpoint,
    Complete,
    Fail,
    Heartbeat,
    Jobs,
    Lease,
    LeaseLost,
    PayloadInvalid,
    Release,
)
from streamgate.errors import StreamgateError, Unavailable
from streamgate.sdk.clock import Clock
from streamgate.telemetry.measures import LONG_BOUNDS_S, Timings
from streamgate.telemetry.tracing import Attributes, child_of, is_traced, note_span
from streamgate.wire import from_plain, to_plain

RETRY_S = 1.0
BEATS_PER_LEASE = 3
"""At least: two may be lost on their way."""
CANCEL_S = 5.0
"""How long a cancelled handler has to clean up before it is left behind."""

StopReason = Literal["cancelled", "lost", "released"]
Outcome = Literal["done", "failed", "cancelled", "lost", "released"]

RUNS = Timings(
    "streamgate_job_run_duration_seconds",
    "Runs of leased jobs; outcome: done, failed, cancelled, lost (the lease), released (given back).",
    ("kind", "outcome"),
    LONG_BOUNDS_S,
)


class LeasedRun:
    """What a handler sees (`contracts.hooks.JobRun`), and the loop around it.

    The lease is taken as lost when worker says so, or when no heartbeat has been answered for as long as the
    lease lasts. From then on the handler is cancelled and nothing more is told: somebody else has the job.
    """

    def __init__(self, jobs: Jobs, kind: JobKind, lease: Lease, clock: Clock, *, traceparent: str = "") -> None:
        self.job_id = lease.job_id
        self.lease_id = lease.lease_id
        self.attempt = lease.attempt
        self.owner = lease.owner
        self.subject_id = lease.subject_id
        self.blob_prefix = lease.blob_prefix
        self._jobs = jobs
        self._kind = kind
        self._lease = lease
        self._clock = clock
        self._progress = 0.0
        self._stage = ""
        self._heard_s = clock.monotonic_s()
        self._traceparent = traceparent
        self._outcome: Outcome = "lost"
        self._error = ""
        self._stop = asyncio.Event()
        self._stop_reason: StopReason = "released"
        self._log = logger.bind(job_id=lease.job_id, kind=lease.kind, attempt=lease.attempt)

    # --- for the handler ----------------------------------------------------------------------------

    def report(self, progress: float, stage: str = "") -> None:
        self._progress = min(1.0, max(0.0, progress))
        self._stage = stage

    async def checkpoint(self, result: Any, progress: float) -> None:
        self.report(progress, self._stage)
        kept = Checkpoint(lease_id=self.lease_id, job_id=self.job_id, result=to_plain(result), progress=self._progress)
        await self._told(lambda: self._jobs.checkpoint(kept))

    # --- for the runner -----------------------------------------------------------------------------

    @property
    def kind_name(self) -> str:
        return self._kind.name

    def stop(self, reason: StopReason) -> None:
        """Ends the work now: `released` gives the job back."""
        if not self._stop.is_set():
            self._stop_reason = reason
            self._stop.set()

    async def run(self) -> None:
        """Returns when the job has an outcome or is somebody else's. Never raises for the handler's faults."""
        parent, began_ns = self._traceparent, time.time_ns()
        own = child_of(parent) if is_traced(parent) else parent
        context = CallContext(request_id=new_request_id(), actor=Actor(kind="service"), traceparent=own)
        try:
            await self._run(context)
        finally:
            RUNS.of(self.kind_name, self._outcome).observe((time.time_ns() - began_ns) / 1e9)
            about: Attributes = {
                "streamgate.job.id": self.job_id,
                "streamgate.job.attempt": self.attempt,
                "streamgate.job.outcome": self._outcome,
            }
            if own != parent:
                note_span(
                    f"run {self.kind_name}",
                    "consumer",
                    parent,
                    start_ns=began_ns,
                    attributes=about,
                    traceparent=own,
                    error=self._error,
                )

    async def _run(self, context: CallContext) -> None:
        with use_call(context):
            working = asyncio.create_task(self._work(), name=f"job {self.job_id}")
            beating = asyncio.create_task(self._beat())
            try:
                await asyncio.wait({working, beating}, return_when=asyncio.FIRST_COMPLETED)
                if not working.done():
                    await self._abandon(working, beating.result())
                elif (fault := working.exception()) is not None:
                    self._log.opt(exception=fault).error("worker did not take the outcome; the lease runs out")
            finally:
                for task in (working, beating):
                    task.cancel()
                await asyncio.wait({working, beating}, timeout=CANCEL_S)

    async def _work(self) -> None:
        """The handler, then its outcome to worker; the heartbeat goes on until worker has answered."""
        try:
            payload = _read_payload(self._kind, self._lease)
            result = to_plain(await self._kind.handler(payload, self))
            done = Complete(lease_id=self.lease_id, job_id=self.job_id, result=result or {})
            if await self._told(lambda: self._jobs.complete(done), last_word=True):
                self._outcome = "done"
        except LeaseLost:
            return
        except StreamgateError as fault:
            self._log.bind(code=fault.code, retryable=fault.retryable, detail=fault.detail).warning("job failed")
            await self._fail(fault.code, fault.detail, retryable=fault.retryable)
        except Exception as fault:
            self._log.opt(exception=fault).error("job failed")
            await self._fail("internal", f"the handler failed with {type(fault).__name__}", retryable=True)

    async def _fail(self, code: str, detail: str, *, retryable: bool) -> None:
        failed = Fail(lease_id=self.lease_id, job_id=self.job_id, code=code, detail=detail[:1000], retryable=retryable)
        self._error = code
        if await self._told(lambda: self._jobs.fail(failed), last_word=True):
            self._outcome = "failed"

    async def _beat(self) -> StopReason:
        """Tells worker that we live, until the work must stop; then why."""
        every_s = min(HEARTBEAT_S, self._lease.lease_s / BEATS_PER_LEASE)
        while True:
            if await self._pause(every_s):
                return self._stop_reason
            beat = Heartbeat(
                lease_id=self.lease_id, job_id=self.job_id, progress=self._progress, stage=self._stage[:200]
            )
            try:
                answer = await self._jobs.heartbeat(beat)
            except LeaseLost:
                return "lost"
            except StreamgateError as fault:
                if self._silence_s() >= self._lease.lease_s:
                    return "lost"
                self._log.bind(code=fault.code).warning("heartbeat was not heard")
            else:
                self._heard_s = self._clock.monotonic_s()
                if answer.cancelled:
                    return "cancelled"

    async def _pause(self, duration_s: float) -> bool:
        """True when the work must end."""
        waits = {asyncio.create_task(self._clock.sleep(duration_s)), asyncio.create_task(self._stop.wait())}
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
        return self._stop.is_set()

    async def _abandon(self, working: asyncio.Task[None], reason: StopReason) -> None:
        self._log.bind(reason=reason).info("job stops")
        self._outcome = reason
        working.cancel()
        _, late = await asyncio.wait({working}, timeout=CANCEL_S)
        if late:
            self._log.error("handler does not stop when it is cancelled; left behind")
        if reason == "released" and (late or working.cancelled()):
            given = Release(lease_id=self.lease_id, job_id=self.job_id)
            try:
                await self._jobs.release(given)
            except StreamgateError as fault:
                self._log.bind(code=fault.code).info("lease was not given back; it runs out")

    async def _told(self, tell: Callable[[], Awaitable[None]], *, last_word: bool = False) -> bool:
        """Says it until worker has heard it or the lease has run out; whether it was heard.

        Raises:
            LeaseLost: unless it was the last word, which nobody waits for any more.
        """
        while True:
            try:
                await tell()
            except LeaseLost:
                self._log.info("lease was lost; the outcome does not count")
                if last_word:
                    return False
                raise
            except Unavailable as fault:
                if self._silence_s() >= self._lease.lease_s:
                    self._log.bind(code=fault.code).warning("worker was not to be reached; the lease has run out")
                    if last_word:
                        return False
                    raise LeaseLost("worker was not to be reached for as long as the lease lasted") from fault
                await self._clock.sleep(RETRY_S)
            else:
                self._heard_s = self._clock.monotonic_s()
                return True

    def _silence_s(self) -> float:
        return self._clock.monotonic_s() - self._heard_s


def _read_payload(kind: JobKind, lease: Lease) -> Any:
    try:
        return from_plain(kind.payload, lease.payload)
    except Exception as fault:  # cattrs raises many kinds
        raise PayloadInvalid(f"the payload does not fit {kind.name}: {fault}") from fault
