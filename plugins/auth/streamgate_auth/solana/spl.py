"""The requirement kind `spl`: a wallet holds so much of a mint of SPL Token or Token-2022.

Accounts of one wallet are added up: a wallet may have several of one mint. An account that is empty is nothing: anybody
can make one, for anybody. Amounts are base units: what people call 1.5 depends on the mint's decimals.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

import attrs

from streamgate.contracts.gate import Reading
from streamgate.contracts.hooks import Leaf, RequirementKind
from streamgate.sdk.solana import parse_solana_chain
from streamgate_auth.gate.nodes import BRIEF
from streamgate_auth.solana import layouts
from streamgate_auth.solana.chains import SolanaChains
from streamgate_auth.solana.counting import Count, Question, read_each_wallet, resting_on, to_units
from streamgate_auth.solana.making import accounts_soon, make_kind, unchecked
from streamgate_auth.solana.params import (
    Finality,
    account_field,
    amount_field,
    chain_field,
    max_field,
    require_order,
    so_many,
)
from streamgate_auth.solana.programs import TOKEN_PROGRAMS
from streamgate_auth.solana.reads import Account, Accounts, Held, MintAccounts, Told, Unread

MAX_KEPT = 4_096
NO_MINT = "there is no such mint"


@attrs.frozen(kw_only=True)
class Spl:
    """Parameters. From `min` to `max` base units of `mint`, in one wallet."""

    chain: str = chain_field()
    mint: str = account_field()
    min: str = amount_field()
    max: str | None = max_field()
    finality: Finality | None = attrs.field(default=None, metadata=BRIEF)

    def __attrs_post_init__(self) -> None:
        require_order(self)

    @property
    def contract(self) -> str:
        return self.mint


class SplReader:
    """Reads the kind by the clusters it is given; remembers mints' decimals, which are for show alone."""

    def __init__(self, chains: SolanaChains) -> None:
        self._chains = chains
        self._decimals: OrderedDict[tuple[str, str], int] = OrderedDict()

    def kind(self) -> RequirementKind:
        return make_kind(
            self._chains,
            name="spl",
            summary="Holds so many base units of a Solana token (SPL Token or Token-2022).",
            params=Spl,
            describe=describe,
            read=self.read,
            warn=self.warn,
            satisfy=lambda params: f"have {_so_many(params)} of {params.mint} in one wallet",
        )

    async def read(self, leaf: Leaf) -> Reading:
        params: Spl = leaf.params
        found = await read_each_wallet(self._chains, leaf, lambda question: self.count(question, params.mint))
        decimals = self._decimals.get((parse_solana_chain(params.chain), params.mint))
        if decimals is None:
            return found
        held = to_units(int(found.held), decimals) if found.held else ""
        return attrs.evolve(found, needed_text=to_units(int(params.min), decimals), held_text=held)

    async def count(self, question: Question, mint: str) -> Count:
        """What the wallet holds of the mint, with the mint itself read beside it."""
        told, about = await question.chain.read(
            [MintAccounts(question.wallet, mint), Accounts((mint,))],
            commitment=question.commitment,
            min_slot=question.min_slot,
        )
        is_mint = self._note(question.chain.id, mint, about)
        held: tuple[Held, ...] = told.value if isinstance(told, Told) else ()
        amount = sum(each.amount for each in held)
        return resting_on([told], amount, accounts=held, missing=NO_MINT if is_mint is False else "")

    async def warn(self, params: Spl) -> Sequence[str]:
        chain = self._chains.get(parse_solana_chain(params.chain))
        if chain is None:
            return ()
        about = await accounts_soon(chain, params.mint)
        if isinstance(about, Unread):
            return unchecked(f"{params.mint} is a token mint", about)
        if self._note(chain.id, params.mint, about) is False:
            return (f"{params.mint} is not a token mint on {chain.id}: nobody can hold any of it",)
        return ()

    def _note(self, chain: str, mint: str, about: Told | Unread) -> bool | None:
        """Whether it is a mint; None where that was not told."""
        if isinstance(about, Unread):
            return None
        (account,) = about.value
        found = mint_of(account)
        if found is None:
            return False
        self._decimals[chain, mint] = found.decimals
        if len(self._decimals) > MAX_KEPT:
            self._decimals.popitem(last=False)
        return True


def describe(params: Spl) -> str:
    return f"holds {_so_many(params)} of {params.mint} on {params.chain}"


def _so_many(params: Spl) -> str:
    return so_many(params, "at least 1 base unit", "base units")


def mint_of(account: Account | None) -> layouts.Mint | None:
    is_token = account is not None and account.program in TOKEN_PROGRAMS
    return layouts.mint(account.data) if account is not None and is_token else None
