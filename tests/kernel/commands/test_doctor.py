"""`streamgate doctor`: every fault is found with its remedy, beside a running server too, and nothing is changed."""

from __future__ import annotations

import base64
import os
import socket
from collections.abc import Sequence
from pathlib import Path

import pytest

from streamgate.commands.doctor import examine, render
from streamgate.health import Finding
from streamgate.prepare import RunOptions
from streamgate.sdk.db.sqlite import FileLock
from streamgate.testing.devchain import ChainClient
from streamgate.testing.processes import free_port
from streamgate.testing.servers import NatsServer, RedisServer

MASTER_KEY = base64.b64encode(bytes(32)).decode()


@pytest.fixture(autouse=True)
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("STREAMGATE_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("SERVER_PORT", str(free_port()))
    return tmp_path / "data"


def found(findings: Sequence[Finding], subject: str) -> Finding:
    [finding] = [each for each in findings if each.subject == subject]
    return finding


def bad(findings: Sequence[Finding]) -> dict[str, str]:
    return {each.subject: each.level for each in findings if each.level != "good"}


def test_a_fresh_machine_has_nothing_wrong_and_stays_as_it_was(data: Path) -> None:
    findings = examine(RunOptions(profile="dev"))
    assert bad(findings) == {}
    assert not data.exists()
    assert "made at the first start" in found(findings, "database").said


def test_a_misspelt_key_is_named_with_the_one_that_was_meant(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STREAMGATE_SERVER__PRT", "1")
    finding = found(examine(RunOptions()), "configuration")
    assert finding.level == "fault"
    assert "did you mean 'STREAMGATE_SERVER__PORT'" in finding.said


def test_what_would_stop_the_start_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    findings = examine(RunOptions(profile="prod"))
    assert "STREAMGATE_SERVER__PUBLIC_URL" in found(findings, "start").said


def test_plain_http_for_the_public_is_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STREAMGATE_SERVER__PUBLIC_URL", "http://video.example")
    finding = found(examine(RunOptions(profile="prod")), "public URL")
    assert (finding.level, "https://" in finding.remedy) == ("warning", True)


def test_a_taken_port_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        monkeypatch.setenv("SERVER_PORT", str(taken.getsockname()[1]))
        finding = found(examine(RunOptions()), "port all")
    assert finding.level == "warning"
    assert f":{os.environ['SERVER_PORT']} is taken" in finding.said


def test_an_absent_bus_names_its_place_and_no_password(monkeypatch: pytest.MonkeyPatch) -> None:
    port = free_port()
    monkeypatch.setenv("NATS_URL", f"nats://me:hush@127.0.0.1:{port}")
    finding = found(examine(RunOptions(only=("cache",))), "bus")
    assert finding.level == "fault"
    assert f"127.0.0.1:{port}" in finding.said
    assert "hush" not in render([finding], colours=False)


def test_a_bus_that_answers_is_good(monkeypatch: pytest.MonkeyPatch, nats_server: NatsServer) -> None:
    monkeypatch.setenv("NATS_URL", nats_server.url)
    assert found(examine(RunOptions(only=("cache",))), "bus").level == "good"


def test_tables_that_are_behind_name_the_command(monkeypatch: pytest.MonkeyPatch, postgres_url: str) -> None:
    monkeypatch.setenv("STREAMGATE_DATABASE__URL", postgres_url)
    monkeypatch.setenv("STREAMGATE_SECRETS__MASTER_KEY", MASTER_KEY)
    finding = found(examine(RunOptions()), "database")
    assert (finding.level, finding.remedy) == ("fault", "run `streamgate db upgrade`")
    assert "metadata" in finding.said


def test_a_running_server_is_left_alone(data: Path) -> None:
    data.mkdir()
    database = data / "streamgate.db"
    database.touch()
    lock = FileLock(database)
    lock.acquire()
    try:
        assert "a running server has it" in found(examine(RunOptions()), "database").said
    finally:
        lock.release()


def test_a_master_key_that_is_none_is_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STREAMGATE_SECRETS__MASTER_KEY", "short")
    assert found(examine(RunOptions()), "master key").level == "fault"


def test_a_master_key_others_can_read_is_a_warning(data: Path) -> None:
    data.mkdir()
    (data / "master.key").write_text(MASTER_KEY + "\n")
    (data / "master.key").chmod(0o644)
    finding = found(examine(RunOptions()), "master key")
    assert (finding.level, finding.remedy) == ("warning", f"chmod 600 {data / 'master.key'}")


def test_findings_are_lines_with_their_remedy_and_a_count() -> None:
    findings = [
        Finding(level="good", subject="python", said="3.12"),
        Finding(level="fault", subject="bus", said="away", remedy="start it"),
    ]
    assert render(findings, colours=False).splitlines() == [
        "✓ python         3.12",
        "✗ bus            away",
        f"  {'':<14} → start it",
        "",
        "1 fault, no warnings",
    ]


def test_plugins_say_how_they_are() -> None:
    findings = examine(RunOptions())
    assert "libx264" in found(findings, "codecs").said
    assert found(findings, "page").level == "good"
    assert "STREAMGATE_AUTH__CREATORS" in found(findings, "creators").remedy


def test_a_node_of_another_chain_is_told_from_one_that_answers(
    monkeypatch: pytest.MonkeyPatch, devchain: ChainClient
) -> None:
    away = f"http://127.0.0.1:{free_port()}/secret-key"
    monkeypatch.setenv("STREAMGATE_AUTH__CHAINS__EIP155_31337__RPC_URLS", f"{devchain.rpc_url},{away}")
    monkeypatch.setenv("STREAMGATE_AUTH__CHAINS__EIP155_1__RPC_URLS", devchain.rpc_url)
    findings = examine(RunOptions())
    own = [(each.level, each.said) for each in findings if each.subject == "chain eip155:31337"]
    assert own[0] == ("good", "node 1 of 2 answers")
    assert own[1][0] == "fault"
    assert found(findings, "chain eip155:1").said == "node 1 of 1 is of another chain: eip155:31337"
    assert "secret-key" not in render(findings, colours=False)


def test_stores_that_are_away_are_named_with_their_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streamgate.sdk.diagnoses.PATIENCE_S", 0.5)
    port = free_port()
    monkeypatch.setenv("STREAMGATE_DATABASE__URL", f"postgresql://me:hush@127.0.0.1:{port}/films")
    monkeypatch.setenv("STREAMGATE_BLOBS__URL", f"s3://films?endpoint=http://127.0.0.1:{port}")
    monkeypatch.setenv("STREAMGATE_LIMITS__URL", f"redis://:hush@127.0.0.1:{port}")
    findings = examine(RunOptions())
    for subject, key in {"database": "DATABASE__URL", "blobs": "BLOBS__URL", "limits": "LIMITS__URL"}.items():
        finding = found(findings, subject)
        assert finding.level == ("warning" if subject == "limits" else "fault")
        assert f"STREAMGATE_{key}" in finding.remedy
        assert f"127.0.0.1:{port}" in finding.said
    assert "hush" not in render(findings, colours=False)


def test_limits_are_counted_where_redis_answers(monkeypatch: pytest.MonkeyPatch, redis_server: RedisServer) -> None:
    assert found(examine(RunOptions()), "limits").said == "counted in memory, by each process for itself"
    monkeypatch.setenv("STREAMGATE_LIMITS__URL", redis_server.url)
    assert found(examine(RunOptions()), "limits").said.startswith("Redis ")


def test_an_absent_redis_is_a_warning(monkeypatch: pytest.MonkeyPatch, redis_server: RedisServer) -> None:
    monkeypatch.setenv("STREAMGATE_CACHE__URL", redis_server.url)
    assert found(examine(RunOptions()), "cache").said.startswith("Redis ")
    monkeypatch.setenv("STREAMGATE_CACHE__URL", f"redis://:hush@127.0.0.1:{free_port()}")
    finding = found(examine(RunOptions()), "cache")
    assert (finding.level, "hush" in finding.said) == ("warning", False)
