"""What time alone will change says when: a decision tells the first moment at which it may be another."""

from __future__ import annotations

from typing import Any

import pytest

from streamgate.contracts.gate import Outcome, Reading
from streamgate.contracts.hooks import Leaf
from streamgate.sdk.clock import SYSTEM_CLOCK, rfc3339
from streamgate.sdk.evm import Address
from streamgate.testing.clock import FakeClock
from streamgate.testing.house import House
from streamgate_auth.gate.leaves.times import Times, TimeWindow
from tests.plugins.auth.gate.people import creator
from tests.plugins.auth.people import content_of, decide, person

HOUR_MS = 3_600_000


def moment(clock: FakeClock, after_s: float | None) -> str | None:
    return None if after_s is None else rfc3339(clock.now_ms() + round(after_s * 1000))


@pytest.mark.parametrize(
    ("since_s", "until_s", "outcome", "edge_s"),
    [
        (None, 4, "holds", 4),
        (-1, 4, "holds", 4),
        (0, None, "holds", None),
        (3, None, "does_not_hold", 3),
        (3, 4, "does_not_hold", 3),
        (None, 0, "does_not_hold", None),
        (-2, -1, "does_not_hold", None),
    ],
)
async def test_a_time_says_when_it_will_be_another(
    since_s: float | None, until_s: float | None, outcome: Outcome, edge_s: float | None
) -> None:
    clock = FakeClock()
    params = TimeWindow(from_=moment(clock, since_s), until=moment(clock, until_s))
    addresses: tuple[Address, ...] = ()
    reading: Reading = await Times(clock).read(Leaf(params=params, addresses=addresses, min_block={}))
    assert reading.outcome == outcome
    assert reading.until_s == (None if edge_s is None else pytest.approx(clock.now_s() + edge_s, abs=0.001))


async def test_a_decision_tells_the_first_edge_of_what_was_read(home: House) -> None:
    owner, viewer = await creator(home), await person(home, "viewer")
    now_ms = SYSTEM_CLOCK.now_ms()
    soon, late = rfc3339(now_ms + HOUR_MS), rfc3339(now_ms + 2 * HOUR_MS)
    viewers: dict[str, Any] = {"role": {"role": "viewer"}}
    both = {"all": [viewers, {"time": {"until": late}}, {"not": {"time": {"from": soon}}}]}
    decided = await decide(home, viewer.actor, await content_of(home, owner.actor, both))
    assert (decided.outcome, decided.valid_until_s) == ("holds", (now_ms + HOUR_MS) / 1000)
    for actor, gate in ((viewer.actor, viewers), (owner.actor, both)):
        decided = await decide(home, actor, await content_of(home, owner.actor, gate))
        assert (decided.outcome, decided.valid_until_s) == ("holds", None)
