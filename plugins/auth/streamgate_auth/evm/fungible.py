"""The requirement kinds `erc1155`, `erc20` and `native`: one wallet holds so many.

Amounts are whole numbers of base units (wei of ether): what a token calls 1.5 depends on decimals that its contract
may change, and a rule must not. People are told both.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import attrs

from streamgate.contracts.gate import Reading
from streamgate.contracts.hooks import Leaf, RequirementKind
from streamgate.sdk.evm import ChainId, parse_address
from streamgate_auth.evm import words
from streamgate_auth.evm.chain import Chain
from streamgate_auth.evm.chains import Chains
from streamgate_auth.evm.detect import Detected
from streamgate_auth.evm.facts import ChainFacts
from streamgate_auth.evm.holding import Holder, read_holding, wallets_of
from streamgate_auth.evm.measure import Balance, Measure, balance_of, balance_of_id
from streamgate_auth.evm.params import (
    Finality,
    delegated_field,
    held_for_field,
    is_chain,
    is_contract,
    is_uint256,
    max_field,
    min_field,
    require_chain,
    require_order,
    require_registry,
)
from streamgate_auth.evm.past import archive_warning
from streamgate_auth.evm.reads import NativeBalance
from streamgate_auth.evm.units import Unit, Units
from streamgate_auth.evm.warn import warnings
from streamgate_auth.gate.nodes import BRIEF


@attrs.frozen(kw_only=True)
class _Amount:
    """What the three have in common."""

    chain: str = attrs.field(validator=is_chain)
    min: str = min_field()
    max: str | None = max_field()
    finality: Finality | None = attrs.field(default=None, metadata=BRIEF)
    held_for_s: int = held_for_field()
    delegated: bool = delegated_field()

    def __attrs_post_init__(self) -> None:
        require_order(self.min, self.max)


@attrs.frozen(kw_only=True)
class Erc1155(_Amount):
    """From `min` to `max` of one token of the contract."""

    contract: str = attrs.field(validator=is_contract)
    token_id: str = attrs.field(validator=is_uint256)


@attrs.frozen(kw_only=True)
class Erc20(_Amount):
    """From `min` to `max` base units."""

    contract: str = attrs.field(validator=is_contract)


@attrs.frozen(kw_only=True)
class Native(_Amount):
    """From `min` to `max` base units of the chain's own coin."""


