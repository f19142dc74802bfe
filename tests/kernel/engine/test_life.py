"""The life of a server, by either engine: start, drain, cut, busy ports, an engine that is not installed."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from typing import Any

import attrs
import httpx
import pytest
import uvloop
from starlette.responses import PlainTextResponse

from streamgate.engine.server import EngineMissing, PortBusy, Server, bind
from streamgate.settings import ServerSettings
from streamgate.web.app import App
from streamgate.web.routes import PUBLIC, Call, Route

MakeApp = Callable[..., App]
Serve = Callable[..., Any]


async def test_start_returns_when_requests_are_answered_and_stop_refuses_new_ones(serve: Serve) -> None:
    server, client = await serve([])
    assert (await client.get("/health")).status_code == 200
    await server.stop()
    with pytest.raises(httpx.ConnectError):
        await client.get("/health")
    await server.stop()


async def test_a_server_that_never_started_lets_its_port_go(make_app: MakeApp, settings: ServerSettings) -> None:
    bound = bind("127.0.0.1", 0)
    port = bound.getsockname()[1]
    await Server("http:toy", make_app([]), bound, settings).stop()
    bind("127.0.0.1", port).close()


def test_a_busy_port_is_named() -> None:
    holder = bind("127.0.0.1", 0)
    holder.listen()
    port = holder.getsockname()[1]
    with pytest.raises(PortBusy, match=rf"127\.0\.0\.1:{port}: Address already in use"):
        bind("127.0.0.1", port)
    holder.close()


def test_an_address_of_another_machine_is_named() -> None:
    with pytest.raises(PortBusy, match=r"192\.0\.2\.1:1234"):
        bind("192.0.2.1", 1234)


def is_free(port: int) -> bool:
    try:
        bind("127.0.0.1", port).close()
    except PortBusy:
        return False
    return True


async def test_a_running_request_is_finished_while_new_connections_are_refused(serve: Serve) -> None:
    entered, may_end = asyncio.Event(), asyncio.Event()

    async def slow(call: Call[None, None]) -> PlainTextResponse:
        entered.set()
        await may_end.wait()
        return PlainTextResponse("done")

    server, client = await serve([Route("GET", "/slow", slow, policy=PUBLIC, summary="Slow")])
    running = asyncio.create_task(client.get("/slow"))
    await entered.wait()
    stopping = asyncio.create_task(server.stop())
    while not is_free(server.port):  # asked without connecting: asyncio forgets one that it accepts while it closes
        await asyncio.sleep(0)
    with pytest.raises(ConnectionError):
        await asyncio.open_connection("127.0.0.1", server.port)
    assert not stopping.done()
    may_end.set()
    assert (await running).text == "done"
    await stopping


async def test_what_does_not_end_within_the_drain_is_cut(serve: Serve) -> None:
    entered, cut = asyncio.Event(), asyncio.Event()

    async def never(call: Call[None, None]) -> None:
        entered.set()
        try:
            await asyncio.Event().wait()
        finally:
            cut.set()

    route = Route("GET", "/never", never, policy=PUBLIC, summary="Never ends", timeout_s=None)
    server, client = await serve([route], drain_timeout_s=0.2)
    running = asyncio.create_task(client.get("/never"))
    await entered.wait()
    await asyncio.wait_for(server.stop(), 2)
    assert cut.is_set()
    answer = await running
    assert (answer.status_code, answer.json()["code"]) == (503, "service.unavailable")


async def test_the_access_log_is_written_by_the_time_the_server_has_stopped(serve: Serve, lines: Any) -> None:
    server, client = await serve([])
    await client.get("/health")
    await server.stop()
    assert [line.path for line in lines.lines] == ["/health"]


def test_serving_draining_and_cutting_hold_on_uvloop_too(make_app: MakeApp, settings: ServerSettings) -> None:
    entered = asyncio.Event()

    async def never(call: Call[None, None]) -> None:
        entered.set()
        await asyncio.Event().wait()

    async def take(call: Call[None, None]) -> PlainTextResponse:
        return PlainTextResponse(str(len(await call.request.body())))

    brief = attrs.evolve(settings, drain_timeout_s=0.2)

    async def story() -> int:
        routes = [
            Route("POST", "/upload", take, policy=PUBLIC, summary="Counts", raw_body=True),
            Route("GET", "/never", never, policy=PUBLIC, summary="Never ends", timeout_s=None),
        ]
        server = Server("http:toy", make_app(routes), bind("127.0.0.1", 0), brief)
        await server.start()
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{server.port}", timeout=5) as client:
            assert (await client.post("/upload", content=b"x" * 2_000_000)).text == "2000000"
            running = asyncio.create_task(client.get("/never"))
            await entered.wait()
            await asyncio.wait_for(server.stop(), 2)
            with pytest.raises(httpx.ConnectError):
                await client.get("/health")
            return (await running).status_code

    assert uvloop.run(story()) == 503


async def test_an_engine_that_is_not_installed_is_named_with_the_remedy(
    make_app: MakeApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, "streamgate.engine.uvicorn", raising=False)
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    with bind("127.0.0.1", 0) as bound, pytest.raises(EngineMissing, match=r"install streamgate-kernel\[uvicorn\]"):
        Server("http:toy", make_app([]), bound, ServerSettings(engine="uvicorn"))
