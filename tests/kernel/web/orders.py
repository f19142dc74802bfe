"""Typed routes that show what reached their handler."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import attrs
import httpx
from attrs import validators

from streamgate.context import current_call
from streamgate.web.app import App
from streamgate.web.routes import PUBLIC, Call, Policy, Route

MakeApp = Callable[..., App]
Talk = Callable[[App], httpx.AsyncClient]


@attrs.frozen(kw_only=True)
class Piece:
    name: str = attrs.field(validator=validators.max_len(5))
    size_px: int


@attrs.frozen(kw_only=True)
class Order:
    title: str
    kind: Literal["", "video", "audio"] = "video"
    count: int = attrs.field(default=1, validator=validators.ge(1))
    ratio: float = 1.0
    is_open: bool = False
    note: str | None = None
    tags: tuple[str, ...] = ()
    pieces: list[Piece] = attrs.field(factory=list)
    labels: dict[str, int] = attrs.field(factory=dict)
    rule: Any = None


@attrs.frozen(kw_only=True)
class Page:
    thing_id: str = attrs.field(default="", validator=validators.max_len(40))
    limit: int = attrs.field(default=50, validator=[validators.ge(1), validators.le(200)])
    newest: bool | None = None
    ratio: float = 0.0


@attrs.frozen(kw_only=True)
class Seen:
    who: str
    request_id: str
    order: Order | None = None
    page: Page | None = None


async def show(call: Call[Any, Any]) -> Seen:
    return Seen(who=call.actor.user_id, request_id=current_call().request_id, order=call.body, page=call.query)


def route(policy: Policy = PUBLIC, **more: Any) -> Route:
    settings: dict[str, Any] = {"summary": "Shows", "answer": Seen, **more}
    return Route("POST", "/orders", show, policy=policy, **settings)
