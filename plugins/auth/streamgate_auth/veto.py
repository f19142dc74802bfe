"""The operator's own deny list, by the same hook that other plugins veto playback with.

To unlink a blocked wallet, or to bring another wallet to a new account first, helps nobody: when a person loses a
wallet while one of theirs is blocked, they and all their wallets of then are remembered, for as long as the operator
blocks it. What was unlinked before it was blocked is not known.
"""

from __future__ import annotations

from collections.abc import Iterable, Set

from sqlalchemy import select
from sqlalchemy.orm import Session

from streamgate.contracts.hooks import PlaybackQuestion
from streamgate.hooks import ABSTAIN, Verdict, refuse
from streamgate.sdk.db import Database, insert_into
from streamgate_auth.accounts import parse_any_address
from streamgate_auth.repository_wallets import list_wallets
from streamgate_auth.tables import BarredRow


class BlockedWallets:
    """Refuses whoever has linked a blocked wallet, or had, whatever else they hold."""

    def __init__(self, addresses: Iterable[str], db: Database) -> None:
        self._blocked = frozenset(map(parse_any_address, addresses))
        self._db = db
        self._barred: set[str] = set()

    async def read(self) -> None:
        """What is remembered, also by other processes. Raises DatabaseUnavailable."""
        if self._blocked:
            which = select(BarredRow.name).where(BarredRow.of_address.in_(self._blocked))
            self._barred.update(await self._db.read(lambda session: set(session.scalars(which))))

    def judge(self, question: PlaybackQuestion) -> Verdict:
        # The address of a contract counts on whichever chain it is: to block is to be on the safe side.
        names = {question.actor.user_id, *map(parse_any_address, question.addresses)}
        if names.isdisjoint(self._blocked) and names.isdisjoint(self._barred):
            return ABSTAIN
        return refuse("a wallet of this account is blocked on this server")

    def remember(self, session: Session, user_id: str) -> Set[str]:
        """Before one of a person's wallets is theirs no more, or counts no more.

        Returns:
            Who is to be barred after the commit.
        """
        if not self._blocked:
            return frozenset()
        addresses = {wallet.address for wallet in list_wallets(session, [user_id]).get(user_id, ())}
        names = {user_id, *addresses}
        earlier = select(BarredRow.of_address).where(BarredRow.name.in_(names), BarredRow.of_address.in_(self._blocked))
        causes = (self._blocked & addresses) | set(session.scalars(earlier))
        if not causes:
            return frozenset()
        values = [{"name": name, "of_address": cause} for name in sorted(names) for cause in sorted(causes)]
        session.execute(insert_into(session, BarredRow).on_conflict_do_nothing(), values)
        return names

    def bar(self, names: Set[str]) -> None:
        """After the commit."""
        self._barred.update(names)
