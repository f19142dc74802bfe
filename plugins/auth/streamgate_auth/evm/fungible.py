"""The requirement kinds `erc1155`, `erc20` and `native`: one wallet holds at least so many.

Amounts are whole numbers of base units (wei of ether): what a token calls 1.5 depends on decimals that its contract
may change, and a rule must not.
"""

from __future__ import annotations

import attrs

from streamgate.contracts.gate import Reading
from streamgate.contracts.hooks import Leaf, RequirementKind
from streamgate.sdk.evm import parse_address
from streamgate_auth.evm.balances import balance_of, balance_of_id, read_each_wallet
from streamgate_auth.evm.chains import Chains
from streamgate_auth.evm.params import is_at_least_one, is_chain, is_contract, is_uint256, require_chain
from streamgate_auth.evm.reads import NativeBalance


@attrs.frozen(kw_only=True)
class Erc1155:
    """At least `min` of one token of the contract."""

    chain: str = attrs.field(validator=is_chain)
    contract: str = attrs.field(validator=is_contract)
    token_id: str = attrs.field(validator=is_uint256)
    min: str = attrs.field(default="1", validator=is_at_least_one)


@attrs.frozen(kw_only=True)
class Erc20:
    """At least `min` base units."""

    chain: str = attrs.field(validator=is_chain)
    contract: str = attrs.field(validator=is_contract)
    min: str = attrs.field(default="1", validator=is_at_least_one)


@attrs.frozen(kw_only=True)
class Native:
    """At least `min` base units of the chain's own coin."""

    chain: str = attrs.field(validator=is_chain)
    min: str = attrs.field(default="1", validator=is_at_least_one)


@attrs.frozen(eq=False)
class FungibleReader:
    """Reads the three kinds by the chains it is given."""

    chains: Chains

    def kinds(self) -> tuple[RequirementKind, ...]:
        return (
            RequirementKind(
                name="erc1155",
                summary="Holds so many of one token of an ERC-1155 contract.",
                params=Erc1155,
                describe=lambda params: (
                    f"holds at least {params.min} of token {params.token_id} of "
                    f"{parse_address(params.contract)} on {params.chain}"
                ),
                read=self.read_erc1155,
                leaf_key=_leaf_key,
                needed=_needed,
                canonical=_canonical,
                check=self._check,
            ),
            RequirementKind(
                name="erc20",
                summary="Holds so many base units of an ERC-20 token.",
                params=Erc20,
                describe=lambda params: (
                    f"holds at least {params.min} base units of {parse_address(params.contract)} on {params.chain}"
                ),
                read=self.read_erc20,
                leaf_key=_leaf_key,
                needed=_needed,
                canonical=_canonical,
                check=self._check,
            ),
            RequirementKind(
                name="native",
                summary="Holds so many base units of a chain's own coin.",
                params=Native,
                describe=lambda params: f"holds at least {params.min} base units of the coin of {params.chain}",
                read=self.read_native,
                needed=_needed,
                check=self._check,
            ),
        )

    async def read_erc1155(self, leaf: Leaf) -> Reading:
        params: Erc1155 = leaf.params
        return await read_each_wallet(
            self.chains,
            leaf,
            int(params.min),
            lambda wallet: balance_of_id(params.contract, wallet, params.token_id),
            what="an ERC-1155",
        )

    async def read_erc20(self, leaf: Leaf) -> Reading:
        params: Erc20 = leaf.params
        return await read_each_wallet(
            self.chains, leaf, int(params.min), lambda wallet: balance_of(params.contract, wallet), what="an ERC-20"
        )

    async def read_native(self, leaf: Leaf) -> Reading:
        return await read_each_wallet(self.chains, leaf, int(leaf.params.min), NativeBalance, what="a chain")

    async def _check(self, params: Erc1155 | Erc20 | Native) -> None:
        await require_chain(self.chains, params.chain)


def _leaf_key(params: Erc1155 | Erc20) -> str:
    return f"{params.chain}/{params.contract.lower()}"


def _needed(params: Erc1155 | Erc20 | Native) -> str:
    return params.min


def _canonical(params: Erc1155 | Erc20) -> Erc1155 | Erc20:
    return attrs.evolve(params, contract=parse_address(params.contract))
