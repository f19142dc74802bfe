"""The roads a service call can take: direct, through its wire form, over the bus.

On all of them alike: the callee sees the caller's identity and request id, and a deadline that is the nearer
of the method's own and the caller's; a `StreamgateError` arrives as its own class; any other exception is
logged where it happened and arrives as `Internal`, without its text.
"""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Awaitable, Callable
from typing import Any

import attrs
from loguru import logger

from streamgate.bus.base import Bus
from streamgate.context import CallContext, current_call, enter_call, leave_call
from streamgate.envelope import Envelope
from streamgate.errors import BadRequest, DeadlineExceeded, Internal, StreamgateError, Unavailable, error_from_wire
from streamgate.telemetry.measures import Counts, Timings
from streamgate.telemetry.tracing import Ended, is_traced, spanned
from streamgate.wire import from_plain, to_plain

RETRY_PAUSE_S = 0.1

CALLS = Timings(
    "streamgate_service_call_duration_seconds",
    "Service calls; road: local, served (for another process) or remote (in another process).",
    ("method", "road"),
)
FAILED_CALLS = Counts(
    "streamgate_service_call_errors_total", "Service calls that ended with an error.", ("method", "road", "code")
)

Call = Callable[..., Awaitable[Any]]


@attrs.frozen(kw_only=True)
class MethodInfo:
    """One method of a contract. `what` names it for people: `auth.decide`."""

    what: str
    name: str
    request: Any | None  # attrs class, or None for a method without argument
    answer: Any | None
    timeout_s: float
    is_idempotent: bool


def _measured(what: str, road: str) -> Ended:
    observe = CALLS.of(what, road).observe

    def ended(duration_s: float, fault: BaseException | None) -> None:
        observe(duration_s)
        if isinstance(fault, StreamgateError):
            FAILED_CALLS.of(what, road, fault.code).add()

    return ended


def direct_road(info: MethodInfo, function: Call) -> Call:
    """A plain call, under a deadline."""

    ended = _measured(info.what, "local")

    async def call(*request: Any) -> Any:
        context = _with_deadline(info, current_call())
        if is_traced(context.traceparent):
            return await spanned(
                info.what, "internal", context, lambda step: _bounded(info, step, function, request), ended=ended
            )
        began_s, fault = time.perf_counter(), None
        try:
            return await _bounded(info, context, function, request)
        except StreamgateError as error:
            fault = error
            raise
        finally:
            ended(time.perf_counter() - began_s, fault)

    return call


def wired_road(info: MethodInfo, function: Call, source: str) -> Call:
    """A local call in the form a remote one has (for tests: contracts that cannot travel are found)."""
    respond = responder(info, function)

    async def call(*request: Any) -> Any:
        context = _with_deadline(info, current_call())
        return _unwrap(info, await respond(_question(request, context, source)))

    return call


def remote_road(info: MethodInfo, bus: Bus, subject: str, source: str) -> Call:
    """A request over the bus; an idempotent one is asked a second time when the first is lost."""

    async def ask(request: tuple[Any, ...], context: CallContext) -> bytes:
        try:
            return await bus.request(subject, _question(request, context, source), timeout_s=_remaining_s(context))
        except (DeadlineExceeded, Unavailable) as fault:
            raise type(fault)(f"{info.what}: {fault.detail}", retry_after_s=fault.retry_after_s) from fault

    async def ask_and_read(request: tuple[Any, ...], context: CallContext) -> Any:
        if info.is_idempotent:
            payload = await _ask_twice(lambda: ask(request, context), context)
        else:
            payload = await ask(request, context)
        return _unwrap(info, payload)

    ended = _measured(info.what, "remote")

    async def call(*request: Any) -> Any:
        context = _with_deadline(info, current_call())
        return await spanned(info.what, "client", context, lambda step: ask_and_read(request, step), ended=ended)

    return call


async def _ask_twice(ask: Callable[[], Awaitable[bytes]], context: CallContext) -> bytes:
    """The first answer of up to two questions.

    The second goes out when the first has failed, or is silent at half time (its replica may be dead); the
    first still counts when it comes after all, so that a slow method has its whole time.
    """
    asked = {asyncio.ensure_future(ask())}
    pending = asked
    try:
        done, pending = await asyncio.wait(pending, timeout=_remaining_s(context) / 2)
        for first in done:
            if not isinstance(first.exception(), Unavailable) or _remaining_s(context) <= RETRY_PAUSE_S:
                return first.result()
            await asyncio.sleep(RETRY_PAUSE_S)
        pending = {*pending, asyncio.ensure_future(ask())}
        while True:
            done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
            # sorted: an answer before a fault; looking at both, so that asyncio misses none
            best = sorted(done, key=lambda answer: answer.exception() is not None)[0]
            if not pending or not isinstance(best.exception(), Unavailable):
                return best.result()
    finally:
        for question in pending:
            question.cancel()


