"""How much of media a transcoder makes: seconds of video or sound, over the last minute."""

from __future__ import annotations

from collections import deque

from prometheus_client import Counter

from streamgate.sdk.clock import Clock

WINDOW_S = 60.0

_MADE = Counter("streamgate_transcoder_made_seconds_total", "Seconds of media made.", ["kind"])


class Throughput:
    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._made: deque[tuple[float, float]] = deque()

    def note(self, kind: str, media_s: float) -> None:
        _MADE.labels(kind).inc(media_s)
        self._made.append((self._clock.monotonic_s(), media_s))
        self._forget()

    def media_s_per_s(self) -> float:
        """Seconds of media made per second, over the last minute."""
        self._forget()
        return round(sum(media_s for _, media_s in self._made) / WINDOW_S, 3)

    def _forget(self) -> None:
        before_s = self._clock.monotonic_s() - WINDOW_S
        while self._made and self._made[0][0] < before_s:
            self._made.popleft()
