"""The configuration files that ship: each is valid with every plugin, and each layer says what it says."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from streamgate.config import PROFILES, load_config
from streamgate.plugins import discover

ROOT = Path(__file__).parents[2]
SECTIONS = {f.info.name: f.info.config for f in discover() if f.info is not None and f.info.config is not None}


@pytest.mark.parametrize("profile", ["", *PROFILES])
def test_shipped_files_are_valid(profile: str) -> None:
    config = load_config(sections=SECTIONS, profile=profile, file=ROOT / "config/config.yaml", environment={})
    assert config.notes == ()
    assert config.settings.profile == profile


def test_values_in_the_base_file_are_the_defaults() -> None:
    """It is a commented list of what is so anyway; whoever starts without it gets the same."""
    shipped = load_config(sections=SECTIONS, file=ROOT / "config/config.yaml", environment={})
    bare = load_config(sections=SECTIONS, file=Path("/dev/null"), environment={})
    assert bare.settings == shipped.settings
    assert {name: bare.section(name) for name in SECTIONS} == {name: shipped.section(name) for name in SECTIONS}


def test_keys_that_are_commented_out_are_valid_too(tmp_path: Path) -> None:
    lines = (ROOT / "config/config.yaml").read_text(encoding="utf-8").splitlines()
    opened = [line.replace("# ", "", 1) if line.startswith("  # ") and ": " in line else line for line in lines]
    opened = [line for line in opened if line.strip() != "{}" and "_file:" not in line]
    assert opened != lines
    file = tmp_path / "all.yaml"
    file.write_text("\n".join(opened), encoding="utf-8")
    assert yaml.safe_load(file.read_text())["database"]["url"]
    load_config(sections=SECTIONS, file=file, environment={})
