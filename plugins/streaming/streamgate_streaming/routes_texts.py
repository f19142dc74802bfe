"""The typed routes of captions and chapters: a creator's own, and the list of what there is."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Literal, TypeVar

import attrs
from starlette.requests import Request

from streamgate.context import Actor
from streamgate.contracts.metadata import AccessQuery, ContentNotFound, Metadata
from streamgate.contracts.streaming import CaptionsInvalid, CaptionsUnknown, ChaptersInvalid, TooManyCaptions
from streamgate.errors import Forbidden, Invalid, TooLarge
from streamgate.sdk.languages import language_tag, name_of
from streamgate.sdk.playlists.captions import caption_name
from streamgate.sdk.texts import is_name, is_one_line
from streamgate.sdk.timedtext import chapters, reading, webvtt
from streamgate.sdk.timedtext.chapters import MAX_CHAPTERS, MAX_TITLE_CHARS
from streamgate.sdk.timedtext.cues import MAX_GIVEN_BYTES, MAX_KEPT_BYTES, MAX_TIME_MS, Cue, TextInvalid
from streamgate.settings import Matches
from streamgate.web.routes import PUBLIC, Call, Route, owner

from .own_texts import OwnTexts
from .text_repository import CHAPTERS, KeptText, NewText

CAPTIONS_PATH = "/api/v1/stream/captions/{content_id}"
CHAPTERS_PATH = "/api/v1/stream/chapters/{content_id}"
_CAPTIONS = ("text/vtt", "application/x-subrip", "text/x-ssa", "text/plain", "application/octet-stream")
_CONTENT_ID = Matches(r"[A-Za-z0-9_-]{1,40}", "must be the id of a content: 1 to 40 letters, digits, - and _")
_CHARSET = {"Content-Type": "Its charset, where the file is neither UTF-8 nor begins with a byte order mark."}
_MAX_LABEL_CHARS = 64
_SHORT: Any = attrs.validators.max_len(MAX_TITLE_CHARS)  # attrs' validators are untyped
_WITHIN: Any = [attrs.validators.ge(0), attrs.validators.le(MAX_TIME_MS / 1000)]
T = TypeVar("T")


def _is_tag(_: object, __: object, value: str) -> None:
    language_tag(value)


def _is_label(_: object, __: object, value: str) -> None:
    is_one_line(_, __, value)
    if len(value) > _MAX_LABEL_CHARS:
        raise ValueError(f"must have at most {_MAX_LABEL_CHARS} characters")


@attrs.frozen(kw_only=True)
class TextsPath:
    content_id: str = attrs.field(validator=_CONTENT_ID)


@attrs.frozen(kw_only=True)
class CaptionPath(TextsPath):
    """`language`: BCP-47 (`en`, `pt-BR`). `kind`: `captions` tell of sounds too, for who does not hear them."""

    language: str = attrs.field(validator=_is_tag)
    kind: Literal["subtitles", "captions"] = "subtitles"


@attrs.frozen(kw_only=True)
class GivenPath(CaptionPath):
    """`label`: how players list it; empty: the language's own name. `default`: shown unless a viewer says otherwise."""

    label: str = attrs.field(default="", validator=_is_label)
    default: bool = False


@attrs.frozen(kw_only=True)
class CaptionAnswer:
    """`source`: `own`, or `file` where it was found in the film. `size_bytes`: as it is kept, in WebVTT."""

    language: str
    kind: str
    label: str
    default: bool
    source: str
    cues: int
    size_bytes: int


@attrs.frozen(kw_only=True)
class GivenAnswer(CaptionAnswer):
    """`format`, `charset`: as what the file was read."""

    format: str
    charset: str


@attrs.frozen(kw_only=True)
class TextsAnswer:
    """`chapters`: how many there are."""

    captions: tuple[CaptionAnswer, ...]
    chapters: int


@attrs.frozen(kw_only=True)
class NewChapter:
    """`end_s`: of the last chapter alone; each other one ends where the next begins."""

    start_s: float = attrs.field(validator=_WITHIN)
    title: str = attrs.field(validator=[is_name, _SHORT])
    end_s: float | None = attrs.field(default=None, validator=attrs.validators.optional(_WITHIN))


