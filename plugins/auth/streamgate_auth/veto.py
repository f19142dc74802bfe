"""The operator's own deny list, by the same hook that other plugins veto playback with."""

from __future__ import annotations

from collections.abc import Iterable

from streamgate.contracts.hooks import PlaybackQuestion
from streamgate.hooks import ABSTAIN, Verdict, refuse
from streamgate_auth.accounts import parse_any_address


class BlockedWallets:
    """Refuses whoever has linked a blocked wallet, whatever else they hold."""

    def __init__(self, addresses: Iterable[str]) -> None:
        self._blocked = frozenset(map(parse_any_address, addresses))

    def judge(self, question: PlaybackQuestion) -> Verdict:
        # The address of a contract counts on whichever chain it is: to block is to be on the safe side.
        if self._blocked.isdisjoint(map(parse_any_address, question.addresses)):
            return ABSTAIN
        return refuse("a wallet of this account is blocked on this server")
