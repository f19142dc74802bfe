"""What ways to put many reads into one `eth_call` have in common: `gather.py`, `multicall.py`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import attrs

from streamgate_auth.evm.reads import ChainRead, Returned, Reverted, Unread
from streamgate_auth.rpc.wire import Answer, Question


@attrs.frozen(kw_only=True)
class Gathered:
    """What one call brought.

    Args:
        number: of the block, as the `NUMBER` instruction tells it, which on Arbitrum is the parent chain's.
        results: None where this read has to be asked again.
    """

    chain_number: int
    number: int
    results: tuple[Returned | Reverted | Unread | None, ...]


class Together(Protocol):
    """One way. `repeats`: what has to be asked again may be asked in the same way; else it goes singly."""

    @property
    def name(self) -> str: ...

    @property
    def repeats(self) -> bool: ...

    def takes(self, read: ChainRead) -> bool:
        """Whether it can read this."""

    def fits(self, reads: Sequence[ChainRead]) -> int:
        """How many of these, from the first, one call has room for; at least 1."""

    def question(self, reads: Sequence[ChainRead], block: str) -> Question: ...

    def parse(self, answer: Answer, reads: Sequence[ChainRead]) -> Gathered:
        """Raises EndpointFault: this is not an answer to that question."""
