"""Who holds how many, judged in time: the three-valued answer made of what was read at several blocks.

Loss counts at the head. Gain counts when the confirmed block says the same; with `held_for_s`, when the block of that
long ago does, too: what was lent for one block, or moved on a minute ago, opens nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
from typing import Literal

import attrs

from streamgate.contracts.gate import Outcome, Reading
from streamgate.contracts.hooks import Leaf
from streamgate.sdk.evm import to_checksum
from streamgate_auth.at_once import at_once
from streamgate_auth.evm.chain import Chain, Read
from streamgate_auth.evm.measure import Held, Listed, Measure, Result
from streamgate_auth.evm.params import Finality
from streamgate_auth.evm.past import Past
from streamgate_auth.evm.reads import WORD_BYTES, Returned, Unread

NOT_CONFIRMED = "held, but not confirmed yet"
NOT_SO_LONG = "held, but not for so long yet"
NO_WALLET = "no wallet of this kind of chain is linked"


@attrs.frozen(kw_only=True)
class Terms:
    """What a rule asks. `most` None: however many."""

    least: int
    most: int | None = None
    finality: Finality | None = None
    held_for_s: int = 0

    def judge(self, held: Held) -> Literal["yes", "no", "unknown"]:
        if self.most is not None and held.count > self.most:
            return "no"
        if held.count >= self.least and (self.most is None or not held.missing):
            return "yes"
        return "unknown" if held.missing else "no"


@attrs.frozen(kw_only=True)
class Asked:
    """One measure of one holder. `owners`: all of the person, in lower case: within them a token may have moved."""

    wallet: str
    measure: Measure
    owners: frozenset[str]


@attrs.frozen(eq=False, kw_only=True)
class Judging:
    """One leaf on its chain."""

    chain: Chain
    leaf: Leaf
    terms: Terms
    past: Past

    async def of(self, asked: Asked) -> Reading:
        """What this holder's part comes to. A no by what was kept is asked again: whoever was refused, buys and comes
        back is let in at once."""
        began_s = self.past.clock.now_s()
        answers, now = await self._measured(asked, self.leaf.max_age_s)
        if self.terms.judge(now) == "no" and any(
            isinstance(each, Read) and each.read_at_s < began_s for each in answers
        ):
            answers, now = await self._measured(asked, 0.0)
        seen = _seen(answers, now, asked.wallet)
        match self.terms.judge(now):
            case "no":
                return attrs.evolve(seen, outcome="does_not_hold", reason=now.note)
            case "unknown":
                return attrs.evolve(seen, reason=now.missing)
        confirmed = [answer if isinstance(answer, Unread) else answer.confirmed for answer in answers]
        before = asked.measure.held(confirmed, asked.owners, now.tokens if now.tokens else None)
        if self.terms.judge(before) != "yes":
            return attrs.evolve(seen, reason=NOT_CONFIRMED)
        tokens = before.tokens
        if self.terms.held_for_s:
            outcome, reason, kept = await self._long_ago(asked, attrs.evolve(now, tokens=tokens))
            if outcome == "unknown":
                return attrs.evolve(seen, reason=reason, nodes=0)  # no endpoint has answered that
            if outcome == "does_not_hold":
                return attrs.evolve(seen, outcome=outcome, reason=reason)
            tokens = now.tokens if isinstance(asked.measure, Listed) else kept
        return attrs.evolve(seen, outcome="holds", tokens=self._named(tokens))

    async def _measured(self, asked: Asked, max_age_s: float | None) -> tuple[Sequence[Read | Unread], Held]:
        min_block = self.leaf.min_block.get(self.leaf.params.chain, 0)
        answers = await at_once(
            [
                self.chain.call(read, min_block=min_block, max_age_s=max_age_s, finality=self.terms.finality)
                for read in asked.measure.reads
            ]
        )
        return answers, asked.measure.held([_latest(each) for each in answers], asked.owners & {asked.wallet.lower()})

    async def _long_ago(self, asked: Asked, now: Held) -> tuple[Outcome, str, tuple[int, ...]]:
        block = await self.past.block(self.terms.held_for_s)
        if isinstance(block, str):
            return "unknown", block, ()
        measure = asked.measure.before(now)
        answers = await asyncio.gather(*(self.chain.call(read, at_block=block) for read in measure.reads))
        held = measure.held([_at_its_time(answer) for answer in answers], asked.owners)
        match self.terms.judge(held):
            case "yes":
                return "holds", "", held.tokens
            case "no":
                return "does_not_hold", NOT_SO_LONG, ()
        return "unknown", self.past.unread(block, held.missing), ()

    def _named(self, tokens: tuple[int, ...]) -> tuple[str, ...]:
        """The lowest of them, as many as are needed; none where not so many are known."""
        if len(tokens) < self.terms.least:
            return ()
        params = self.leaf.params
        return tuple(f"{params.chain}/{params.contract.lower()}/{token}" for token in tokens[: self.terms.least])


def merge(readings: Sequence[Reading], own: Collection[str] = ()) -> Reading:
    """Of several wallets any one may satisfy it alone; what none satisfies is unknown if one could not be read.

    Args:
        own: the person's own, in lower case: what others delegated is played by only where these do not satisfy it.
    """
    if len(readings) == 1:
        return readings[0]
    for outcome in ("holds", "unknown", "does_not_hold"):
        found = [reading for reading in readings if reading.outcome == outcome]
        if found:
            if outcome == "holds":
                found = [reading for reading in found if reading.held_by.lower() in own] or found
            best = max(found, key=lambda reading: int(reading.held or "0"))
            times = [reading.read_at_s for reading in readings if reading.read_at_s is not None]
            return attrs.evolve(best, read_at_s=min(times, default=None))
    return Reading(outcome="does_not_hold", held="0", reason=NO_WALLET)


def _latest(answer: Read | Unread) -> Result:
    return answer if isinstance(answer, Unread) else answer.latest


def _at_its_time(answer: Read | Unread) -> Result:
    """Where nothing comes back there was no contract yet, and nothing to hold."""
    result = _latest(answer)
    return Returned(bytes(WORD_BYTES)) if result == Returned(b"") else result


def _seen(answers: Sequence[Read | Unread], now: Held, wallet: str) -> Reading:
    read = [answer for answer in answers if isinstance(answer, Read)]
    return Reading(
        outcome="unknown",
        held="" if now.missing and not now.count else str(now.count),
        held_by=to_checksum(wallet.lower()) if now.count else "",
        block_number=min((answer.block_number for answer in read), default=None),
        nodes=min((answer.nodes for answer in read), default=0),
        read_at_s=min((answer.read_at_s for answer in read), default=None),
    )
