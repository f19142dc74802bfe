"""Our plugins, built as for one process but never started: what their routes say is what a server would serve."""

from __future__ import annotations

import functools
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs
import orjson

from streamgate.context import ANONYMOUS, Actor
from streamgate.health import Readiness
from streamgate.hooks import Hooks, collect_mounts, collect_routes
from streamgate.plugins import PluginInfo, discover, discover_specs, load_edge, select
from streamgate.settings import KernelSettings
from streamgate.telemetry.exposition import Exposition
from streamgate.testing.context import plugin_context
from streamgate.web.app import build_app
from streamgate.web.routes import Mount, Route

ROOT = Path(__file__).parents[3]
NOTE = "*Made from the code by `make fmt`; do not edit.*"
PROFILE = "dev"  # the one that loads every plugin


class _Nobody:
    """Nothing is asked while documents are made."""

    async def authenticate(self, headers: Mapping[str, str]) -> Actor:
        return ANONYMOUS


@attrs.frozen(kw_only=True)
class Built:
    """What one process with all our plugins serves. `document` is its OpenAPI description."""

    routes: tuple[Route, ...]
    mounts: tuple[Mount, ...]
    document: Mapping[str, Any]  # Any: JSON


def our_plugins() -> list[PluginInfo]:
    """The plugins of this repository.

    Raises:
        RuntimeError: one of them cannot be loaded.
    """
    found = [plugin for plugin in discover() if plugin.is_builtin]
    broken = [f"{plugin.name}: {plugin.fault}" for plugin in found if plugin.fault]
    if broken:
        raise RuntimeError("; ".join(broken))
    return [plugin.info for plugin in found if plugin.info is not None]


@functools.cache
def built() -> Built:
    our_plugins()
    with tempfile.TemporaryDirectory(prefix="streamgate-docs-") as folder:
        return _build(Path(folder))


def _build(data_dir: Path) -> Built:
    settings = KernelSettings(profile=PROFILE, data_dir=data_dir)
    hooks = Hooks()
    hooks.add_specs(discover_specs())
    shared: dict[object, Any] = {}
    kernel = plugin_context("streamgate", data_dir=data_dir, hooks=hooks, settings=settings, shared=shared)
    infos = select([plugin for plugin in discover() if plugin.is_builtin], None, profile=PROFILE)
    names = tuple(info.name for info in infos)
    for info in infos:
        config = None if info.config is None else info.config()
        hooks.register(
            info.name,
            info.build(attrs.evolve(kernel, name=info.name, config=config, selected=names)),
            required=True,
        )

    async def readiness() -> Readiness:
        return Readiness(ready=True, checks={})

    measures = Exposition(kernel.bus, mode="all", service="all", began_s=0.0).route()
    app = build_app(
        routes=[*(tagged.value for tagged in hooks.collect(collect_routes)), measures],
        mounts=[tagged.value for tagged in hooks.collect(collect_mounts)],
        authenticator=_Nobody(),
        settings=settings.server,
        service="streamgate",
        mode="all",
        readiness=readiness,
        began_s=0.0,
        policy=load_edge(kernel),
    )
    documented = [route for mount in app.mounts for route in mount.documents]
    document = orjson.loads(app.description.document)
    return Built(routes=(*app.routes, *documented), mounts=app.mounts, document=document)


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Lines of a Markdown table."""
    lines = [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
    for row in rows:
        cells = (" ".join(cell.split()).replace("|", "\\|") for cell in row)
        lines.append("|" + "|".join(f" {cell} " if cell else " " for cell in cells) + "|")
    return lines
