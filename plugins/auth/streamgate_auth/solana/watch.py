"""Whether what running playback rests on is still there: the accounts by which wallets held something, read again.

    watch.note(requirement, "<mint or collection>", wallet, user_id, held, slot)    # when a gate has opened by it
    lost, reasons = await watch.poll(chain.read)                                    # and now and then
    watch.forget(lost)                                                              # once it was told of

There are no logs to follow on Solana. But an account says for itself whether it still holds what it held, and a hundred
of them are one question. Each process looks after what it has decided itself: it is decided again while it is played,
by whichever process, which then looks after it. What was not decided for a while is forgotten.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable, Sequence

import attrs

from streamgate.sdk.clock import Clock
from streamgate_auth.solana import layouts
from streamgate_auth.solana.programs import CORE, TOKEN_PROGRAMS, to_bytes
from streamgate_auth.solana.reads import MAX_ACCOUNTS, Account, Accounts, Held, Told, Unread

KEPT_S = 300.0
"""Longer than any lease of playback: what goes on is noted again before."""
MAX_WATCHED = 2_000
"""Accounts; the oldest make room, and are left to the lease. So many are twenty questions, in a few requests."""

Read = Callable[[Sequence[Accounts]], Awaitable[list[Told | Unread]]]


@attrs.frozen(kw_only=True)
class Noted:
    """What a person's wallet satisfied a requirement by. `slot`: where that was read."""

    contract: str
    wallet: str
    user_id: str
    held: tuple[Held, ...]
    slot: int
    at_s: float


@attrs.frozen
class Lost:
    """It is not all there any more, as was seen at this slot."""

    noted: Noted
    slot: int


_Key = tuple[Hashable, str, str]
"""The requirement, the wallet, the person."""


class HoldingsWatch:
    """Of one cluster, in this process."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._noted: OrderedDict[_Key, Noted] = OrderedDict()
        self._accounts = 0

    def note(
        self, requirement: Hashable, contract: str, wallet: str, user_id: str, held: Sequence[Held], slot: int
    ) -> None:
        """Takes the place of what was noted of the same before."""
        key = (requirement, wallet, user_id)
        self._drop(key)
        if not held:
            return
        now_s = self._clock.monotonic_s()
        self._noted[key] = Noted(
            contract=contract, wallet=wallet, user_id=user_id, held=tuple(held), slot=slot, at_s=now_s
        )
        self._accounts += len(held)
        while self._accounts > MAX_WATCHED:
            self._drop(next(iter(self._noted)))

    @property
    def accounts(self) -> int:
        """How many are looked at."""
        return self._accounts

    async def poll(self, read: Read) -> tuple[list[Lost], list[str]]:
        """What is gone since it was noted, and why some could not be read. It is told again until it is forgotten."""
        now_s = self._clock.monotonic_s()
        for key in [key for key, noted in self._noted.items() if now_s - noted.at_s > KEPT_S]:
            self._drop(key)
        watched = tuple(self._noted.values())
        addresses = list(dict.fromkeys(each.account for noted in watched for each in noted.held))
        pieces = [tuple(addresses[at : at + MAX_ACCOUNTS]) for at in range(0, len(addresses), MAX_ACCOUNTS)]
        answers = await read([Accounts(piece) for piece in pieces]) if pieces else []
        seen: _Seen = {}
        for piece, told in zip(pieces, answers, strict=True):
            if isinstance(told, Told):
                seen.update((address, (each, told.slot or 0)) for address, each in zip(piece, told.value, strict=True))
        lost = [Lost(noted, slot) for noted in watched if (slot := _lost_at(noted, seen)) is not None]
        return lost, [told.reason for told in answers if isinstance(told, Unread)]

    def forget(self, lost: Sequence[Lost]) -> None:
        """But for what was noted anew meanwhile."""
        gone = {id(each.noted) for each in lost}
        for key in [key for key, noted in self._noted.items() if id(noted) in gone]:
            self._drop(key)

    def _drop(self, key: _Key) -> None:
        noted = self._noted.pop(key, None)
        if noted is not None:
            self._accounts -= len(noted.held)


_Seen = dict[str, tuple[Account | None, int]]


def _lost_at(noted: Noted, seen: _Seen) -> int | None:
    """None: nothing of it is known to be gone. What was read at an earlier slot than it was noted at tells nothing."""
    slots = []
    for each in noted.held:
        account, slot = seen.get(each.account, (None, -1))
        if slot >= noted.slot and not still_holds(account, each, noted.wallet):
            slots.append(slot)
    return max(slots, default=None)


def still_holds(account: Account | None, held: Held, wallet: str) -> bool:
    """Whether the account is the wallet's and has at least as much of the same in it."""
    if account is None:
        return False
    if account.program == CORE:
        return layouts.core_asset(account.data) == layouts.CoreAsset(to_bytes(wallet), to_bytes(held.mint))
    found = layouts.token_account(account.data) if account.program in TOKEN_PROGRAMS else None
    if found is None or found.owner != to_bytes(wallet):
        return False
    return found.mint == to_bytes(held.mint) and found.amount >= held.amount
