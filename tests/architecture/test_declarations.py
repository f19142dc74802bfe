"""What a plugin's code does on the bus is what its PluginInfo says: its identity allows nothing else when split."""

from __future__ import annotations

import ast
import importlib
import pkgutil
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

import streamgate.contracts
from streamgate.contracts.cache import CACHE_DROPPED
from streamgate.contracts.events import JOBS_REQUESTED
from streamgate.contracts.jobs import JOBS_AVAILABLE, JOBS_CANCELLED
from streamgate.events import EventType, Topic
from streamgate.identity.declared import Asks
from streamgate.identity.grants import load_everywhere
from streamgate.plugins import PluginInfo, discover
from streamgate.services import ServiceRef

PLUGINS = [f.info for f in discover() if f.info is not None and f.is_builtin]
CONTRACTS = [
    importlib.import_module(f"streamgate.contracts.{module.name}")
    for module in pkgutil.iter_modules(streamgate.contracts.__path__)
]
NAMES: dict[str, Any] = {
    name: value
    for module in CONTRACTS
    for name, value in vars(module).items()
    if isinstance(value, ServiceRef | EventType | Topic)
}
TELLS = {"emit", "broadcast", "publish"}
HEARS = {"on_group", "on_everyone"}
BEHIND = {  # what these of the SDK do for whoever uses them: tells, hears
    "request_jobs": ((JOBS_REQUESTED,), ()),
    "Runner": ((), (JOBS_AVAILABLE, JOBS_CANCELLED)),
    "Cached": ((CACHE_DROPPED,), (CACHE_DROPPED,)),
}


ONLY_FOR_PLUGINS = ("sdk/jobs/", "sdk/cache.py")
"""Of the SDK, what acts for a plugin that uses it: see BEHIND."""


def calls_of(info: PluginInfo) -> Iterator[tuple[str, list[str]]]:
    folder = Path(importlib.import_module(info.build.__module__.partition(".")[0]).__path__[0])
    return calls_in(sorted(folder.rglob("*.py")))


def calls_in(paths: Iterable[Path]) -> Iterator[tuple[str, list[str]]]:
    """Each call in the code: the function's last name, the names among its arguments."""
    for path in paths:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call):
                function = node.func
                name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
                yield name, [argument.id for argument in node.args if isinstance(argument, ast.Name)]


@pytest.mark.parametrize("info", PLUGINS, ids=lambda info: info.name)
def test_a_plugin_declares_what_it_asks_tells_and_hears(info: PluginInfo) -> None:
    asks, tells, hears = set(), set(), set()
    for function, arguments in calls_of(info):
        named = [NAMES[argument] for argument in arguments if argument in NAMES]
        if function == "get":
            asks |= {each.name for each in named if isinstance(each, ServiceRef)}
        told, heard = BEHIND.get(function, ((), ()))
        tells |= {each.subject for each in told} | ({each.subject for each in named} if function in TELLS else set())
        hears |= {each.subject for each in heard} | ({each.subject for each in named} if function in HEARS else set())
    declared = [info, *load_everywhere()]
    known = {one.ref.name if isinstance(one, Asks) else one.name for one in (*info.needs, *info.may_need)}
    assert asks - known - {ref.name for ref in info.offers} == set(), "declare it in needs or may_need"
    for what, used in (("tells", tells), ("hears", hears)):
        said = {one if isinstance(one, str) else one.subject for each in declared for one in getattr(each, what)}
        assert used - said == set(), f"declare it in {what}"


def test_what_every_process_does_is_declared_for_every_process() -> None:
    kernel = Path(streamgate.contracts.__path__[0]).parent
    shared = [
        path
        for path in sorted(kernel.rglob("*.py"))
        if not any(part in path.as_posix() for part in (*ONLY_FOR_PLUGINS, "/contracts/", "/testing/", "_template/"))
    ]
    used: dict[str, set[str]] = {"asks": set(), "tells": set(), "hears": set()}
    for function, arguments in calls_in(shared):
        named = [NAMES[argument] for argument in arguments if argument in NAMES]
        used["asks"] |= {each.name for each in named if isinstance(each, ServiceRef) and function == "get"}
        for what, functions in (("tells", TELLS), ("hears", HEARS)):
            used[what] |= {each.subject for each in named if function in functions and not isinstance(each, ServiceRef)}
    everywhere = [use for use in load_everywhere() if not use.only_with]
    asked = [one for use in everywhere for one in use.asks]
    assert used["asks"] <= {one.ref.name if isinstance(one, Asks) else one.name for one in asked}
    for what in ("tells", "hears"):
        said = {one if isinstance(one, str) else one.subject for use in everywhere for one in getattr(use, what)}
        assert used[what]
        assert used[what] - said == set(), f"declare it in {what} of sdk/everywhere.py"


def test_the_walk_finds_what_is_there() -> None:
    """So that the test above cannot pass by finding nothing."""
    streaming = next(info for info in PLUGINS if info.name == "streaming")
    found = {(function, argument) for function, arguments in calls_of(streaming) for argument in arguments}
    assert {("get", "AUTH"), ("emit", "RENDITION_READY"), ("on_group", "UPLOAD_FINISHED")} <= found
