"""Captions and chapters that a source holds: found by its probe, read out by a job of their own, kept by streaming."""

from __future__ import annotations

from typing import Literal

import attrs

CAPTIONS_KIND = "media.captions"
MAX_FOUND = 32
"""Captions of one source that are read out."""
UNKNOWN_LANGUAGE = "und"
"""BCP-47's tag where the source names none."""


@attrs.frozen(kw_only=True)
class FoundCaptions:
    """A track of text. `language`: BCP-47; `title`: as the file calls it, or empty."""

    index: int  # of the stream in its container
    codec: str
    language: str
    title: str = ""
    kind: Literal["subtitles", "captions"] = "subtitles"


@attrs.frozen(kw_only=True)
class FoundChapter:
    """Times are of the presentation, not of the file."""

    start_ms: int
    end_ms: int
    title: str


@attrs.frozen(kw_only=True)
class CaptionsPayload:
    """`plan_key`: see `contracts.media.ChunkPayload`; the plan says which tracks there are."""

    content_id: str
    media_version: int
    plan_key: str


@attrs.frozen(kw_only=True)
class MadeCaptions:
    """A track, read out as WebVTT with times of the presentation. `index`: as the plan names it."""

    index: int
    key: str  # in the blob store
    size_bytes: int
    sha256: str


@attrs.frozen(kw_only=True)
class CaptionsResult:
    """Tracks in which nothing is ever said are left out."""

    captions: tuple[MadeCaptions, ...] = ()
