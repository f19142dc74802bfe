"""Toys in place of all plugins: what the runtime tests run, in process or as `python -m tests.kernel.toy`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import attrs

from streamgate.hooks import hookimpl
from streamgate.lifecycle import SimpleUnit, Unit
from streamgate.plugins import Found, PluginContext, PluginInfo
from streamgate.services import Offer, ServiceRef, method
from streamgate.settings import config_field
from streamgate.testing.wait import eventually
from streamgate.web.routes import PUBLIC, Call, Route


@attrs.frozen
class Greeting:
    text: str


@attrs.frozen
class Name:
    name: str


@attrs.frozen
class Waiting:
    path: str


class Greeter(Protocol):
    @method(idempotent=True)
    async def greet(self, name: Name) -> Greeting: ...


GREETER = ServiceRef("greetings", Greeter)  # not the plugin's own name: /ready finds it all the same


@attrs.frozen(kw_only=True)
class GreeterConfig:
    word: str = config_field("hello", help="How to greet.")


class GreeterPlugin:
    def __init__(self, ctx: PluginContext) -> None:
        self._word = ctx.config.word
        self.log: list[str] = []

    @hookimpl
    def collect_services(self) -> Sequence[Offer[Any]]:
        return [Offer(GREETER, self)]

    @hookimpl
    def collect_units(self) -> Sequence[Unit]:
        async def started() -> None:
            self.log.append("started")

        async def stopped() -> None:
            self.log.append("stopped")

        return [SimpleUnit("greeter", started, stopped)]

    async def greet(self, name: Name) -> Greeting:
        return Greeting(f"{self._word} {name.name}")


class DoorPlugin:
    """Asks the greeter over HTTP, and has a request that lasts until a file appears."""

    def __init__(self, ctx: PluginContext) -> None:
        self._greeter = ctx.services.get(GREETER)

    @hookimpl
    def collect_routes(self) -> Sequence[Route]:
        return [
            Route("GET", "/api/v1/door", self.enter, policy=PUBLIC, query=Name, answer=Greeting, summary="Enter"),
            Route("GET", "/api/v1/door/wait", self.wait, policy=PUBLIC, query=Waiting, answer=Greeting, summary="Wait"),
        ]

    async def enter(self, call: Call[None, Name]) -> Greeting:
        return await self._greeter.greet(call.query)

    async def wait(self, call: Call[None, Waiting]) -> Greeting:
        released = Path(call.query.path)
        released.with_suffix(".waiting").touch()

        async def look() -> bool | None:
            return released.exists() or None

        await eventually(look, timeout_s=20, every_s=0.02)
        return Greeting("done")


GREETER_INFO = PluginInfo(
    name="greeter", summary="Greets", build=GreeterPlugin, offers=(GREETER,), config=GreeterConfig, port=9301
)
DOOR_INFO = PluginInfo(
    name="door", summary="A door", build=DoorPlugin, needs=(GREETER,), port=9302, prefixes=("/api/v1/door",)
)


def toys(*more: Found) -> list[Found]:
    return [
        *(
            Found(name=i.name, distribution=f"streamgate-{i.name}", version="1", info=i)
            for i in (GREETER_INFO, DOOR_INFO)
        ),
        *more,
    ]


if __name__ == "__main__":
    from unittest import mock

    from streamgate.cli import main

    with mock.patch("streamgate.plugins.discover", toys), mock.patch("streamgate.prepare.discover", toys):
        main(sys.argv[1:])
