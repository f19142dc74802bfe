"""Still pictures of a media version: its poster, and the storyboard that a seek bar shows.

The transcoder makes them from key frames alone, streaming holds what it gets against what was asked, and keeps it.
All of them are baseline JPEG, but the moving poster, which is animated WebP.
"""

from __future__ import annotations

from typing import Literal

import attrs

from .media import MediaSource

PICTURES_KIND = "media.pictures"
POSTER_KIND = "media.poster"

MAX_POSTER_SIDE_PX = 1280
MAX_GIVEN_BYTES = 5 << 20
"""Of a picture that a creator gives."""
MAX_MOVING_SIDE_PX = 320
MAX_MOVING_BYTES = 1 << 20
"""Of a moving poster: eight pictures of noise have about 0.5 MB."""
TILE_SIDE_PX = 160
"""The longer side of a storyboard's pictures."""
MAX_COLUMNS = MAX_ROWS = 10
MAX_TILES = 1_000
MAX_PICTURE_BYTES = 4 << 20
"""Of one file: a sheet of 100 pictures of noise has about 2 MB."""


HEAD_BYTES = 12
"""As many of a file's first bytes tell what kind of picture it is."""


def kind_of_still(head: bytes) -> Literal["jpeg", "png", "webp"] | None:
    """As which kind of picture a file begins, of those that creators may give. No more of it is read."""
    if head.startswith(b"\xff\xd8\xff"):
        return "jpeg"
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return "png"
    return "webp" if (head[:4], head[8:12]) == (b"RIFF", b"WEBP") else None


def poster_path(content_id: str) -> str:
    """Where a content's poster is, for all who may see the content."""
    return f"/api/v1/stream/poster/{content_id}.jpg"


def moving_poster_path(content_id: str) -> str:
    """Where its moving poster is, for the same people."""
    return f"/api/v1/stream/poster/{content_id}.webp"


@attrs.frozen(kw_only=True)
class PicturesPayload:
    """`plan_key`: see `contracts.media.ChunkPayload`."""

    content_id: str
    media_version: int
    plan_key: str


@attrs.frozen(kw_only=True)
class PosterPayload:
    """A picture of the creator's own, to be made a poster. `source`: as it came; nobody is ever sent it."""

    content_id: str
    source: MediaSource


@attrs.frozen(kw_only=True)
class MadePicture:
    key: str  # in the blob store
    size_bytes: int
    sha256: str
    width_px: int
    height_px: int


@attrs.frozen(kw_only=True)
class Storyboard:
    """Sheets of `columns` x `rows` pictures, left to right and down, one for each `interval_ms`. The last sheet has as
    many rows as it needs."""

    tile_width_px: int
    tile_height_px: int
    columns: int
    rows: int
    tiles: int
    interval_ms: int
    sheets: tuple[MadePicture, ...] = ()

    @property
    def sheet_count(self) -> int:
        return -(-self.tiles // (self.columns * self.rows))

    def sheet_size(self, n: int) -> tuple[int, int]:
        """Width and height of one sheet."""
        left = self.tiles - n * self.columns * self.rows
        rows = min(self.rows, -(-left // self.columns))
        return self.columns * self.tile_width_px, rows * self.tile_height_px


@attrs.frozen(kw_only=True)
class PicturesResult:
    """Of both kinds. Sound alone has no storyboard, and a poster only where its file holds a cover. `moving`: a few
    pictures one after the other; None where the film has no two."""

    poster: MadePicture | None = None
    storyboard: Storyboard | None = None
    moving: MadePicture | None = None
