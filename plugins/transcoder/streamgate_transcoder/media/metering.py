"""How fast packets come: a file of a million packets for one second of media is work without end."""

from __future__ import annotations

import attrs

from streamgate.contracts.media import MediaTooLarge


@attrs.define
class PacketMeter:
    """Counts the packets of one stream beside the time that they cover. `rate`: packets a second, on average."""

    rate: float
    _count: int = 0
    _from_s: float = 0.0
    _to_s: float = 0.0

    def note(self, at_s: float | None) -> None:
        """One more packet, at `at_s` of the source (None: it has no time).

        Raises:
            MediaTooLarge: more came than the rate allows; two seconds' worth are free (`media.limits_exceeded`).
        """
        if at_s is not None:
            if self._count == 0:
                self._from_s = self._to_s = at_s
            self._from_s, self._to_s = min(self._from_s, at_s), max(self._to_s, at_s)
        self._count += 1
        if self._count > self.rate * (2 + self._to_s - self._from_s):
            raise MediaTooLarge(f"more than {self.rate:g} packets a second in one track")
