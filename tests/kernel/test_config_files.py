"""The configuration files that ship: each is valid with every plugin, and each layer says what it says."""

from __future__ import annotations

import re
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
    """A `#` before a key has no blank behind it (or several, where the key is an inner one); prose has one."""
    lines = (ROOT / "config/config.yaml").read_text(encoding="utf-8").splitlines()
    opened = [re.sub(r"^(\s*)#(?=\S|\s{2})", r"\1", line) for line in lines]
    assert len([line for line in lines if line not in opened]) >= 7
    key = tmp_path / "key"
    key.write_text("a2V5", encoding="ascii")
    file = tmp_path / "all.yaml"
    text = "\n".join(opened).replace("/run/secrets/streamgate_master_key", str(key))
    file.write_text(text, encoding="utf-8")
    assert yaml.safe_load(text)["auth"]["chains"]
    config = load_config(sections=SECTIONS, file=file, environment={})
    assert config.settings.server.port == 9090
    assert config.settings.secrets.master_key.reveal() == "a2V5"


def test_creators_are_open_in_dev_only() -> None:
    """So that `make run` can be tried by whoever sits there, and nothing else is open unawares."""
    found = {
        profile: load_config(sections=SECTIONS, profile=profile, file=ROOT / "config/config.yaml", environment={})
        .section("auth")
        .open_creators
        for profile in ("", *PROFILES)
    }
    assert found == {"": False, "dev": True, "prod": False, "test": False}
