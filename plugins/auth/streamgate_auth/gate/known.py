"""What decisions ask the database for again and again: gates, and the wallets of people; kept for a second at most.

What is changed in this process counts at once: whoever changes it says so after the commit. Elsewhere it counts within
the second, or at once for whoever says which revision of a gate they have heard of.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Generic, TypeVar

import attrs
from sqlalchemy.orm import Session

from streamgate.contracts.gate import Rule
from streamgate.sdk.clock import Clock
from streamgate.sdk.db import Database
from streamgate.sdk.evm import Address
from streamgate_auth.gate.compiled import Compiled, Judged
from streamgate_auth.gate.repository import GateRecord, load_gates
from streamgate_auth.gate.repository_collections import load_collections
from streamgate_auth.repository_wallets import load_wallets

KEPT_S = 1.0
MAX_KEPT = 20_000

T = TypeVar("T")


@attrs.frozen(kw_only=True)
class Gate:
    """The gate of a content. `revision` 0: it never had one."""

    policy: Judged
    revision: int


Wallets = tuple[Address, ...]


@attrs.frozen(kw_only=True)
class Found:
    """Of each content and person that was asked for."""

    gates: dict[str, Gate]
    wallets: dict[str, Wallets]


class Known:
    """Of this process."""

    def __init__(self, db: Database, compiled: Compiled, clock: Clock) -> None:
        self._db = db
        self._compiled = compiled
        self._clock = clock
        self._gates = _Shelf[Gate]()
        self._people = _Shelf[Wallets]()
        self._changes = 0

    async def of(
        self, content_ids: Sequence[str], user_ids: Sequence[str], least: Mapping[str, int] | None = None
    ) -> Found:
        """As they are, or were within the second. Raises DatabaseUnavailable.

        Args:
            least: by content, the revision of its gate that there is at least; no older one that is kept serves.
        """
        now_s, least = self._clock.monotonic_s(), least or {}
        kept = self._gates.take(content_ids, now_s)
        gates = {name: gate for name, gate in kept.items() if gate.revision >= least.get(name, 0)}
        found = Found(gates=gates, wallets=self._people.take(user_ids, now_s))
        contents = [each for each in content_ids if each not in found.gates]
        people = [each for each in user_ids if each not in found.wallets]
        if contents or people:
            await self._load(found, contents, people, now_s)
        return found

    def forget_gates(self) -> None:
        """Gates have been changed here."""
        self._changes += 1
        self._gates.clear()

    def forget_person(self, user_id: str) -> None:
        """Their wallets have been changed here."""
        self._changes += 1
        self._people.forget(user_id)

    async def _load(self, found: Found, contents: Sequence[str], people: Sequence[str], now_s: float) -> None:
        changes = self._changes

        def load(session: Session) -> tuple[dict[str, GateRecord], dict[str, Rule], dict[str, Wallets]]:
            records = load_gates(session, contents) if contents else {}
            collections = load_collections(session, self._compiled.lacking(records.values()))
            rules = {name: each.rule for name, each in collections.items()}
            return records, rules, load_wallets(session, people) if people else {}

        records, rules, linked = await self._db.read(load)
        gates = {each: self._compiled_of(records.get(each), rules) for each in contents}
        wallets = {each: linked.get(each, ()) for each in people}
        found.gates.update(gates)
        found.wallets.update(wallets)
        if self._changes == changes:  # else what was read may be from before
            self._gates.put(gates, now_s)
            self._people.put(wallets, now_s)

    def _compiled_of(self, record: GateRecord | None, rules: Mapping[str, Rule]) -> Gate:
        revision = 0 if record is None else record.revision
        return Gate(policy=self._compiled.of(record, rules), revision=revision)


class _Shelf(Generic[T]):
    """Each with the time before it was read."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, tuple[float, T]] = OrderedDict()

    def take(self, names: Sequence[str], now_s: float) -> dict[str, T]:
        found: dict[str, T] = {}
        for name in names:
            kept = self._kept.get(name)
            if kept is not None and now_s - kept[0] < KEPT_S:
                found[name] = kept[1]
        return found

    def put(self, found: dict[str, T], now_s: float) -> None:
        for name, value in found.items():
            self._kept[name] = (now_s, value)
            self._kept.move_to_end(name)
        while len(self._kept) > MAX_KEPT:
            self._kept.popitem(last=False)

    def forget(self, name: str) -> None:
        self._kept.pop(name, None)

    def clear(self) -> None:
        self._kept.clear()
