"""What auth's watcher tells the processes that keep answers: how far it has followed a chain, and what moved there."""

from __future__ import annotations

import attrs

from streamgate.events import Topic


@attrs.frozen(kw_only=True)
class MovedTokens:
    """Of one contract (lower case): `wallets` (lower case) gave or got tokens. None: it cannot be said who."""

    contract: str
    wallets: tuple[str, ...] | None = None


@attrs.frozen(kw_only=True)
class Watched:
    """How far auth's watcher has followed a chain, for the processes that keep answers.

    Args:
        first_block: the first that this tells of; one more than `block_number` where nothing is new.
        block_number: all that happened up to there is told by now.
        at_ms: Unix time just before the head was asked for.
        is_at_head: `block_number` was the newest block then.
        rewinds: how often a branch of the chain was left; whoever knows another number forgets the chain.
        contracts_version: of the list of what is watched, in auth's database.
        moved: what moved from `first_block` on.
    """

    chain: str
    first_block: int
    block_number: int
    at_ms: int
    is_at_head: bool
    rewinds: int
    contracts_version: int
    moved: tuple[MovedTokens, ...] = ()


AUTH_WATCHED = Topic("auth.watched", Watched)
"""Told at each look at the head, every second or so. Nobody relies on what was told more than 5 s ago."""
