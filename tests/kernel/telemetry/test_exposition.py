"""What Prometheus reads: who may, which measures, how they are shown."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from typing import Any

import httpx
import pytest
from prometheus_client import Counter
from prometheus_client.parser import text_string_to_metric_families

from streamgate.bus.base import BusUnavailable
from streamgate.bus.memory import MemoryBus
from streamgate.context import ANONYMOUS, Actor
from streamgate.health import Readiness
from streamgate.settings import ServerSettings
from streamgate.telemetry.exposition import Exposition, LoopLag
from streamgate.telemetry.measures import MAX_SERIES, MEASURES, Counts, Levels, Timings
from streamgate.telemetry.process import internal_app
from streamgate.testing.wait import eventually
from streamgate.web.app import App, build_app
from streamgate.web.routes import PUBLIC, Call, Route

ADMIN = Actor(kind="user", user_id="u_admin", roles=("admin",))
PLUGINS_OWN = Counter("streamgate_toy_things_total", "What a plugin counts.", ["kind"])


class ByHeader:
    async def authenticate(self, headers: Mapping[str, str]) -> Actor:
        return ADMIN if headers.get("authorization") == "Bearer admin" else ANONYMOUS


async def ready() -> Readiness:
    return Readiness(ready=True, checks={}, service="toy")


def exposition(bus: Any = None) -> Exposition:
    return Exposition(bus or Connected(), mode="all", service="toy", began_s=0.0)


class Connected(MemoryBus):
    async def dead_letters(self) -> dict[str, int]:
        return {"metadata": 2}

    async def ping(self) -> None:
        return None


class Away(MemoryBus):
    async def dead_letters(self) -> dict[str, int]:
        raise BusUnavailable("away")

    async def ping(self) -> None:
        raise BusUnavailable("away")


def app_with(*routes: Route) -> App:
    return build_app(
        routes=routes,
        authenticator=ByHeader(),
        settings=ServerSettings(),
        service="toy",
        mode="all",
        readiness=ready,
        began_s=0.0,
    )


def client_of(app: App, *, peer: str = "192.0.2.7") -> httpx.AsyncClient:
    transport = httpx.ASGITransport(app, raise_app_exceptions=False, client=(peer, 1))
    return httpx.AsyncClient(transport=transport, base_url="http://toy")


async def samples(client: httpx.AsyncClient, **headers: str) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    answer = await client.get("/metrics", headers=headers)
    assert answer.status_code == 200, answer.text
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


# --- who may ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("is_open_to_loopback", "peer", "token", "status"),
    [
        (False, "127.0.0.1", "", 401),
        (False, "127.0.0.1", "Bearer admin", 200),
        (True, "127.0.0.1", "", 200),
        (True, "192.0.2.7", "", 401),
        (True, "192.0.2.7", "Bearer admin", 200),
    ],
)
async def test_who_may_look(is_open_to_loopback: bool, peer: str, token: str, status: int) -> None:
    app = app_with(exposition().route(is_open_to_loopback=is_open_to_loopback))
    async with client_of(app, peer=peer) as client:
        assert (await client.get("/metrics", headers={"authorization": token})).status_code == status


async def test_the_internal_listener_answers_three_questions_and_no_other() -> None:
    app = internal_app(exposition(), ByHeader(), ServerSettings(), 0.0, ready)
    async with client_of(app) as client:
        answered = {path: (await client.get(path)).status_code for path in ("/metrics", "/health", "/ready")}
        assert set(answered.values()) == {200}
        assert (await client.get("/openapi.json")).status_code == 404
        assert (await client.get("/docs")).status_code == 404


# --- what is shown ------------------------------------------------------------------------------------


async def test_requests_are_measured_by_route_and_class_of_status() -> None:
    async def done(call: Call[None, None]) -> None:
        return None

    shown = exposition().route(is_open=True)
    app = app_with(shown, Route("GET", "/exposed/{thing_id}", done, policy=PUBLIC, summary="T"))
    async with client_of(app) as client:
        for thing in ("a", "b", "c"):
            await client.get(f"/exposed/{thing}")
        await client.request("BREW", "/exposed/a")
        found = await samples(client)
    labels = (("method", "GET"), ("route", "/exposed/{thing_id}"), ("status", "2xx"))
    name = "streamgate_http_request_duration_seconds"
    assert found[f"{name}_count", labels] == 3
    assert found[f"{name}_bucket", tuple(sorted((*labels, ("le", "+Inf"))))] == 3
    assert 0 < found[f"{name}_sum", labels] < 30
    assert found["streamgate_http_requests_in_flight", ()] == 1  # this very one
    assert not [key for key in found if ("method", "BREW") in key[1]]


async def test_the_bus_and_its_dead_letters_are_looked_at() -> None:
    async with client_of(app_with(exposition().route(is_open=True))) as client:
        found = await samples(client)
    assert found["streamgate_bus_connected", ()] == 1
    assert found["streamgate_events_dead_letters", (("group", "metadata"),)] == 2
    async with client_of(app_with(exposition(Away()).route(is_open=True))) as client:
        assert (await samples(client))["streamgate_bus_connected", ()] == 0


async def test_a_plugins_own_counter_is_shown_beside_ours() -> None:
    PLUGINS_OWN.labels("odd").inc(3)
    async with client_of(app_with(exposition().route(is_open=True))) as client:
        found = await samples(client)
        open_metrics = await client.get("/metrics", headers={"accept": "application/openmetrics-text"})
    assert found["streamgate_toy_things_total", (("kind", "odd"),)] == 3
    assert found["streamgate_uptime_seconds", ()] > 0
    assert open_metrics.headers["content-type"].startswith("application/openmetrics-text")
    assert open_metrics.text.endswith("# EOF\n")


async def test_a_loop_that_was_held_up_is_seen() -> None:
    unit = LoopLag()
    await unit.start()

    async def late() -> bool | None:
        import time

        time.sleep(0.3)  # noqa: ASYNC251 (it is what must be seen)
        return MEASURES["streamgate_event_loop_lag_seconds"].now()[()] > 0.05 or None  # type: ignore[attr-defined]

    await eventually(late, what="the lag")
    await unit.stop()


# --- measures -----------------------------------------------------------------------------------------


@pytest.fixture
def forgotten() -> Any:
    before = set(MEASURES)
    yield
    for name in set(MEASURES) - before:
        del MEASURES[name]


def test_a_duration_is_counted_in_its_bucket(forgotten: None) -> None:
    timings = Timings("streamgate_test_one_seconds", "T", ("kind",), (0.1, 1.0))
    for duration_s in (0.05, 0.1, 0.5, 7.0):
        timings.of("a").observe(duration_s)
    assert timings.of("a").counts == [2, 1, 1]  # a bound is the largest that belongs to it
    assert timings.of("a").total_s == pytest.approx(7.65)


def test_series_are_bounded(forgotten: None) -> None:
    counts, levels = Counts("streamgate_test_two_total", "T", ("id",)), Levels("streamgate_test_two", "T", ("id",))
    for number in range(MAX_SERIES + 50):
        counts.of(str(number)).add()
        levels.set(1.0, str(number))
    assert len(counts.series) == MAX_SERIES + 1
    assert counts.series["other",].value == 50
    assert len(levels.values) == MAX_SERIES


def test_one_name_is_one_measure(forgotten: None) -> None:
    Counts("streamgate_test_three_total", "T")
    with pytest.raises(ValueError, match="streamgate_test_three_total"):
        Timings("streamgate_test_three_total", "T")


LOOKED_AT_ONCE = """
import threading
import prometheus_client
from streamgate.telemetry import exposition

both = threading.Barrier(2)

def meet(_=prometheus_client.disable_created_metrics):
    try:
        both.wait(0.2)  # whoever comes here together
    except threading.BrokenBarrierError:
        pass

prometheus_client.disable_created_metrics = meet
faults = []

def look():
    try:
        exposition._render("text/plain")
    except Exception as fault:
        faults.append(fault)

threads = [threading.Thread(target=look) for _ in range(2)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
raise SystemExit(str(faults) if faults else 0)
"""


def test_the_first_two_looks_may_be_at_once() -> None:
    """A scrape, and what is told to monitor: each has a thread of its own."""
    looked = subprocess.run(
        [sys.executable, "-c", LOOKED_AT_ONCE], capture_output=True, text=True, check=False, timeout=30
    )
    assert (looked.returncode, looked.stderr) == (0, "")
