"""Metadata owns contents: the row, its state, the catalogue and its search."""

from __future__ import annotations

from typing import Any, Literal, Protocol

import attrs

from streamgate.context import Actor
from streamgate.errors import Conflict, NotFound
from streamgate.services import ServiceRef, method

ContentState = Literal["draft", "uploading", "processing", "ready", "failed", "deleted"]
Visibility = Literal["unlisted", "listed"]
Protection = Literal["none", "encrypted"]
"""`encrypted`: segments are the same ciphertext for everybody, at addresses that anybody may keep; a session gives the
keys. It is no digital rights management: whoever may watch can keep what they see."""


class ContentNotFound(NotFound):
    """Unknown, deleted, or private to somebody else: the same answer."""

    code, title = "content.not_found", "No such content"


class ContentDeleted(Conflict):
    code, title = "content.deleted", "The content is deleted"


@attrs.frozen(kw_only=True)
class Content:
    """What is known of a content. Times are RFC 3339 UTC; `duration_s` is 0 until probed. `owner_address`, the owner's
    primary wallet, is for those who are signed in, and None where it cannot be had."""

    content_id: str
    owner: str  # user id
    owner_address: str | None = None
    title: str
    description: str = ""
    tags: tuple[str, ...] = ()
    category: str = ""
    kind: Literal["video", "audio"] = "video"
    state: ContentState = "draft"
    playable: bool = False
    visibility: Visibility = "unlisted"
    protection: Protection = "none"
    duration_s: float = 0.0
    media_version: int = 0
    poster_url: str | None = None
    moving_poster_url: str | None = None
    warnings: tuple[str, ...] = ()
    failure: str = ""  # error code when state is failed
    failure_detail: str = ""
    created_at: str = ""
    updated_at: str = ""
    published_at: str | None = None
    revision: int = 0


@attrs.frozen(kw_only=True)
class ContentDraft:
    """Text limits: title 1–200, description ≤ 10,000, 32 tags of ≤ 50, category ≤ 50."""

    title: str
    description: str = ""
    tags: tuple[str, ...] = ()
    category: str = ""
    visibility: Visibility = "unlisted"
    protection: Protection = "none"


@attrs.frozen(kw_only=True)
class NewContent(ContentDraft):
    """`actor` owns it."""

    actor: Actor


@attrs.frozen(kw_only=True)
class BeginUpload:
    """An upload into this content of the actor's own is stored: its state becomes `uploading` unless something is
    playable already."""

    actor: Actor
    content_id: str


@attrs.frozen(kw_only=True)
class ContentQuery:
    content_id: str


@attrs.frozen(kw_only=True)
class AccessQuery:
    """`want`: `see` = may know that it exists (published, gated, or one's own); `change` = owner, moderator, admin."""

    content_id: str
    actor: Actor
    want: Literal["see", "change"]


@attrs.frozen(kw_only=True)
class ContentChanges:
    """Fields left out, or null, stay as they are. Limits as in `ContentDraft`. Another `protection` ends what plays:
    players open it again."""

    title: str | None = None
    description: str | None = None
    tags: tuple[str, ...] | None = None
    category: str | None = None
    visibility: Visibility | None = None
    protection: Protection | None = None


@attrs.frozen(kw_only=True)
class ContentUpdate(ContentChanges):
    content_id: str
    actor: Actor


@attrs.frozen(kw_only=True)
class ContentDelete:
    content_id: str
    actor: Actor


@attrs.frozen(kw_only=True)
class Publish:
    """The gate's owner (auth) has set or removed a rule; `published` follows it. `revision` is the gate's, as in
    `gate.changed`, which says the same: whichever comes first counts, and an older one never wins."""

    content_id: str
    revision: int
    published: bool


