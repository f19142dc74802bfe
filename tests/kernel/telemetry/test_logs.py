"""Logs: what is rendered, what is hidden, and that nobody waits for them."""

from __future__ import annotations

import io
import json
import logging
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from loguru import logger

from streamgate.settings import LogSettings, Secret
from streamgate.telemetry.logs import LogWriter, console_renderer, json_renderer, redact, setup_telemetry
from streamgate.testing.attacks import attack

JWT = "eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiJ1MSJ9.c2lnbmF0dXJlLWJ5dGVz"


@pytest.fixture(autouse=True)
def _put_back() -> Iterator[None]:
    """Logging is one for the process: leave it as the other tests expect it."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    logger.remove()
    root.handlers[:] = handlers
    root.setLevel(level)


def lines_of(out: io.StringIO) -> list[str]:
    logger.remove()  # stops the sink, which writes what waits
    return out.getvalue().splitlines()


def json_lines(settings: LogSettings, log: Any) -> list[dict[str, Any]]:
    out = io.StringIO()
    setup_telemetry(settings, stream=out)
    log()
    return [json.loads(line) for line in lines_of(out)]


JSON = LogSettings(format="json")


def test_a_line_is_one_json_object_with_its_fields() -> None:
    found = json_lines(JSON, lambda: logger.bind(video_id="v1", size_bytes=3).info("rendition ready"))
    assert len(found) == 1
    line = found[0]
    assert (line["event"], line["level"]) == ("rendition ready", "INFO")
    assert (line["video_id"], line["size_bytes"]) == ("v1", 3)
    assert line["time"].endswith("Z")
    assert "test_logs" in line["at"]


def test_fields_cannot_take_the_place_of_the_lines_own() -> None:
    line = json_lines(JSON, lambda: logger.bind(level="x", time="y").info("e"))[0]
    assert (line["level"], line["level_"], line["time_"]) == ("INFO", "x", "y")


def test_an_exception_has_type_words_and_stack() -> None:
    def log() -> None:
        try:
            raise LookupError("no such video")
        except LookupError:
            logger.exception("failed")

    line = json_lines(JSON, log)[0]
    assert (line["exception_type"], line["exception"]) == ("LookupError", "no such video")
    assert "raise LookupError" in line["stack"]


def test_below_the_level_nothing_is_written() -> None:
    assert json_lines(LogSettings(format="json", level="WARNING"), lambda: logger.info("e")) == []


def test_a_value_without_json_form_is_shown_and_a_broken_one_does_not_end_the_log() -> None:
    class Broken:
        def __repr__(self) -> str:
            raise RuntimeError

    def log() -> None:
        logger.bind(where={1}, pin=Secret("hunter2")).info("first")
        logger.bind(where=Broken()).info("second")
        logger.info("third")

    out = io.StringIO()
    setup_telemetry(JSON, stream=out)
    log()
    first, second, third = lines_of(out)
    assert json.loads(first)["where"] == "{1}"
    assert "hunter2" not in first
    assert "could not be rendered" in second
    assert json.loads(third)["event"] == "third"


@attack("A13", "B45")
@pytest.mark.parametrize(
    ("text", "secret"),
    [
        ("GET /api/v1/stream/s/abc-DEF_123.mac/v/0/init.mp4 200", "abc-DEF_123.mac"),
        ("GET /api/v1/stream/segment?content_id=c_1&session=abc-DEF_123&number=0 200", "abc-DEF_123"),
        (f"sent {JWT} to", JWT[4:]),
        ("authorization: Bearer abcdefgh12345678", "abcdefgh12345678"),
        ("Authorization: Basic dXNlcjpwYXNz", "dXNlcjpwYXNz"),
        ("cannot connect to postgresql://sg:p4ss@db:5432/x", "p4ss"),
        ("nats://only-token@host", "only-token"),
        ("GET https://s3/x?X-Amz-Signature=abcd1234&a=b", "abcd1234"),
        ("/a?access_token=abcd1234", "abcd1234"),
    ],
)
def test_what_opens_something_is_hidden(text: str, secret: str) -> None:
    assert secret not in redact(text)
    assert redact(text)[:3] == text[:3]


@pytest.mark.parametrize(
    "text",
    ["GET /api/v1/stream/info/v1 200", "http://127.0.0.1:9090/x", "a basic fact", "user@example.org", "tokens=3"],
)
def test_what_opens_nothing_stays(text: str) -> None:
    assert redact(text) == text


@attack("A13", "B45")
@given(token=st.text("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.~%", min_size=1))
def test_no_playback_token_of_any_form_is_left(token: str) -> None:
    assert redact(f"x /api/v1/stream/s/{token}/master.m3u8 y") == "x /api/v1/stream/s/…/master.m3u8 y"


def test_fields_named_like_secrets_are_hidden_in_both_forms() -> None:
    for form in ("json", "console"):
        out = io.StringIO()
        setup_telemetry(LogSettings(format=form), stream=out)
        logger.bind(refresh_token="s1", password="s2", Authorization="s3", master_key="s4", blob_key="b1").info("e")
        text = "\n".join(lines_of(out))
        assert not any(secret in text for secret in ("s1", "s2", "s3", "s4"))
        assert "b1" in text


@attack("B35")
def test_nobody_can_forge_a_line() -> None:
    out = io.StringIO()
    setup_telemetry(LogSettings(format="console"), stream=out)
    logger.bind(title="x\n12:00:00.000 INFO    gate opened\x1b[2J").info("a\r\nb\u2028c")
    lines = lines_of(out)
    assert len(lines) == 1
    assert "\x1b" not in lines[0]
    assert "a\\r\\nb\\u2028c" in lines[0]


def test_the_standard_library_comes_the_same_way_with_its_place() -> None:
    def log() -> None:
        logging.getLogger("some.library").warning("%d left", 3)
        logging.getLogger("httpx").info("HTTP Request: GET http://x")

    found = json_lines(JSON, log)
    assert [line["event"] for line in found] == ["3 left"]
    assert "test_logs" in found[0]["at"]


def test_braces_in_a_foreign_message_are_only_braces() -> None:
    assert json_lines(JSON, lambda: logging.getLogger("x").warning("{} {y}"))[0]["event"] == "{} {y}"


def test_a_second_set_up_replaces_the_first() -> None:
    first, second = io.StringIO(), io.StringIO()
    setup_telemetry(JSON, stream=first)
    logger.info("one")
    setup_telemetry(JSON, stream=second)
    logger.info("two")
    assert [json.loads(line)["event"] for line in lines_of(second)] == ["two"]
    assert [json.loads(line)["event"] for line in first.getvalue().splitlines()] == ["one"]


class Stuck(io.StringIO):
    """A terminal that nobody reads until `go`."""

    def __init__(self) -> None:
        super().__init__()
        self.entered, self.go = threading.Event(), threading.Event()

    def write(self, text: str) -> int:
        self.entered.set()
        assert self.go.wait(30)
        return super().write(text)


def test_a_stuck_reader_delays_nobody_and_drops_the_small_things_first() -> None:
    out = Stuck()
    logger.remove()
    logger.add(LogWriter(out, json_renderer(""), max_waiting=2), format=lambda _: "{message}", level="INFO")
    logger.info("being written")
    assert out.entered.wait(30)
    for number in range(4):
        logger.info(f"info {number}")
    for number in range(4):
        logger.warning(f"warning {number}")
    out.go.set()
    lines = [json.loads(line) for line in lines_of(out)]
    kept = ["being written", "info 0", "info 1", "warning 0", "warning 1"]
    assert [line["event"] for line in lines] == [*kept, "log lines dropped"], "and no more than twice as many"
    assert lines[-1]["dropped"] == 4


def test_a_reader_that_left_is_no_fault_of_the_caller() -> None:
    out = io.StringIO()
    setup_telemetry(JSON, stream=out)
    out.close()
    logger.info("to nobody")
    logger.remove()


def test_colours_only_where_asked() -> None:
    out = io.StringIO()
    logger.remove()
    logger.add(LogWriter(out, console_renderer(colours=True)), format=lambda _: "{message}")
    logger.bind(a="b c").warning("careful")
    line = lines_of(out)[0]
    assert "\x1b[33mWARNING" in line
    assert 'a="b c"' in line
