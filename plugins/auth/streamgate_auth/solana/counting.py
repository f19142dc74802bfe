"""From what was read to the three-valued answer: how many a wallet holds, and whether that is all of it.

A loss counts at `confirmed` at once; where a rule asks for `finalized`, a gain must be there, too. What is partly read
holds where it is enough already, and is unknown else: it is never a no.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from decimal import Decimal

import attrs

from streamgate.contracts.gate import Outcome, Reading
from streamgate.contracts.hooks import Leaf
from streamgate.sdk.solana import parse_solana_chain
from streamgate_auth.solana.chain import SolanaChain
from streamgate_auth.solana.chains import SolanaChains
from streamgate_auth.solana.params import Amounts
from streamgate_auth.solana.reads import Commitment, Held, Told, Unread

NOT_FINAL = "held, but not final yet"
NO_WALLET = "no wallet of this kind of chain is linked"


@attrs.frozen(kw_only=True)
class Count:
    """What a wallet holds, at one commitment.

    Args:
        held: so many at least.
        missing: why there may be more; "" where this is all.
        tokens: mints or assets, where they can be told apart.
        accounts: by which it is held.
    """

    held: int
    missing: str = ""
    tokens: tuple[str, ...] = ()
    accounts: tuple[Held, ...] = ()
    slot: int | None = None
    nodes: int = 1
    read_at_s: float | None = None


@attrs.frozen(kw_only=True)
class Question:
    """One wallet at one commitment, on a chain."""

    chain: SolanaChain
    wallet: str
    commitment: Commitment
    min_slot: int


Ask = Callable[[Question], Awaitable[Count]]


def resting_on(
    answers: Iterable[Told | Unread],
    held: int,
    *,
    tokens: tuple[str, ...] = (),
    accounts: Iterable[Held] = (),
    missing: str = "",
) -> Count:
    """A count that follows from these answers: as old as the oldest, and as sure as the least sure of them."""
    told, reasons = list[Told](), [missing] if missing else []
    for answer in answers:
        if isinstance(answer, Told):
            told.append(answer)
        else:
            reasons.append(answer.reason)
    slots = [each.slot for each in told if each.slot is not None]
    return Count(
        held=held,
        missing=reasons[0] if reasons else "",
        tokens=tokens,
        accounts=tuple(accounts),
        slot=min(slots, default=None),
        nodes=min((each.nodes for each in told), default=0),
        read_at_s=min((each.read_at_s for each in told), default=None),
    )


@attrs.frozen
class Range:
    """How many are wanted; `most` None: any number from `least` on."""

    least: int
    most: int | None = None

    @classmethod
    def of(cls, params: Amounts) -> Range:
        return cls(int(params.min), None if params.max is None else int(params.max))

    @property
    def enough(self) -> int:
        """Nothing is decided otherwise by counting on."""
        return self.least if self.most is None else self.most + 1

    def holds(self, count: Count) -> bool | None:
        """None: what is missing decides."""
        if self.most is not None and count.held > self.most:
            return False
        if count.missing and (count.held < self.least or self.most is not None):
            return None
        return count.held >= self.least


def judge(now: Count, before: Count, wanted: Range, wallet: str) -> Reading:
    """`before`: where a gain must be seen, too; the same object where that is no other commitment."""
    times = [each.read_at_s for each in (now, before) if each.read_at_s is not None]
    seen = Reading(
        outcome="unknown",
        held=str(now.held),
        held_by=wallet if now.held else "",
        block_number=now.slot,
        nodes=min(now.nodes, before.nodes),
        read_at_s=min(times, default=None),
    )
    match wanted.holds(now):
        case None:
            return attrs.evolve(seen, reason=now.missing)
        case False:
            return attrs.evolve(seen, outcome="does_not_hold")
    match wanted.holds(before):
        case None:
            return attrs.evolve(seen, reason=before.missing)
        case False:
            return attrs.evolve(seen, reason=NOT_FINAL)
    return attrs.evolve(seen, outcome="holds", tokens=now.tokens)


def merge(readings: Sequence[Reading]) -> Reading:
    """Of several wallets any one may satisfy it alone; what none satisfies is unknown if one could not be read."""
    order: tuple[Outcome, ...] = ("holds", "unknown", "does_not_hold")
    if not readings:
        return Reading(outcome="does_not_hold", held="0", reason=NO_WALLET)
    best = min(readings, key=lambda reading: (order.index(reading.outcome), -int(reading.held)))
    times = [reading.read_at_s for reading in readings if reading.read_at_s is not None]
    return attrs.evolve(best, read_at_s=min(times, default=None))


async def read_each_wallet(chains: SolanaChains, leaf: Leaf, ask: Ask) -> Reading:
    """`finality` None: as the chain is configured."""
    params: Amounts = leaf.params
    wanted, name = Range.of(params), parse_solana_chain(params.chain)
    chain = chains.get(name)
    if chain is None:
        return Reading(outcome="unknown", reason=f"{name} is not configured")
    wallets = wallets_of(leaf.addresses)
    min_slot = leaf.min_block.get(name, 0)
    is_final = (params.finality or chain.finality) == "finalized"

    async def of_wallet(wallet: str) -> Reading:
        asked = [Question(chain=chain, wallet=wallet, commitment="confirmed", min_slot=min_slot)]
        if is_final:
            # A transfer that ends access was seen at `min_slot`; whether it is final does not matter for that.
            asked.append(Question(chain=chain, wallet=wallet, commitment="finalized", min_slot=0))
        counts = await asyncio.gather(*map(ask, asked))
        reading = judge(counts[0], counts[-1], wanted, wallet)
        if reading.outcome == "holds" and leaf.actor.kind == "user" and leaf.content_id:
            # Playback may rest on it from now on; a rule that is only tried for somebody opens nothing.
            now = counts[0]
            chain.watch.note(leaf.params, params.contract, wallet, leaf.actor.user_id, now.accounts, now.slot or 0)
        return reading

    return merge(await asyncio.gather(*map(of_wallet, wallets)))


def wallets_of(addresses: Sequence[str]) -> list[str]:
    """Those of Solana: without `0x`, and no account of a contract (`eip155:1:0x…`)."""
    return [address for address in addresses if not address.startswith("0x") and ":" not in address]


def to_units(amount: int, decimals: int) -> str:
    """Base units as people count: 1500000 with 6 decimals is 1.5."""
    return f"{Decimal(amount).scaleb(-decimals).normalize():f}"
