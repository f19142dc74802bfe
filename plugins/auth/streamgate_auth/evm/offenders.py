"""Contracts that used up their gas or returned megabytes: asked apart from others, then less often.

By contract and function: a collection whose `tokenURI` is endless still tells balances.
"""

from __future__ import annotations

from collections import OrderedDict

import attrs

from streamgate.sdk.clock import Clock
from streamgate_auth.evm.reads import ChainRead, EthCall

APART_S = 600.0
REFUSED_AFTER = 3
REFUSED_S = 30.0
MAX_KEPT = 1_000
_SELECTOR_CHARS = 10


@attrs.define
class _Record:
    offences: int
    at_s: float


@attrs.define(eq=False)
class Offenders:
    """Bounded: the oldest is forgotten first."""

    clock: Clock
    _records: OrderedDict[str, _Record] = attrs.field(factory=OrderedDict)

    def note(self, read: ChainRead, *, is_offence: bool) -> None:
        key = _key(read)
        if key is None or (not is_offence and key not in self._records):
            return
        if not is_offence:
            del self._records[key]
            return
        record = self._records.pop(key, None) or _Record(0, 0.0)
        self._records[key] = _Record(record.offences + 1, self.clock.monotonic_s())
        if len(self._records) > MAX_KEPT:
            self._records.popitem(last=False)

    def is_apart(self, read: ChainRead) -> bool:
        return self._within(read, APART_S, least=1)

    def is_refused(self, read: ChainRead) -> bool:
        return self._within(read, REFUSED_S, least=REFUSED_AFTER)

    def _within(self, read: ChainRead, duration_s: float, *, least: int) -> bool:
        record = self._records.get(_key(read) or "")
        return record is not None and record.offences >= least and self.clock.monotonic_s() - record.at_s < duration_s


def _key(read: ChainRead) -> str | None:
    return read.to.lower() + read.data[:_SELECTOR_CHARS] if isinstance(read, EthCall) else None
