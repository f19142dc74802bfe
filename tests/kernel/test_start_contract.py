"""The start contract: each fault, with its remedy in words."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from streamgate.config import ConfigFaults, load_config
from streamgate.plugins import PluginInfo
from streamgate.ports import ALL_PORT, plan_listeners
from streamgate.settings import BusSettings, DatabaseSettings, KernelSettings, Secret, SecretSettings
from streamgate.start import check_start


def service(name: str, port: int = 9100, **more: Any) -> PluginInfo:
    return PluginInfo(name=name, summary=name, port=port, build=lambda ctx: object(), **more)


def empty(folder: Path) -> Path:
    file = folder / "config.yaml"
    file.write_text("{}\n")
    return file


NATS = BusSettings(url=Secret("nats://127.0.0.1:4222"))
POSTGRES = DatabaseSettings(url=Secret("postgresql://u:p@127.0.0.1/x"))
KEY = SecretSettings(master_key=Secret("k"))


def test_all_on_embedded_defaults_has_no_fault() -> None:
    chosen = [service("a", uses_database=True, needs_master_key=True)]
    assert check_start(KernelSettings(), chosen, run_all=True) == []


def test_only_needs_a_real_bus() -> None:
    faults = check_start(KernelSettings(), [service("cache")], run_all=False)
    assert len(faults) == 1
    assert "memory:" in faults[0]
    assert "NATS_URL" in faults[0]


def test_only_a_service_with_tables_refuses_sqlite() -> None:
    faults = check_start(KernelSettings(bus=NATS), [service("upload", uses_database=True)], run_all=False)
    assert len(faults) == 1
    assert "postgresql://" in faults[0]


def test_only_a_service_without_tables_runs_without_a_database() -> None:
    assert check_start(KernelSettings(bus=NATS), [service("transcoder")], run_all=False) == []


@pytest.mark.parametrize(("run_all", "database"), [(False, POSTGRES), (True, POSTGRES)])
def test_the_master_key_is_needed_where_it_cannot_be_generated(run_all: bool, database: DatabaseSettings) -> None:
    settings = KernelSettings(bus=NATS, database=database)
    chosen = [service("auth", uses_database=True, needs_master_key=True), service("cache", 9101)]
    faults = check_start(settings, chosen, run_all=run_all)
    assert len(faults) == 1
    assert "STREAMGATE_SECRETS__MASTER_KEY" in faults[0]
    with_key = KernelSettings(bus=NATS, database=database, secrets=KEY)
    assert check_start(with_key, chosen, run_all=run_all) == []


def test_prod_needs_a_public_url() -> None:
    faults = check_start(KernelSettings(profile="prod"), [service("a")], run_all=True)
    assert len(faults) == 1
    assert "STREAMGATE_SERVER__PUBLIC_URL" in faults[0]


@pytest.mark.parametrize(
    ("variable", "value", "words"),
    [
        ("SERVER__PUBLIC_URL", "video.example", "must begin with http: or https:"),
        ("SERVER__PUBLIC_URL", "ftp://video.example", "must begin with http: or https:"),
        ("SERVER__PUBLIC_URL", "https://video.example/path", "is an origin"),
        ("SERVER__PUBLIC_URL", "https://", "has no host"),
        ("BUS__URL", "foo://x", "must begin with memory: or nats: or tls:"),
        ("BUS__URL", "nats://", "has no host"),
        ("BUS__URL", "nats://a:4222x", "Port"),
        ("BUS__URL", "nats://a:4222,redis://b", "must begin with"),
        ("DATABASE__URL", "mysql://x", "must begin with sqlite: or postgresql:"),
        ("BLOBS__URL", "gcs://x", "must begin with file: or s3:"),
    ],
)
def test_an_address_that_cannot_be_one_is_a_fault_of_its_variable(
    tmp_path: Path, variable: str, value: str, words: str
) -> None:
    with pytest.raises(ConfigFaults) as caught:
        load_config(sections={}, file=empty(tmp_path), environment={f"STREAMGATE_{variable}": value})
    (fault,) = caught.value.faults
    assert str(fault).startswith(f"STREAMGATE_{variable}: ")
    assert words in str(fault)


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("SERVER__PUBLIC_URL", "https://video.example:8443/"),
        ("BUS__URL", "nats://user:p@ss@a:4222,nats://b"),
        ("DATABASE__URL", "postgresql://u:p@127.0.0.1:5432/x"),
        ("BLOBS__URL", "file:///srv/blobs"),
    ],
)
def test_an_address_that_can_be_one_is_taken(tmp_path: Path, variable: str, value: str) -> None:
    load_config(sections={}, file=empty(tmp_path), environment={f"STREAMGATE_{variable}": value})


def test_nothing_selected_is_a_fault() -> None:
    assert "nothing to run" in check_start(KernelSettings(), [], run_all=True)[0]


def test_all_binds_one_port_and_only_binds_each_own() -> None:
    services = [service("a", 9101), service("b", 9102)]
    shared, _ = plan_listeners(services, run_all=True, host="h", port=None, port_origin="")
    assert [(each.services, each.port) for each in shared] == [(("a", "b"), ALL_PORT)]
    own, _ = plan_listeners(services, run_all=False, host="h", port=None, port_origin="")
    assert [(each.services, each.port) for each in own] == [(("a",), 9101), (("b",), 9102)]


def test_one_service_takes_the_given_port_and_two_refuse_it() -> None:
    one, _ = plan_listeners([service("a")], run_all=False, host="h", port=5, port_origin="SERVER_PORT")
    assert [(each.port, each.origin) for each in one] == [(5, "SERVER_PORT")]
    none, faults = plan_listeners(
        [service("a"), service("b")], run_all=False, host="h", port=5, port_origin="SERVER_PORT"
    )
    assert none == []
    assert "SERVER_PORT" in faults[0]
    assert "a, b" in faults[0]


def test_two_services_on_one_port_are_named_before_anything_binds() -> None:
    _, faults = plan_listeners(
        [service("a", 7000), service("b", 7000)], run_all=False, host="h", port=None, port_origin=""
    )
    assert faults == ["b and a both want port 7000"]
