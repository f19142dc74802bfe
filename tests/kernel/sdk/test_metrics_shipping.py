"""The numbers of a process reach whoever listens: the kernel's and the plugins', whole, again and again."""

from __future__ import annotations

from prometheus_client import Counter, Histogram

from streamgate.bus.memory import MemoryBus
from streamgate.contracts.metrics import METRICS, MetricsSnapshot, Sample
from streamgate.events import Events, EventsUnit, Received, on_everyone
from streamgate.sdk.metrics_shipping import MetricsShipping, read_samples
from streamgate.testing.context import bus_unit, running
from streamgate.testing.wait import eventually

EATEN = Counter("streamgate_test_apples_total", "Apples.", ["colour"])
WAITED = Histogram("streamgate_test_wait_seconds", "Waiting.")


def samples(name: str) -> list[Sample]:
    return [sample for sample in read_samples() if sample.name == name]


def test_counters_and_histograms_are_told_without_their_buckets() -> None:
    EATEN.labels("red").inc(3)
    WAITED.observe(0.5)
    assert samples("streamgate_test_apples_total") == [
        Sample(name="streamgate_test_apples_total", kind="counter", value=3.0, labels={"colour": "red"})
    ]
    assert [sample.value for sample in samples("streamgate_test_wait_seconds_sum")] == [0.5]
    assert samples("streamgate_test_wait_seconds_bucket") == []
    assert {sample.kind for sample in samples("streamgate_uptime_seconds")} <= {"gauge"}


async def test_a_process_tells_its_numbers_again_and_again() -> None:
    told: list[MetricsSnapshot] = []

    async def hear(event: Received[MetricsSnapshot]) -> None:
        told.append(event.body)

    async def nothing() -> None:
        return None

    async def second() -> MetricsSnapshot | None:
        return told[1] if len(told) > 1 else None

    class WithDeadLetters(MemoryBus):
        async def dead_letters(self) -> dict[str, int]:
            return {"metadata": 2}

    bus = WithDeadLetters()
    listening = EventsUnit(bus, [on_everyone(METRICS, hear, resync=nothing)], needs=("bus",))
    shipping = MetricsShipping(bus, Events(bus, source="cache@test"), service="cache", every_s=0.01)
    async with running(bus_unit(bus), listening, shipping):
        snapshot = await eventually(second, what="two snapshots")
    assert (snapshot.instance, snapshot.service) == ("cache@test", "cache")
    assert "streamgate_test_apples_total" in {sample.name for sample in snapshot.samples}
    dead = [sample for sample in snapshot.samples if sample.name == "streamgate_events_dead_letters"]
    assert [(sample.labels, sample.value) for sample in dead] == [({"group": "metadata"}, 2.0)], "nobody has scraped"
