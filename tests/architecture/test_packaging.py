"""Each plugin is a distribution that carries what it needs, and every list of plugins names all of them."""

from __future__ import annotations

import ast
import importlib.metadata
import re
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from streamgate.plugins import discover

ROOT = Path(__file__).parents[2]
FOLDERS = sorted(path.parent for path in ROOT.glob("plugins/*/pyproject.toml"))
NAMES = [path.name for path in FOLDERS]
# Distribution → what is imported, where the names differ.
IMPORTED_AS = {
    "googleapis_common_protos": "google",
    "grpcio": "grpc",
    "grpcio_health_checking": "grpc_health",
    "grpcio_reflection": "grpc_reflection",
    "nats_py": "nats",
    "opentelemetry_exporter_otlp_proto_http": "opentelemetry",
    "opentelemetry_sdk": "opentelemetry",
    "protobuf": "google",
    "pyjwt": "jwt",
    "pyyaml": "yaml",
    "sk_video": "skvideo",
}
# Imported by a module of streamgate.sdk that only some plugins use: these declare it.
DRIVERS = {"eth_hash"}


def project(folder: Path) -> dict[str, Any]:
    return tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))


KERNEL = project(ROOT)


def declared(folder: Path) -> set[str]:
    """Import names of a distribution's own dependencies."""
    return {IMPORTED_AS.get(name, name) for name in names(project(folder)["project"]["dependencies"])}


def names(requirements: list[str]) -> set[str]:
    """Requirements without extras, versions and markers, spelled as modules are."""
    return {re.split(r"[\[<>=;! ]", each, maxsplit=1)[0].replace("-", "_") for each in requirements}


def imported(package: Path) -> dict[str, str]:
    """Top-level modules a package imports anywhere, each with a file that does."""
    found: dict[str, str] = {}
    for path in package.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
                names = [node.module]
            else:
                continue
            found.update({name.partition(".")[0]: str(path.relative_to(ROOT)) for name in names})
    return {name: path for name, path in found.items() if name not in sys.stdlib_module_names}


@pytest.mark.parametrize("folder", FOLDERS, ids=NAMES)
def test_a_plugin_is_called_after_its_folder_everywhere(folder: Path) -> None:
    name, described = folder.name, project(folder)["project"]
    assert described["name"] == f"streamgate-{name}"
    found = dict(described["entry-points"])
    assert found.pop("streamgate.plugins") == {name: f"streamgate_{name}.plugin:PLUGIN"}
    assert all(place.startswith(f"streamgate_{name}.") for place in found.pop("streamgate.commands", {}).values())
    assert found == {}
    assert described["requires-python"] == KERNEL["project"]["requires-python"]
    assert described["version"] == KERNEL["project"]["version"]


@pytest.mark.parametrize("folder", FOLDERS, ids=NAMES)
def test_a_plugin_declares_what_it_imports(folder: Path) -> None:
    """So that a container with this plugin alone has all it needs; the kernel's own come with the kernel."""
    own = f"streamgate_{folder.name}"
    allowed = declared(folder) | declared(ROOT) | {"streamgate", own}
    found = imported(folder / own)
    missing = {name: path for name, path in found.items() if name not in allowed}
    assert missing == {}
    assert declared(folder) - {"streamgate_kernel"} - DRIVERS - set(found) == set()


def test_the_kernel_declares_what_it_imports() -> None:
    development = {IMPORTED_AS.get(name, name) for name in names(KERNEL["dependency-groups"]["dev"])}
    extras = KERNEL["project"]["optional-dependencies"]
    declared_by_kernel = declared(ROOT).union(*map(names, extras.values()), {"streamgate", *DRIVERS})
    found = imported(ROOT / "streamgate")
    missing = {name: path for name, path in found.items() if name not in declared_by_kernel}
    assert {n: p for n, p in missing.items() if not (p.startswith("streamgate/testing/") and n in development)} == {}


def test_drivers_of_the_sdk_are_declared_by_those_who_use_them() -> None:
    for folder in FOLDERS:
        uses = any("streamgate.sdk.evm" in path.read_text(encoding="utf-8") for path in folder.rglob("*.py"))
        assert not uses or "eth_hash" in declared(folder), folder.name


def test_every_plugin_is_in_every_list() -> None:
    packages = [f"streamgate_{name}" for name in NAMES]
    assert KERNEL["tool"]["mypy"]["mypy_path"] == [".", *(f"plugins/{name}" for name in NAMES)]
    linter = KERNEL["tool"]["importlinter"]
    assert linter["root_packages"] == ["streamgate", *packages]
    contracts = {contract["id"]: contract for contract in linter["contracts"]}
    assert contracts["kernel-knows-no-plugin"]["forbidden_modules"] == packages
    assert contracts["plugins-are-strangers"]["modules"] == packages
    allowed = contracts["kernel-knows-no-service"]["allowed_importers"]
    assert [name for name in allowed if name.startswith("streamgate_")] == packages
    for kept, owners in {
        "media-codecs-stay-in-transcoder": {"streamgate_transcoder"},
        "chain-libraries-stay-in-auth": {"streamgate_auth", "streamgate_devchain"},
    }.items():
        assert set(contracts[kept]["source_modules"]) == {"streamgate", *packages} - owners


def test_every_plugin_is_installed_and_loads() -> None:
    ours = {plugin.name: plugin for plugin in discover() if plugin.is_builtin}
    assert list(ours) == NAMES
    assert {name: plugin.fault for name, plugin in ours.items() if plugin.fault} == {}


def locked(name: str) -> dict[str, set[str]]:
    """Versions of each package in a lock file; several where they depend on the Python."""
    found: dict[str, set[str]] = {}
    for line in (ROOT / name).read_text(encoding="utf-8").splitlines():
        pinned = re.match(r"([a-z0-9.-]+)==([^ ;]+)", line)
        if pinned:
            found.setdefault(pinned[1].replace("-", "_"), set()).add(pinned[2])
    return found


def test_the_locks_hold_what_is_declared() -> None:
    runtime, development = locked("requirements.lock"), locked("requirements-dev.lock")
    wanted = names(KERNEL["project"]["dependencies"]).union(
        *(names(project(folder)["project"]["dependencies"]) for folder in FOLDERS)
    )
    assert wanted - {"streamgate_kernel"} - set(runtime) == set(), "run 'make lock'"
    assert names(KERNEL["dependency-groups"]["dev"]) - set(development) == set(), "run 'make lock'"
    assert {name: versions for name, versions in runtime.items() if development.get(name) != versions} == {}


def test_versions_agree() -> None:
    import streamgate

    assert importlib.metadata.version("streamgate-kernel") == streamgate.__version__ == KERNEL["project"]["version"]


def test_configuration_files_name_only_sections_that_exist() -> None:
    sections = {plugin.name for plugin in discover()}
    from streamgate.config import root_keys

    for path in ROOT.glob("config/*.yaml"):
        assert set(yaml.safe_load(path.read_text(encoding="utf-8")) or {}) <= {*root_keys({}), *sections}, path.name
