"""Traces: which calls are followed, and one finished span for each step of those that are.

The carrier is `CallContext.traceparent` (W3C), which travels with every call, event and job. A trace id is made at
the door for every request, so that all its log lines carry it; spans exist only for the sampled ones, and only where
a recorder is set (`telemetry.otlp_url`). What is not sampled pays for looking at three characters. OpenTelemetry is
not imported here: `export.py` does, in processes that export.
"""

from __future__ import annotations

import hmac
import random
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Literal, Protocol, TypeVar

import attrs

from streamgate.context import CallContext
from streamgate.errors import StreamgateError

SpanKind = Literal["internal", "server", "client", "producer", "consumer"]
Attributes = Mapping[str, str | int | float | bool]
Ended = Callable[[float, BaseException | None], None]
"""Hears how long something took, in seconds, and what it raised."""
T = TypeVar("T")

SAMPLED = "-01"
_NEVER = "-00"
_NEITHER_IS_ZERO = 1 << 64 | 1  # of a trace's number and its first step's, side by side
_ids = random.Random()  # noqa: S311 (ids that are unlikely to meet, not secrets)


@attrs.frozen(kw_only=True)
class FinishedSpan:
    """One step, done. `traceparent` is its own; `parent` that of the step it belongs to, "" at the root. Times are
    Unix nanoseconds. `error`: what went wrong, in words."""

    name: str
    kind: SpanKind
    traceparent: str
    parent: str
    start_ns: int
    end_ns: int
    attributes: Attributes = attrs.field(factory=dict)
    error: str = ""


class Recorder(Protocol):
    """Takes finished spans, from any thread; quick, and never raises."""

    def record(self, span: FinishedSpan) -> None: ...


def is_loopback(address: str) -> bool:
    return address.startswith("127.") or address in ("::1", "::ffff:127.0.0.1")


class Tracing:
    """The one decision of a process: who records, how many roots, and whose word on sampling counts."""

    def __init__(self) -> None:
        self.recorder: Recorder | None = None
        self.sample_ratio = 0.0
        self.trusts: Callable[[str], bool] = is_loopback
        self.hop = b""  # what our own gateway says with what it forwards, so that its word counts from anywhere

    def believes(self, peer: str, hop: bytes | None) -> bool:
        """Whether a traceparent counts, by the address of the connection and what it says as a hop of ours."""
        return self.trusts(peer) or (hop is not None and self.hop != b"" and hmac.compare_digest(hop, self.hop))

    def root(self, sent: str, *, is_believed: bool) -> str:
        """The traceparent of a request: the sent one where it counts, else a new trace."""
        if sent and is_believed:
            return sent[:52] + (SAMPLED if int(sent[53:55], 16) & 1 else _NEVER)
        both = _ids.getrandbits(192) | _NEITHER_IS_ZERO
        digits = f"{both:048x}"
        # As OpenTelemetry's ratio sampler: by the low 64 bits, so that every process would decide alike.
        is_sampled = self.recorder is not None and both >> 64 & 0xFFFF_FFFF_FFFF_FFFF < self.sample_ratio * 2**64
        return f"00-{digits[:32]}-{digits[32:]}{SAMPLED if is_sampled else _NEVER}"


TRACING = Tracing()


def is_traced(traceparent: str) -> bool:
    """Whether steps of this call are recorded here."""
    return traceparent[-3:] == SAMPLED and TRACING.recorder is not None


def trace_id_of(traceparent: str) -> str:
    """32 hexadecimal digits, or "" where there is no trace."""
    return traceparent[3:35]


def child_of(traceparent: str) -> str:
    """A new step of the same trace."""
    return f"{traceparent[:36]}{_span_id()}{traceparent[52:]}"


def _span_id() -> str:
    return f"{_ids.getrandbits(64) | 1:016x}"


def note_span(
    name: str,
    kind: SpanKind,
    parent: str,
    *,
    start_ns: int,
    end_ns: int = 0,
    attributes: Attributes | None = None,
    traceparent: str = "",
    is_root: bool = False,
    error: BaseException | str | None = None,
) -> str:
    """Records a step that is over, where the call is traced; returns its traceparent (else the parent's).

    Args:
        end_ns: now, where it is 0.
        traceparent: its own, where others know it already.
        is_root: nothing is above it.
        error: an exception is told by its stable code or its class, never by its text.
    """
    recorder = TRACING.recorder
    if recorder is None or parent[-3:] != SAMPLED:
        return parent
    own = traceparent or child_of(parent)
    recorder.record(
        FinishedSpan(
            name=name,
            kind=kind,
            traceparent=own,
            parent="" if is_root else parent,
            start_ns=start_ns,
            end_ns=end_ns or time.time_ns(),
            attributes=attributes or {},
            error=_in_short(error),
        )
    )
    return own


def _in_short(error: BaseException | str | None) -> str:
    if isinstance(error, BaseException):
        return error.code if isinstance(error, StreamgateError) else type(error).__name__
    return error or ""


async def spanned(
    name: str,
    kind: SpanKind,
    call: CallContext,
    run: Callable[[CallContext], Awaitable[T]],
    attributes: Attributes | None = None,
    ended: Ended | None = None,
) -> T:
    """Runs a part of the call as a step of its trace: `run` gets the call with the step as parent of what follows.
    Without a trace it is `run(call)`. `ended` is told in either case."""
    parent = own = call.traceparent
    if is_traced(parent):
        own = child_of(parent)
        call = attrs.evolve(call, traceparent=own)
    start_ns, began_s, fault = time.time_ns(), time.perf_counter(), None
    try:
        return await run(call)
    except BaseException as error:
        fault = error
        raise
    finally:
        if ended is not None:
            ended(time.perf_counter() - began_s, fault)
        if own is not parent:
            note_span(name, kind, parent, start_ns=start_ns, attributes=attributes, traceparent=own, error=fault)
