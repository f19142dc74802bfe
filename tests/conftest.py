"""Fixtures of every test: the servers that come with the kernel's testing package."""

from __future__ import annotations

from typing import Any

import pytest
from xdist.scheduler import LoadFileScheduling  # type: ignore[import-untyped]

pytest_plugins = ["streamgate.testing.fixtures"]

TOGETHER = "tests/e2e/"
"""Tests of this folder share a running StreamGate, whose start is most of their time."""


class Together(LoadFileScheduling):  # type: ignore[misc]  # xdist is not typed
    """What stays in one process where tests run in several: a file, and everything end to end."""

    def _split_scope(self, nodeid: str) -> str:
        return TOGETHER if nodeid.startswith(TOGETHER) else str(super()._split_scope(nodeid))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Together:  # Any: xdist's own
    return Together(config, log)
