"""What the tests of a run share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from streamgate.testing.otlp import OtlpReceiver
from streamgate.testing.stacks import split
from tests.e2e.shared import SharedSplit, install_outside_plugin, shared_environment


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the outside plugin, to be on PYTHONPATH."""
    target = tmp_path_factory.mktemp("site")
    install_outside_plugin(target)
    return target


@pytest.fixture(scope="session")
def shared_split(tmp_path_factory: pytest.TempPathFactory, installed: Path) -> Iterator[SharedSplit]:
    """A process for each service over real servers, once a run. See `shared.py`."""
    folder = tmp_path_factory.mktemp("split")
    with OtlpReceiver() as collector, split(folder, environment=shared_environment(installed, collector)) as stack:
        yield SharedSplit(stack, collector)
