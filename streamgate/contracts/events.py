"""Every event, in one place: what happened, past tense, versioned.

`subject_id` is what it is about, `revision` the producer's row counter: a consumer ignores a lower revision
than it has seen of the same subject. Consumers are idempotent by event id.
"""

from __future__ import annotations

from typing import Any, Literal

import attrs

from streamgate.contracts.metadata import Protection
from streamgate.events import EventType


@attrs.frozen(kw_only=True)
class UploadFinished:
    """The bytes of a source are whole and in the blob store (upload). `subject_id`: the content."""

    subject_id: str
    revision: int
    upload_id: str
    content_id: str
    owner: str
    filename: str
    source_key: str
    size_bytes: int


@attrs.frozen(kw_only=True)
class UploadFailed:
    """A source that will not come, or is taken back (upload): digest mismatch, abort, expiry."""

    subject_id: str
    revision: int
    upload_id: str
    content_id: str
    code: str
    detail: str


@attrs.frozen(kw_only=True)
class JobsRequested:
    """Work to queue (any service, by its outbox): worker enqueues these; the event id makes it once only."""

    subject_id: str
    revision: int
    jobs: tuple[dict[str, Any], ...]  # each a plain `contracts.jobs.NewJob`


@attrs.frozen(kw_only=True)
class JobFinished:
    """A job reached its end (worker). `subject_id`: the job's subject (content). `result` is the kind's own.
    `revision` counts the changes of this one job: compare it with others of the same `job_id` only."""

    subject_id: str
    revision: int
    job_id: str
    root_id: str
    kind: str
    status: Literal["done", "failed", "dead", "cancelled"]
    result: dict[str, Any] | None = None
    error_code: str = ""
    error_detail: str = ""


@attrs.frozen(kw_only=True)
class JobCheckpoint:
    """A job has a partial result (worker). `revision` as in `JobFinished`."""

    subject_id: str
    revision: int
    job_id: str
    root_id: str
    kind: str
    result: dict[str, Any]


@attrs.frozen(kw_only=True)
class MediaPlanned:
    """A plan exists (streaming). `subject_id`: the content."""

    subject_id: str
    revision: int
    media_version: int
    duration_s: float
    kind: Literal["video", "audio"]


@attrs.frozen(kw_only=True)
class MediaPlayable:
    """Something can be watched (streaming)."""

    subject_id: str
    revision: int
    media_version: int
    duration_s: float
    kind: Literal["video", "audio"]


@attrs.frozen(kw_only=True)
class RenditionReady:
    subject_id: str
    revision: int
    media_version: int
    rendition_id: str


@attrs.frozen(kw_only=True)
class MediaReady:
    """All eager renditions of a media version are whole (streaming)."""

    subject_id: str
    revision: int
    media_version: int
    duration_s: float
    kind: Literal["video", "audio"]
    warnings: tuple[str, ...] = ()


@attrs.frozen(kw_only=True)
class MediaFailed:
    """Nothing of this version can be played (streaming)."""

    subject_id: str
    revision: int
    media_version: int
    code: str
    detail: str


@attrs.frozen(kw_only=True)
class PicturesChanged:
    """What there is to show of a content before it plays, and on its seek bar (streaming). `has_poster`: the newest
    that plays has one, or the creator gave it one; `has_moving_poster`: that one moves, too. `media_version`: whose
    pictures were made; 0: the creator's own. `revision` is the content's, as in the events of its media."""

    subject_id: str
    revision: int
    media_version: int
    has_poster: bool
    has_moving_poster: bool = False


@attrs.frozen(kw_only=True)
class TextsChanged:
    """Captions or chapters of a content are others now (streaming). `media_version`: whose were made; 0: the creator's
    own. `revision` is the content's, as in the events of its media."""

    subject_id: str
    revision: int
    media_version: int


@attrs.frozen(kw_only=True)
class ContentDeleted:
    """Nothing of it may be served any more (metadata)."""

    subject_id: str
    revision: int
    owner: str


@attrs.frozen(kw_only=True)
class ProtectionChanged:
    """Its owner has a content encrypted, or encrypted no more (metadata). `revision` is the content's."""

    subject_id: str
    revision: int
    protection: Protection


@attrs.frozen(kw_only=True)
class GateChanged:
    """The stored rule of a content changed (auth): running sessions are decided again."""

    subject_id: str
    revision: int
    has_gate: bool


@attrs.frozen(kw_only=True)
class SessionEndedEvent:
    """A playback session is over (streaming, to every replica)."""

    subject_id: str  # session id
    revision: int
    content_id: str
    reason: str


@attrs.frozen(kw_only=True)
class SignInEnded:
    """A sign-in or an API key is over (auth), by log-out, revocation, or a refresh token that came twice: what was
    opened with it ends. `subject_id`: the credential, as in `Actor.credential`; it ends once, so `revision` is 1."""

    subject_id: str
    revision: int
    user_id: str
    reason: Literal["logged_out", "revoked", "refresh_reused", "replaced"]


@attrs.frozen(kw_only=True)
class PeopleChanged:
    """What auth itself knows of people is different now (auth): a wallet was linked, unlinked or is in doubt, or an
    invitation that they redeemed was revoked. Whatever they play is decided again.

    Args:
        subject_id: whose wallets, or which invitation.
        revision: when, milliseconds since 1970: it tells nothing of what is so now.
        user_ids: at most 200 an event.
    """

    subject_id: str
    revision: int
    user_ids: tuple[str, ...]


@attrs.frozen(kw_only=True)
class TokenTransferred:
    """Tokens of a contract that gates name moved (auth's watcher): whoever's decision rests on them is decided again.

    Args:
        subject_id: `<caip2>/<contract, lower case>`, as in `Decision.leaf_keys`.
        revision: counts what the watcher has told of this contract; it grows through reorganisations, too.
        user_ids: the people whose wallets gave or got them (at most 200 an event); never wallets of strangers.
        block_number: an answer must have seen this block at least.
    """

    subject_id: str
    revision: int
    chain: str
    contract: str
    user_ids: tuple[str, ...]
    block_number: int


UPLOAD_FINISHED = EventType("upload.finished", UploadFinished)
UPLOAD_FAILED = EventType("upload.failed", UploadFailed)
JOBS_REQUESTED = EventType("jobs.requested", JobsRequested)
JOB_FINISHED = EventType("job.finished", JobFinished)
JOB_CHECKPOINT = EventType("job.checkpoint", JobCheckpoint)
MEDIA_PLANNED = EventType("media.planned", MediaPlanned)
MEDIA_PLAYABLE = EventType("media.playable", MediaPlayable)
RENDITION_READY = EventType("rendition.ready", RenditionReady)
MEDIA_READY = EventType("media.ready", MediaReady)
MEDIA_FAILED = EventType("media.failed", MediaFailed)
PICTURES_CHANGED = EventType("pictures.changed", PicturesChanged)
TEXTS_CHANGED = EventType("texts.changed", TextsChanged)
CONTENT_DELETED = EventType("content.deleted", ContentDeleted)
PROTECTION_CHANGED = EventType("protection.changed", ProtectionChanged)
GATE_CHANGED = EventType("gate.changed", GateChanged)
SESSION_ENDED = EventType("session.ended", SessionEndedEvent)
AUTH_SESSION_ENDED = EventType("auth.session_ended", SignInEnded)
PEOPLE_CHANGED = EventType("people.changed", PeopleChanged)
TOKEN_TRANSFERRED = EventType("token.transferred", TokenTransferred)
