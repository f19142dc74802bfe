"""The log for machines: what a record holds, what a full tap does, which call a line was written in."""

from __future__ import annotations

import io
import json
import logging
import sys
from collections.abc import Iterator
from typing import Any, Literal

import pytest
from loguru import logger

from streamgate.context import CallContext, use_call
from streamgate.settings import LogSettings
from streamgate.telemetry import setup_telemetry
from streamgate.telemetry.requests import Access, LineWriter
from streamgate.telemetry.tap import LEFT_OUT, LogRecord, LogTap, open_tap
from streamgate.web.routes import PUBLIC, Call, Route

TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00"


@pytest.fixture(autouse=True)
def as_it_was() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    logger.remove()
    logger.configure(patcher=lambda record: None)
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.fixture
def tap() -> Iterator[LogTap]:
    tap = open_tap("INFO")
    yield tap
    tap.close()


def written(settings: LogSettings, *, tapped: str = "") -> io.StringIO:
    out = io.StringIO()
    setup_telemetry(settings, stream=out, service="toy", tapped=tapped)
    return out


def test_a_line_has_the_ids_of_the_call_it_was_written_in() -> None:
    out = written(LogSettings(format="json"))
    with use_call(CallContext(request_id="abc-12345", traceparent=TRACE)):
        logger.info("inside")
        logger.bind(request_id="mine").info("its own word counts")
    logger.info("outside")
    logger.remove()
    inside, own, outside = (json.loads(line) for line in out.getvalue().splitlines())
    assert (inside["request_id"], inside["trace_id"], inside["service"]) == ("abc-12345", TRACE[3:35], "toy")
    assert own["request_id"] == "mine"
    assert "request_id" not in outside


def test_a_record_holds_what_a_line_holds_without_secrets(tap: LogTap) -> None:
    written(LogSettings())
    with use_call(CallContext(request_id="abc-12345", traceparent=TRACE)):
        try:
            raise KeyError("Bearer abcdefghijkl")
        except KeyError:
            logger.bind(token="s3cr3t", size_bytes=3, url="/stream/s/c2VjcmV0/x").exception("it broke")
    logger.remove()
    (record,), dropped = tap.take(10)
    assert (record.level, record.event, record.request_id, record.trace_id, dropped) == (
        "ERROR",
        "it broke",
        "abc-12345",
        TRACE[3:35],
        0,
    )
    assert record.fields["size_bytes"] == "3"
    assert record.fields["exception_type"] == "KeyError"
    assert "s3cr3t" not in str(record)
    assert "c2VjcmV0" not in str(record)
    assert "abcdefghijkl" not in str(record)


def test_a_tap_hears_what_is_not_shown(tap: LogTap) -> None:
    out = written(LogSettings(level="ERROR"), tapped="INFO")
    logger.debug("nobody")
    logger.info("the tap")
    logger.error("both")
    logger.remove()
    assert [record.event for record in tap.take(10)[0]] == ["the tap", "both"]
    assert "both" in out.getvalue()
    assert "the tap" not in out.getvalue()


def test_a_full_tap_drops_and_counts_and_keeps_room_for_what_is_wrong() -> None:
    tap = LogTap("INFO", 10)
    for number in range(20):
        tap.offer(LogRecord(at_ms=number, level="INFO", event="info"))
    tap.offer(LogRecord(at_ms=20, level="ERROR", event="error"))
    records, dropped = tap.take(5)
    assert (len(records), dropped, records[0].at_ms) == (5, 12, 0)
    records, dropped = tap.take(100)
    assert ([record.event for record in records], dropped) == (["info"] * 3 + ["error"], 0)


def test_a_closed_tap_hears_nothing(tap: LogTap) -> None:
    tap.close()
    written(LogSettings())
    logger.info("said")
    logger.remove()
    assert tap.take(10) == ([], 0)


def test_a_request_is_a_record_too(tap: LogTap, capsys: pytest.CaptureFixture[str]) -> None:
    line = Access(1_700_000_000.25, "GET", "/api/v1/stream/s/c2VjcmV0/x", 200, 1.5, 10, "abc-12345", "u_1", "192.0.2.7")
    LineWriter(LogSettings(level="ERROR"))([line])
    assert capsys.readouterr().err == ""
    (record,), _ = tap.take(10)
    assert (record.at_ms, record.event, record.request_id, record.fields["status"]) == (
        1_700_000_000_250,
        "request",
        "abc-12345",
        "200",
    )
    assert "c2VjcmV0" not in str(record)


def asked(at_s: float, *, method: str = "GET", status: int = 200, duration_ms: float = 1.5) -> Access:
    return Access(at_s, method, f"/at/{at_s}", status, duration_ms, 10, "abc-12345", "u_1", "192.0.2.7")


def test_of_ordinary_requests_the_first_of_each_second_are_kept_and_the_others_counted(
    capsys: pytest.CaptureFixture[str],
) -> None:
    tap = open_tap("INFO", ordinary_per_s=2)
    try:
        write = LineWriter(LogSettings())
        for batch in ([asked(at_s) for at_s in (7.0, 7.1, 7.2)], [asked(7.3), asked(8.0), asked(8.9)]):
            put = write(batch)
            assert put is not None
            put()
        kept, dropped = tap.take(100)
        again, _ = tap.take(100)
    finally:
        tap.close()
    assert [record.fields.get("path") for record in kept[:-1]] == ["/at/7.0", "/at/7.1", "/at/8.0", "/at/8.9"]
    assert (kept[-1].event, kept[-1].fields, dropped) == (LEFT_OUT, {"count": "2"}, 0)
    assert again == []
    assert len(capsys.readouterr().err.splitlines()) == 6  # the log has all


@pytest.mark.parametrize(
    "line",
    [
        asked(7.0, status=404),
        asked(7.0, status=500),
        asked(7.0, method="POST"),
        asked(7.0, method="DELETE"),
        asked(7.0, duration_ms=1_000.0),
    ],
    ids=["refused", "failed", "created", "deleted", "slow"],
)
def test_what_is_not_ordinary_is_always_kept(line: Access) -> None:
    tap = open_tap("INFO", ordinary_per_s=0)
    try:
        LineWriter(LogSettings())([line] * 3)
        assert [record.event for record in tap.take(100)[0]] == ["request"] * 3
    finally:
        tap.close()


@pytest.mark.parametrize(("audited", "kept"), [("all", 3), ("refused", 0), ("none", 0)])
def test_changes_that_the_audit_trail_leaves_out_are_ordinary(
    audited: Literal["all", "refused", "none"], kept: int
) -> None:
    async def handler(call: Call[None, None]) -> None: ...

    route = Route("POST", "/often", handler, policy=PUBLIC, summary="P", audited=audited)
    line = asked(7.0, method="POST")._replace(route=route)
    tap = open_tap("INFO", ordinary_per_s=0)
    try:
        LineWriter(LogSettings())([line] * 3)
        assert [record.event for record in tap.take(100)[0]].count("request") == kept
    finally:
        tap.close()


def test_a_field_that_cannot_be_shown_costs_no_line(tap: LogTap) -> None:
    class Broken:
        def __repr__(self) -> str:
            raise ValueError("no")

    broken: Any = Broken()
    setup_telemetry(LogSettings(format="json"), stream=sys.stdout)
    logger.bind(what=broken).info("said")
    logger.remove()
    assert tap.take(10)[0][0].fields["what"] == "could not be shown (ValueError)"
