"""The running StreamGates that all tests of a run share, as fixtures of every folder. See `shared.py`.

What they need is imported when one of them is asked for: most runs of a single file do without.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from streamgate.testing.stacks import Stack
    from tests.e2e.shared import DoubtfulChain, SharedSplit


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the outside plugin, to be on PYTHONPATH."""
    from tests.e2e.shared import install_outside_plugin

    target = tmp_path_factory.mktemp("site")
    install_outside_plugin(target)
    return target


@pytest.fixture(scope="session")
def doubtful_of_all() -> Iterator[DoubtfulChain]:
    """The second chain of the shared process."""
    from tests.e2e.shared import DoubtfulChain

    with DoubtfulChain() as chain:
        yield chain


@pytest.fixture(scope="session")
def doubtful_of_split() -> Iterator[DoubtfulChain]:
    """The second chain of the shared split."""
    from tests.e2e.shared import DoubtfulChain

    with DoubtfulChain() as chain:
        yield chain


@pytest.fixture(scope="session")
def shared_all(tmp_path_factory: pytest.TempPathFactory, doubtful_of_all: DoubtfulChain) -> Iterator[Stack]:
    """Everything in one process, once a run."""
    from streamgate.testing.stacks import all_in_one
    from tests.e2e.shared import all_environment

    environment = {**all_environment(), **doubtful_of_all.environment()}
    with all_in_one(tmp_path_factory.mktemp("all"), environment=environment) as stack:
        doubtful_of_all.stand_in(stack)
        yield stack


@pytest.fixture(scope="session")
def shared_split(
    tmp_path_factory: pytest.TempPathFactory, installed: Path, doubtful_of_split: DoubtfulChain
) -> Iterator[SharedSplit]:
    """A process for each service over real servers, once a run."""
    from streamgate.testing.otlp import OtlpReceiver
    from streamgate.testing.stacks import split
    from tests.e2e.shared import SharedSplit, shared_environment

    folder = tmp_path_factory.mktemp("split")
    with OtlpReceiver() as collector:
        environment = {**shared_environment(installed, collector), **doubtful_of_split.environment()}
        with split(folder, environment=environment) as stack:
            doubtful_of_split.stand_in(stack)
            yield SharedSplit(stack, collector)
