"""Tickets over HTTP, and the two mounts."""

from __future__ import annotations

import attrs
from starlette.datastructures import Headers

from streamgate.web.routes import SIGNED_IN, Call, Mount, Route
from streamgate_api.live.sse import PATH as EVENTS
from streamgate_api.live.sse import EventStream
from streamgate_api.live.tickets import Ticket, Tickets, credentials_in
from streamgate_api.live.websocket import PATH as SOCKET
from streamgate_api.live.websocket import LiveSocket

BEHIND_ROUTES = 10


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
                    "once. "
                    "Clients that can send headers need none. Both take `kinds` (comma-separated: upload, job, media, "
                    "content, session) and `content_id`, and tell what is new of the caller's own things: `hello` "
                    "first, `gap` when updates were lost, `auth.token_expired` last when the sign-in ends."
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
            ),
            Mount(
                prefix=SOCKET,
                app=self.socket,
                policy=SIGNED_IN,
                websocket=True,
                summary="Live progress on a WebSocket",
            ),
        ]

    async def _ticket(self, call: Call[None, None]) -> Ticket:
        return await self.tickets.issue(credentials_in(Headers(scope=call.request.scope)))
