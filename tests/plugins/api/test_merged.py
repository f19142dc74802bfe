"""One description for all services, when one of them cannot be had: nobody can make the gateway ask and ask."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import httpx
import pytest
from starlette.types import Receive, Scope, Send

from streamgate.announce import Announcement
from streamgate.testing.clock import FakeClock
from streamgate.web.openapi import describe
from streamgate.web.routes import PUBLIC, Mount
from streamgate_api import merged
from streamgate_api.described import DescriptionPage
from streamgate_api.merged import RETRY_AFTER_S, MergedDescription
from streamgate_api.targets import Targets


class Silent:
    """A service that takes questions for its description and never answers."""

    def __init__(self) -> None:
        self.asked = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.asked += 1
        await receive()  # until the asker leaves


async def test_a_service_that_cannot_be_described_is_asked_once_for_all(
    gateway: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(merged, "FETCH_TIMEOUT_S", 0.3)
    silent, clock = Silent(), FakeClock()
    mounts = [Mount(prefix="/openapi.json", app=silent, policy=PUBLIC, summary="Silent")]
    backend = await gateway.start([], mounts, "worker")
    targets = Targets({}, now_s=lambda: 0.0)
    targets.hear(backend.announced("worker", "/api/v1/jobs"))
    description = MergedDescription(
        targets, lambda: describe([], title="own", version="1"), now_s=lambda: clock.monotonic_s()
    )
    answers = await asyncio.gather(*(description.current() for _ in range(5)))
    assert (silent.asked, len(set(answers))) == (1, 1)

    began_s = time.perf_counter()
    await description.current()
    assert (silent.asked, time.perf_counter() - began_s < 0.25) == (1, True)

    await clock.advance(RETRY_AFTER_S)
    await description.current()
    assert silent.asked == 2


async def test_what_is_described_meanwhile_waits_for_nobody_who_is_not(
    gateway: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that comes later is fetched although another was tried a moment ago."""
    monkeypatch.setattr(merged, "FETCH_TIMEOUT_S", 0.3)
    silent = Silent()
    mounts = [Mount(prefix="/openapi.json", app=silent, policy=PUBLIC, summary="Silent")]
    targets = Targets({})
    targets.hear((await gateway.start([], mounts, "worker")).announced("worker", "/api/v1/jobs"))
    description = MergedDescription(targets, lambda: describe([], title="own", version="1"))
    own = await description.current()
    upload = await gateway.start([], [], "upload")
    heard: Announcement = upload.announced("upload", "/api/v1/upload")
    targets.hear(heard)
    both = await description.current()
    assert silent.asked == 1
    assert b"/health" in both.document
    assert b"/health" not in own.document


async def test_it_is_only_read() -> None:
    """A mount answers for itself: other methods are refused as they are elsewhere."""
    description = MergedDescription(Targets({}), lambda: describe([], title="own", version="1"))
    page = DescriptionPage(description.current)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(page), base_url="http://gateway") as http:
        assert (await http.get("/openapi.json/more")).json()["code"] == "request.unknown_path"
        for method in ("GET", "HEAD"):
            assert (await http.request(method, "/openapi.json")).status_code == 200
        for method in ("POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"):
            refused = await http.request(method, "/openapi.json")
            assert (refused.status_code, refused.headers["allow"]) == (405, "GET, HEAD")
            assert refused.json()["code"] == "request.method_not_allowed"
