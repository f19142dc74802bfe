"""Wallets for tests and demos: keys anybody can know, and sign-in as a wallet does it."""

from __future__ import annotations

import hashlib
from functools import cached_property
from typing import Any

import attrs
import httpx


@attrs.frozen
class Wallet:
    """An EVM key. `eth_account`, written by others, signs: what we verify is not checked against ourselves."""

    key: bytes = attrs.field(repr=False)

    @classmethod
    def named(cls, name: str) -> Wallet:
        """The same key for the same name, always."""
        return cls(hashlib.sha256(b"streamgate test wallet " + name.encode()).digest())

    @property
    def address(self) -> str:
        """Checksummed."""
        address: str = self._account.address
        return address

    def sign(self, message: str) -> str:
        """EIP-191 `personal_sign`: 0x and 130 hex digits."""
        from eth_account.messages import encode_defunct

        return "0x" + bytes(self._account.sign_message(encode_defunct(text=message)).signature).hex()

    def sign_transaction(self, transaction: dict[str, Any]) -> str:
        """The raw transaction, for `eth_sendRawTransaction`."""
        return "0x" + bytes(self._account.sign_transaction(transaction).raw_transaction).hex()

    @cached_property
    def _account(self) -> Any:  # Any: eth_account's LocalAccount, imported at its first use (0.8 s)
        from eth_account import Account

        return Account.from_key(self.key)


@attrs.frozen(kw_only=True)
class SignedIn:
    """What sign-in gave."""

    user_id: str
    address: str
    roles: tuple[str, ...]
    access_token: str
    refresh_token: str

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.access_token}"}


async def sign_in(http: httpx.AsyncClient, wallet: Wallet, *, chain: str | None = None) -> SignedIn:
    """Challenge, signature, tokens, against the server `http` speaks to.

    Raises:
        httpx.HTTPStatusError: the server refused.
    """
    asked = await http.post(
        "/api/v1/auth/challenge", json={"address": wallet.address, **({"chain": chain} if chain else {})}
    )
    asked.raise_for_status()
    challenge = asked.json()
    answered = await http.post(
        "/api/v1/auth/verify-signature",
        json={"challenge_id": challenge["challenge_id"], "signature": wallet.sign(challenge["message"])},
    )
    answered.raise_for_status()
    found = answered.json()
    return SignedIn(
        user_id=found["user_id"],
        address=found["address"],
        roles=tuple(found["roles"]),
        access_token=found["access_token"],
        refresh_token=found["refresh_token"],
    )
