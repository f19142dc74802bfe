"""The configuration: layers, names, secrets, and what is printed of it."""

from __future__ import annotations

from pathlib import Path

import attrs
import pytest
import yaml

from streamgate.config import ConfigFaults, load_config, render_config
from streamgate.settings import Secret, config_field
from tests.kernel.config_toy import Chain, Limits, Toy, faults, load, toy


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_nothing_said_gives_the_defaults() -> None:
    config = load()
    assert config.section("toy") == Toy()
    assert config.settings.server.host == "127.0.0.1"
    assert config.settings.server.port is None
    assert config.origin("server.port") == "default"


def test_each_layer_beats_the_one_before() -> None:
    Path("config").mkdir()
    Path("config/config.dev.yaml").write_text("server:\n  host: from-profile\n  pool: 1\n".replace("  pool: 1\n", ""))
    base = "server:\n  host: from-file\n  read_timeout_s: 1\n"
    assert load(base).settings.server.host == "from-file"
    config = load(base, profile="dev")
    assert (config.settings.server.host, config.settings.server.read_timeout_s) == ("from-profile", 1.0)
    assert config.origin("server.host") == "config/config.dev.yaml:2"
    config = load(base, {"SERVER_HOST": "from-variable"}, profile="dev")
    assert config.settings.server.host == "from-variable"
    assert config.origin("server.host") == "SERVER_HOST"
    config = load(base, {"SERVER_HOST": "from-variable"}, profile="dev", flags={"server.host": "from-flag"})
    assert config.settings.server.host == "from-flag"
    assert config.origin("server.host") == "--host"


def test_named_file_brings_its_profile_along_and_leaves_the_folder_unread() -> None:
    load("server:\n  host: in-folder\n")
    Path("mine.yaml").write_text("server:\n  port: 1\n")
    Path("mine.prod.yaml").write_text("server:\n  port: 2\n")
    config = load_config(sections={}, file=Path("mine.yaml"), profile="prod", environment={})
    assert (config.settings.server.host, config.settings.server.port) == ("127.0.0.1", 2)
    assert config.files == ("mine.yaml", "mine.prod.yaml")


def test_profile_comes_from_the_environment_when_no_flag_names_one() -> None:
    assert load(environment={"STREAMGATE_PROFILE": "dev"}).settings.profile == "dev"
    assert load(environment={"STREAMGATE_PROFILE": "dev"}, profile="prod").settings.profile == "prod"
    assert "did you mean 'prod'" in faults(environment={"STREAMGATE_PROFILE": "prd"})[0]


def test_a_profile_without_a_file_is_noted() -> None:
    assert load(profile="test").notes == ("profile test: there is no config/config.test.yaml",)


def test_lists_are_replaced_whole_and_maps_merged_by_key() -> None:
    text = "toy:\n  tags: [x, y]\n  chains:\n    eip155:1: {rpc_urls: [a], confirmations: 5}\n"
    loaded = toy(text, {"STREAMGATE_TOY__TAGS": "z", "STREAMGATE_TOY__CHAINS__EIP155_1__RPC_URLS": "b,c"})
    assert loaded.tags == ("z",)
    assert loaded.chains == {"eip155:1": Chain(rpc_urls=("b", "c"), confirmations=5)}


# --- the names fixed for operators ----------------------------------------------------------------


def test_the_missions_names() -> None:
    config = load(
        environment={
            "SERVER_HOST": "0.0.0.0",
            "SERVER_PORT": "9",
            "SERVER_READ_TIMEOUT": "30s",
            "SERVER_WRITE_TIMEOUT": "1m30s",
            "NATS_URL": "nats://127.0.0.1:4222",
            "STREAMGATE_DATA_DIR": "/srv/streamgate",
        }
    )
    settings = config.settings
    assert (settings.server.host, settings.server.port) == ("0.0.0.0", 9)
    assert (settings.server.read_timeout_s, settings.server.write_timeout_s) == (30.0, 90.0)
    assert settings.bus.url.reveal() == "nats://127.0.0.1:4222"
    assert settings.data_dir == Path("/srv/streamgate")


