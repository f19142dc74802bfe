"""The main job from outside, in both shapes."""

from __future__ import annotations

from pathlib import Path

import pytest

from streamgate.testing.clips import one_minute_clip
from streamgate.testing.stacks import all_in_one, split
from tests.e2e.story import Story

LEASE_S = 3.0
ENVIRONMENT = {
    "STREAMGATE_STREAMING__LEASE_S": str(LEASE_S),
    "STREAMGATE_SERVICES__WIRE_LOCAL": "true",  # one process, but each call goes through its wire form
}


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return one_minute_clip(tmp_path_factory.mktemp("clip") / "bunny.mp4")


@pytest.mark.timeout(300)
@pytest.mark.parametrize("mode", ["all", "split"])
async def test_only_the_holder_watches(mode: str, tmp_path: Path, clip: Path) -> None:
    start = all_in_one if mode == "all" else split
    with start(tmp_path, environment=ENVIRONMENT) as stack:
        story = Story(stack, clip, LEASE_S, kill_transcoder=mode == "split")
        await story.run()
    assert [step.name for step in story.steps][-1] == "a file that is no video ends in `failed`"
