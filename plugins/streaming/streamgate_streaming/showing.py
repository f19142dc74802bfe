"""The pictures of a media version as a session is sent them: `poster.jpg`, `storyboard.vtt`, `storyboard/<n>.jpg`."""

from __future__ import annotations

from functools import cached_property

import attrs

from streamgate.contracts.pictures import MadePicture
from streamgate.contracts.streaming import PictureUnknown
from streamgate.sdk.playlists.presentation import Presentation
from streamgate.sdk.playlists.stills import IMAGES_FILE, render_images
from streamgate.sdk.playlists.storyboard import render_vtt

from .extent import shut
from .live import LiveSession
from .picture_repository import Pictures

POSTER_FILE, STORYBOARD_FILE = "poster.jpg", "storyboard.vtt"
MEDIA_TYPE = "image/jpeg"


@attrs.define(eq=False, slots=False)
class Showing:
    """Pictures and the text about them, rendered once."""

    pictures: Pictures
    presentation: Presentation

    @cached_property
    def index(self) -> bytes:
        board = self.pictures.storyboard
        if board is None:
            return b""
        ends_s = max(float(track.duration) for track in self.presentation.video or self.presentation.audio)
        return render_vtt(board, ends_s).encode()

    def has_storyboard(self, live: LiveSession) -> bool:
        """Whether the session may see it: a storyboard shows the whole film, so a preview has none."""
        return self.pictures.storyboard is not None and not live.extent.preview_s

    def find(self, live: LiveSession, name: str, sheet: str | None) -> MadePicture | bytes:
        """A file, or the index, or the playlist of sheets.

        Raises:
            GateRefused: only the film's beginning is open to the session.
            PictureUnknown: it is not made, not yet or never.
        """
        if name == POSTER_FILE:
            if self.pictures.poster is None:
                raise PictureUnknown("this content has no poster")
            return self.pictures.poster
        board = self.pictures.storyboard
        if board is None:
            raise PictureUnknown("this content has no storyboard")
        if not self.has_storyboard(live):
            raise shut(live.content_id, live.extent, live.decision)
        if name == IMAGES_FILE:
            return render_images(board, self.presentation.spans[-1][1]).encode()
        if sheet is None:
            return self.index
        if int(sheet) >= len(board.sheets):
            raise PictureUnknown(f"the storyboard has no sheet {sheet}")
        return board.sheets[int(sheet)]
