"""How often one person, from one network address, may try a code or a proof. In memory, bounded, per process."""

from __future__ import annotations

from collections import OrderedDict

from streamgate.errors import TooMany
from streamgate.sdk.clock import Clock

MAX_REMEMBERED = 20_000


class Tries:
    """So many in a minute for each key."""

    def __init__(self, per_minute: int, clock: Clock) -> None:
        self._per_minute = per_minute
        self._clock = clock
        self._minutes: OrderedDict[str, tuple[float, int]] = OrderedDict()

    def spend(self, *keys: str) -> None:
        """Raises TooMany: 429, with the time after which there are new ones."""
        now_s = self._clock.monotonic_s()
        for key in keys:
            since_s, count = self._minutes.get(key, (now_s, 0))
            if now_s - since_s >= 60:
                since_s, count = now_s, 0
            if count >= self._per_minute:
                raise TooMany("too many tries in a minute", retry_after_s=since_s + 60 - now_s)
            self._minutes[key] = (since_s, count + 1)
            self._minutes.move_to_end(key)
            if len(self._minutes) > MAX_REMEMBERED:
                self._minutes.popitem(last=False)
