"""A collection as its holders see it: what their wallets own of it, and what one token says of itself."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from streamgate.context import Actor
from streamgate.contracts.nft import (
    MAX_OWNED,
    MAX_TOKEN_URI_CHARS,
    ContractInvalid,
    OwnedBalance,
    OwnedQuery,
    OwnedToken,
    OwnedTokens,
    TokenDetails,
    TokenNotFound,
    TokenQuery,
)
from streamgate.sdk.clock import Clock
from streamgate.sdk.db import Database
from streamgate.sdk.evm import Address, to_checksum
from streamgate_auth.accounts import seen_from
from streamgate_auth.evm.chain import Read
from streamgate_auth.evm.chains import Chains
from streamgate_auth.evm.measure import address_word, balance_of, number_word, owner_of, word
from streamgate_auth.evm.reads import WORD_BYTES, EthCall, Reverted
from streamgate_auth.nft.asking import (
    Contract,
    ask,
    checked_at,
    invalid,
    open_contract,
    require_number,
)
from streamgate_auth.repository_wallets import load_wallets

OWNED_BY_INDEX = "0x2f745c59"  # tokenOfOwnerByIndex(address,uint256), ERC-721 Enumerable
URI_OF = "0xc87b56dd"  # tokenURI(uint256)
NAME, SYMBOL = "0x06fdde03", "0x95d89b41"
MAX_NAME_CHARS = 100
MAX_OFFSET = 1_000_000
_URI_BYTES = 2 * WORD_BYTES + 4 * MAX_TOKEN_URI_CHARS


class Collections:
    """Reads ERC-721 collections for signed-in people."""

    def __init__(self, chains: Chains, db: Database, clock: Clock) -> None:
        self._chains = chains
        self._db = db
        self._clock = clock

    async def owned(self, query: OwnedQuery) -> OwnedTokens:
        """See `contracts.nft.Nft.owned`."""
        if not 1 <= query.limit <= MAX_OWNED:
            raise invalid("limit", f"must be from 1 to {MAX_OWNED}")
        offset = 0 if query.cursor is None else _offset(query.cursor)
        contract = await self._collection(query.chain, query.contract)
        wallets = await self._wallets(query.actor, query.chain)
        reads = [balance_of(contract.address, wallet) for wallet in wallets]
        answers = await ask(contract.chain, reads, min_block=contract.block_number) if wallets else []
        balances = [_balance(contract, answer) for answer in answers]
        items: tuple[OwnedToken, ...] = ()
        total = sum(balances) if contract.is_enumerable else 0
        if contract.is_enumerable:
            wanted = _window(wallets, balances, offset, query.limit)
            items = await self._listed(contract, wanted)
        end = offset + query.limit
        return OwnedTokens(
            chain=contract.chain.id,
            contract=contract.address,
            standard="erc721",
            enumerable=contract.is_enumerable,
            balances=tuple(
                OwnedBalance(address=wallet, balance=str(balance))
                for wallet, balance in zip(wallets, balances, strict=True)
            ),
            items=items,
            next_cursor=str(end) if end < min(total, MAX_OFFSET) else None,
            block_number=answers[0].block_number if answers else None,
            checked_at=checked_at(answers[0].read_at_s if answers else self._clock.now_s()),
        )

    async def token(self, query: TokenQuery) -> TokenDetails:
        """See `contracts.nft.Nft.token`."""
        token_id = str(require_number("token_id", query.token_id))
        contract = await self._collection(query.chain, query.contract)
        uri_read = EthCall(contract.address, URI_OF + number_word(token_id), max_bytes=_URI_BYTES)
        reads = [owner_of(contract.address, token_id), *(EthCall(contract.address, what) for what in (NAME, SYMBOL))]
        (owned, name, symbol), uri = await asyncio.gather(
            ask(contract.chain, reads, min_block=contract.block_number),
            contract.chain.call(uri_read, min_block=contract.block_number),
        )
        owner = None if isinstance(owned.latest, Reverted) else word(owned.latest)
        if not owner:
            raise TokenNotFound(f"nobody owns token {token_id} of {contract.address}")
        if owner >= 1 << 160:
            raise ContractInvalid(f"{contract.address} does not answer as an ERC-721 does")
        address = to_checksum(f"0x{owner:040x}")
        text = _text(uri) if isinstance(uri, Read) else None
        return TokenDetails(
            chain=contract.chain.id,
            contract=contract.address,
            token_id=token_id,
            standard="erc721",
            owner=address,
            held=address in await self._wallets(query.actor, contract.chain.id),
            name=(_text(name) or "")[:MAX_NAME_CHARS],
            symbol=(_text(symbol) or "")[:MAX_NAME_CHARS],
            token_uri=text if text and len(text) <= MAX_TOKEN_URI_CHARS else None,
            block_number=owned.block_number,
            checked_at=checked_at(owned.read_at_s),
        )

    async def _collection(self, chain: str, address: str) -> Contract:
        """Raises ContractInvalid: it says that it is something else. One that says nothing is taken at its answers."""
        contract = await open_contract(self._chains, chain, address)
        if contract.says == "erc1155":
            raise ContractInvalid(f"{contract.address} is an ERC-1155; only ERC-721 collections can be listed")
        return contract

    async def _wallets(self, actor: Actor, chain: str) -> tuple[Address, ...]:
        found = await self._db.read(lambda session: load_wallets(session, [actor.user_id]))
        return tuple(wallet for wallet in seen_from(chain, found.get(actor.user_id, ())) if wallet.startswith("0x"))

    async def _listed(self, contract: Contract, wanted: Sequence[tuple[Address, int]]) -> tuple[OwnedToken, ...]:
        reads = [
            EthCall(contract.address, OWNED_BY_INDEX + address_word(wallet) + number_word(index))
            for wallet, index in wanted
        ]
        answers = await ask(contract.chain, reads, min_block=contract.block_number) if reads else []
        found = ((wallet, word(answer.latest)) for (wallet, _), answer in zip(wanted, answers, strict=True))
        return tuple(OwnedToken(token_id=str(number), owner=wallet) for wallet, number in found if number is not None)


def _offset(cursor: str) -> int:
    if not (cursor.isascii() and cursor.isdigit() and len(cursor) <= len(str(MAX_OFFSET))):
        raise invalid("cursor", "is not one of an earlier answer")
    return int(cursor)


def _window(wallets: Sequence[Address], balances: Sequence[int], offset: int, limit: int) -> list[tuple[Address, int]]:
    """Which token of which wallet, of all of them in a row; a balance may be absurdly large."""
    found: list[tuple[Address, int]] = []
    for wallet, balance in zip(wallets, balances, strict=True):
        for index in range(offset, min(balance, offset + limit - len(found))):
            found.append((wallet, index))
        offset = max(0, offset - balance)
        if len(found) == limit:
            break
    return found


def _balance(contract: Contract, answer: Read) -> int:
    """Raises ContractInvalid."""
    balance = word(answer.latest)
    if balance is None:
        raise ContractInvalid(f"{contract.address} does not answer as an ERC-721 does")
    return balance


def _text(read: Read) -> str | None:
    """An ABI `string`: offset, length, bytes. None where it is none."""
    if isinstance(read.latest, Reverted):
        return None
    data = read.latest.data
    offset = int.from_bytes(data[:WORD_BYTES], "big")
    start = offset + WORD_BYTES
    length = int.from_bytes(data[offset:start], "big") if start <= len(data) else len(data)
    if start + length > len(data):
        return None
    text = data[start : start + length].decode("utf-8", errors="replace")
    return "".join(character for character in text if character.isprintable())
