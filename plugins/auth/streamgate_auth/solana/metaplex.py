"""The requirement kind `metaplex`: a wallet holds NFTs of a collection, programmable ones and printed editions too.

Of the collection is what the collection's authority has verified on the chain. A name, a symbol, a creator or an
unverified collection is anybody's to write. Programmable NFTs are held in a token account like others, which is always
frozen; whether they are locked or listed does not matter: they are still the wallet's.

Both token programs are asked for what the wallet holds, then Token Metadata for what that is.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import attrs

from streamgate.contracts.gate import Reading
from streamgate.contracts.hooks import Leaf, RequirementKind
from streamgate.sdk.solana import parse_solana_chain
from streamgate_auth.gate.nodes import BRIEF
from streamgate_auth.solana import layouts
from streamgate_auth.solana.chains import SolanaChains
from streamgate_auth.solana.counting import Count, Question, Range, read_each_wallet, resting_on
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
from streamgate_auth.solana.programs import METADATA, TOKEN_PROGRAMS, metadata_of, to_bytes
from streamgate_auth.solana.reads import MAX_ACCOUNTS, Account, Accounts, OwnedTokens, Told, Unread
from streamgate_auth.solana.spl import mint_of

MAX_MINTS = 5_000
AT_ONCE = 500
NON_FUNGIBLE = frozenset({0, 3, 4, 5})
"""Token standards: plain, edition, programmable, programmable edition. None stands in accounts older than the field:
then the mint itself has to be of one token that cannot be divided."""


@attrs.frozen(kw_only=True)
class Metaplex:
    """Parameters. From `min` to `max` NFTs whose verified `collection` is this one, in one wallet."""

    chain: str = chain_field()
    collection: str = account_field()
    min: str = amount_field(MAX_MINTS)
    max: str | None = max_field(MAX_MINTS)
    finality: Finality | None = attrs.field(default=None, metadata=BRIEF)

    def __attrs_post_init__(self) -> None:
        require_order(self)

    @property
    def contract(self) -> str:
        return self.collection


@attrs.frozen(eq=False)
class MetaplexReader:
    """Reads the kind by the clusters it is given."""

    chains: SolanaChains

    def kind(self) -> RequirementKind:
        return make_kind(
            self.chains,
            name="metaplex",
            summary="Holds Metaplex NFTs of a verified collection on Solana, programmable ones too.",
            params=Metaplex,
            describe=describe,
            read=self.read,
            warn=self.warn,
            satisfy=lambda params: f"have {_so_many(params)} of the verified collection {params.collection}",
        )

    async def read(self, leaf: Leaf) -> Reading:
        params: Metaplex = leaf.params
        wanted = Range.of(params)
        return await read_each_wallet(
            self.chains, leaf, lambda question: self.count(question, params.collection, wanted)
        )

    async def count(self, question: Question, collection: str, wanted: Range) -> Count:
        """How many the wallet holds; no further than what is enough to know."""
        owned = await _read(question, [OwnedTokens(question.wallet, program) for program in TOKEN_PROGRAMS])
        rests_on = list(owned)
        held = [each for told in owned if isinstance(told, Told) for each in told.value]
        mints = sorted({each.mint for each in held if each.amount == 1})
        found: list[str] = []
        for start in range(0, min(len(mints), MAX_MINTS), AT_ONCE):
            found += await _members(question, collection, mints[start : start + AT_ONCE], rests_on)
            if len(found) >= wanted.enough:
                break
        tokens = tuple(f"{question.chain.id}/{collection}/{mint}" for mint in found[: wanted.least])
        missing = f"the wallet holds more than {MAX_MINTS} NFTs" if len(mints) > MAX_MINTS else ""
        members = set(found[: wanted.least])
        accounts = (each for each in held if each.mint in members)
        return resting_on(rests_on, len(found), tokens=tokens, accounts=accounts, missing=missing)

    async def warn(self, params: Metaplex) -> Sequence[str]:
        chain = self.chains.get(parse_solana_chain(params.chain))
        if chain is None:
            return ()
        told = await accounts_soon(chain, params.collection, metadata_of(params.collection))
        if isinstance(told, Unread):
            return unchecked(f"{params.collection} is a Metaplex NFT", told)
        mint, about = told.value
        if mint_of(mint) is None or _metadata(about, params.collection) is None:
            return (f"{params.collection} is no Metaplex NFT on {chain.id}, so that nothing can be of its collection",)
        return ()


def describe(params: Metaplex) -> str:
    return f"holds {_so_many(params)} of the verified collection {params.collection} on {params.chain}"


def _so_many(params: Metaplex) -> str:
    return so_many(params, "an NFT", "NFTs")


async def _read(question: Question, reads: Sequence[OwnedTokens | Accounts]) -> list[Told | Unread]:
    return await question.chain.read(reads, commitment=question.commitment, min_slot=question.min_slot)


async def _members(
    question: Question, collection: str, mints: Sequence[str], rests_on: list[Told | Unread]
) -> list[str]:
    """Those of the mints that are of the collection, in their order; what they rest on is added."""
    pieces = [mints[start : start + MAX_ACCOUNTS] for start in range(0, len(mints), MAX_ACCOUNTS)]
    answers = await _read(question, [Accounts(tuple(map(metadata_of, piece))) for piece in pieces])
    rests_on += answers
    sure, old, key = set[str](), list[str](), to_bytes(collection)
    for piece, told in zip(pieces, answers, strict=True):
        for mint, account in zip(piece, told.value if isinstance(told, Told) else (), strict=False):
            about = _metadata(account, mint)
            if about is None or about.collection != key:
                continue
            if about.standard is None:
                old.append(mint)
            elif about.standard in NON_FUNGIBLE:
                sure.add(mint)
    if old:
        sure |= await _single(question, old, rests_on)
    return [mint for mint in mints if mint in sure]


async def _single(question: Question, mints: Sequence[str], rests_on: list[Told | Unread]) -> set[str]:
    """Those of which there is one, and no part of one."""
    pieces = [mints[start : start + MAX_ACCOUNTS] for start in range(0, len(mints), MAX_ACCOUNTS)]
    answers = await asyncio.gather(*(_read(question, [Accounts(tuple(piece))]) for piece in pieces))
    found: set[str] = set()
    for piece, (told,) in zip(pieces, answers, strict=True):
        rests_on.append(told)
        accounts = told.value if isinstance(told, Told) else ()
        found |= {mint for mint, each in zip(piece, accounts, strict=False) if mint_of(each) == layouts.Mint(1, 0)}
    return found


def _metadata(account: Account | None, mint: str) -> layouts.Metadata | None:
    """What Token Metadata itself says of this mint."""
    if account is None or account.program != METADATA:
        return None
    found = layouts.metadata(account.data)
    return found if found is not None and found.mint == to_bytes(mint) else None
