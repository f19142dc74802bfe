"""`streamgate new-plugin`: what it writes is found, typed, clean and passes its own tests, wherever it lies."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from streamgate.cli import main
from streamgate.commands.new_plugin import NotMade, make


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("authors")
    make("guest_book", folder)
    return folder / "streamgate-plugin-guest-book"


@pytest.fixture(scope="module")
def installed(made: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment of somebody who has it installed."""
    target = tmp_path_factory.mktemp("site")
    quietly = ["--quiet", "--no-deps", "--no-build-isolation", "--offline"]
    command = [sys.executable, "-m", "uv", "pip", "install", *quietly, "--target", str(target), str(made)]
    subprocess.run(command, check=True, timeout=50)
    return {**os.environ, "PYTHONPATH": str(target)}


def run(*command: str, cwd: Path, environment: dict[str, str] | None = None) -> str:
    whole = [sys.executable, "-m", *command]
    done = subprocess.run(whole, cwd=cwd, env=environment, capture_output=True, text=True, timeout=50, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_it_is_listed(installed: dict[str, str], made: Path) -> None:
    assert "guest_book   0.1.0" in run("streamgate.cli", "plugins", cwd=made, environment=installed)


def test_its_own_tests_pass(installed: dict[str, str], made: Path) -> None:
    assert "5 passed" in run("pytest", "-q", "-p", "no:cacheprovider", cwd=made, environment=installed)


def test_it_is_clean(made: Path, tmp_path: Path) -> None:
    run("mypy", "--cache-dir", str(tmp_path), "streamgate_plugin_guest_book", cwd=made)
    run("ruff", "check", "--no-cache", ".", cwd=made)
    run("ruff", "format", "--no-cache", "--check", ".", cwd=made)


def test_the_command_tells_what_it_wrote(tmp_path: Path) -> None:
    done = CliRunner().invoke(main, ["new-plugin", "shop", "--into", str(tmp_path)])
    assert done.exit_code == 0, done.output
    assert f"next: cd {tmp_path / 'streamgate-plugin-shop'}" in done.output
    assert (tmp_path / "streamgate-plugin-shop" / "streamgate_plugin_shop" / "plugin.py").is_file()
    assert (tmp_path / "streamgate-plugin-shop" / ".gitignore").is_file()


@pytest.mark.parametrize("name", ["", "A", "1st", "no-dash", "x", "a" * 31, "../up", "end_"])
def test_what_cannot_be_a_name_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(NotMade, match="cannot name a plugin"):
        make(name, tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("name", "by"), [("auth", "streamgate-auth"), ("server", "the kernel")])
def test_a_taken_name_is_refused(name: str, by: str, tmp_path: Path) -> None:
    with pytest.raises(NotMade, match=f"taken by {by}"):
        make(name, tmp_path)


def test_a_folder_that_is_there_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "streamgate-plugin-shop").mkdir()
    done = CliRunner().invoke(main, ["new-plugin", "shop", "--into", str(tmp_path)])
    assert done.exit_code == 2
    assert "is there already" in done.output
    assert list((tmp_path / "streamgate-plugin-shop").iterdir()) == []
