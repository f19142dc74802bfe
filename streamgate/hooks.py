# mypy: disable-error-code="empty-body"
"""Every hook of the kernel, in the order of a process' life, and how answers merge.

Hooks of services (job kinds, requirement kinds, the veto on playback) are in `contracts/hooks.py`:
same form, declared by the entry-point group `streamgate.hookspecs`, so that the kernel knows no service.

    collect_*  synchronous, at start. Answers are lists; all are joined, in the kernel's plugin order.
               A fault in a built-in or required plugin stops the start; another one's is reported by name
               and its answer left out.
    decide_*   asynchronous, `Verdict` out. Any refusal wins; a fault or time-out is a refusal; with no
               refusal, any allow allows; all abstaining abstains.

pluggy checks signatures against these specs at registration; the calls are ours, because pluggy calls
last-registered first, and its `firstresult` with coroutines would take one that abstains.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from types import ModuleType
from typing import Any, Generic, Literal, ParamSpec, TypeVar

import attrs
import pluggy
from loguru import logger

from streamgate.events import EventSubscription
from streamgate.health import Check
from streamgate.lifecycle import Unit
from streamgate.services import Offer
from streamgate.web.routes import Mount, Route

PROJECT = "streamgate"
hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)

P = ParamSpec("P")
T = TypeVar("T")

# --- the specs ------------------------------------------------------------------------------------


@hookspec
def collect_services() -> Sequence[Offer[Any]]:
    """Services this plugin implements. Each reference may be offered once in a process."""


@hookspec
def collect_routes() -> Sequence[Route]:
    """HTTP operations. Each must carry a policy and a path below the plugin's prefixes."""


@hookspec
def collect_mounts() -> Sequence[Mount]:
    """Raw ASGI applications below a prefix, ahead of the middleware (media bytes, static files, forwarding)."""


@hookspec
def collect_subscriptions() -> Sequence[EventSubscription]:
    """Events this plugin hears: `on_group` (durable, once a group) or `on_everyone` (each process, with resync)."""


@hookspec
def collect_units() -> Sequence[Unit]:
    """Things with start and stop: stores, loops, pools. Started in dependency order, stopped in reverse."""


@hookspec
def collect_checks() -> Sequence[Check]:
    """Dependencies that `/ready` probes: name, and a function that raises when it is not well."""


KERNEL_SPECS = (
    collect_services,
    collect_routes,
    collect_mounts,
    collect_subscriptions,
    collect_units,
    collect_checks,
)


# --- verdicts -------------------------------------------------------------------------------------


@attrs.frozen
class Verdict:
    """One plugin's word on a `decide_*` hook. `reason` is shown to the person concerned."""

    kind: Literal["allow", "refuse", "abstain"]
    reason: str = ""
    plugin: str = ""


ALLOW = Verdict("allow")
ABSTAIN = Verdict("abstain")


def refuse(reason: str) -> Verdict:
    return Verdict("refuse", reason)


# --- calling --------------------------------------------------------------------------------------


@attrs.frozen
class Tagged(Generic[T]):
    """A value and the plugin it came from."""

    plugin: str
    value: T


class HookFault(Exception):
    """A plugin that must work failed in a hook."""

    def __init__(self, plugin: str, hook: str, cause: BaseException) -> None:
        super().__init__(f"plugin {plugin!r} failed in {hook}: {type(cause).__name__}: {cause}")
        self.plugin = plugin
        self.hook = hook


class Hooks:
    """The plugins of one process, in the kernel's fixed order, and the two ways to ask them."""

    def __init__(self, specs: Sequence[Callable[..., Any]] = KERNEL_SPECS) -> None:
        self._manager = pluggy.PluginManager(PROJECT)
        self._order: list[str] = []
        self._required: set[str] = set()
        self.faults: list[HookFault] = []
        self.add_specs(specs)

    def add_specs(self, specs: Sequence[Callable[..., Any]]) -> None:
        namespace = ModuleType("specs")  # pluggy looks for specs in a module
        vars(namespace).update({spec.__name__: spec for spec in specs})
        self._manager.add_hookspecs(namespace)

    def register(self, name: str, plugin: object, *, required: bool) -> None:
        """Adds a plugin behind those already there.

        Raises:
            ValueError: an implementation without a spec, or with other arguments than its spec.
        """
        try:
            self._manager.register(plugin, name)
            self._manager.check_pending()
        except pluggy.PluginValidationError as fault:
            if self._manager.has_plugin(name):
                self._manager.unregister(name=name)
            raise ValueError(f"plugin {name!r}: {fault}") from fault
        self._order.append(name)
        if required:
            self._required.add(name)

    def collect(self, spec: Callable[P, Sequence[T]], *args: P.args, **kwargs: P.kwargs) -> list[Tagged[T]]:
        """All answers to a `collect_*` hook, joined, each with its plugin's name.

        Raises:
            HookFault: a required plugin failed. Another plugin's fault is kept in `faults` and logged.
        """
        found: list[Tagged[T]] = []
        for name, function in self._implementations(spec.__name__):
            try:
                found.extend(Tagged(name, value) for value in function(*args, **kwargs))
            except Exception as cause:
                fault = HookFault(name, spec.__name__, cause)
                if name in self._required:
                    raise fault from cause
                self.faults.append(fault)
                logger.bind(plugin=name, hook=spec.__name__).opt(exception=cause).error("plugin failed; left out")
        return found

    async def decide(
        self, spec: Callable[P, Awaitable[Verdict]], timeout_s: float, *args: P.args, **kwargs: P.kwargs
    ) -> Verdict:
        """The merged verdict of a `decide_*` hook; all are asked at once. Silence and failure mean no."""

        async def ask(name: str, function: Callable[..., Awaitable[Verdict]]) -> Verdict:
            try:
                async with asyncio.timeout(timeout_s):
                    verdict = await function(*args, **kwargs)
                if not isinstance(verdict, Verdict):
                    raise TypeError(f"answered {type(verdict).__name__}, not a Verdict")
                return attrs.evolve(verdict, plugin=name)
            except Exception as cause:
                logger.bind(plugin=name, hook=spec.__name__, error=repr(cause)).warning("decision failed; refused")
                return Verdict("refuse", f"{name} could not decide", name)

        asked = [ask(name, function) for name, function in self._implementations(spec.__name__)]
        verdicts = await asyncio.gather(*asked)
        for kind in ("refuse", "allow"):
            for verdict in verdicts:
                if verdict.kind == kind:
                    return verdict
        return ABSTAIN

    def _implementations(self, hook: str) -> Iterator[tuple[str, Callable[..., Any]]]:
        caller = getattr(self._manager.hook, hook)
        by_name = {implementation.plugin_name: implementation.function for implementation in caller.get_hookimpls()}
        order = sorted(self._order, key=lambda name: name not in self._required)  # a stranger takes nobody's place
        return ((name, by_name[name]) for name in order if name in by_name)
