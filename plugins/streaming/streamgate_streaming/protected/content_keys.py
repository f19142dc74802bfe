"""The keys of one media version, all derived from one secret: the same key for the same place, always, so that a
ciphertext is the same bytes wherever and whenever it is made.

    secret, 32 random bytes a media version ──HKDF-SHA256──▶ key, IV and key id of each rendition and key period

Each purpose has a label of its own, so no key serves two ciphers, two renditions, or two periods.
"""

from __future__ import annotations

from typing import Literal

import attrs
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from streamgate.sdk.playlists.presentation import Presentation

SECRET_BYTES = 32
KEY_BYTES = 16
CTR_IV_BYTES = 8

Mode = Literal["hls", "cenc"]


@attrs.frozen(kw_only=True)
class ContentKeys:
    """Args:
    media: where the ciphertext is, with a `/` at its end.
    secret: of this media version. It is never printed.
    starts: numbers of the segments with which the key periods begin; the first is 0.
    """

    media: str
    secret: bytes = attrs.field(repr=False)
    starts: tuple[int, ...]

    def period_of(self, n: int) -> int:
        """The key period of a segment."""
        return sum(1 for start in self.starts if start <= n) - 1

    def key(self, mode: Mode, track_id: str, period: int) -> bytes:
        return self._derived(f"{mode} key", track_id, period, KEY_BYTES)

    def iv(self, track_id: str, period: int) -> bytes:
        """Of AES-128 in HLS, for all segments of a period: they differ within their first blocks (each has its own
        number there), so no two of them show more than that in common."""
        return self._derived("hls iv", track_id, period, KEY_BYTES)

    def kid(self, track_id: str, period: int) -> bytes:
        """The name of a CENC key. It is public, and tells nothing of the key."""
        return self._derived("cenc kid", track_id, period, KEY_BYTES)

    def first_counter(self, track_id: str) -> int:
        """Where the IVs of CENC begin, of 64 bits; samples count on from it, so that none comes twice under a key."""
        return int.from_bytes(self._derived("cenc iv", track_id, 0, CTR_IV_BYTES), "big")

    def _derived(self, what: str, track_id: str, period: int, length_bytes: int) -> bytes:
        label = "\0".join(("streamgate content", what, track_id, str(period))).encode()
        return HKDF(algorithm=hashes.SHA256(), length=length_bytes, salt=None, info=label).derive(self.secret)


def key_periods(presentation: Presentation, period_s: float) -> tuple[int, ...]:
    """Where a new key begins: the first segment that starts in each `period_s` of the presentation. All renditions are
    cut alike, so one list is for all of them."""
    track = (presentation.video or presentation.audio)[0]
    begins_ticks = track.segments[0].start_ticks
    starts, reached = [0], 0
    for segment in track.segments[1:]:
        period = int((segment.start_ticks - begins_ticks) // (period_s * track.timescale))
        if period > reached:
            starts.append(segment.n)
            reached = period
    return tuple(starts)
