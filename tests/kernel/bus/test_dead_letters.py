"""Dead letters one by one, on every bus: looked at, handled again, put aside."""

from __future__ import annotations

import time
from typing import Any

import pytest

from streamgate.bus.base import Bus, BusUnavailable, Reject, StillDead
from streamgate.testing.wait import eventually as until


async def eventually_dead(bus: Bus, group: str, count: int) -> None:
    async def probe() -> bool | None:
        return True if await has_dead(bus, group, count) else None

    await until(probe, every_s=0.01)


async def has_dead(bus: Bus, group: str, count: int) -> bool:
    return (await bus.dead_letters()).get(group) == count


async def test_a_dead_letter_is_looked_at_and_handled_again(bus: Bus, subject: str, recorder: Any) -> None:
    group = subject.replace(".", "-")
    handler, sibling = recorder(failures=3), recorder()
    await bus.subscribe_group(subject, group, handler)
    await bus.subscribe_group(subject, "sibling", sibling)
    await bus.publish(subject, b"bad", message_id=f"{subject}-1")
    await eventually_dead(bus, group, 1)

    (letter,) = [each for each in await bus.list_dead_letters(limit=1_000) if each.group == group]
    assert (letter.subject, letter.message_id, letter.payload) == (subject, f"{subject}-1", b"bad")
    assert (letter.deliveries, letter.reason) == (3, "RuntimeError('as the test wants it')")
    assert abs(letter.at_ms / 1000 - time.time()) < 60
    assert letter.id not in [each.id for each in await bus.list_dead_letters(after=letter.id)]

    assert await bus.replay_dead_letter(letter.id)
    assert handler.got == [b"bad"] * 4
    assert sibling.got == [b"bad"]
    assert group not in await bus.dead_letters()
    assert not await bus.replay_dead_letter(letter.id)


async def test_a_dead_letter_may_die_again_and_be_put_aside(bus: Bus, subject: str, recorder: Any) -> None:
    group = subject.replace(".", "-")
    await bus.subscribe_group(subject, group, recorder(failures=9, fault=Reject("never")))
    for number in range(3):
        await bus.publish(subject, b"%d" % number, message_id=f"{subject}-{number}")
    await eventually_dead(bus, group, 3)

    first, second, _ = [each for each in await bus.list_dead_letters(limit=1_000) if each.group == group]
    with pytest.raises(StillDead, match="never"):
        await bus.replay_dead_letter(first.id)
    assert await bus.discard_dead_letter(second.id)
    assert not await bus.discard_dead_letter(second.id)
    left = [each.payload for each in await bus.list_dead_letters(limit=1_000) if each.group == group]
    assert sorted(left) == sorted({b"0", b"1", b"2"} - {second.payload})
    for unknown in ("", "x", "-1", "9" * 30, "999999"):
        assert not await bus.discard_dead_letter(unknown)
        assert not await bus.replay_dead_letter(unknown)


async def test_a_dead_letter_stays_while_nobody_is_there_to_handle_it(bus: Bus, subject: str, recorder: Any) -> None:
    group = subject.replace(".", "-")
    subscription = await bus.subscribe_group(subject, group, recorder(failures=1, fault=Reject("never")))
    await bus.publish(subject, b"bad", message_id=f"{subject}-1")
    await eventually_dead(bus, group, 1)
    await subscription.stop()

    (letter,) = [each for each in await bus.list_dead_letters(limit=1_000) if each.group == group]
    with pytest.raises(BusUnavailable):
        await bus.replay_dead_letter(letter.id)
    assert await has_dead(bus, group, 1)
