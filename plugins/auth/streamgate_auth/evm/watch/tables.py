"""The tables of those who follow chains."""

from __future__ import annotations

from typing import Any

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from streamgate.sdk.db.tables import Json
from streamgate.sdk.lease import leader_table
from streamgate_auth.tables import TABLES, Base

leaders = leader_table(TABLES)


class WatchedChainRow(Base):
    """How far the logs of a chain have been followed: up to this block, and by its hash this branch. `rewinds` counts
    the times that a branch was left; `contracts_version` the changes of what is watched."""

    __tablename__ = "auth_watched_chains"

    chain: Mapped[str] = mapped_column(String(64), primary_key=True)
    block_number: Mapped[int]
    block_hash: Mapped[str] = mapped_column(String(66))
    rewinds: Mapped[int]
    contracts_version: Mapped[int]


class WatchedContractRow(Base):
    """A contract (in lower case) whose every log from this block on is known."""

    __tablename__ = "auth_watched_contracts"

    chain: Mapped[str] = mapped_column(String(64), primary_key=True)
    contract: Mapped[str] = mapped_column(String(42), primary_key=True)
    since_block: Mapped[int]


class WatchedBlockRow(Base):
    """One of the last blocks at which the following stood, to find the way back from a branch that was left; `moved`:
    the people who were told of it and of those between it and the one before, by contract."""

    __tablename__ = "auth_watched_blocks"

    chain: Mapped[str] = mapped_column(String(64), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    hash: Mapped[str] = mapped_column(String(66))
    moved: Mapped[dict[str, Any]] = mapped_column(Json)


class MovedContractRow(Base):
    """How often `token.transferred` was told of a contract, on any kind of chain (`<caip2>/<contract>`)."""

    __tablename__ = "auth_moved_contracts"

    subject_id: Mapped[str] = mapped_column(String(140), primary_key=True)
    revision: Mapped[int]