@attrs.frozen(kw_only=True)
class ContentFilter:
    """Every word of `q` must occur, as a word or the beginning of one, in title, tags or description; "words in quotes"
    must follow each other. Where nothing is found, words a typing error or two away are sought instead. Any text is a
    query. Without words everything is listed.

    `sort` relevance: words of the title before beginnings there, before tags, before the description, and the newest
    first among equals; without words the newest first. `limit` 1 to 200."""

    q: str = ""
    tag: str = ""
    category: str = ""
    owner: str = ""
    state: Literal["", ContentState] = ""
    sort: Literal["relevance", "newest", "oldest", "title", "duration"] = "relevance"
    limit: int = 50
    cursor: str = ""


@attrs.frozen(kw_only=True)
class ContentSearch(ContentFilter):
    """Only what `actor` may see: listed and published, and one's own; moderators see all."""

    actor: Actor


@attrs.frozen(kw_only=True)
class Highlights:
    """HTML: the text escaped, what was sought in `<mark>`. The title is whole; of the description there is an excerpt,
    and of the tags those, that hold something sought."""

    title: str
    description: str = ""
    tags: tuple[str, ...] = ()


@attrs.frozen(kw_only=True)
class ContentPage:
    """`highlights` by `content_id`, where words were sought."""

    items: tuple[Content, ...]
    next_cursor: str | None = None
    highlights: dict[str, Highlights] = attrs.field(factory=dict)


@attrs.frozen(kw_only=True)
class Facet:
    """A category, or a tag in small letters, and how many of the contents that the caller may list have it."""

    name: str
    count: int


@attrs.frozen(kw_only=True)
class Facets:
    items: tuple[Facet, ...]


@attrs.frozen(kw_only=True)
class FacetQuery:
    """`actor`'s view, as in lists. `prefix` (of tags): how they begin. `limit` 1 to 200."""

    actor: Actor
    prefix: str = ""
    limit: int = 50


@attrs.frozen(kw_only=True)
class Facts:
    """What a gate decision needs to know of a content: that it is there, and whose it is."""

    content_id: str
    owner: str


# --- what comes from a person, and who that is ------------------------------------------------------


def new_content(draft: ContentDraft, actor: Actor) -> NewContent:
    return NewContent(actor=actor, **_values(ContentDraft, draft))


def content_update(changes: ContentChanges, content_id: str, actor: Actor) -> ContentUpdate:
    return ContentUpdate(content_id=content_id, actor=actor, **_values(ContentChanges, changes))


def content_search(wanted: ContentFilter, actor: Actor) -> ContentSearch:
    return ContentSearch(actor=actor, **_values(ContentFilter, wanted))


def _values(kind: type[attrs.AttrsInstance], value: object) -> dict[str, Any]:
    """The fields of `kind`; a body may have more of its own."""
    return {field.name: getattr(value, field.name) for field in attrs.fields(kind)}


class Metadata(Protocol):
    @method()
    async def create(self, new: NewContent) -> Content: ...

    @method(idempotent=True)
    async def begin_upload(self, wanted: BeginUpload) -> Content:
        """Called when the upload is stored and no earlier, so that there is always one whose end moves the content
        on, and whose bytes `content.deleted` removes. Raises ContentNotFound (also for somebody else's)."""

    @method(idempotent=True)
    async def get(self, query: AccessQuery) -> Content:
        """Raises ContentNotFound, or Forbidden when it may be seen but not changed."""

    @method(idempotent=True)
    async def facts(self, query: ContentQuery) -> Facts:
        """For services: no access rule. Raises ContentNotFound (also when deleted)."""

    @method()
    async def update(self, update: ContentUpdate) -> Content: ...

    @method()
    async def delete(self, wanted: ContentDelete) -> None:
        """State `deleted` at once; `content.deleted` tells the others. Deleting twice is harmless."""

    @method(idempotent=True)
    async def publish(self, wanted: Publish) -> Content: ...

    @method(idempotent=True)
    async def search(self, query: ContentSearch) -> ContentPage: ...

    @method(idempotent=True)
    async def categories(self, query: FacetQuery) -> Facets:
        """The fullest first."""

    @method(idempotent=True)
    async def tags(self, query: FacetQuery) -> Facets:
        """The fullest first."""


METADATA = ServiceRef("metadata", Metadata)
