"""What is deployed says what is so: compose files, Dockerfile and the configuration of each profile, without Docker."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from streamgate.config import load_config, root_keys
from streamgate.contracts.prefixes import SERVICES
from streamgate.plugins import PluginInfo, discover
from streamgate.prepare import RunOptions, prepare

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
COMPOSE = sorted((ROOT / "deploy" / "compose").glob("*.yaml"))
SPLIT = ROOT / "deploy" / "compose" / "compose.split.yaml"
DOCKERFILE = ROOT / "deploy" / "docker" / "Dockerfile"
MASTER_KEY = "q6urq6urq6urq6urq6urq6urq6urq6urq6urq6urq6s="
OUR_VARIABLE = re.compile(r"(STREAMGATE|SERVER|DB|REDIS|NATS)_[A-Z0-9_]+")

Plain = dict[str, Any]  # what YAML holds


def read(path: Path) -> Plain:
    found: Plain = yaml.safe_load(path.read_text(encoding="utf-8"))
    return found


def plugins() -> dict[str, PluginInfo]:
    return {found.info.name: found.info for found in discover() if found.info is not None and found.is_builtin}


def containers(path: Path) -> dict[str, Plain]:
    """Those that run StreamGate."""
    return {name: each for name, each in read(path)["services"].items() if each["image"].startswith("streamgate")}


def only_of(container: Plain) -> tuple[str, ...] | None:
    """The services that `run --only` names; None for `--all`."""
    command: list[str] = container["command"]
    return tuple(command[command.index("--only") + 1].split(",")) if "--only" in command else None


RUNNING = [
    pytest.param(container, id=f"{path.name}:{name}")
    for path in COMPOSE
    for name, container in containers(path).items()
    if container["command"][0] in ("run", "db")
]


@pytest.fixture
def deployed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An environment without our variables, in a folder where secrets and a data directory can be made."""
    for name in [name for name in os.environ if OUR_VARIABLE.fullmatch(name)]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("STREAMGATE_DATA_DIR", str(tmp_path))
    return tmp_path


def value_of(text: str) -> str:
    """`${NAME:-default}` as it is where nobody sets NAME."""
    return re.sub(r"\$\{\w+(?::-([^}]*))?\}", lambda match: match[1] or "", text)


