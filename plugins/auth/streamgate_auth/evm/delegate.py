"""Wallets that act for others by delegate.xyz v2: who delegated to them (a vault), and for what.

A delegation counts with no rights named, which are all, or with `streamgate`. It counts once it is confirmed as
holdings are, and no longer than it stands at the newest block. One for a certain token or amount counts for that alone.

Interface: https://docs.delegate.xyz (IDelegateRegistry, version 2).
"""

from __future__ import annotations

from typing import Literal

import attrs

from streamgate.sdk.evm import ZERO_ADDRESS
from streamgate_auth.evm.chain import Chain
from streamgate_auth.evm.measure import Result, address_word
from streamgate_auth.evm.params import Finality
from streamgate_auth.evm.reads import WORD_BYTES, EthCall, Returned, Reverted, Unread
from streamgate_auth.rpc.wire import Answer, Question, RpcError

INCOMING = "0x42f87c25"  # getIncomingDelegations(address)
RIGHTS = (bytes(WORD_BYTES), b"streamgate".ljust(WORD_BYTES, b"\0"))
MAX_DELEGATIONS = 256
MAX_VAULTS = 16  # of one wallet, the first that delegated
NOT_CONFIRMED = "delegated, but not confirmed yet"
_ALL, _CONTRACT = 1, 2
# What counts for each of our kinds, by the registry's numbers.
_TYPES = {
    "erc721": (_ALL, _CONTRACT, 3),
    "erc20": (_ALL, _CONTRACT, 4),
    "erc1155": (_ALL, _CONTRACT, 5),
    "native": (_ALL,),
}
_WITH_TOKEN, _WITH_AMOUNT = (3, 5), (4, 5)
Kind = Literal["erc721", "erc1155", "erc20", "native"]
_FIELDS = 7
_MAX_BYTES = (2 + _FIELDS * MAX_DELEGATIONS) * WORD_BYTES


@attrs.frozen(kw_only=True)
class Delegation:
    """`vault` in lower case. `token`, `amount` None: any."""

    vault: str
    token: int | None = None
    amount: int | None = None


@attrs.frozen(kw_only=True)
class Vaults:
    """`missing`: why there may be more; "" where these are all."""

    delegations: tuple[Delegation, ...] = ()
    missing: str = ""
    read_at_s: float | None = None


@attrs.frozen
class Incoming:
    """Who delegated to a wallet. Anybody may, as often as they like: an answer that is too long is held against
    nobody else's question."""

    registry: str
    wallet: str

    def question(self, block: str) -> Question:
        return self._call.question(block)

    def result(self, answer: Answer | RpcError) -> Returned | Reverted | Unread:
        found = self._call.result(answer)
        is_long = isinstance(answer, str) and len(answer) > 2 + 2 * _MAX_BYTES
        return Unread(f"more than {MAX_DELEGATIONS} delegations", is_of_contract=True) if is_long else found

    @property
    def _call(self) -> EthCall:
        return EthCall(self.registry, INCOMING + address_word(self.wallet), _MAX_BYTES)


@attrs.frozen(kw_only=True)
class About:
    """What must have been delegated: this contract, or all that the vault has. `contract` "" of a coin."""

    kind: Kind
    contract: str


async def vaults_of(
    chain: Chain,
    wallet: str,
    about: About,
    *,
    finality: Finality | None = None,
    min_block: int = 0,
    max_age_s: float | None = None,
) -> Vaults:
    """Who delegated it to a wallet."""
    read = Incoming(chain.facts.delegate_registry, wallet)
    answer = await chain.call(read, finality=finality, min_block=min_block, max_age_s=max_age_s)
    if isinstance(answer, Unread):
        return Vaults(missing=f"delegations to {wallet} could not be read: {answer.reason}")
    now, before = (_parse(each, wallet, about) for each in (answer.latest, answer.confirmed))
    if now is None or before is None:
        return Vaults(missing="the delegate registry does not answer as delegate.xyz v2 does")
    both = [each for each in now if each in before]
    vaults = tuple(dict.fromkeys(each.vault for each in both))
    missing = "" if len(both) == len(now) else NOT_CONFIRMED
    if len(vaults) > MAX_VAULTS:
        missing = f"more than {MAX_VAULTS} wallets have delegated to {wallet}"
    kept = vaults[:MAX_VAULTS]
    return Vaults(
        delegations=tuple(each for each in both if each.vault in kept), missing=missing, read_at_s=answer.read_at_s
    )


def _parse(result: Result, wallet: str, about: About) -> list[Delegation] | None:
    """None: it is no list of delegations to this wallet."""
    if not isinstance(result, Returned) or len(result.data) < 2 * WORD_BYTES:
        return None
    words = [result.data[start : start + WORD_BYTES] for start in range(0, len(result.data), WORD_BYTES)]
    offset, count = (int.from_bytes(each, "big") for each in words[:2])
    if offset != WORD_BYTES or count > MAX_DELEGATIONS or len(result.data) != (2 + _FIELDS * count) * WORD_BYTES:
        return None
    found = []
    for start in range(2, len(words), _FIELDS):
        kind, to, vault, _, contract, token, amount = (
            int.from_bytes(each, "big") for each in words[start : start + _FIELDS]
        )
        if _address(to) != wallet.lower() or max(vault, contract) >= 1 << 160:
            return None
        if words[start + 3] not in RIGHTS or kind not in _TYPES[about.kind] or _address(vault) == ZERO_ADDRESS:
            continue
        if kind == _ALL or _address(contract) == about.contract.lower():
            found.append(
                Delegation(
                    vault=_address(vault),
                    token=token if kind in _WITH_TOKEN else None,
                    amount=amount if kind in _WITH_AMOUNT else None,
                )
            )
    return found


def _address(number: int) -> str:
    return f"0x{number:040x}"
