"""`streamgate identity` and `streamgate keys rotate`, and a start without an identity."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from streamgate.cli import main
from streamgate.identity.credentials import load_credentials
from streamgate.identity.folder import load_issuer
from streamgate.identity.joining import check_identity
from streamgate.plugins import PluginInfo, discover
from streamgate.settings import BusSettings, Secret

NATS = Secret("nats://127.0.0.1:4222")
INFOS = {f.name: f.info for f in discover() if f.info is not None}


def run(*arguments: str) -> str:
    done = CliRunner().invoke(main, list(arguments))
    assert done.exit_code == 0, done.output
    return done.output


def test_issuing_writes_every_service_and_rotating_all_of_them(tmp_path: Path) -> None:
    out = ["--out", str(tmp_path / "id")]
    services = {info.name for info in INFOS.values() if info.kind == "service"}
    run("identity", "issue", *out)
    made = {path.stem for path in (tmp_path / "id").glob("*.json")} - {"issuer"}
    assert made == services
    before = load_credentials(tmp_path / "id" / "cache.json")
    for step in ("introduced", "in use"):
        assert f"identity key {step}" in run("identity", "rotate", *out)
    refused = CliRunner().invoke(main, ["identity", "rotate", *out])
    assert refused.exit_code == 2
    assert "8 more days" in refused.output
    assert "identity key forgotten" in run("identity", "rotate", "--at-once", *out)
    after = load_credentials(tmp_path / "id" / "cache.json")
    assert set(after.trusted).isdisjoint(before.trusted)
    shown = run("identity", "show", str(tmp_path / "id" / "cache.json"))
    assert "cache, good for 364 days" in shown
    assert after.signing_key not in shown
    assert after.nats_seed not in shown


def test_a_role_of_several_services_and_a_name_that_is_none(tmp_path: Path) -> None:
    out = ["--out", str(tmp_path)]
    run("identity", "issue", "--role", "metadata,auth", "--role", "all", *out)
    assert {path.name for path in tmp_path.iterdir()} == {"auth+metadata.json", "all.json", "issuer.json", "nats.conf"}
    wrong = CliRunner().invoke(main, ["identity", "issue", "--role", "cahce", *out])
    assert wrong.exit_code == 2
    assert "did you mean 'cache'" in wrong.output


def test_a_replaced_login_is_taken_out_of_the_servers_file(tmp_path: Path) -> None:
    out = ["--out", str(tmp_path), "--role", "cache"]
    run("identity", "issue", *out)
    first = load_issuer(tmp_path, 0).issued["cache"].nats_key
    run("identity", "issue", *out)
    assert first in (tmp_path / "nats.conf").read_text()
    run("identity", "issue", "--forget-former", *out)
    assert first not in (tmp_path / "nats.conf").read_text()


# --- the start ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("only", [None, ("cache",)])
def test_nats_without_an_identity_is_a_start_fault_that_names_the_remedy(only: tuple[str, ...] | None) -> None:
    (fault,) = check_identity(BusSettings(url=NATS), [INFOS["cache"]], only)
    assert f"streamgate identity issue --role {'all' if only is None else 'cache'}" in fault
    assert "STREAMGATE_BUS__IDENTITY" in fault
    assert "`none`" in fault


def test_one_process_and_a_word_against_it_need_none() -> None:
    assert check_identity(BusSettings(), [INFOS["cache"]], None) == []
    assert check_identity(BusSettings(url=NATS, identity="none"), [INFOS["cache"]], ("cache",)) == []


def test_an_identity_that_does_not_cover_what_is_run_is_a_start_fault(tmp_path: Path) -> None:
    run("identity", "issue", "--role", "cache", "--out", str(tmp_path))
    settings = BusSettings(url=NATS, identity=str(tmp_path / "cache.json"))
    assert check_identity(settings, [INFOS["cache"]], ("cache",)) == []
    extended = PluginInfo(
        name="more", summary="", kind="extension", extends=("cache",), build=lambda ctx: ctx, tells=("live.more.v1",)
    )
    (fault,) = check_identity(settings, [INFOS["cache"], extended], ("cache",))
    assert "does not let this process tell live.more.v1" in fault
    assert "streamgate identity issue --role cache" in fault
    (foreign,) = check_identity(settings, [INFOS["upload"]], ("upload",))
    assert "is of cache" in foreign
    (absent,) = check_identity(BusSettings(url=NATS, identity=str(tmp_path / "no")), [INFOS["cache"]], ("cache",))
    assert "cannot be read" in absent


# --- rotating auth's signing keys -------------------------------------------------------------------------


class Auth(http.server.BaseHTTPRequestHandler):
    """Answers one key with yes, others with a problem."""

    asked: list[tuple[str, str | None]]

    def do_POST(self) -> None:
        self.asked.append((self.path, self.headers["X-API-Key"]))
        is_good = self.headers["X-API-Key"] == "sgk_good"
        body = b'{"kid":"k2"}' if is_good else b'{"detail":"this API key is not known"}'
        self.send_response(200 if is_good else 401)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None: ...


@pytest.fixture
def auth() -> Iterator[str]:
    Auth.asked = []
    server = http.server.HTTPServer(("127.0.0.1", 0), Auth)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_rotating_the_signing_key_uses_the_local_administrators_key(
    tmp_path: Path, auth: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STREAMGATE_DATA_DIR", str(tmp_path))
    config = tmp_path / "config.yaml"
    config.write_text("{}\n")
    arguments = ["keys", "rotate", "--url", auth, "--config", str(config)]
    missing = CliRunner().invoke(main, arguments)
    assert missing.exit_code == 2
    assert "--api-key-file" in missing.output
    (tmp_path / "admin.key").write_text("sgk_good\n")
    assert '{"kid":"k2"}' in run(*arguments)
    bad = tmp_path / "other"
    bad.write_text("sgk_bad")
    refused = CliRunner().invoke(main, [*arguments, "--api-key-file", str(bad)])
    assert refused.exit_code == 2
    assert "401: this API key is not known" in refused.output
    assert "sgk_bad" not in refused.output
    assert Auth.asked == [("/api/v1/auth/keys/rotate", "sgk_good"), ("/api/v1/auth/keys/rotate", "sgk_bad")]


def test_nobody_there_is_said_in_words(tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_text("sgk_x")
    done = CliRunner().invoke(main, ["keys", "rotate", "--url", "http://127.0.0.1:1", "--api-key-file", str(key)])
    assert done.exit_code == 2
    assert "http://127.0.0.1:1 did not answer" in done.output
    assert "start StreamGate there, or name with --url where it is" in done.output


@pytest.mark.parametrize("url", ["foo", "127.0.0.1:90", "ftp://127.0.0.1", "http://", "http://a:b", "http://[::1", ""])
def test_what_is_no_address_of_a_server_is_not_asked(tmp_path: Path, url: str) -> None:
    key = tmp_path / "key"
    key.write_text("sgk_x")
    done = CliRunner().invoke(main, ["keys", "rotate", "--url", url, "--api-key-file", str(key)])
    assert done.exit_code == 2
    assert (
        f"{url.rstrip('/')!r} is no URL: write --url as http://127.0.0.1:9090 or https://video.example" in done.output
    )
