"""GET /api/v1/monitor/health as nobody and as an admin."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from streamgate.context import ANONYMOUS, Actor
from streamgate.health import CheckResult, Readiness, introspection_of
from streamgate.services import Offer
from streamgate.testing.house import house

PATH = "/api/v1/monitor/health"
ADMIN = Actor(kind="user", user_id="root", roles=("admin",))


class Kernel:
    def __init__(self, ready: bool) -> None:
        self._ready = ready

    async def ping(self) -> None:
        return None

    async def readiness(self) -> Readiness:
        return Readiness(ready=self._ready, checks={"database": CheckResult(ok=self._ready, detail="d", latency_ms=1)})


@pytest.mark.parametrize(("ready", "status", "word"), [(True, 200, "ok"), (False, 503, "degraded")])
async def test_everyone_learns_whether_admins_learn_what(tmp_path: Path, ready: bool, status: int, word: str) -> None:
    # On the memory bus only what this process runs can be there: of the nine, that is monitor itself.
    offers: list[Offer[Any]] = [Offer(introspection_of("monitor"), Kernel(ready))]
    async with house(tmp_path, ["monitor"], offers=offers) as home:
        async with home.client(ANONYMOUS) as http:
            public = await http.get(PATH)
        viewer = Actor(kind="user", user_id="vi", roles=("viewer", "creator", "moderator"))
        async with home.client(viewer) as http:
            assert (await http.get(PATH)).json()["services"] is None
        async with home.client(ADMIN) as http:
            admin = await http.get(PATH)
    assert (public.status_code, public.json()["status"], public.json()["services"]) == (status, word, None)
    assert (admin.status_code, admin.json()["status"]) == (status, word)
    assert admin.json()["services"]["monitor"]["checks"]["database"]["ok"] is ready
    assert admin.headers["cache-control"] == "no-store"
