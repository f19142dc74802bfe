"""Auth's tables. Times are milliseconds since 1970, UTC."""

from __future__ import annotations

from typing import Any, cast

from sqlalchemy import BigInteger, Index, LargeBinary, String, Table, Text, UniqueConstraint
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from streamgate.sdk.db.tables import WRAPPED, Json, plugin_tables

TABLES = plugin_tables("auth")


class Base(DeclarativeBase):
    metadata = TABLES
    type_annotation_map = {int: BigInteger, str: Text, bytes: LargeBinary}  # noqa: RUF012 - SQLAlchemy's own form


def table_of(row: type[Base]) -> Table:
    """The table of a class: a statement on it is half the work of one on the class, and gives rows, not objects."""
    return cast(Table, row.__table__)


class KeyRow(Base):
    """A key of ours, wrapped by the master key under the purpose `auth.<purpose>`. `public` is its JWK (signing
    keys alone). The highest generation of a purpose is the one in use; older ones still verify."""

    __tablename__ = "auth_keys"

    kid: Mapped[str] = mapped_column(String(64), primary_key=True)
    purpose: Mapped[str] = mapped_column(String(16))
    generation: Mapped[int]
    wrapped: Mapped[bytes] = mapped_column(info={WRAPPED: "auth.{purpose}"})
    public: Mapped[dict[str, Any] | None] = mapped_column(Json)
    created_at_ms: Mapped[int]

    __table_args__ = (UniqueConstraint("purpose", "generation"),)


class UserRow(Base):
    """A person. Who they are is which wallets they have shown to be theirs. `primary_address`: the wallet they
    chose to be shown by; where it is None or linked no more, their oldest one."""

    __tablename__ = "auth_users"

    user_id: Mapped[str] = mapped_column(String(40), primary_key=True)
    created_at_ms: Mapped[int]
    primary_address: Mapped[str | None] = mapped_column(String(64))


class WalletRow(Base):
    """A wallet that somebody has signed with. `namespace` is the first half of CAIP-2. `chain` is "" for a key, which
    is the same person on every chain, and CAIP-2 for a contract, which is not: the same address on another chain may
    be anybody's. `proof`: what the contract accepted last, the 32 bytes and then the signature. `doubted_at_ms`: when
    it took that back; until somebody signs with it anew it counts for nothing."""

    __tablename__ = "auth_wallets"

    namespace: Mapped[str] = mapped_column(String(16), primary_key=True)
    address: Mapped[str] = mapped_column(String(64), primary_key=True)
    chain: Mapped[str] = mapped_column(String(64), primary_key=True, server_default="")
    user_id: Mapped[str] = mapped_column(String(40))
    linked_at_ms: Mapped[int]
    proof: Mapped[bytes | None]
    doubted_at_ms: Mapped[int | None]

    __table_args__ = (Index("ix_auth_wallets_user_id", "user_id"),)


class SessionRow(Base):
    """A sign-in and the family of its refresh tokens. `generation` is that of the one token that is good now;
    an older one that comes back ends the session. `user_agent` and `client` (an IP address) are of the sign-in, for
    its person to recognise it by; `name` is what they call it. `proof`: what a contract wallet accepted on `chain`,
    the 32 bytes and then the signature; None where a key signed."""

    __tablename__ = "auth_sessions"

    session_id: Mapped[str] = mapped_column(String(40), primary_key=True)
    user_id: Mapped[str] = mapped_column(String(40))
    address: Mapped[str] = mapped_column(String(64))
    generation: Mapped[int]
    created_at_ms: Mapped[int]
    refreshed_at_ms: Mapped[int]
    expires_at_ms: Mapped[int]
    ended_at_ms: Mapped[int | None]
    end_reason: Mapped[str] = mapped_column(String(32))
    scheme: Mapped[str] = mapped_column(String(32), server_default="siwe")
    chain: Mapped[str] = mapped_column(String(64), server_default="")
    user_agent: Mapped[str] = mapped_column(String(200), server_default="")
    client: Mapped[str] = mapped_column(String(64), server_default="")
    name: Mapped[str] = mapped_column(String(100), server_default="")
    proof: Mapped[bytes | None]

    __table_args__ = (
        Index("ix_auth_sessions_user_id", "user_id"),
        Index("ix_auth_sessions_ended_at_ms", "ended_at_ms"),
        Index("ix_auth_sessions_expires_at_ms", "expires_at_ms"),
    )


class RoleRow(Base):
    """A role that a wallet brings its person. `chain` is that of a contract wallet, or "" (see `WalletRow`).
    `source`: `config` (the operator's lists, as they were read last) or `granted` (by an administrator)."""

    __tablename__ = "auth_roles"

    address: Mapped[str] = mapped_column(String(64), primary_key=True)
    chain: Mapped[str] = mapped_column(String(64), primary_key=True)
    role: Mapped[str] = mapped_column(String(16), primary_key=True)
    source: Mapped[str] = mapped_column(String(16), primary_key=True)
    granted_by: Mapped[str] = mapped_column(String(40))
    granted_at_ms: Mapped[int]


class BarredRow(Base):
    """A person who had a wallet that the operator blocks (`of_address`), or a wallet that such a person had, as they
    unlinked one (`name`)."""

    __tablename__ = "auth_barred"

    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    of_address: Mapped[str] = mapped_column(String(64), primary_key=True)


class ApiKeyRow(Base):
    """An API key, of which only the SHA-256 is kept. `roles`: what the key itself brings (the local admin's, which is
    nobody's wallet); None: those of its person, as far as the scopes go."""

    __tablename__ = "auth_api_keys"

    key_id: Mapped[str] = mapped_column(String(40), primary_key=True)
    digest: Mapped[str] = mapped_column(String(64), unique=True)
    user_id: Mapped[str] = mapped_column(String(40))
    name: Mapped[str] = mapped_column(String(100))
    scopes: Mapped[list[str]] = mapped_column(Json)
    roles: Mapped[list[str] | None] = mapped_column(Json)
    created_at_ms: Mapped[int]
    expires_at_ms: Mapped[int | None]
    used_at_ms: Mapped[int | None]
    revoked_at_ms: Mapped[int | None]

    __table_args__ = (
        Index("ix_auth_api_keys_user_id", "user_id"),
        Index("ix_auth_api_keys_revoked_at_ms", "revoked_at_ms"),
    )


class UsedChallengeRow(Base):
    """A challenge that has made a session or linked a wallet; kept until it could not be answered any more anyway."""

    __tablename__ = "auth_used_challenges"

    fingerprint: Mapped[str] = mapped_column(String(64), primary_key=True)
    expires_at_ms: Mapped[int]

    __table_args__ = (Index("ix_auth_used_challenges_expires_at_ms", "expires_at_ms"),)


class GateRow(Base):
    """The rule of a content. A removed one stays as a row without a rule, so that its revision only grows. `warnings`:
    what was said to its owner when it was set."""

    __tablename__ = "auth_gates"

    content_id: Mapped[str] = mapped_column(String(40), primary_key=True)
    rule: Mapped[dict[str, Any] | None] = mapped_column(Json)
    revision: Mapped[int]
    updated_at_ms: Mapped[int]
    updated_by: Mapped[str] = mapped_column(String(40))
    warnings: Mapped[list[str] | None] = mapped_column(Json)


from streamgate_auth.evm.watch import tables as _watch_tables  # noqa: E402, F401 - they belong to TABLES, need Base
from streamgate_auth.gate import tables as _gate_tables  # noqa: E402, F401 - they, too