@pytest.mark.parametrize(
    ("environment", "url"),
    [
        ({"DB_HOST": "db"}, "postgresql://db:5432/streamgate"),
        (
            {"DB_HOST": "db", "DB_PORT": "1", "DB_NAME": "n", "DB_USER": "u", "DB_PASSWORD": "p@/:"},
            "postgresql://u:p%40%2F%3A@db:1/n",
        ),
        ({"DB_HOST": "::1", "DB_PASSWORD": "p"}, "postgresql://streamgate:p@[::1]:5432/streamgate"),
        ({"DB_HOST": "db", "STREAMGATE_DATABASE__URL": "sqlite:///x"}, "sqlite:///x"),
        ({"DB_PORT": "1", "DB_NAME": "of something else"}, ""),
        ({"DB_HOST": ""}, ""),
    ],
)
def test_database_url_from_its_parts(environment: dict[str, str], url: str) -> None:
    assert load(environment=environment).settings.database.url.reveal() == url


def test_parts_left_unread_are_noted() -> None:
    assert load(environment={"DB_PORT": "1"}).notes == ("DB_PORT is set but DB_HOST is not; not read",)


def test_a_plugins_url_from_its_parts() -> None:
    assert toy(environment={"REDIS_HOST": "cache", "REDIS_PORT": "7"}).url.reveal() == "redis://cache:7"
    assert toy(environment={"REDIS_HOST": "cache"}).url.reveal() == "redis://cache:6379"
    assert "'x' is not a port" in faults(environment={"REDIS_HOST": "cache", "REDIS_PORT": "x"})[0]


def test_every_key_has_a_variable() -> None:
    loaded = toy(
        environment={
            "STREAMGATE_TOY__LEASE_S": "3",
            "STREAMGATE_TOY__COLOUR": "green",
            "STREAMGATE_TOY__FOLDER": "/x",
            "STREAMGATE_TOY__IS_OPEN": "1",
            "STREAMGATE_TOY__NICKNAME": "n",
            "STREAMGATE_TOY__PIN": "1234",
            "STREAMGATE_TOY__TAGS": "a, b",
            "STREAMGATE_TOY__LIMITS__PER_HOUR": "7",
            "STREAMGATE_TOY__CHAINS__EIP155_31337__RPC_URLS": "http://127.0.0.1:8545",
            "STREAMGATE_TOY__LABELS__SITE": "one",
        }
    )
    assert loaded == Toy(
        lease_s=3.0,
        colour="green",
        folder=Path("/x"),
        is_open=True,
        nickname="n",
        pin=Secret("1234"),
        tags=("a", "b"),
        limits=Limits(per_hour=7),
        chains={"eip155:31337": Chain(rpc_urls=("http://127.0.0.1:8545",))},
        labels={"site": "one"},
    )


def test_a_map_key_keeps_the_spelling_of_the_file() -> None:
    text = "toy:\n  chains:\n    solana:5eykt4UsFv8P: {rpc_urls: [a]}\n"
    loaded = toy(text, {"STREAMGATE_TOY__CHAINS__SOLANA_5EYKT4USFV8P__CONFIRMATIONS": "9"})
    assert loaded.chains == {"solana:5eykt4UsFv8P": Chain(rpc_urls=("a",), confirmations=9)}


def test_an_empty_variable_is_an_empty_list_or_nothing_or_a_fault() -> None:
    assert toy(environment={"STREAMGATE_TOY__TAGS": ""}).tags == ()
    assert toy("toy: {nickname: n}", {"STREAMGATE_TOY__NICKNAME": ""}).nickname is None
    assert load(environment={"SERVER_PORT": ""}).settings.server.port is None
    assert "'' is not a number" in faults(environment={"STREAMGATE_TOY__LEASE_S": ""})[0]


