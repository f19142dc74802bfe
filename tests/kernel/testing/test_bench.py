"""The harness of `make bench`: what it counts, judges, prints and asks. The figures themselves are no tests."""

from __future__ import annotations

import asyncio
import importlib.util
import json
from pathlib import Path

import pytest

from tests.bench import __main__ as program
from tests.bench.figures import HEAD, Figure, LeftOut, Row, missed, percentile, summary
from tests.bench.load import Refused, connected, timed_by_turns


def figure(*ours: float, **asked: object) -> Figure:
    given: dict[str, object] = {"name": "a figure", "unit": "ms", **asked}
    return Figure(ours=ours, **given)  # type: ignore[arg-type]


@pytest.mark.parametrize(("share", "value"), [(0.0, 1), (0.5, 51), (0.99, 100), (1.0, 100)])
def test_percentiles_are_samples_whatever_their_order(share: float, value: float) -> None:
    assert percentile(list(range(100, 0, -1)), share) == value


def test_one_sample_is_every_percentile() -> None:
    assert [percentile([7.0], share) for share in (0.0, 0.5, 0.99)] == [7.0] * 3


def test_a_ratio_is_of_medians_and_needs_a_peer() -> None:
    assert figure(1, 4, 100, peer=(2, 2, 2)).ratio == 2
    assert figure(1).ratio is None
    assert figure(1, peer=(0,)).ratio is None, "nothing is so many times nothing"


@pytest.mark.parametrize(("unit", "ours", "per_s"), [("ms", (1, 3), 500), ("µs", (2,), 500_000), ("MB/s", (80,), 0)])
def test_throughput_follows_from_the_mean_of_a_time(unit: str, ours: tuple[float, ...], per_s: float) -> None:
    assert figure(*ours, unit=unit).throughput_per_s == pytest.approx(per_s)
    assert figure(*ours, unit=unit, per_s=7).throughput_per_s == 7, "where several were under way it is given"


def test_a_limit_is_of_the_median_or_of_the_tail() -> None:
    slow_once = (1.0,) * 98 + (30.0, 30.0)
    [middle] = figure(*slow_once, limit=10).marks
    [tail] = figure(*slow_once, limit=10, limit_of="p99").marks
    assert (middle.holds, middle.got) == (True, 1)
    assert (tail.holds, tail.got, tail.verdict) == (False, 30, "MISSED")


@pytest.mark.parametrize(("higher", "rate", "holds"), [(True, 0.5, True), (True, 0.4, False), (False, 0.4, True)])
def test_a_ratio_limit_knows_which_side_is_better(higher: bool, rate: float, holds: bool) -> None:
    [mark] = figure(rate, peer=(1.0,), ratio_limit=0.45, higher_is_better=higher).marks
    assert mark.holds is holds


def test_a_ratio_limit_without_a_peer_asks_nothing() -> None:
    assert figure(1, ratio_limit=2).marks == ()


def test_a_missed_aim_is_told_and_fails_nothing() -> None:
    rows: list[Row] = [figure(50, unit="1/s", aim=100, higher_is_better=True), LeftOut("another", "no peer")]
    assert missed(rows) == 0
    assert summary(rows) == ["limits: 0 of 0 held", "aims: 0 of 1 held", "  a figure: 50.000, asked aim ≥ 100"]


def test_the_summary_names_what_missed_its_limit() -> None:
    rows = [figure(1, limit=2), figure(3, name="  slow", limit=2, peer=(1,), ratio_limit=5)]
    assert missed(rows) == 1
    assert summary(rows)[:2] == ["limits: 2 of 3 held", "  slow: 3.000, asked p50 ≤ 2"]


def test_a_row_lies_below_its_head() -> None:
    row = figure(1, 2, 3, peer=(1, 1, 1), peer_name="a peer", limit=5).row()
    end = HEAD.index("asked")
    assert row[:end].split() == ["a", "figure", "ms", "2.000", "3.000", "500", "1.000", "1.000", "2.00"]
    assert row[end:].startswith("p50 ≤ 5 ok")
    assert row.endswith("a peer")


def test_every_group_has_its_modules() -> None:
    names = [name for modules in program.GROUPS.values() for name in modules]
    assert len(names) == len(set(names))
    assert all(importlib.util.find_spec(f"tests.bench.{name}") is not None for name in names)


def test_groups_can_be_picked_and_the_figures_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    kept = tmp_path / "figures.json"
    monkeypatch.setattr("sys.argv", ["bench", "cache", "--json", str(kept)])
    monkeypatch.setattr("tests.bench.cache.measure", lambda folder: [figure(3, limit=2), LeftOut("other", "no peer")])
    assert program.main() == 1, "a limit was missed"
    [first, second] = json.loads(kept.read_text())["groups"]["cache"]
    assert (first["p50"], first["peer"], first["marks"][0]["holds"]) == (3, None, False)
    assert second == {"name": "other", "left_out": "no peer", "marks": []}
    printed = capsys.readouterr().out
    assert "left out: no peer" in printed
    assert "limits: 0 of 1 held" in printed


def test_an_unknown_group_is_refused(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("sys.argv", ["bench", "cash"])
    with pytest.raises(SystemExit):
        program.main()
    assert "no group cash; there are start, calls" in capsys.readouterr().err


async def test_calls_by_turns_are_as_many_of_each() -> None:
    seen: list[str] = []

    async def ours() -> None:
        seen.append("ours")

    async def peer() -> None:
        seen.append("peer")

    took = await timed_by_turns(ours, peer, 3)
    assert seen == ["ours", "peer"] * 3
    assert [len(each) for each in took] == [3, 3]


async def test_the_client_reads_bodies_and_refuses_what_is_not_2xx() -> None:
    asked: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for status in (b"201 Created", b"404 Not Found"):
            asked.append(await reader.readuntil(b"\r\n\r\n"))
            asked.append(await reader.readexactly(2) if b"POST" in asked[-1] else b"")
            writer.write(b"HTTP/1.1 " + status + b"\r\ncontent-length: 7\r\n\r\n" + b'{"a":1}')
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server, connected(port) as connection:
        reply = await connection.ask("POST", "/there?n=1", b"ab", headers={"X-A": "b"})
        assert (reply.status, reply.json()) == (201, {"a": 1})
        with pytest.raises(Refused, match="GET /gone: 404"):
            await connection.ask("GET", "/gone")
    assert asked[0].startswith(b"POST /there?n=1 HTTP/1.1\r\n")
    assert b"X-A: b\r\n" in asked[0]
    assert asked[1] == b"ab"
