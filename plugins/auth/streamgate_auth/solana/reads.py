"""What can be asked of Solana's own RPC, and what the answers mean.

A question goes at a commitment; the answer tells the slot it is of. `processed` is never asked for: what was only
processed may still be dropped. Values are hashable and in an order of their own, so that endpoints can be compared.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Hashable, Sequence
from typing import Any, ClassVar, Literal, Protocol

import attrs

from streamgate_auth.rpc.wire import Answer, EndpointFault, Question
from streamgate_auth.solana import layouts
from streamgate_auth.solana.programs import TOKEN_PROGRAMS, to_bytes, to_text

Commitment = Literal["confirmed", "finalized"]
Lane = Literal["state", "programs", "assets"]
"""What goes together: every endpoint tells a state; many search no programs, and few keep an index of assets."""

MAX_ACCOUNTS = 100  # the protocol's bound for getMultipleAccounts
_ACCOUNT_WEIGHT_BYTES = 1_200
_MAX_SLOT = 1 << 63


class SolanaRead(Protocol):
    """A question; equal ones of a moment are asked once. Values, hashable."""

    lane: ClassVar[Lane]
    is_bounded: ClassVar[bool]
    """Whether its answer is small whoever asks: of others one that is too large says nothing against the endpoint."""

    @property
    def weight_bytes(self) -> int:
        """The answer's usual size: so many go together as an answer holds."""

    def question(self, commitment: Commitment, min_slot: int) -> Question: ...

    def parse(self, answer: Answer) -> tuple[int | None, Hashable]:
        """The slot it is of, where the endpoint says, and the value. Raises EndpointFault: it is of no form of ours."""


@attrs.frozen
class Told:
    """`read_at_s`: Unix time before the question was sent. `nodes`: so many endpoints said the same; `slot` is then the
    earliest of theirs."""

    value: Any  # Any: what the read's `parse` makes
    slot: int | None
    read_at_s: float
    nodes: int = 1


@attrs.frozen
class Unread:
    """It could not be said; `reason` is for people."""

    reason: str


@attrs.frozen
class Held:
    """A token account with something in it; or a Core asset, its collection and 1."""

    account: str
    mint: str
    amount: int


@attrs.frozen
class Account:
    """`program`: whose account it is."""

    program: str
    data: bytes = attrs.field(repr=False)


@attrs.frozen
class MintAccounts:
    """What a wallet holds of one mint, in all its accounts of it. The node finds the program that the mint is of
    itself, SPL Token or Token-2022: `tuple[Held, …]`."""

    owner: str
    mint: str
    lane: ClassVar[Lane] = "state"
    is_bounded: ClassVar[bool] = False
    weight_bytes: ClassVar[int] = 1_000

    def question(self, commitment: Commitment, min_slot: int) -> Question:
        return _token_accounts(self.owner, {"mint": self.mint}, commitment, min_slot)

    def parse(self, answer: Answer) -> tuple[int | None, Hashable]:
        slot, held = _held(answer, self.owner, TOKEN_PROGRAMS)
        if any(each.mint != self.mint for each in held):
            raise EndpointFault("it tells accounts of another mint")
        return slot, held


@attrs.frozen
class OwnedTokens:
    """What a wallet holds by one of the token programs, of any mint: `tuple[Held, …]`."""

    owner: str
    program: str
    lane: ClassVar[Lane] = "state"
    is_bounded: ClassVar[bool] = False
    weight_bytes: ClassVar[int] = 60_000

    def question(self, commitment: Commitment, min_slot: int) -> Question:
        return _token_accounts(self.owner, {"programId": self.program}, commitment, min_slot)

    def parse(self, answer: Answer) -> tuple[int | None, Hashable]:
        return _held(answer, self.owner, (self.program,))


@attrs.frozen
class Accounts:
    """Up to `MAX_ACCOUNTS` accounts, None where there is none: `tuple[Account | None, …]`."""

    addresses: tuple[str, ...]
    lane: ClassVar[Lane] = "state"
    is_bounded: ClassVar[bool] = True

    @property
    def weight_bytes(self) -> int:
        return _ACCOUNT_WEIGHT_BYTES * len(self.addresses)

    def question(self, commitment: Commitment, min_slot: int) -> Question:
        return Question("getMultipleAccounts", (list(self.addresses), options(commitment, min_slot)))

    def parse(self, answer: Answer) -> tuple[int | None, Hashable]:
        slot, found = context(answer)
        if not isinstance(found, list) or len(found) != len(self.addresses):
            raise EndpointFault("it tells another number of accounts than were asked for")
        return slot, tuple(None if each is None else account(each) for each in found)


def options(commitment: Commitment, min_slot: int, **more: Any) -> dict[str, Any]:  # Any: JSON values
    found = {"encoding": "base64", "commitment": commitment, **more}
    return {**found, "minContextSlot": min_slot} if min_slot else found


def context(answer: Answer) -> tuple[int, Any]:  # Any: a JSON value
    """The slot, and what is told of it. Raises EndpointFault."""
    where = answer.get("context") if isinstance(answer, dict) else None
    if not isinstance(where, dict) or "value" not in answer:
        raise EndpointFault("the answer tells no slot")
    return parse_slot(where.get("slot")), answer["value"]


def parse_slot(value: object) -> int:
    if type(value) is not int or not 0 <= value < _MAX_SLOT:
        raise EndpointFault("a slot in the answer is none")
    return value


def account(value: object) -> Account:
    """Raises EndpointFault."""
    data = value.get("data") if isinstance(value, dict) else None
    program = value.get("owner") if isinstance(value, dict) else None
    if not isinstance(program, str) or not isinstance(data, list) or len(data) != 2 or data[1] != "base64":
        raise EndpointFault("an account in the answer is of no form of Solana's")
    try:
        return Account(program, base64.b64decode(data[0], validate=True))
    except (TypeError, ValueError, binascii.Error) as fault:
        raise EndpointFault("an account in the answer is not base64") from fault


def keyed_accounts(value: object) -> dict[str, Account]:
    """By address. Raises EndpointFault: it is no such list, or names one twice."""
    if not isinstance(value, list):
        raise EndpointFault("the answer is not a list of accounts")
    found: dict[str, Account] = {}
    for each in value:
        address = each.get("pubkey") if isinstance(each, dict) else None
        if not isinstance(address, str) or address in found:
            raise EndpointFault("an account in the answer has no address of its own")
        found[address] = account(each.get("account"))
    return found


def _token_accounts(owner: str, which: dict[str, str], commitment: Commitment, min_slot: int) -> Question:
    piece = {"offset": 0, "length": layouts.ACCOUNT_BYTES}
    return Question("getTokenAccountsByOwner", (owner, which, options(commitment, min_slot, dataSlice=piece)))


def _held(answer: Answer, owner: str, programs: Sequence[str]) -> tuple[int, tuple[Held, ...]]:
    """Those that hold something: anybody can make an empty account, for anybody.

    Raises:
        EndpointFault: accounts of somebody else, or of another program.
    """
    slot, value = context(answer)
    owner_key, found = to_bytes(owner), list[Held]()
    for address, each in keyed_accounts(value).items():
        token = layouts.token_account(each.data)
        if each.program not in programs or token is None or token.owner != owner_key:
            raise EndpointFault("it tells accounts of somebody else")
        if token.amount > 0:
            found.append(Held(address, to_text(token.mint), token.amount))
    return slot, tuple(sorted(found, key=lambda held: (held.mint, held.account)))
