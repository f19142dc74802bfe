"""The servers that the browser visits: each is started once, and shared."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path

import pytest
import pytest_asyncio

from streamgate.testing.clips import make_clip
from streamgate.testing.stacks import all_in_one, split
from tests.browser.chromium import shared_browser
from tests.browser.stage import CLIP, ENVIRONMENT, HOSTILE, PUBLIC, SMALL, Stage


def pytest_collection_modifyitems(items: Sequence[pytest.Item]) -> None:
    """One event loop for all of them, which is that of the browser."""
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents and pytest_asyncio.is_async_test(item):
            item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)


@pytest_asyncio.fixture(scope="session", loop_scope="session", autouse=True)
async def browser() -> AsyncIterator[None]:
    async with shared_browser():
        yield


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_clip(tmp_path_factory.mktemp("clip") / "colours.mp4", CLIP)


@pytest.fixture(scope="session")
def small_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_clip(tmp_path_factory.mktemp("clip") / "small.mp4", SMALL)


@pytest.fixture(scope="session")
def one_process(tmp_path_factory: pytest.TempPathFactory, clip: Path, small_clip: Path) -> Iterator[Stage]:
    """`--all`, with a public video, a gated one, one that is only announced, and one that is no video."""
    folder = tmp_path_factory.mktemp("all")
    broken = folder / "broken.mp4"
    broken.write_bytes(b"this is no video" * 256)

    async def prepare(stage: Stage) -> None:
        await stage.prepare()
        puts = {
            "public": stage.put("Colours and a tone", PUBLIC, description="Moving shapes.\nA tone.", file=small_clip),
            "gated": stage.put("For holders", stage.gate, description="Only with a token.", file=clip),
            "announced": stage.put(HOSTILE, PUBLIC, description=HOSTILE),
            "broken": stage.put("Damaged", PUBLIC, file=broken),
        }
        ids = await asyncio.gather(*puts.values())
        stage.contents = dict(zip(puts, ids, strict=True))

    with all_in_one(folder, environment=ENVIRONMENT) as stack:
        stage = Stage(stack)
        asyncio.run(prepare(stage))
        yield stage


@pytest.fixture(scope="session")
def many_processes(tmp_path_factory: pytest.TempPathFactory, clip: Path) -> Iterator[Stage]:
    """The services split, with a gated video."""

    async def prepare(stage: Stage) -> None:
        await stage.prepare()
        stage.contents = {"gated": await stage.put("For holders", stage.gate, file=clip)}

    with split(tmp_path_factory.mktemp("split"), environment=ENVIRONMENT) as stack:
        stage = Stage(stack)
        asyncio.run(prepare(stage))
        yield stage