def test_what_kubernetes_puts_into_the_environment_is_let_pass() -> None:
    load(
        environment={
            "STREAMGATE_AUTH_SERVICE_HOST": "10.0.0.1",
            "STREAMGATE_AUTH_SERVICE_PORT_HTTP": "9007",
            "STREAMGATE_AUTH_PORT": "tcp://10.0.0.1:9007",
            "STREAMGATE_AUTH_PORT_9007_TCP_ADDR": "10.0.0.1",
            "STREAMGATE_PORT": "tcp://10.0.0.1:80",
            "STREAMGATE_SERVICE_HOST": "10.0.0.1",
        }
    )
    assert "enableServiceLinks" in faults(environment={"SERVER_PORT": "tcp://10.0.0.1:80"})[0]


# --- secrets --------------------------------------------------------------------------------------


def test_a_secret_from_a_file() -> None:
    Path("pin").write_text("12 34\n")
    assert toy(environment={"STREAMGATE_TOY__PIN_FILE": "pin"}).pin.reveal() == "12 34"
    assert toy("toy: {pin_file: pin}").pin.reveal() == "12 34"
    config = load(environment={"STREAMGATE_SECRETS__MASTER_KEY_FILE": "pin"})
    assert config.settings.secrets.master_key.reveal() == "12 34"
    assert config.origin("secrets.master_key") == "STREAMGATE_SECRETS__MASTER_KEY_FILE → pin"
    Path("password").write_text("s3cret")
    config = load(environment={"DB_HOST": "db", "DB_PASSWORD_FILE": "password"})
    assert config.settings.database.url.reveal() == "postgresql://streamgate:s3cret@db:5432/streamgate"


def test_a_secret_file_that_cannot_serve_is_a_fault() -> None:
    Path("empty").write_text("\n")
    assert "cannot be read: No such file" in faults(environment={"STREAMGATE_TOY__PIN_FILE": "none"})[0]
    assert "is empty" in faults(environment={"STREAMGATE_TOY__PIN_FILE": "empty"})[0]
    both = {"STREAMGATE_TOY__PIN_FILE": "empty", "STREAMGATE_TOY__PIN": "1"}
    assert "keep one" in faults(environment=both)[0]


def test_no_print_shows_a_secret() -> None:
    @attrs.frozen
    class Strict:
        pin: Secret = config_field(Secret(""), help="Pin.", validator=attrs.validators.instance_of(int))
        pins: tuple[Secret, ...] = config_field((), help="Pins.")

    with pytest.raises(ConfigFaults) as caught:
        load_config(
            sections={"strict": Strict},
            environment={"STREAMGATE_STRICT__PIN": "hunter2"},
        )
    assert "hunter2" not in str(caught.value)
    Path("config").mkdir()
    Path("config/config.yaml").write_text("strict: {pins: hunter2}")
    with pytest.raises(ConfigFaults) as caught:
        load_config(sections={"strict": Strict}, environment={})
    assert "hunter2" not in str(caught.value)
    config = load("toy: {pin: hunter2}")
    for text in (render_config(config), render_config(config, with_origins=True), repr(config), str(config.settings)):
        assert "hunter2" not in text
    assert "pin: …" in render_config(config)


# --- printing -------------------------------------------------------------------------------------


def test_what_is_shown_can_be_read_again() -> None:
    text = "toy:\n  tags: ['a, b', 'no']\n  chains:\n    eip155:1: {rpc_urls: [a]}\n  nickname: '12'\n"
    config = load(text, {"SERVER_PORT": "9"})
    shown = render_config(config)
    assert yaml.safe_load(shown)["toy"]["chains"] == {"eip155:1": {"rpc_urls": ["a"], "confirmations": 2}}
    again = yaml.safe_load(shown)
    del again["secrets"]
    again["bus"].pop("url")
    again["limits"].pop("url")
    again["toy"].pop("url")
    again = load(yaml.safe_dump(again))
    assert again.section("toy") == config.section("toy")
    assert again.settings == config.settings


def test_origins_are_shown_beside_their_values() -> None:
    shown = render_config(load("toy:\n  tags: [b]\n", {"SERVER_PORT": "9"}), with_origins=True)
    lines = {line.split(":")[0].strip(): line.rpartition("# ")[2] for line in shown.splitlines()}
    assert lines["port"] == "SERVER_PORT"
    assert lines["tags"] == "config/config.yaml:2"
    assert lines["colour"] == "default"
