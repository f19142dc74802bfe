"""Tickets over HTTP, and the two mounts."""

from __future__ import annotations

from typing import Any

import attrs
from starlette.datastructures import Headers

from streamgate.errors import NotFound
from streamgate.web.routes import SIGNED_IN, Call, Mount, Route
from streamgate_api.live.hub import TooManyStreams
from streamgate_api.live.sse import PATH as EVENTS
from streamgate_api.live.sse import EventStream
from streamgate_api.live.tickets import Ticket, TicketInvalid, Tickets, credentials_in
from streamgate_api.live.watching import LiveQuery
from streamgate_api.live.websocket import PATH as SOCKET
from streamgate_api.live.websocket import LiveSocket, OriginRefused, UpgradeRequired

BEHIND_ROUTES = 10


_ERRORS = (TicketInvalid, TooManyStreams)
_TOLD = (
    "Tells what is new of the caller's own things: `hello` first, `gap` when updates were lost, the code of a problem "
    "last when the sign-in ends."
)


@attrs.frozen
class LiveRoutes:
    tickets: Tickets
    events: EventStream
    socket: LiveSocket

    def routes(self) -> list[Route]:
        return [
            Route(
                "POST",
                f"{EVENTS}/ticket",
                self._ticket,
                policy=SIGNED_IN,
                answer=Ticket,
                status=201,
                summary="A ticket for one live connection of a page",
                description=(
                    "For `GET /api/v1/events?ticket=` (server-sent events) or the WebSocket `/api/v1/ws?ticket=`, "
                    "once. Clients that can send headers need none."
                ),
            )
        ]

    def mounts(self) -> list[Mount]:
        return [
            Mount(
                prefix=EVENTS,
                app=self.events,
                policy=SIGNED_IN,
                order=BEHIND_ROUTES,
                summary="Live progress as server-sent events",
                documents=(
                    _described(
                        EVENTS,
                        "Live progress as server-sent events",
                        "An answer that does not end by itself.",
                        produces=("text/event-stream",),
                        errors=_ERRORS,
                    ),
                ),
            ),
            Mount(
                prefix=SOCKET,
                app=self.socket,
                policy=SIGNED_IN,
                websocket=True,
                summary="Live progress on a WebSocket",
                documents=(
                    _described(
                        SOCKET,
                        "Live progress on a WebSocket",
                        "A WebSocket handshake; what comes then are JSON texts. Pages of other origins are refused.",
                        status=101,
                        errors=(*_ERRORS, OriginRefused, UpgradeRequired),
                    ),
                ),
            ),
        ]

    async def _ticket(self, call: Call[None, None]) -> Ticket:
        return await self.tickets.issue(credentials_in(Headers(scope=call.request.scope)))


def _described(path: str, summary: str, said: str, **more: Any) -> Route:
    """For the documentation alone: the mount answers."""
    return Route(
        "GET",
        path,
        _never,
        policy=SIGNED_IN,
        query=LiveQuery,
        timeout_s=None,
        summary=summary,
        description=f"{said} {_TOLD}",
        **more,
    )


async def _never(call: Call[None, LiveQuery]) -> None:
    raise NotFound("the mount answers")
