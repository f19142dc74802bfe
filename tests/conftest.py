"""Fixtures of every test: the servers that come with the kernel's testing package, and the StreamGates of a run."""

from __future__ import annotations

import gc
import re
from typing import Any

import hypothesis
import pytest
from xdist.scheduler import LoadFileScheduling  # type: ignore[import-untyped]

from streamgate.testing.compiled import share_compiled_statements

pytest_plugins = ["streamgate.testing.fixtures", "tests.e2e.running"]

TOGETHER = {
    "e2e over the shared split": r"tests/(e2e/test_story\.py|(e2e|security)/.*split)",
    "e2e over the shared process": r"tests/(e2e|security)/",
    "browser over the split and an empty server": r"tests/browser/(test_sharing\.py|.*(many_processes|every_service))",
    "browser over one process": r"tests/browser/",
}
"""Who shares a running StreamGate, whose start is most of their time; the first that fits. (The marks of xdist's
`loadgroup` do not reach a scheduler under this pytest.)"""


class Together(LoadFileScheduling):  # type: ignore[misc]  # xdist is not typed
    """What stays in one process where tests run in several: those of `TOGETHER`, and else a file."""

    def _split_scope(self, nodeid: str) -> str:
        shared = (name for name, pattern in TOGETHER.items() if re.match(pattern, nodeid))
        return next(shared, None) or str(super()._split_scope(nodeid))


share_compiled_statements()
hypothesis.settings.register_profile(
    "of a busy machine", deadline=None, max_examples=60, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("of a busy machine")


def pytest_collection_finish() -> None:
    """What collecting made stays to the end: looking through it for garbage again and again was a tenth of the time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Together:  # Any: xdist's own
    return Together(config, log)