@attrs.define(eq=False)
class FungibleReader:
    """Reads the three kinds by the chains it is given."""

    chains: Chains
    _detected: Detected = attrs.field(init=False)
    _units: Units = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._detected = Detected(self.chains.clock)
        self._units = Units(self.chains.clock)

    def kinds(self) -> tuple[RequirementKind, ...]:
        return (
            RequirementKind(
                name="erc1155",
                summary="Holds so many of one token of an ERC-1155 contract.",
                params=Erc1155,
                describe=lambda params: f"holds {_items(params)} on {params.chain}{words.conditions(params)}",
                read=self.read_erc1155,
                leaf_key=_leaf_key,
                needed=_needed,
                canonical=_canonical,
                check=self._check,
                warn=lambda params: warnings(self.chains, self._detected, params, "erc1155"),
                satisfy=lambda params: f"hold {_items(params)} on {self._name(params)}{words.conditions(params)}",
                link=lambda params: self._facts(params).marketplace_url(words.address(params), params.token_id),
            ),
            RequirementKind(
                name="erc20",
                summary="Holds so many base units of an ERC-20 token.",
                params=Erc20,
                describe=lambda params: (
                    f"holds {words.base_units(params)} of {words.address(params)} on {params.chain}"
                    f"{words.conditions(params)}"
                ),
                read=self.read_erc20,
                leaf_key=_leaf_key,
                needed=_needed,
                canonical=_canonical,
                check=self._check,
                warn=lambda params: warnings(self.chains, self._detected, params, "erc20"),
                satisfy=self._satisfy_erc20,
                link=lambda params: self._facts(params).address_url(words.address(params)),
            ),
            RequirementKind(
                name="native",
                summary="Holds so many base units of a chain's own coin.",
                params=Native,
                describe=lambda params: f"holds {self._coins(params)}{words.conditions(params)}",
                read=self.read_native,
                needed=_needed,
                check=self._check,
                warn=self._warn_native,
                satisfy=lambda params: (
                    f"hold {_in_units(params, self._coin(params))} on {self._name(params)}{words.conditions(params)}"
                ),
            ),
        )

    async def read_erc1155(self, leaf: Leaf) -> Reading:
        params: Erc1155 = leaf.params

        async def measure(chain: Chain, holder: Holder) -> Measure | None:
            if holder.tokens is not None and int(params.token_id) not in holder.tokens:
                return None
            read = balance_of_id(params.contract, holder.wallet, params.token_id)
            return Balance(read, "an ERC-1155", holder.amount)

        return await read_holding(self.chains, leaf, "erc1155", measure)

    async def read_erc20(self, leaf: Leaf) -> Reading:
        params: Erc20 = leaf.params

        async def measure(chain: Chain, holder: Holder) -> Measure | None:
            return Balance(balance_of(params.contract, holder.wallet), "an ERC-20", holder.amount)

        chain = await self.chains.get(ChainId(params.chain))
        if chain is None or not wallets_of(leaf):
            reading, unit = await read_holding(self.chains, leaf, "erc20", measure), self._known(params)
        else:
            reading, unit = await asyncio.gather(
                read_holding(self.chains, leaf, "erc20", measure), self._units.of(chain, params.contract)
            )
        return reading if unit is None else _with_units(reading, params, unit)

    async def read_native(self, leaf: Leaf) -> Reading:
        async def measure(chain: Chain, holder: Holder) -> Measure | None:
            return Balance(NativeBalance(holder.wallet), "a chain")

        reading = await read_holding(self.chains, leaf, "native", measure)
        return _with_units(reading, leaf.params, self._coin(leaf.params))

    async def _check(self, params: _Amount) -> None:
        await require_chain(self.chains, params.chain)
        if params.delegated:
            await require_registry(self.chains, params.chain)

    async def _warn_native(self, params: Native) -> Sequence[str]:
        return archive_warning(self._facts(params), params.held_for_s)

    def _satisfy_erc20(self, params: Erc20) -> str:
        unit = self._known(params)
        address = words.address(params)
        what = f"{words.base_units(params)} of {address}"
        if unit is not None:
            what = (
                f"{_in_units(params, unit)} ({address})" if unit.symbol else f"{_in_units(params, unit)} of {address}"
            )
        return f"hold {what} on {self._name(params)}{words.conditions(params)}"

    def _known(self, params: Erc20) -> Unit | None:
        return self._units.known(params.chain, params.contract)

    def _facts(self, params: Any) -> ChainFacts:
        return self.chains.facts_of(ChainId(params.chain))

    def _name(self, params: Any) -> str:
        return self._facts(params).name

    def _coins(self, params: Native) -> str:
        """By the chain's own decimals; in base units of a chain that nobody has named."""
        if self._name(params) == params.chain:
            return f"{words.base_units(params)} of the coin of {params.chain}"
        return f"{_in_units(params, self._coin(params))} on {params.chain}"

    def _coin(self, params: Native) -> Unit:
        facts = self._facts(params)
        return Unit(decimals=facts.coin_decimals, symbol=facts.coin_symbol)


def _items(params: Erc1155) -> str:
    return f"{words.amount(params)} of token {params.token_id} of {words.address(params)}"


def _in_units(params: Any, unit: Unit) -> str:
    if params.max is None:
        return f"at least {unit.text(int(params.min))}"
    if params.max == params.min:
        return f"exactly {unit.text(int(params.min))}"
    return f"from {unit.text(int(params.min))} to {unit.text(int(params.max))}"


def _with_units(reading: Reading, params: Any, unit: Unit) -> Reading:
    held = unit.text(int(reading.held)) if reading.held else ""
    return attrs.evolve(reading, needed_text=unit.text(int(params.min)), held_text=held)


def _leaf_key(params: Erc1155 | Erc20) -> str:
    return f"{params.chain}/{params.contract.lower()}"


def _needed(params: Erc1155 | Erc20 | Native) -> str:
    return params.min


def _canonical(params: Erc1155 | Erc20) -> Erc1155 | Erc20:
    return attrs.evolve(params, contract=parse_address(params.contract))
