"""What is asked to know how many of something a wallet holds, and what the answers say: pure."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Protocol

import attrs

from streamgate_auth.evm.reads import WORD_BYTES, ChainRead, EthCall, Returned, Reverted, Unread

# First four bytes of keccak256 of the signatures, from the standards' interfaces.
BALANCE_OF = "0x70a08231"  # balanceOf(address), of ERC-20 and ERC-721 alike
BALANCE_OF_ID = "0x00fdd58e"  # balanceOf(address,uint256), ERC-1155
OWNER_OF = "0x6352211e"  # ownerOf(uint256), ERC-721
OWNED_BY_INDEX = "0x2f745c59"  # tokenOfOwnerByIndex(address,uint256), ERC-721 Enumerable
NO_SUCH_TOKEN = "no such token"  # noqa: S105


def address_word(address: str) -> str:
    return address[2:].lower().rjust(2 * WORD_BYTES, "0")


def number_word(number: str | int) -> str:
    return f"{int(number):064x}"


def balance_of(contract: str, wallet: str) -> EthCall:
    return EthCall(contract, BALANCE_OF + address_word(wallet))


def balance_of_id(contract: str, wallet: str, token_id: str) -> EthCall:
    return EthCall(contract, BALANCE_OF_ID + address_word(wallet) + number_word(token_id))


def owner_of(contract: str, token_id: str | int) -> EthCall:
    return EthCall(contract, OWNER_OF + number_word(token_id))


def owned_by_index(contract: str, wallet: str, index: int) -> EthCall:
    return EthCall(contract, OWNED_BY_INDEX + address_word(wallet) + number_word(index))


def word(result: Returned | Reverted | Unread) -> int | None:
    """What a call returned as one number; None where it reverted or returned something else."""
    if not isinstance(result, Returned) or len(result.data) != WORD_BYTES:
        return None
    return int.from_bytes(result.data, "big")


Result = Returned | Reverted | Unread


@attrs.frozen(kw_only=True)
class Held:
    """Args:
    count: so many at least.
    missing: why there may be more; "" where this is all.
    tokens: ids, ascending, where they can be told apart.
    note: what explains the count.
    """

    count: int
    missing: str = ""
    tokens: tuple[int, ...] = ()
    note: str = ""


class Measure(Protocol):
    """Reads, and what they say together."""

    @property
    def reads(self) -> tuple[ChainRead, ...]: ...

    def held(self, results: Sequence[Result], owners: Collection[str], among: Collection[int] | None = None) -> Held:
        """Args:
        results: of the reads, in their order.
        owners: in lower case: who of the person may hold it at that time.
        among: these tokens alone count, where tokens are told apart.
        """

    def before(self, now: Held) -> Measure:
        """What has to be asked of an earlier time, after this was found at the newest block."""


@attrs.frozen
class Balance:
    """One number. `what` the contract should be (`an ERC-20`), for the reason. `most`: so many count."""

    read: ChainRead
    what: str
    most: int | None = None

    @property
    def reads(self) -> tuple[ChainRead, ...]:
        return (self.read,)

    def held(self, results: Sequence[Result], owners: Collection[str], among: Collection[int] | None = None) -> Held:
        (result,) = results
        return _balance(result, self.what, self.most)

    def before(self, now: Held) -> Measure:
        return self


@attrs.frozen
class Listed:
    """An ERC-721 wallet's balance, and its first `listed` tokens where the collection is Enumerable: which these are
    opens nothing, it names what opened."""

    contract: str
    wallet: str
    what: str
    listed: int

    @property
    def reads(self) -> tuple[ChainRead, ...]:
        indices = (owned_by_index(self.contract, self.wallet, index) for index in range(self.listed))
        return (balance_of(self.contract, self.wallet), *indices)

    def held(self, results: Sequence[Result], owners: Collection[str], among: Collection[int] | None = None) -> Held:
        found = _balance(results[0], self.what, None)
        listed = {token for token in map(word, results[1 : 1 + found.count]) if token is not None}
        return attrs.evolve(found, tokens=tuple(sorted(listed)))

    def before(self, now: Held) -> Measure:
        return Balance(balance_of(self.contract, self.wallet), self.what)

    def is_listed(self, results: Sequence[Result]) -> bool:
        """Whether the collection could list them."""
        return any(word(result) is not None for result in results[1:])


@attrs.frozen
class Owned:
    """Which of these tokens are the person's.

    Args:
        missing: why they may not be all.
        is_shown: the contract says that it is what it should be. A token that nobody owns makes `ownerOf` revert, which
            is a no then, and no fault; anything else may revert for reasons of its own.
    """

    contract: str
    tokens: tuple[int, ...]
    what: str
    missing: str = ""
    is_shown: bool = False

    @property
    def reads(self) -> tuple[ChainRead, ...]:
        return tuple(owner_of(self.contract, token) for token in self.tokens)

    def held(self, results: Sequence[Result], owners: Collection[str], among: Collection[int] | None = None) -> Held:
        ours, missing = [], self.missing
        for token, result in zip(self.tokens, results, strict=True):
            if among is not None and token not in among:
                continue
            if isinstance(result, Reverted) and self.is_shown:
                continue
            owner = word(result)
            if owner is None or owner >= 1 << 160:
                missing = missing or (result.reason if isinstance(result, Unread) else _strange(self.what))
            elif f"0x{owner:040x}" in owners:
                ours.append(token)
        note = NO_SUCH_TOKEN if len(results) == 1 and isinstance(results[0], Reverted) and self.is_shown else ""
        return Held(count=len(ours), missing=missing, tokens=tuple(ours), note=note)

    def before(self, now: Held) -> Measure:
        return attrs.evolve(self, tokens=now.tokens, missing="")


def _balance(result: Result, what: str, most: int | None) -> Held:
    if isinstance(result, Unread):
        return Held(count=0, missing=result.reason)
    count = word(result)
    if count is None:
        return Held(count=0, missing=_strange(what))
    return Held(count=count if most is None else min(count, most))


def _strange(what: str) -> str:
    return f"the contract does not answer as {what} does"
