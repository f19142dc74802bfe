"""The gate's tables beside the stored rules themselves. Times are milliseconds since 1970, UTC."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Index, String
from sqlalchemy.orm import Mapped, mapped_column

from streamgate.sdk.db.tables import Json
from streamgate_auth.tables import Base


class GateRevisionRow(Base):
    """A gate as it was: the document (None where it was removed), and the gates of the collections it named then, as
    `{collection_id: {"name": …, "gate": …}}`. A past decision is judged again by it."""

    __tablename__ = "auth_gate_revisions"

    content_id: Mapped[str] = mapped_column(String(40), primary_key=True)
    revision: Mapped[int] = mapped_column(primary_key=True)
    document: Mapped[dict[str, Any] | None] = mapped_column(Json)
    collections: Mapped[dict[str, Any]] = mapped_column(Json)
    made_at_ms: Mapped[int]
    made_by: Mapped[str] = mapped_column(String(40))


class GateRefRow(Base):
    """What a gate names: `collection:g_…`, `root:0x…`, `token:<caip2>/<contract>`. `holder`: the content or the
    collection whose gate it is."""

    __tablename__ = "auth_gate_refs"

    holder: Mapped[str] = mapped_column(String(40), primary_key=True)
    ref: Mapped[str] = mapped_column(String(100), primary_key=True)

    __table_args__ = (Index("ix_auth_gate_refs_ref", "ref"),)


class CollectionRow(Base):
    """A rule that several contents share by `same_as`."""

    __tablename__ = "auth_gate_collections"

    collection_id: Mapped[str] = mapped_column(String(40), primary_key=True)
    owner: Mapped[str] = mapped_column(String(40))
    name: Mapped[str] = mapped_column(String(100))
    rule: Mapped[dict[str, Any]] = mapped_column(Json)
    warnings: Mapped[list[str]] = mapped_column(Json)
    revision: Mapped[int]
    created_at_ms: Mapped[int]
    updated_at_ms: Mapped[int]

    __table_args__ = (Index("ix_auth_gate_collections_owner", "owner"),)


class AddressListRow(Base):
    """Somebody's list of addresses, known by the root of its Merkle tree. Lists of one root are one list."""

    __tablename__ = "auth_gate_lists"

    list_id: Mapped[str] = mapped_column(String(40), primary_key=True)
    owner: Mapped[str] = mapped_column(String(40))
    name: Mapped[str] = mapped_column(String(100))
    root: Mapped[str] = mapped_column(String(66))
    size: Mapped[int]
    created_at_ms: Mapped[int]

    __table_args__ = (
        Index("ix_auth_gate_lists_owner_root", "owner", "root", unique=True),
        Index("ix_auth_gate_lists_root", "root"),
    )


class AddressListPartRow(Base):
    """The addresses of a root that begin with this byte: 20 bytes each, in order."""

    __tablename__ = "auth_gate_list_parts"

    root: Mapped[str] = mapped_column(String(66), primary_key=True)
    first_byte: Mapped[int] = mapped_column(primary_key=True)
    packed: Mapped[bytes]


class AddressProofRow(Base):
    """Somebody has shown that this wallet is a leaf below this root."""

    __tablename__ = "auth_gate_proofs"

    root: Mapped[str] = mapped_column(String(66), primary_key=True)
    address: Mapped[str] = mapped_column(String(64), primary_key=True)
    proven_at_ms: Mapped[int]


class InvitationRow(Base):
    """An invitation code, of which only the SHA-256 is kept. `scope_id`: the content or collection it is for."""

    __tablename__ = "auth_gate_invitations"

    invitation_id: Mapped[str] = mapped_column(String(40), primary_key=True)
    digest: Mapped[str] = mapped_column(String(64), unique=True)
    scope_id: Mapped[str] = mapped_column(String(40))
    campaign: Mapped[str] = mapped_column(String(50))
    made_by: Mapped[str] = mapped_column(String(40))
    uses: Mapped[int]
    used: Mapped[int]
    created_at_ms: Mapped[int]
    expires_at_ms: Mapped[int | None]
    revoked_at_ms: Mapped[int | None]

    __table_args__ = (Index("ix_auth_gate_invitations_scope_id", "scope_id", "created_at_ms"),)


class RedemptionRow(Base):
    """Somebody is invited, by this code. It lasts until the code is revoked."""

    __tablename__ = "auth_gate_redemptions"

    scope_id: Mapped[str] = mapped_column(String(40), primary_key=True)
    campaign: Mapped[str] = mapped_column(String(50), primary_key=True)
    user_id: Mapped[str] = mapped_column(String(40), primary_key=True)
    invitation_id: Mapped[str] = mapped_column(String(40))
    redeemed_at_ms: Mapped[int]


class DecisionRow(Base):
    """A decision that differed from the one before for this person and content, with what it was made of.

    `basis`: `rule`, or what was decided without asking it (`owner`, `sign_in`, `private`, …; `veto` besides it).
    `readings`: `{path of the leaf: what it said}`; those that were not asked are left out.
    """

    __tablename__ = "auth_gate_decisions"

    decision_id: Mapped[str] = mapped_column(String(40), primary_key=True)
    content_id: Mapped[str] = mapped_column(String(40))
    user_id: Mapped[str] = mapped_column(String(40))
    address: Mapped[str] = mapped_column(String(64))
    revision: Mapped[int]
    outcome: Mapped[str] = mapped_column(String(16))
    basis: Mapped[str] = mapped_column(String(40))
    max_height_px: Mapped[int | None]
    at_ms: Mapped[int]
    explanation: Mapped[dict[str, Any]] = mapped_column(Json)
    readings: Mapped[dict[str, Any]] = mapped_column(Json)

    __table_args__ = (
        Index("ix_auth_gate_decisions_content_id", "content_id", "at_ms", "decision_id"),
        Index("ix_auth_gate_decisions_at_ms", "at_ms"),
    )
