"""What the tests of a run share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from streamgate.testing.otlp import OtlpReceiver
from streamgate.testing.stacks import Stack, all_in_one, split
from tests.e2e.shared import SharedSplit, all_environment, install_outside_plugin, shared_environment


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the outside plugin, to be on PYTHONPATH."""
    target = tmp_path_factory.mktemp("site")
    install_outside_plugin(target)
    return target


@pytest.fixture(scope="session")
def shared_all(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Everything in one process, once a run. See `shared.py`."""
    with all_in_one(tmp_path_factory.mktemp("all"), environment=all_environment()) as stack:
        yield stack


@pytest.fixture(scope="session")
def shared_split(tmp_path_factory: pytest.TempPathFactory, installed: Path) -> Iterator[SharedSplit]:
    """A process for each service over real servers, once a run. See `shared.py`."""
    folder = tmp_path_factory.mktemp("split")
    with OtlpReceiver() as collector, split(folder, environment=shared_environment(installed, collector)) as stack:
        yield SharedSplit(stack, collector)
