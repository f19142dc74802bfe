"""Streaming owns media versions, renditions and playback sessions; it orchestrates the media work."""

from __future__ import annotations

from typing import Literal, Protocol

import attrs

from streamgate.context import Actor
from streamgate.errors import Conflict, Forbidden, Gone, Invalid, NotFound, TooMany, Unavailable
from streamgate.services import ServiceRef, method

MediaStage = Literal["none", "planning", "encoding", "ready", "failed"]
RenditionStatus = Literal["planned", "running", "ready", "failed"]


class NotPlayable(Conflict):
    code, title = "stream.not_playable", "Nothing can be played yet"


class SessionEnded(Gone):
    """`extra`: the `reason`. After `ended_by_owner` and `ended_by_server` another session may be opened, once the
    viewer asks for it; after `revoked` it is refused for a while."""

    code, title = "stream.session_ended", "The playback session has ended"


class SessionUnknown(NotFound):
    code, title = "stream.session_unknown", "No such playback session"


class SegmentUnknown(NotFound):
    code, title = "stream.not_found", "No such file in this stream"


class SegmentPending(Unavailable):
    """It is listed and not made yet; asking again, as players do, brings it."""

    code, title = "stream.segment_pending", "This part is being made"


class PictureUnknown(NotFound):
    """Not made: not yet, or never where there is nothing to show. The address stays the same."""

    code, title = "stream.no_picture", "No such picture"


class PosterInvalid(Invalid):
    """It is made anew by a process of its own; what passes here may still turn out to be damaged, which is then among
    the warnings of the media."""

    code, title, field = "stream.poster_invalid", "The picture cannot be a poster", "picture"


class CaptionsInvalid(Invalid):
    """`extra`: the `line` that is wrong, counted from 1, where it is one line."""

    code, title, field = "stream.captions_invalid", "The captions cannot be read", "captions"


class ChaptersInvalid(Invalid):
    """`extra`: the `line` that is wrong, counted from 1, where it is one line."""

    code, title, field = "stream.chapters_invalid", "The chapters cannot be read", "chapters"


class CaptionsUnknown(NotFound):
    """Also of chapters: none are there under this name."""

    code, title = "stream.no_captions", "No such captions"


class TooManyCaptions(Conflict):
    code, title = "stream.too_many_captions", "The content has as many captions as it may have"


class NotEncrypted(Conflict):
    code, title = "stream.not_encrypted", "The content is not encrypted"


class StillMade(Conflict):
    code, title = "stream.still_made", "The media are being made"


class RenditionUnknown(NotFound):
    code, title = "stream.no_rendition", "No such rendition"


class RenditionNotFailed(Conflict):
    code, title = "stream.rendition_not_failed", "The rendition has not failed"


class VersionFailed(Conflict):
    code, title = "stream.version_failed", "Nothing of this media version can be made again"


class KeyUnknown(NotFound):
    code, title = "stream.key_unknown", "No such key"


class LicenceInvalid(Invalid):
    """What a player asks is `{"kids": ["…"], "type": "temporary"}`, as the Clear Key system of EME words it."""

    code, title, field = "stream.licence_invalid", "The request for a licence is not valid", "kids"


class TooManyKeys(TooMany):
    code, title = "stream.too_many_keys", "Too many keys were asked for"


class TooManySessions(TooMany):
    code, title, status = "stream.too_many", "Too many playback sessions", 409


class PlaybackRevoked(Forbidden):
    """`extra`: `until`, the `reason` that was given for it, and `by`: `owner` (who shared it) or `server` (moderators,
    administrators, `streamgate revoke` with their key)."""

    code, title = "stream.revoked", "Playback was taken back"


class RevocationUnknown(NotFound):
    """Unknown, past, or somebody else's to lift: the same answer."""

    code, title = "stream.revocation_unknown", "Nothing is revoked under this id"


@attrs.frozen(kw_only=True)
class RenditionState:
    """`progress` 0 to 1; `bitrate_bps` measured from the bytes once whole. `frames`: made and kept, told by whole
    segments (of sound: AAC frames of 1,024 samples). `policy`: `lazy` ones are made when somebody asks for them, and
    count for nothing in how far the whole is."""

    id: str
    name: str
    kind: Literal["video", "audio"]
    width_px: int
    height_px: int
    codec: str
    bitrate_bps: int
    status: RenditionStatus
    progress: float
    frames: int = 0
    frames_planned: int = 0
    policy: Literal["eager", "lazy"] = "eager"


@attrs.frozen(kw_only=True)
class MediaQuery:
    """`playing`: the version that plays, where one does; otherwise the newest, which may be in the making or failed."""

    content_id: str
    playing: bool = False


@attrs.frozen(kw_only=True)
class MediaState:
    """The newest media version of a content. `root_id` is the task that makes it (empty: none yet)."""

    content_id: str
    media_version: int
    state: MediaStage
    playable: bool
    duration_s: float
    root_id: str
    renditions: tuple[RenditionState, ...] = ()
    warnings: tuple[str, ...] = ()
    error_code: str = ""
    error_detail: str = ""


@attrs.frozen(kw_only=True)
class Transcode:
    """Makes the media of a content's newest source (again). The caller has checked that `actor` may. `policy`: which
    rungs are made in advance; empty: as streaming's configuration and the profile say."""

    content_id: str
    actor: Actor
    profile: str = "web"
    policy: Literal["", "eager", "lazy"] = ""
    priority: int = 5


@attrs.frozen(kw_only=True)
class TranscodeStarted:
    """`is_new`: false where such a task was under way already."""

    task_id: str
    is_new: bool = True


@attrs.frozen(kw_only=True)
class TaskQuery:
    task_id: str


@attrs.frozen(kw_only=True)
class RetryRendition:
    """`task_id`: of the version it is of. The caller has checked that `actor` may."""

    task_id: str
    rendition_id: str
    actor: Actor


@attrs.frozen(kw_only=True)
class StatsQuery:
    content_id: str


@attrs.frozen(kw_only=True)
class ContentStats:
    """`sessions_active`: playback sessions in use now; `viewers_active`: the signed-in people among them."""

    content_id: str
    sessions_active: int
    viewers_active: int


class Streaming(Protocol):
    @method(idempotent=True)
    async def media(self, query: MediaQuery) -> MediaState:
        """State `none` for a content without media."""

    @method(idempotent=True)
    async def media_of_task(self, query: TaskQuery) -> MediaState:
        """The media a root job makes. Raises JobNotFound."""

    @method(timeout_s=3, idempotent=True)
    async def stats(self, query: StatsQuery) -> ContentStats:
        """Zeros for a content that nobody plays, or that there is not."""

    @method()
    async def transcode(self, wanted: Transcode) -> TranscodeStarted:
        """Raises NotPlayable when there is no source yet."""

    @method()
    async def retry(self, wanted: RetryRendition) -> None:
        """Has what is missing of one rendition made again, and nothing of the others. A lazy one is listed again.

        Raises:
            JobNotFound, RenditionUnknown, RenditionNotFailed.
            VersionFailed: with it failed everything, and was taken back.
        """


STREAMING = ServiceRef("streaming", Streaming)