def set_environment(container: Plain, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The container's variables; what names a secret's file names one with something likely in it."""
    likely = {"master_key": MASTER_KEY, "limits_url": "redis://:word@redis:6379/1"}
    for name, value in container.get("environment", {}).items():
        text = value_of(str(value))
        if name.endswith("_FILE"):
            secret = text.removeprefix("/run/secrets/")
            assert secret in container["secrets"], f"{name} names {text}, which is not mounted"
            path = folder / secret
            path.write_text(likely.get(secret, "word"))
            text = str(path)
        monkeypatch.setenv(name, text)


@pytest.mark.parametrize("container", RUNNING)
def test_every_container_would_start(container: Plain, deployed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its variables are known, the services it names exist, and nothing that has no safe default is missing."""
    set_environment(container, deployed, monkeypatch)
    if container["command"][0] == "db":
        load_config(profile="prod", sections={name: i.config for name, i in plugins().items() if i.config is not None})
        return
    if only_of(container):
        monkeypatch.setenv("STREAMGATE_BUS__IDENTITY", "none")  # issued by another container
    assert container["command"][-2:] == ["--profile", "prod"]
    prepared = prepare(RunOptions(only=only_of(container), profile="prod"))
    settings = prepared.config.settings
    assert settings.server.public_url == "http://localhost:9090"
    for info in prepared.chosen:
        assert not info.uses_blobs or only_of(container) is None or settings.blobs.url.startswith("s3://")


def test_the_ports_are_the_services_own() -> None:
    infos = plugins()
    for name, container in containers(SPLIT).items():
        only = only_of(container)
        if only is None:
            continue
        assert only == (name,)
        assert int(container["environment"]["SERVER_PORT"]) == infos[name].port
        assert name not in SERVICES or infos[name].port == SERVICES[name].port
    named = {
        key.rpartition("__")[2].lower(): url
        for key, url in read(SPLIT)["services"]["api"]["environment"].items()
        if key.startswith("STREAMGATE_API__SERVICES__")
    }
    assert named == {name: f"http://{name}:{infos[name].port}" for name in named}
    assert set(named) == {name for name in containers(SPLIT) if name in infos} - {"api"}


def test_every_service_has_a_container_and_an_image_of_its_own() -> None:
    split = {name: each for name, each in containers(SPLIT).items() if only_of(each)}
    assert set(SERVICES) | {"web"} == set(split)
    for name, container in split.items():
        assert container["build"]["args"] == {"PLUGINS": name}
        assert container["image"] == f"streamgate-{name}"
        assert container["volumes"] == [f"identity-{name}:/run/identity:ro"]


def test_identities_are_handed_out_before_the_start_and_renewed_while_it_runs() -> None:
    """Each service has its own folder of what the two containers hand out, and ends when its file is another."""
    services = read(SPLIT)["services"]
    split = {name: each for name, each in containers(SPLIT).items() if only_of(each)}
    once, daily = services["identity"], services["renewal"]
    assert (once["command"], once["restart"]) == (["once"], "no")
    assert (daily["command"], daily["restart"]) == (["daily"], "unless-stopped")
    handed = {f"identity-{name}:/for/{name}" for name in (*split, "nats")}
    for container in (once, daily):
        assert container["entrypoint"] == ["hand-out-identities"]
        assert container["network_mode"] == "none"
        assert set(container["volumes"]) == handed | {"identity:/identity"}
    keepers = {name for name, each in services.items() if "identity:/identity" in each.get("volumes", ())}
    assert keepers == {"identity", "renewal"}, "nobody else has the key that makes identities"
    for container in split.values():
        file = container["environment"]["STREAMGATE_BUS__IDENTITY"]
        assert container["entrypoint"] == ["on-change", "TERM", file, "streamgate"]
        assert container["restart"] == "unless-stopped", "so that it is started anew with its new identity"
    nats = services["nats"]
    assert nats["entrypoint"] == ["sh", "/on-change.sh", "HUP", nats["command"][1], "nats-server"]
    mounted = nats["volumes"][-1].split(":")
    assert (SPLIT.parent / mounted[0]).is_file()
    assert mounted[1:] == ["/on-change.sh", "ro"]
    copied = re.findall(r"^COPY (deploy/docker/\S+) /usr/local/bin/(\S+)$", DOCKERFILE.read_text(), re.MULTILINE)
    assert dict(map(reversed, copied)).keys() == {"on-change", "hand-out-identities"}
    assert all(os.access(ROOT / script, os.X_OK) for script, _ in copied)


def test_the_image_of_everything_has_every_plugin() -> None:
    """But the development chain, which is for laptops."""
    default = re.search(r'^ARG PLUGINS="([a-z ]+)"', DOCKERFILE.read_text(), re.MULTILINE)
    assert default is not None
    assert set(default[1].split()) == set(plugins()) - {"devchain"}
    for path in COMPOSE:
        for container in containers(path).values():
            build = container["build"]
            assert (path.parent / build["context"]).resolve() == ROOT
            assert (ROOT / build["dockerfile"]).is_file()
            assert set(build.get("args", {})) <= {"PLUGINS", "EXTRAS"}


def test_only_the_gateway_is_published() -> None:
    split = read(SPLIT)
    published = {name: each["ports"] for name, each in split["services"].items() if "ports" in each}
    assert set(published) == {"api"}
    assert [port.rpartition(":")[2] for port in published["api"]] == ["9090", "9190"]
    whole = read(SPLIT.with_name("compose.yaml"))
    assert whole["services"]["streamgate"]["ports"] == published["api"]
    assert split["networks"]["inside"]["internal"] is True
    outside = {name for name, each in split["services"].items() if "outside" in each.get("networks", ())}
    assert outside == {"api", "auth", "upload", "worker"}  # what must reach the world
    subnet = split["networks"]["inside"]["ipam"]["config"][0]["subnet"]
    assert {
        each["environment"]["STREAMGATE_SERVER__TRUSTED_PROXIES"]
        for each in containers(SPLIT).values()
        if each["command"][0] in ("run", "db")
    } == {subnet}


def test_no_secret_is_written_down() -> None:
    """Passwords and keys come from files, which the script makes; and a container sees only those it uses."""
    split = read(SPLIT)
    script = (SPLIT.parent / "make-secrets.sh").read_text()
    for name, where in split["secrets"].items():
        assert where == {"file": f"./secrets/{name}"}
        assert f"once {name} " in script
    for path in COMPOSE:
        for name, container in read(path)["services"].items():
            variables: Plain = container.get("environment", {})
            said = [key for key in variables if re.search(r"PASSWORD|SECRET|ACCESS_KEY|MASTER_KEY|TOKEN", key)]
            assert [key for key in said if not key.endswith("_FILE")] == [], name
            used = {str(value) for value in variables.values()} | {" ".join(container.get("command", []))}
            used |= {" ".join(container.get("healthcheck", {}).get("test", []))}
            unused = [s for s in container.get("secrets", ()) if not any(f"/run/secrets/{s}" in each for each in used)]
            assert unused == [], name
    assert "/deploy/compose/secrets/" in (ROOT / ".gitignore").read_text().splitlines()


def test_what_is_waited_for_can_say_that_it_is_well() -> None:
    services = read(SPLIT)["services"]
    for name, container in services.items():
        for other, wanted in container.get("depends_on", {}).items():
            if wanted["condition"] == "service_healthy":
                assert "test" in services[other]["healthcheck"], f"{name} waits for {other}"
            else:
                assert services[other]["restart"] == "no"
    assert "HEALTHCHECK" in DOCKERFILE.read_text()


@pytest.mark.parametrize("profile", ["", "dev", "prod", "test"])
def test_the_configuration_of_every_profile_is_good(
    profile: str, deployed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As `streamgate config check`; and what the first file shows commented out is good too, once it is not."""
    sections = {name: info.config for name, info in plugins().items() if info.config is not None}
    if profile == "prod":
        monkeypatch.setenv("STREAMGATE_SERVER__PUBLIC_URL", "https://video.example")
    shipped = ROOT / "config" / "config.yaml"
    load_config(profile=profile, file=shipped, sections=sections)
    file = deployed / "config.yaml"
    file.write_text(re.sub(r"^( *)#(?! )", r"\1", shipped.read_text(), flags=re.MULTILINE))
    for each in (ROOT / "config").glob("config.*.yaml"):
        (deployed / each.name).write_text(each.read_text())
    for name in ("streamgate_identity", "streamgate_master_key"):
        (deployed / name).write_text(MASTER_KEY)
    file.write_text(file.read_text().replace("/run/secrets/", f"{deployed}/"))
    load_config(profile=profile, file=file, sections=sections)


def test_the_first_file_shows_the_defaults() -> None:
    """It changes nothing by itself, so each value in it is the default, and it has every section."""
    sections = {name: info.config for name, info in plugins().items() if info.config is not None}
    shipped = read(ROOT / "config" / "config.yaml")
    config = load_config(file=ROOT / "config" / "config.yaml", sections=sections)
    root = root_keys(sections)
    for name, section in shipped.items():
        if not isinstance(section, dict):
            continue
        built = root[name].type()
        values = config.section(name) if name in sections else getattr(config.settings, name)
        for key in section or {}:
            assert getattr(values, key) == getattr(built, key), f"{name}.{key}"
    shown = set(re.findall(r"^#?([a-z]+):", (ROOT / "config" / "config.yaml").read_text(), re.MULTILINE))
    wanted = {name for name, key in root.items() if key.is_section} - {"services", "devchain"}  # tests, laptops
    assert wanted <= shown


@pytest.mark.parametrize("path", COMPOSE, ids=lambda path: path.name)
def test_a_compose_file_is_one(path: Path) -> None:
    run(BIN / "check-jsonschema", "--builtin-schema", "vendor.compose-spec", str(path))


def test_the_dockerfile_is_good() -> None:
    run(BIN / "hadolint", str(DOCKERFILE))


def run(program: Path, *arguments: str) -> None:
    done = subprocess.run([str(program), *arguments], capture_output=True, text=True, check=False, timeout=50)
    assert done.returncode == 0, done.stdout + done.stderr
