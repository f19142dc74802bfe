"""Typed references to services: a local object or a remote one, by the same line of code.

    decision = await ctx.services.get(AUTH).decide(query)

A service is a Protocol whose methods take one frozen request (or nothing) and return one frozen answer
(or None). Where the implementation lives in this process the call is direct; otherwise it goes over the
bus. Deadline, caller identity and error classes are the same on both roads.
"""

from __future__ import annotations

import asyncio
import inspect
import typing
from collections.abc import Callable
from typing import Any, Generic, TypeVar, cast

import attrs

from streamgate.bus.base import Bus, Subscription
from streamgate.roads import Call, MethodInfo, direct_road, remote_road, responder, wired_road

S = TypeVar("S")
F = TypeVar("F", bound=Callable[..., Any])

DEFAULT_TIMEOUT_S = 10.0


def method(*, timeout_s: float = DEFAULT_TIMEOUT_S, idempotent: bool = False) -> Callable[[F], F]:
    """Marks a Protocol method. `idempotent`: asking twice is harmless, so what got no answer by half time, or
    found nobody there, is asked a second time."""

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
                name: _describe(self.name, name, function)
                for name, function in inspect.getmembers(self.protocol, inspect.iscoroutinefunction)
                if not name.startswith("_")
            }
        return self._methods

    def subject(self, method_name: str) -> str:
        return f"svc.{self.name}.v{self.version}.{method_name}"


def _describe(service: str, name: str, function: Callable[..., Any]) -> MethodInfo:
    hints = typing.get_type_hints(function)
    answer = hints.pop("return", None)
    parameters = [p for p in inspect.signature(function).parameters if p != "self"]
    if len(parameters) > 1:
        raise TypeError(f"service method {name} takes {len(parameters)} arguments; one request object is the rule")
    timeout_s, is_idempotent = getattr(function, "__streamgate_method__", (DEFAULT_TIMEOUT_S, False))
    request = hints[parameters[0]] if parameters else None
    return MethodInfo(
        what=f"{service}.{name}",
        name=name,
        request=request,
        answer=None if answer is type(None) else answer,
        timeout_s=timeout_s,
        is_idempotent=is_idempotent,
    )


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

    def __getattr__(self, name: str) -> Call:
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

    # --- life ---------------------------------------------------------------------------------

    def settle(self) -> None:
        """All offers are in: from now on a reference finds its road once and keeps it."""
        self.is_settled = True

    async def start(self) -> None:
        """Answers calls from other processes (none, on the memory bus: nobody else is there)."""
        if self._bus.is_local:
            return
        try:
            for ref, implementation in self._local.values():
                for info in ref.methods.values():
                    answer = responder(info, getattr(implementation, info.name))
                    self._served.append(await self._bus.serve(ref.subject(info.name), f"svc-{ref.name}", answer))
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        """Takes no new questions, finishes those it has."""
        served, self._served = self._served, []
        await asyncio.gather(*(subscription.stop() for subscription in served))

    # --- roads --------------------------------------------------------------------------------

    def _road(self, ref: ServiceRef[Any], info: MethodInfo) -> Call:
        if ref.name not in self._local:
            return remote_road(info, self._bus, ref.subject(info.name), self._source)
        function = getattr(self._local[ref.name][1], info.name)
        return wired_road(info, function, self._source) if self._wire_local else direct_road(info, function)
