"""What a session's answers say of it, in words that programs read."""

from __future__ import annotations

from typing import TypedDict

import attrs

from streamgate.sdk.clock import rfc3339

from .live import LiveSession


@attrs.frozen(kw_only=True)
class GraceAnswer:
    """The gate cannot be decided now; what runs goes on until then, and no longer."""

    until: str
    reason: str


@attrs.frozen(kw_only=True)
class RenewAnswer:
    """`decided_until` (`expires_at` is its older name): when bytes stop, unless traffic or a renewal brings a new
    decision. `grace`: why it goes on without one. `preview_s`: nothing but the first so many seconds are open.
    `max_height_px`: renditions above are not."""

    session_id: str
    expires_at: str
    renew_after_s: float
    decided_until: str
    grace: GraceAnswer | None
    preview_s: float | None
    max_height_px: int | None


@attrs.frozen(kw_only=True)
class CaptionsAnswer:
    """`url`: of a WebVTT file, for players that take captions beside the stream; playlists name them too."""

    language: str
    kind: str
    label: str
    default: bool
    url: str


@attrs.frozen(kw_only=True)
class SessionAnswer(RenewAnswer):
    """URLs are paths of this origin, and carry the session: whoever has them can watch for as long as it may.
    `decided_until` (`expires_at` is its older name): when bytes stop, unless traffic or a renewal brings a new
    decision. `grace`: why it goes on without one. `preview_s`: nothing but the first so many seconds are open.
    `max_height_px`: renditions above are not. `poster_url`, `storyboard_url` (WebVTT for a seek bar): null where there
    is none, or none yet; a preview has no storyboard. `chapters_url` (WebVTT): null where there are none."""

    hls_url: str
    dash_url: str | None
    poster_url: str | None
    storyboard_url: str | None
    chapters_url: str | None
    captions: tuple[CaptionsAnswer, ...]


class Told(TypedDict):
    expires_at: str
    decided_until: str
    grace: GraceAnswer | None
    preview_s: float | None
    max_height_px: int | None


def told_of(live: LiveSession, until_ms: int) -> Told:
    """Args:
    until_ms: when its lease, or its grace, runs out.
    """
    until = rfc3339(until_ms)
    return Told(
        expires_at=until,
        decided_until=until,
        grace=GraceAnswer(until=until, reason=live.grace) if live.grace else None,
        preview_s=live.extent.preview_s or None,
        max_height_px=live.extent.max_height_px,
    )
