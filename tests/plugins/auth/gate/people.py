"""Who the tests of gates ask as, and over HTTP."""

from __future__ import annotations

from typing import Any

import attrs
import httpx

from streamgate.context import Actor
from streamgate.testing.house import House
from tests.plugins.auth.people import Person, person

GATES = "/api/v1/gates"


async def creator(home: House, name: str = "creator") -> Person:
    found = await person(home, name)
    return attrs.evolve(found, actor=attrs.evolve(found.actor, roles=("viewer", "creator")))


async def post(home: House, actor: Actor, path: str, status: int = 200, **body: Any) -> Any:
    """The answer's JSON."""
    async with home.client(actor) as http:
        return answered(await http.post(f"{GATES}{path}", json=body), status)


async def get(home: House, actor: Actor, path: str, status: int = 200, **query: Any) -> Any:
    async with home.client(actor) as http:
        return answered(await http.get(f"{GATES}{path}", params=query), status)


async def put(home: House, actor: Actor, path: str, status: int = 200, **body: Any) -> Any:
    async with home.client(actor) as http:
        return answered(await http.put(f"{GATES}{path}", json=body), status)


async def delete(home: House, actor: Actor, path: str, status: int = 204) -> Any:
    async with home.client(actor) as http:
        return answered(await http.delete(f"{GATES}{path}"), status)


def answered(answer: httpx.Response, status: int) -> Any:
    assert answer.status_code == status, answer.text
    return answer.json() if answer.content else None
