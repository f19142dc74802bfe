"""How far the watcher of a chain is, as this process has heard; and whether an older answer is still true.

An answer that was read at block B is still true at the watcher's block if all that happened between the two was heard
of, and the wallet moved nothing of the contract. What was missed (a message, the time before this process began) is
never bridged: `_since` is the block from which on everything was heard.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping

import attrs

from streamgate.contracts.watched import Watched
from streamgate.sdk.clock import Clock

FRESH_S = 5.0
"""Whoever has not heard of the head for so long knows nothing of it."""
MAX_MOVED = 50_000
_ANYBODY = "*"


@attrs.frozen(kw_only=True)
class Head:
    """The watcher's; `read_at_s`: Unix time before it was asked for."""

    number: int
    read_at_s: float


@attrs.frozen(kw_only=True)
class WatcherHealth:
    """Args:
    block_number: all transfers up to there are known.
    heard_s: since it was told of.
    is_at_head: answers that are kept may rest on it.
    """

    block_number: int
    heard_s: float
    is_at_head: bool


@attrs.define(eq=False)
class Coverage:
    """Of one chain.

    Args:
        max_lag_blocks: whoever read a block so much later than the watcher's has shown that it is behind.
    """

    clock: Clock
    max_lag_blocks: int
    contracts_version: int | None = None
    """Of the contracts that are known here; None: none are."""
    _contracts: Mapping[str, int] = attrs.field(factory=dict)
    _moved: OrderedDict[tuple[str, str], int] = attrs.field(factory=OrderedDict)
    _heard: Watched | None = None
    _heard_at_s: float = 0.0
    _since: int = 0
    _seen: int = 0

    def hear(self, watched: Watched) -> bool:
        """Whether all that was read before may be of another branch."""
        before, self._heard_at_s = self._heard, self.clock.monotonic_s()
        is_other = before is not None and before.rewinds != watched.rewinds
        if before is None or is_other:
            self._since, self._seen = watched.first_block - 1, 0
            self._moved.clear()
        elif watched.first_block > before.block_number + 1:
            self._since = watched.first_block - 1
        for tokens in watched.moved:
            for wallet in (_ANYBODY,) if tokens.wallets is None else tokens.wallets:
                self._note(tokens.contract, wallet, watched.block_number)
        if before is None or is_other or watched.block_number >= before.block_number:
            self._heard = attrs.evolve(watched, moved=(), at_ms=min(watched.at_ms, self.clock.now_ms()))
        return is_other

    def learn(self, version: int, contracts: Mapping[str, int]) -> None:
        """From which block on all logs of each contract are known."""
        self.contracts_version, self._contracts = version, contracts

    def saw(self, block_number: int) -> None:
        """A node has answered at this block."""
        self._seen = block_number

    def has_moved(self, contract: str, wallet: str, since_block: int) -> bool:
        """Whether tokens of it are known to have gone to or from the wallet after that block."""
        return any(self._moved.get((contract, name), -1) > since_block for name in (wallet, _ANYBODY))

    def head(self) -> Head | None:
        """None: nobody can say now where the chain is."""
        heard = self._heard
        if heard is None or not heard.is_at_head or heard.contracts_version != self.contracts_version:
            return None
        if self.clock.monotonic_s() - self._heard_at_s > FRESH_S or self.clock.now_s() - heard.at_ms / 1000 > FRESH_S:
            return None
        if self._seen - heard.block_number > self.max_lag_blocks:
            return None
        return Head(number=heard.block_number, read_at_s=heard.at_ms / 1000)

    def health(self) -> WatcherHealth | None:
        """None: nothing was heard yet."""
        if self._heard is None:
            return None
        heard_s = round(self.clock.monotonic_s() - self._heard_at_s, 3)
        return WatcherHealth(block_number=self._heard.block_number, heard_s=heard_s, is_at_head=self.head() is not None)

    def covers(self, contract: str, since_block: int) -> bool:
        """Whether every log of the contract after that block was heard of. Nobody is believed who claims to have read
        a block that is far ahead."""
        watched_since = self._contracts.get(contract)
        if watched_since is None or self._heard is None:
            return False
        latest = self._heard.block_number + self.max_lag_blocks
        return max(self._since, watched_since - 1) <= since_block <= latest

    def _note(self, contract: str, wallet: str, block_number: int) -> None:
        key = (contract, wallet)
        self._moved[key] = max(block_number, self._moved.get(key, 0))
        self._moved.move_to_end(key)
        if len(self._moved) > MAX_MOVED:
            _, forgotten = self._moved.popitem(last=False)
            self._since = max(self._since, forgotten)
