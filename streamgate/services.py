"""Typed references to services: a local object or a remote one, by the same line of code.

    decision = await ctx.services.get(AUTH).decide(query)

A service is a Protocol whose methods take one frozen request (or nothing) and return one frozen answer
(or None). Where the implementation lives in this process the call is direct; otherwise it goes over the
bus. Deadline, caller identity and error classes are the same on both roads.
"""

from __future__ import annotations

import asyncio
import inspect
import time
import typing
import uuid
from collections.abc import Awaitable, Callable
from typing import Any, Generic, TypeVar, cast

import attrs
from loguru import logger

from streamgate.bus.base import Bus, Subscription
from streamgate.context import CallContext, current_call, use_call
from streamgate.envelope import Envelope
from streamgate.errors import DeadlineExceeded, Internal, StreamgateError, Unavailable, error_from_wire
from streamgate.wire import from_plain, to_plain

S = TypeVar("S")
F = TypeVar("F", bound=Callable[..., Any])

DEFAULT_TIMEOUT_S = 10.0
RETRY_PAUSE_S = 0.1


@attrs.frozen
class MethodInfo:
    name: str
    request: Any | None  # attrs class, or None for a method without argument
    answer: Any | None
    timeout_s: float
    is_idempotent: bool


def method(*, timeout_s: float = DEFAULT_TIMEOUT_S, idempotent: bool = False) -> Callable[[F], F]:
    """Marks a Protocol method. `idempotent`: asking twice is harmless, so a lost answer is asked again once."""

    def mark(function: F) -> F:
        function.__streamgate_method__ = (timeout_s, idempotent)  # type: ignore[attr-defined]
        return function

    return mark


class ServiceRef(Generic[S]):
    """Names a service and its contract: `AUTH = ServiceRef("auth", Auth)`."""

    def __init__(self, name: str, protocol: type[S], *, version: int = 1) -> None:
        self.name = name
        self.protocol = protocol
        self.version = version
        self._methods: dict[str, MethodInfo] | None = None

    def __repr__(self) -> str:
        return f"ServiceRef({self.name!r})"

    @property
    def methods(self) -> dict[str, MethodInfo]:
        if self._methods is None:
            self._methods = {
                name: _describe(name, function)
                for name, function in vars(self.protocol).items()
                if not name.startswith("_") and inspect.iscoroutinefunction(function)
            }
        return self._methods

    def subject(self, method_name: str) -> str:
        return f"svc.{self.name}.v{self.version}.{method_name}"


def _describe(name: str, function: Callable[..., Any]) -> MethodInfo:
    hints = typing.get_type_hints(function)
    answer = hints.pop("return", None)
    parameters = [p for p in inspect.signature(function).parameters if p != "self"]
    if len(parameters) > 1:
        raise TypeError(f"service method {name} takes {len(parameters)} arguments; one request object is the rule")
    timeout_s, is_idempotent = getattr(function, "__streamgate_method__", (DEFAULT_TIMEOUT_S, False))
    request = hints[parameters[0]] if parameters else None
    return MethodInfo(name, request, None if answer is type(None) else answer, timeout_s, is_idempotent)


@attrs.frozen
class Offer(Generic[S]):
    """A plugin's answer to `collect_services`: this object implements that contract."""

    ref: ServiceRef[S]
    implementation: S


class _Proxy:
    """Looks like the service; each method resolves to the local object or the bus at its first call."""

    def __init__(self, services: Services, ref: ServiceRef[Any]) -> None:
        self._services = services
        self._ref = ref

    def __getattr__(self, name: str) -> Callable[..., Awaitable[Any]]:
        info = self._ref.methods.get(name)
        if info is None:
            raise AttributeError(f"{self._ref.name} has no method {name}")
        road = self._services._road(self._ref, info)
        if self._services.is_settled:
            setattr(self, name, road)
        return road