@attrs.frozen(kw_only=True)
class ChaptersBody:
    chapters: tuple[NewChapter, ...] = attrs.field(
        validator=[attrs.validators.min_len(1), attrs.validators.max_len(MAX_CHAPTERS)]
    )


@attrs.frozen(kw_only=True)
class ChaptersAnswer:
    chapters: int


class TextRoutes:
    def __init__(self, metadata: Metadata, own: OwnTexts) -> None:
        self._metadata = metadata
        self._own = own

    def routes(self) -> list[Route]:
        limits = f"At most {MAX_GIVEN_BYTES >> 20} MiB; UTF-8, UTF-16, or the charset of the Content-Type."
        return [
            Route(
                "GET",
                CAPTIONS_PATH,
                self.listed,
                policy=PUBLIC,
                query=TextsPath,
                answer=TextsAnswer,
                summary="The captions of a content",
                description="For all who may see that the content exists. The words are for those who may watch: their "
                "URLs are in the answer that opens a playback session.",
                errors=(ContentNotFound,),
            ),
            Route(
                "PUT",
                CAPTIONS_PATH + "/{language}",
                self.give,
                policy=owner("content_id"),
                guard=self._guard,
                audited="refused",
                query=GivenPath,
                raw_body=True,
                accepts=_CAPTIONS,
                headers_doc=_CHARSET,
                answer=GivenAnswer,
                timeout_s=60.0,
                summary="Give a content captions",
                description=f"WebVTT, SubRip or ASS, told apart by their beginnings. {limits} It is written anew as "
                "WebVTT, without styles and scripts, and takes the place of what there is in this language and kind.",
                errors=(ContentNotFound, Forbidden, CaptionsInvalid, TooManyCaptions, TooLarge),
            ),
            Route(
                "DELETE",
                CAPTIONS_PATH + "/{language}",
                self.take_back,
                policy=owner("content_id"),
                guard=self._guard,
                audited="refused",
                query=CaptionPath,
                summary="Take captions back",
                description="Those of one's own, and what was found in the film is shown again; where there are none, "
                "those found in the film.",
                errors=(ContentNotFound, Forbidden, CaptionsUnknown),
            ),
            Route(
                "PUT",
                CHAPTERS_PATH + ".vtt",
                self.give_file_of_chapters,
                policy=owner("content_id"),
                guard=self._guard,
                audited="refused",
                query=TextsPath,
                raw_body=True,
                accepts=("text/vtt",),
                headers_doc=_CHARSET,
                answer=ChaptersAnswer,
                timeout_s=60.0,
                summary="Give a content chapters, as WebVTT",
                description=f"Its cues are the titles. {limits}",
                errors=(ContentNotFound, Forbidden, ChaptersInvalid, TooLarge),
            ),
            Route(
                "PUT",
                CHAPTERS_PATH,
                self.give_chapters,
                policy=owner("content_id"),
                guard=self._guard,
                audited="refused",
                query=TextsPath,
                body=ChaptersBody,
                answer=ChaptersAnswer,
                summary="Give a content chapters",
                description="Where they begin, and their titles. They take the place of those found in the film.",
                errors=(ContentNotFound, Forbidden, ChaptersInvalid),
            ),
            Route(
                "DELETE",
                CHAPTERS_PATH,
                self.take_chapters_back,
                policy=owner("content_id"),
                guard=self._guard,
                audited="refused",
                query=TextsPath,
                summary="Take one's own chapters back",
                description="Those found in the film, if any, are shown again.",
                errors=(ContentNotFound, Forbidden, CaptionsUnknown),
            ),
        ]

    async def _guard(self, actor: Actor, said: Mapping[str, str]) -> None:
        await self._metadata.get(AccessQuery(content_id=said["content_id"], actor=actor, want="change"))

    async def listed(self, call: Call[None, TextsPath]) -> TextsAnswer:
        content_id = call.query.content_id
        await self._metadata.get(AccessQuery(content_id=content_id, actor=call.actor, want="see"))
        found = await self._own.all(content_id)
        return TextsAnswer(
            captions=tuple(CaptionAnswer(**_told(each)) for each in found if each.name != CHAPTERS),
            chapters=sum(each.cues for each in found if each.name == CHAPTERS),
        )

    async def give(self, call: Call[None, GivenPath]) -> GivenAnswer:
        asked, language = call.query, language_tag(call.query.language)
        read = partial(reading.read, charset=_charset(call.request))
        given = await _read(call.request, read, CaptionsInvalid)
        text = NewText(
            name=caption_name(language, asked.kind),
            kind=asked.kind,
            language=language,
            label=" ".join(asked.label.split()) or name_of(language),
            is_default=asked.default,
            cues=len(given.cues),
            text=_written(given.cues, CaptionsInvalid),
        )
        kept = await self._keep(call.query.content_id, call.actor, text)
        return GivenAnswer(**_told(kept), format=given.format, charset=given.charset)

    async def take_back(self, call: Call[None, CaptionPath]) -> None:
        name = caption_name(language_tag(call.query.language), call.query.kind)
        await self._own.take_back(call.query.content_id, name)

    async def give_chapters(self, call: Call[ChaptersBody, TextsPath]) -> ChaptersAnswer:
        try:
            given = chapters.in_order([_chapter(each) for each in call.body.chapters])
        except TextInvalid as error:
            raise ChaptersInvalid(str(error)) from error
        return await self._keep_chapters(call.query.content_id, call.actor, given)

    async def give_file_of_chapters(self, call: Call[None, TextsPath]) -> ChaptersAnswer:
        given = await _read(call.request, partial(chapters.read, charset=_charset(call.request)), ChaptersInvalid)
        return await self._keep_chapters(call.query.content_id, call.actor, given)

    async def _keep_chapters(
        self, content_id: str, actor: Actor, given: tuple[chapters.Chapter, ...]
    ) -> ChaptersAnswer:
        text = NewText(
            name=CHAPTERS,
            kind="chapters",
            language="",
            label="",
            is_default=False,
            cues=len(given),
            text=_written(chapters.cues_of(given), ChaptersInvalid),
        )
        await self._keep(content_id, actor, text)
        return ChaptersAnswer(chapters=len(given))

    async def take_chapters_back(self, call: Call[None, TextsPath]) -> None:
        await self._own.take_back(call.query.content_id, CHAPTERS)

    async def _keep(self, content_id: str, actor: Actor, text: NewText) -> KeptText:
        content = await self._metadata.get(AccessQuery(content_id=content_id, actor=actor, want="change"))
        return await self._own.give(content_id, content.owner, text)


