"""The house says when an event was given up on."""

from __future__ import annotations

from pathlib import Path

import attrs
import pytest

from streamgate.bus.base import Reject
from streamgate.events import EventType, Received, on_group
from streamgate.testing.house import house


@attrs.frozen(kw_only=True)
class Happened:
    subject_id: str
    revision: int


async def give_up(_: Received[Happened]) -> None:
    raise Reject("as the test wants it")


@pytest.mark.parametrize("may_give_up", [False, True])
async def test_dead_letters_fail_the_test_unless_it_means_them(tmp_path: Path, may_give_up: bool) -> None:
    event = EventType("house.happened", Happened)
    heard = [on_group(event, give_up, group="listener")]

    async def live() -> None:
        async with house(tmp_path, [], subscriptions=heard, may_give_up=may_give_up) as home:
            await home.events.publish(event, Happened(subject_id="s", revision=1), event_id="e1")

    if may_give_up:
        await live()
    else:
        with pytest.raises(AssertionError, match="'listener': 1"):
            await live()