def responder(info: MethodInfo, function: Call) -> Callable[[bytes], Awaitable[bytes]]:
    """Answers questions in wire form; never raises."""

    ended = _measured(info.what, "served")

    async def respond(payload: bytes) -> bytes:
        try:
            question = Envelope.from_bytes(payload)
        except Exception as fault:  # cattrs and orjson raise many kinds
            logger.bind(method=info.what, error=repr(fault)).warning("question without an envelope")
            return _answer(Envelope(id=""), error=BadRequest(f"{info.what} was asked without an envelope"))
        try:
            return _answer(question, body=to_plain(await _serve(info, function, question, ended)))
        except StreamgateError as fault:
            return _answer(question, error=fault)
        except Exception:
            logger.bind(method=info.what, request_id=question.request_id).exception("service answer failed")
            return _answer(question, error=Internal())

    return respond


async def _serve(info: MethodInfo, function: Call, question: Envelope, ended: Ended) -> Any:
    context = CallContext(
        request_id=question.request_id,
        actor=question.actor,
        deadline_s=time.monotonic() + question.deadline_ms / 1000 if question.deadline_ms else None,
        traceparent=question.traceparent,
    )
    request = () if info.request is None else (from_plain(info.request, question.body),)
    about = {"streamgate.caller": question.source}
    return await spanned(
        info.what, "server", context, lambda step: _bounded(info, step, function, request), about, ended
    )


def _answer(question: Envelope, *, body: Any = None, error: StreamgateError | None = None) -> bytes:
    wire = None if error is None else error.to_wire()
    return Envelope(id=question.id, request_id=question.request_id, body=body, error=wire).to_bytes()


async def _bounded(info: MethodInfo, context: CallContext, function: Call, request: tuple[Any, ...]) -> Any:
    """Runs the method as part of that call, until its deadline; what it raises leaves as a StreamgateError.

    By hand what `use_call` and `asyncio.timeout` do: they would be two thirds of a local call's cost.
    """
    task = asyncio.current_task()
    assert task is not None
    cancellations = task.cancelling()
    has_expired = False

    def expire() -> None:
        nonlocal has_expired
        has_expired = True
        task.cancel()

    remaining_s = context.remaining_s()
    timer = None if remaining_s is None else asyncio.get_running_loop().call_later(remaining_s, expire)
    token = enter_call(context)
    try:
        return await function(*request)
    except asyncio.CancelledError as fault:
        if has_expired and task.cancelling() - 1 <= cancellations:  # nobody else has cancelled us as well
            raise DeadlineExceeded(f"{info.what} did not answer in time") from fault
        raise
    except StreamgateError:
        raise
    except Exception as fault:
        logger.bind(method=info.what, request_id=context.request_id).exception("service call failed")
        raise Internal() from fault
    finally:
        leave_call(token)
        if timer is not None:
            timer.cancel()
        if has_expired:
            task.uncancel()


def _with_deadline(info: MethodInfo, caller: CallContext) -> CallContext:
    now_s = time.monotonic()
    deadline_s = now_s + info.timeout_s
    if caller.deadline_s is not None and caller.deadline_s < deadline_s:
        if caller.deadline_s <= now_s:
            raise DeadlineExceeded(f"no time was left to ask {info.what}")
        return caller
    return CallContext(
        request_id=caller.request_id, actor=caller.actor, deadline_s=deadline_s, traceparent=caller.traceparent
    )


def _remaining_s(context: CallContext) -> float:
    return max(0.0, context.remaining_s() or 0.0)


def _question(request: tuple[Any, ...], context: CallContext, source: str) -> bytes:
    body = to_plain(request[0]) if request else None
    return Envelope.around(body, context, id=uuid.uuid4().hex, source=source).to_bytes()


def _unwrap(info: MethodInfo, payload: bytes) -> Any:
    answer = Envelope.from_bytes(payload)
    if answer.error is not None:
        raise error_from_wire(answer.error)
    return None if info.answer is None else from_plain(info.answer, answer.body)
