"""`streamgate revoke` and `streamgate stream rekey` against a server that listens."""

from __future__ import annotations

import http.server
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from streamgate.cli import main

ID = "r_0123456789012345678901"


class Stage(http.server.BaseHTTPRequestHandler):
    """Ends so many sessions, whoever is meant; has two pages of what is refused."""

    asked: list[tuple[str, str, Any]]
    count: int

    def _answer(self) -> None:
        length = int(self.headers["Content-Length"] or 0)
        body = json.loads(self.rfile.read(length)) if length else None
        self.asked.append((self.command, self.path, body))
        status, told = 200, self._told(body)
        if self.headers["X-API-Key"] != "sgk_good":
            faults = [{"field": "x", "message": "is odd"}, {"field": "y", "message": "is even"}]
            status, told = 401, {"detail": "not known: x is odd (and 1 more)", "errors": faults}
        data = json.dumps(told).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_POST = do_DELETE = _answer  # noqa: N815 - the server's own names

    def _told(self, body: Any) -> dict[str, Any]:
        if self.path.endswith("/rekey"):
            return {"content_id": body["content_id"], "media_version": 2, "sessions_ended": self.count}
        if body is not None:
            kept, until = (ID, "then") if body["for_s"] > 0 else (None, None)
            return {"sessions_ended": self.count, "revocation_id": kept, "until": until}
        dull = {"revocation_id": ID, "until": "then", "reason": ""}
        if "cursor=r_" in self.path:
            item = {**dull, "content_id": None, "user_id": None, "address": None, "reason": "a fault"}
            return {"items": [item], "next_cursor": None}
        return {"items": [{**dull, "content_id": "c_1", "user_id": "p_1", "address": None}], "next_cursor": ID}

    def log_message(self, *_: object) -> None: ...


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """The options that lead there."""
    monkeypatch.setenv("STREAMGATE_DATA_DIR", str(tmp_path))
    (tmp_path / "admin.key").write_text("sgk_good\n")
    (tmp_path / "config.yaml").write_text("{}\n")
    Stage.asked, Stage.count = [], 2
    stage = http.server.HTTPServer(("127.0.0.1", 0), Stage)
    thread = threading.Thread(target=stage.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield ["--url", f"http://127.0.0.1:{stage.server_port}", "--config", str(tmp_path / "config.yaml")]
    stage.shutdown()
    thread.join()
    stage.server_close()


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["revoke", *arguments])


def test_what_is_meant_is_asked_and_what_became_of_it_told(server: list[str]) -> None:
    done = run("--content", "c_1", "--user", "p_1", "--for", "1h30m", "--reason", "shared", *server)
    assert done.output == f"2 sessions ended\nnew ones are refused until then; to undo: --lift {ID}\n"
    assert run("--everyone", *server).output == "2 sessions ended\n"
    Stage.count = 1
    assert run("--everyone", *server).output == "1 session ended\n"
    bodies = [body for _, _, body in Stage.asked]
    nobody = {"content_id": "", "user_id": "", "address": "", "everyone": False, "for_s": 0.0, "reason": ""}
    first = {**nobody, "content_id": "c_1", "user_id": "p_1", "for_s": 5_400.0, "reason": "shared"}
    assert bodies == [first, *[{**nobody, "everyone": True}] * 2]


def test_new_keys_are_asked_for_and_what_became_of_it_told(server: list[str]) -> None:
    done = CliRunner().invoke(main, ["stream", "rekey", "c_1", *server])
    assert (done.exit_code, done.output) == (0, "new keys: media version 2; 2 sessions ended\n")
    assert Stage.asked == [("POST", "/api/v1/stream/rekey", {"content_id": "c_1"})]


def test_what_is_refused_is_shown_page_by_page_and_lifted(server: list[str]) -> None:
    lines = run("--list", "--content", "c_1", *server).output.splitlines()
    assert lines == [f"{ID}  c_1  p_1  until then", f"{ID}  everything  everybody  until then  a fault"]
    assert "lifted" in run("--lift", ID, *server).output
    assert Stage.asked[-1][:2] == ("DELETE", f"/api/v1/stream/revocations/{ID}")


@pytest.mark.parametrize(
    "arguments",
    [
        ("--lift", ID, "--content", "c_1"),
        ("--list", "--everyone"),
        ("--list", "--lift", ID),
        ("--everyone", "--for", "soon"),
    ],
)
def test_what_contradicts_itself_is_not_asked(server: list[str], arguments: tuple[str, ...]) -> None:
    assert run(*arguments, *server).exit_code == 2
    assert Stage.asked == []


def test_a_no_is_told_with_its_faults_each_of_them_once(server: list[str], tmp_path: Path) -> None:
    (tmp_path / "other.key").write_text("sgk_bad\n")
    done = run("--everyone", "--api-key-file", str(tmp_path / "other.key"), *server)
    assert done.exit_code == 2
    assert done.output.rstrip().endswith("answered 401: not known: x is odd (and 1 more); y is even")
