"""The contract `accounts`, as other services call it."""

from __future__ import annotations

from streamgate.contracts.auth import (
    AddressesQuery,
    ApiKeyQuery,
    Revoked,
    VerifiedApiKey,
    WalletsAnswer,
    WalletsQuery,
)
from streamgate.errors import FieldError, Invalid
from streamgate_auth.api_keys import ApiKeys
from streamgate_auth.ending import Ending
from streamgate_auth.wallets import Wallets

MAX_PEOPLE = MAX_ADDRESSES = 200


class AccountsService:
    """See `streamgate.contracts.auth.Accounts`."""

    def __init__(self, api_keys: ApiKeys, ending: Ending, wallets: Wallets) -> None:
        self._api_keys = api_keys
        self._ending = ending
        self._wallets = wallets

    async def verify_api_key(self, query: ApiKeyQuery) -> VerifiedApiKey:
        return await self._api_keys.verify(query)

    async def recently_revoked(self) -> Revoked:
        return await self._ending.recent()

    async def wallets_of(self, query: WalletsQuery) -> WalletsAnswer:
        if len(query.user_ids) > MAX_PEOPLE:
            fault = FieldError("user_ids", f"holds more than {MAX_PEOPLE}")
            raise Invalid(f"at most {MAX_PEOPLE} people in one call", errors=(fault,))
        return await self._wallets.of(query)

    async def who_has(self, query: AddressesQuery) -> WalletsAnswer:
        if len(query.addresses) > MAX_ADDRESSES:
            fault = FieldError("addresses", f"holds more than {MAX_ADDRESSES}")
            raise Invalid(f"at most {MAX_ADDRESSES} addresses in one call", errors=(fault,))
        return await self._wallets.who_has(query)
