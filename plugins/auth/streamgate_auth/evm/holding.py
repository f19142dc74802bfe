"""A leaf that asks what wallets hold: each of the person's wallets, and with `delegated` the vaults behind them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Sequence
from typing import Any

import attrs

from streamgate.contracts.gate import Reading
from streamgate.contracts.hooks import Leaf
from streamgate.sdk.evm import ChainId
from streamgate_auth.at_once import at_once
from streamgate_auth.evm.balances import Asked, Judging, Terms, merge
from streamgate_auth.evm.chain import Chain
from streamgate_auth.evm.chains import Chains
from streamgate_auth.evm.delegate import About, Delegation, Kind, Vaults, vaults_of
from streamgate_auth.evm.measure import Measure
from streamgate_auth.evm.past import Past


@attrs.frozen(kw_only=True)
class Holder:
    """A wallet whose holdings count. `tokens`, `amount`: these alone, as its owner delegated; None: all."""

    wallet: str
    tokens: tuple[int, ...] | None = None
    amount: int | None = None


MeasureOf = Callable[[Chain, Holder], Awaitable[Measure | None]]
"""What is asked of a holder; None: nothing that was delegated can satisfy it."""


async def read_holding(chains: Chains, leaf: Leaf, kind: Kind, measure_of: MeasureOf) -> Reading:
    """`leaf.params`: of one of the kinds; `chain` is where."""
    params = leaf.params
    chain = await chains.get(ChainId(params.chain))
    if chain is None:
        return Reading(outcome="unknown", reason=f"{params.chain} is not configured")
    judging = Judging(chain=chain, leaf=leaf, terms=terms_of(params), past=Past(chain, chains.clock))
    own = [Holder(wallet=address.lower()) for address in wallets_of(leaf)]
    wallets = frozenset(holder.wallet for holder in own)
    if not params.delegated:
        return merge(await _read(judging, own, measure_of, wallets))
    about = About(kind=kind, contract=getattr(params, "contract", ""))
    min_block = leaf.min_block.get(params.chain, 0)
    asked = (
        vaults_of(chain, each.wallet, about, finality=params.finality, min_block=min_block, max_age_s=leaf.max_age_s)
        for each in own
    )
    found = await asyncio.gather(*asked)
    holders = [*own, *_holders(found, wallets)]
    owners = frozenset(holder.wallet for holder in holders if holder.tokens is None and holder.amount is None)
    readings = await _read(judging, holders, measure_of, owners)
    unsure = [Reading(outcome="unknown", reason=each.missing) for each in found if each.missing]
    merged = in_its_place(params, merge([*readings, *unsure], own=wallets))
    times = [merged.read_at_s, *(each.read_at_s for each in found)]
    return attrs.evolve(merged, read_at_s=min((each for each in times if each is not None), default=None))


def in_its_place(params: Any, reading: Reading, *, always: bool = False) -> Reading:  # Any: as in `terms_of`
    """Where no token can be named it is the wallet that holds which gives one stream, however many it delegated to.

    Args:
        always: beside the tokens that are named, too.
    """
    if reading.outcome != "holds" or (reading.tokens and not always):
        return reading
    parts = (params.chain, getattr(params, "contract", "").lower(), getattr(params, "token_id", None))
    place = f"{'/'.join(part for part in parts if part)}@{reading.held_by.lower()}"
    return attrs.evolve(reading, tokens=tuple(dict.fromkeys((place, *reading.tokens))))


def terms_of(params: Any) -> Terms:  # Any: parameters of one of the kinds
    return Terms(
        least=int(params.min),
        most=None if params.max is None else int(params.max),
        finality=params.finality,
        held_for_s=params.held_for_s,
    )


def wallets_of(leaf: Leaf) -> tuple[str, ...]:
    """Those that EVM chains know."""
    return tuple(address for address in leaf.addresses if address.startswith("0x"))


async def _read(
    judging: Judging, holders: Sequence[Holder], measure_of: MeasureOf, owners: frozenset[str]
) -> list[Reading]:
    async def one(holder: Holder) -> Reading | None:
        measure = await measure_of(judging.chain, holder)
        if measure is None:
            return None
        return await judging.of(Asked(wallet=holder.wallet, measure=measure, owners=owners | {holder.wallet}))

    readings = await at_once([one(holder) for holder in holders])
    return [reading for reading in readings if reading is not None]


def _holders(found: Sequence[Vaults], own: Collection[str]) -> list[Holder]:
    """Each vault once, with the widest that it delegated."""
    by_vault: dict[str, list[Delegation]] = {}
    for vaults in found:
        for each in vaults.delegations:
            if each.vault not in own:
                by_vault.setdefault(each.vault, []).append(each)
    holders: list[Holder] = []
    for vault, delegations in by_vault.items():
        if any(each.token is None and each.amount is None for each in delegations):
            holders.append(Holder(wallet=vault))
            continue
        without_token = [each.amount for each in delegations if each.token is None and each.amount is not None]
        if without_token:
            holders.append(Holder(wallet=vault, amount=max(without_token)))
        whole = sorted({each.token for each in delegations if each.token is not None and each.amount is None})
        if whole:
            holders.append(Holder(wallet=vault, tokens=tuple(whole)))
        holders += [
            Holder(wallet=vault, tokens=(each.token,), amount=each.amount)
            for each in delegations
            if each.token is not None and each.amount is not None
        ]
    return holders
