"""Cache over HTTP: for administrators alone."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from streamgate.context import ANONYMOUS, Actor
from streamgate.testing.house import House, house

ADMIN = Actor(kind="user", user_id="u_admin", roles=("admin",))
CREATOR = Actor(kind="user", user_id="u_creator", roles=("creator",))


@pytest.fixture
async def home(tmp_path: Path) -> AsyncIterator[House]:
    async with house(tmp_path, ["cache"]) as running_house:
        yield running_house


async def test_value_is_set_read_counted_and_deleted(home: House) -> None:
    async with home.client(ADMIN) as client:
        wanted = {"key": "k", "value": {"deep": [1, None]}, "ttl_s": 60}
        assert (await client.post("/api/v1/cache/set", json=wanted)).json() == {"key": "k", "stored": True}
        found = (await client.get("/api/v1/cache/get", params={"key": "k"})).json()
        assert (found["key"], found["value"]) == ("k", {"deep": [1, None]})
        assert 59 < found["ttl_s"] <= 60
        stats = (await client.get("/api/v1/cache/stats")).json()
        assert (stats["hits"], stats["misses"], stats["entries"]) == (1, 0, 1)
        for expected in (True, False):
            answer = await client.delete("/api/v1/cache/delete", params={"key": "k"})
            assert answer.json() == {"deleted": expected}
        missing = await client.get("/api/v1/cache/get", params={"key": "k"})
        assert (missing.status_code, missing.json()["code"]) == (404, "cache.missing")


async def test_a_namespace_is_cleared(home: House) -> None:
    async with home.client(ADMIN) as client:
        for namespace in ("one", "two"):
            await client.post("/api/v1/cache/set", json={"key": "k", "value": 1, "namespace": namespace})
        assert (await client.delete("/api/v1/cache/clear", params={"namespace": "one"})).status_code == 204
        for namespace, status in (("one", 404), ("two", 200)):
            answer = await client.get("/api/v1/cache/get", params={"key": "k", "namespace": namespace})
            assert answer.status_code == status


async def test_our_services_may(home: House) -> None:
    async with home.client(Actor(kind="service", user_id="metadata")) as client:
        assert (await client.get("/api/v1/cache/stats")).status_code == 200


async def test_value_that_is_too_large_is_refused(home: House) -> None:
    async with home.client(ADMIN) as client:
        answer = await client.post("/api/v1/cache/set", json={"key": "k", "value": "x" * 1_100_000})
        assert answer.status_code == 413


async def test_key_that_cannot_be_is_named(home: House) -> None:
    async with home.client(ADMIN) as client:
        answer = await client.get("/api/v1/cache/get", params={"key": "k" * 513})
        assert (answer.status_code, [error["field"] for error in answer.json()["errors"]]) == (422, ["key"])


@pytest.mark.parametrize(("actor", "status"), [(ANONYMOUS, 401), (CREATOR, 403)])
async def test_nobody_else_may(home: House, actor: Actor, status: int) -> None:
    async with home.client(actor) as client:
        for answer in (
            await client.get("/api/v1/cache/get", params={"key": "k"}),
            await client.post("/api/v1/cache/set", json={"key": "k", "value": 1}),
            await client.delete("/api/v1/cache/delete", params={"key": "k"}),
            await client.delete("/api/v1/cache/clear"),
            await client.get("/api/v1/cache/stats"),
        ):
            assert answer.status_code == status