class Services:
    """The registry of one process.

    Args:
        bus: carries remote calls.
        source: who we are, for the envelope (`transcoder@host-pid`).
        wire_local: local calls too go through their wire form (tests, so that both roads are proved).
    """

    def __init__(self, bus: Bus, *, source: str, wire_local: bool = False) -> None:
        self._bus = bus
        self._source = source
        self._wire_local = wire_local
        self._local: dict[str, tuple[ServiceRef[Any], Any]] = {}
        self._served: list[Subscription] = []
        self._proxies: dict[str, Any] = {}
        self.is_settled = False  # all offers are known: proxies may remember their road

    def offer(self, offer: Offer[Any]) -> None:
        name = offer.ref.name
        if name in self._local:
            raise ValueError(f"service {name!r} is offered twice")
        missing = [m for m in offer.ref.methods if not callable(getattr(offer.implementation, m, None))]
        if missing:
            raise TypeError(f"{type(offer.implementation).__name__} offers {name!r} but lacks {', '.join(missing)}")
        self._local[name] = (offer.ref, offer.implementation)

    def get(self, ref: ServiceRef[S]) -> S:
        """The service, wherever it lives. Asking never fails; calling an absent one raises Unavailable."""
        proxy = self._proxies.get(ref.name)
        if proxy is None:
            proxy = self._proxies[ref.name] = _Proxy(self, ref)
        return cast(S, proxy)

    def is_local(self, ref: ServiceRef[Any]) -> bool:
        return ref.name in self._local

    @property
    def local_names(self) -> tuple[str, ...]:
        return tuple(sorted(self._local))

    # --- life ---------------------------------------------------------------------------------

    def settle(self) -> None:
        """All offers are in: from now on a reference finds its road once and keeps it."""
        self.is_settled = True

    async def start(self) -> None:
        """Answers calls from other processes (none, on the memory bus: nobody else is there)."""
        if self._bus.is_local:
            return
        for ref, implementation in self._local.values():
            for info in ref.methods.values():
                responder = self._responder(info, getattr(implementation, info.name))
                self._served.append(await self._bus.serve(ref.subject(info.name), f"svc-{ref.name}", responder))

    async def stop(self) -> None:
        for subscription in reversed(self._served):
            await subscription.stop()
        self._served.clear()

    # --- the two roads ------------------------------------------------------------------------

    def _road(self, ref: ServiceRef[Any], info: MethodInfo) -> Callable[..., Awaitable[Any]]:
        if ref.name in self._local:
            function = getattr(self._local[ref.name][1], info.name)
            return self._wired(info, function) if self._wire_local else self._direct(ref, info, function)
        return self._remote(ref, info)

    def _direct(self, ref: ServiceRef[Any], info: MethodInfo, function: Callable[..., Any]) -> Callable[..., Any]:
        what = f"{ref.name}.{info.name}"

        async def call(*request: Any) -> Any:
            timeout_s = _time_left(info, current_call(), what)
            try:
                async with asyncio.timeout(timeout_s):
                    return await function(*request)
            except TimeoutError as fault:
                raise DeadlineExceeded(f"{what} did not answer within {timeout_s:.1f} s") from fault

        return call

    def _wired(self, info: MethodInfo, function: Callable[..., Any]) -> Callable[..., Any]:
        responder = self._responder(info, function)

        async def call(*request: Any) -> Any:
            context = _with_deadline(info, current_call())
            answer = await responder(self._question(request, context))
            return _unwrap(info, answer)

        return call

    def _remote(self, ref: ServiceRef[Any], info: MethodInfo) -> Callable[..., Any]:
        subject = ref.subject(info.name)
        what = f"{ref.name}.{info.name}"

        async def call(*request: Any) -> Any:
            outer = current_call()
            _time_left(info, outer, what)
            context = _with_deadline(info, outer)
            question = self._question(request, context)
            attempts = 2 if info.is_idempotent else 1
            while True:
                attempts -= 1
                remaining_s = context.remaining_s() or info.timeout_s
                # An idempotent call keeps half its time for a second try with another replica.
                timeout_s = remaining_s / 2 if attempts else remaining_s
                try:
                    return _unwrap(info, await self._bus.request(subject, question, timeout_s=timeout_s))
                except (DeadlineExceeded, Unavailable) as fault:
                    if fault.code not in ("service.unavailable", "service.deadline_exceeded"):
                        raise  # the service's own word, not the road's
                    if not attempts or (context.remaining_s() or 0) <= RETRY_PAUSE_S:
                        raise type(fault)(f"{what}: {fault.detail}", retry_after_s=fault.retry_after_s) from fault
                    await asyncio.sleep(RETRY_PAUSE_S)

        return call

    def _question(self, request: tuple[Any, ...], context: CallContext) -> bytes:
        body = to_plain(request[0]) if request else None
        return Envelope.around(body, context, id=uuid.uuid4().hex, source=self._source).to_bytes()

    def _responder(self, info: MethodInfo, function: Callable[..., Any]) -> Callable[[bytes], Awaitable[bytes]]:
        async def respond(payload: bytes) -> bytes:
            question = Envelope.from_bytes(payload)
            deadline_s = time.monotonic() + question.deadline_ms / 1000 if question.deadline_ms else None
            context = CallContext(
                request_id=question.request_id,
                actor=question.actor,
                deadline_s=deadline_s,
                traceparent=question.traceparent,
            )
            body: Any = None
            error: dict[str, Any] | None = None
            with use_call(context):
                try:
                    async with asyncio.timeout(context.remaining_s()):
                        if info.request is None:
                            result = await function()
                        else:
                            result = await function(from_plain(info.request, question.body))
                    body = to_plain(result)
                except StreamgateError as fault:
                    error = fault.to_wire()
                except TimeoutError:
                    error = DeadlineExceeded(f"{info.name} did not finish in time").to_wire()
                except Exception:
                    logger.bind(method=info.name, request_id=question.request_id).exception("service call failed")
                    error = Internal().to_wire()
                answer = Envelope(id=question.id, body=body, error=error, request_id=question.request_id)
            return answer.to_bytes()

        return respond


def _time_left(info: MethodInfo, context: CallContext, what: str) -> float:
    remaining_s = context.remaining_s()
    if remaining_s is None:
        return info.timeout_s
    if remaining_s <= 0:
        raise DeadlineExceeded(f"no time was left to ask {what}")
    return min(info.timeout_s, remaining_s)


def _with_deadline(info: MethodInfo, context: CallContext) -> CallContext:
    deadline_s = time.monotonic() + info.timeout_s
    if context.deadline_s is not None:
        deadline_s = min(deadline_s, context.deadline_s)
    return attrs.evolve(context, deadline_s=deadline_s)


def _unwrap(info: MethodInfo, payload: bytes) -> Any:
    answer = Envelope.from_bytes(payload)
    if answer.error is not None:
        raise error_from_wire(answer.error)
    return None if info.answer is None else from_plain(info.answer, answer.body)