def _chapter(given: NewChapter) -> chapters.Chapter:
    start_ms = round(given.start_s * 1000)
    end_ms = start_ms if given.end_s is None else max(start_ms, round(given.end_s * 1000))
    return chapters.Chapter(start_ms, end_ms, " ".join(given.title.split()))


async def _read(request: Request, read: Callable[[bytes], T], fault: type[Invalid]) -> T:
    data = bytearray()
    async for piece in request.stream():
        data += piece
        if len(data) > MAX_GIVEN_BYTES:
            raise TooLarge(f"a file of captions or chapters has at most {MAX_GIVEN_BYTES} bytes")
    try:
        return await asyncio.to_thread(read, bytes(data))
    except TextInvalid as error:
        raise fault(str(error), extra={"line": error.line} if error.line else None) from error


def _charset(request: Request) -> str:
    for part in request.headers.get("content-type", "").split(";")[1:]:
        name, _, value = part.partition("=")
        if name.strip().lower() == "charset":
            return value.strip().strip('"')
    return ""


def _written(cues: tuple[Cue, ...], fault: type[Invalid]) -> str:
    text = webvtt.render(cues)
    if len(text.encode()) > MAX_KEPT_BYTES:
        raise fault(f"as WebVTT it has more than {MAX_KEPT_BYTES} bytes")
    return text


def _told(kept: KeptText) -> dict[str, Any]:
    return {
        "language": kept.language,
        "kind": kept.kind,
        "label": kept.label,
        "default": kept.is_default,
        "source": "own" if kept.is_own else "file",
        "cues": kept.cues,
        "size_bytes": kept.size_bytes,
    }
