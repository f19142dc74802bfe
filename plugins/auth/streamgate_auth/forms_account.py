"""What goes in and out of one's own account over HTTP: sign-ins, wallets, API keys; and the signing keys."""

from __future__ import annotations

from typing import Any, Literal

import attrs

from streamgate.contracts.auth import KeyScope
from streamgate.sdk.clock import rfc3339
from streamgate.sdk.texts import is_name, is_one_line
from streamgate_auth.accounts import wallet_name
from streamgate_auth.repository import SignInRecord
from streamgate_auth.repository_api_keys import ApiKeyRecord
from streamgate_auth.repository_roles import RoleGrant
from streamgate_auth.repository_wallets import LinkedWallet
from streamgate_auth.roles import Role

MAX_LIFE_S = 10 * 366 * 86_400
_at_most = attrs.validators.max_len


@attrs.frozen(kw_only=True)
class SignInItem:
    """A running sign-in. `name`: what you call it, or "". `last_seen_at`: when its tokens were last renewed, some
    minutes exact. `current`: the one that asks."""

    session_id: str
    name: str
    current: bool
    address: str
    scheme: str
    chain: str
    user_agent: str
    client: str
    created_at: str
    last_seen_at: str
    expires_at: str

    @classmethod
    def of(cls, record: SignInRecord, current: str) -> SignInItem:
        device = record.device
        return cls(
            session_id=record.session_id,
            name=record.name,
            current=record.session_id == current,
            address=record.address,
            scheme=device.scheme,
            chain=device.chain,
            user_agent=device.user_agent,
            client=device.client,
            created_at=rfc3339(record.created_at_ms),
            last_seen_at=rfc3339(record.refreshed_at_ms),
            expires_at=rfc3339(record.expires_at_ms),
        )


@attrs.frozen(kw_only=True)
class SignInsAnswer:
    """All of them, those used last first."""

    items: tuple[SignInItem, ...]
    next_cursor: str | None = None


@attrs.frozen(kw_only=True)
class SignInPath:
    session_id: str = attrs.field(validator=_at_most(40))


@attrs.frozen(kw_only=True)
class SignInName:
    """`name`: "" takes it away."""

    name: str = attrs.field(validator=attrs.validators.and_(_at_most(100), is_one_line))


@attrs.frozen(kw_only=True)
class WalletItem:
    """`chain`: of a wallet that is a contract, which is itself there alone; null for a key. `in_doubt`: the contract
    took back what it had accepted, so that the wallet counts for nothing until you sign with it anew."""

    address: str
    namespace: str
    chain: str | None
    in_doubt: bool
    primary: bool
    linked_at: str

    @classmethod
    def of(cls, wallet: LinkedWallet, *, primary: bool) -> WalletItem:
        return cls(
            address=wallet.address,
            namespace=wallet.namespace,
            chain=wallet.chain or None,
            in_doubt=wallet.doubted_at_ms is not None,
            primary=primary,
            linked_at=rfc3339(wallet.linked_at_ms),
        )


@attrs.frozen(kw_only=True)
class WalletsListed:
    """The primary one first, then the oldest."""

    items: tuple[WalletItem, ...]
    next_cursor: str | None = None


@attrs.frozen(kw_only=True)
class WalletPath:
    address: str = attrs.field(validator=_at_most(128))


@attrs.frozen(kw_only=True)
class NewKeyBody:
    """`scopes`: what it may do (`read`; `upload`: change what is yours; `admin`: all that you may). `expires_in_s`:
    null for never."""

    name: str = attrs.field(validator=attrs.validators.and_(attrs.validators.min_len(1), _at_most(100), is_name))
    scopes: tuple[KeyScope, ...] = attrs.field(default=("read",), validator=[attrs.validators.min_len(1), _at_most(3)])
    expires_in_s: int | None = attrs.field(
        default=None,
        validator=attrs.validators.optional([attrs.validators.ge(60), attrs.validators.le(MAX_LIFE_S)]),
    )


@attrs.frozen(kw_only=True)
class KeyItem:
    """`last_used_at` is a minute exact."""

    key_id: str
    name: str
    scopes: tuple[str, ...]
    created_at: str
    expires_at: str | None
    last_used_at: str | None

    @classmethod
    def of(cls, record: ApiKeyRecord) -> KeyItem:
        return cls(**_shown(record))


@attrs.frozen(kw_only=True)
class MadeKeyAnswer(KeyItem):
    """`api_key` is shown this once; send it as `X-API-Key`."""

    api_key: str

    @classmethod
    def made(cls, record: ApiKeyRecord, api_key: str) -> MadeKeyAnswer:
        return cls(**_shown(record), api_key=api_key)


@attrs.frozen(kw_only=True)
class KeysListed:
    """The newest first."""

    items: tuple[KeyItem, ...]
    next_cursor: str | None = None


@attrs.frozen(kw_only=True)
class KeyPath:
    key_id: str = attrs.field(validator=_at_most(40))


@attrs.frozen(kw_only=True)
class SigningKeyItem:
    """`next`: published, signs soon. `retiring`: signs no more, its last tokens still live."""

    kid: str
    state: Literal["next", "active", "retiring", "retired"]
    created_at: str
    active_from: str


@attrs.frozen(kw_only=True)
class SigningKeysListed:
    """The newest first."""

    items: tuple[SigningKeyItem, ...]
    next_cursor: str | None = None


@attrs.frozen(kw_only=True)
class RolesBody:
    """All that is to be granted to the wallet; what is not named here is taken from it."""

    roles: tuple[Role, ...] = attrs.field(validator=[attrs.validators.min_len(1), _at_most(3)])


@attrs.frozen(kw_only=True)
class RoleItem:
    """`wallet`: an address, of a key; or a CAIP-10 account, of a key or of a contract on that chain. `source`:
    `config` (listed by the operator) or `granted`, then by whom (a user id)."""

    wallet: str
    role: str
    source: str
    granted_by: str | None
    granted_at: str

    @classmethod
    def of(cls, grant: RoleGrant) -> RoleItem:
        return cls(
            wallet=wallet_name(grant.address, grant.chain),
            role=grant.role,
            source=grant.source,
            granted_by=grant.granted_by or None,
            granted_at=rfc3339(grant.granted_at_ms),
        )


@attrs.frozen(kw_only=True)
class RolesListed:
    """In the order of the wallets."""

    items: tuple[RoleItem, ...]
    next_cursor: str | None = None


def _shown(record: ApiKeyRecord) -> dict[str, Any]:
    return {
        "key_id": record.key_id,
        "name": record.name,
        "scopes": record.scopes,
        "created_at": rfc3339(record.created_at_ms),
        "expires_at": None if record.expires_at_ms is None else rfc3339(record.expires_at_ms),
        "last_used_at": None if record.used_at_ms is None else rfc3339(record.used_at_ms),
    }
