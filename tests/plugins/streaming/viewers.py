"""Who watches, and what they ask of streaming over HTTP."""

from __future__ import annotations

from typing import Any

import httpx

from streamgate.context import Actor
from streamgate.contracts import events
from streamgate.testing.wait import eventually
from streamgate_streaming.tables import SessionRow
from tests.plugins.streaming.theatre import Theatre

CREATOR = Actor(kind="user", user_id="creator", roles=("creator",))
HOLDER = Actor(kind="user", user_id="holder", roles=("viewer",))
STRANGER = Actor(kind="user", user_id="stranger", roles=("viewer",))
MODERATOR = Actor(kind="user", user_id="mod", roles=("moderator",))
NOBODY = Actor()
LEASE_S = 60.0
SEGMENT = "v360/0.m4s"


async def ask(theatre: Theatre, actor: Actor, content_id: str = "c_film", **more: Any) -> httpx.Response:
    async with theatre.client(actor) as http:
        return await http.post("/api/v1/stream/session", json={"content_id": content_id, **more})


async def renew(theatre: Theatre, session_id: str, actor: Actor = HOLDER) -> httpx.Response:
    async with theatre.client(actor) as http:
        return await http.post(f"/api/v1/stream/session/{session_id}/renew")


async def close(theatre: Theatre, session_id: str, actor: Actor = HOLDER) -> httpx.Response:
    async with theatre.client(actor) as http:
        return await http.delete(f"/api/v1/stream/session/{session_id}")


async def row(theatre: Theatre, session_id: str) -> SessionRow:
    found: SessionRow = await theatre.db.read(lambda session: session.get(SessionRow, session_id))
    return found


async def asked_times(theatre: Theatre, count: int) -> None:
    """Waits until auth was asked so often."""

    async def enough() -> bool | None:
        return True if len(theatre.auth.calls) >= count else None

    await eventually(enough, every_s=0.002, what=f"{count} questions to auth")


def changed(revision: int) -> events.GateChanged:
    return events.GateChanged(subject_id="c_film", revision=revision, has_gate=True)


def code(response: httpx.Response) -> tuple[int, str]:
    return response.status_code, response.json()["code"]
