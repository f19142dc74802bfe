"""A dependency that failed just now is not asked again at once: what can do without it must not wait for it."""

from __future__ import annotations

import attrs

from streamgate.sdk.clock import SYSTEM_CLOCK, Clock


@attrs.define
class Breaker:
    """Closed while all is well. A fault opens it for `pause_s`; then one caller tries, and its end decides.

        if breaker.allows():
            try: …
            except Fault: breaker.failed()
            else: breaker.worked()

    Args:
        pause_s: seconds between tries while it is open.
    """

    pause_s: float
    clock: Clock = SYSTEM_CLOCK
    _opens_until_s: float | None = None

    @property
    def is_open(self) -> bool:
        return self._opens_until_s is not None

    def allows(self) -> bool:
        """Whether to ask now. While it is open, at most one caller in `pause_s` is told yes."""
        if self._opens_until_s is None:
            return True
        now_s = self.clock.monotonic_s()
        if now_s < self._opens_until_s:
            return False
        self._opens_until_s = now_s + self.pause_s
        return True

    def worked(self) -> None:
        self._opens_until_s = None

    def failed(self) -> None:
        self._opens_until_s = self.clock.monotonic_s() + self.pause_s
