"""Fixtures of every test: the servers that come with the kernel's testing package."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest_plugins = ["streamgate.testing.fixtures"]

HERE = Path(__file__).parent
TOGETHER = HERE / "e2e"
"""Tests of this folder share a running StreamGate, whose start is most of their time."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Says what stays together where tests run in several processes: a file, and everything end to end."""
    for item in items:
        group = "e2e" if TOGETHER in item.path.parents else str(item.path.relative_to(HERE))
        item.add_marker(pytest.mark.xdist_group(group))
