"""The texts people give a content: what is taken, how it is tidied, and what is refused.

What hides something (`sdk.texts`) is refused: titles go into playlists, manifests, headers and pages of others.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable

import attrs

from streamgate.errors import FieldError, Invalid
from streamgate.sdk.texts import LINE_BREAKING, hidden_in

TITLE_MAX_CHARS = 200
DESCRIPTION_MAX_CHARS = 10_000
TAG_MAX_CHARS = 50
TAGS_MAX = 32
CATEGORY_MAX_CHARS = 50


@attrs.frozen(kw_only=True)
class Texts:
    """Tidied texts; None where none was given."""

    title: str | None = None
    description: str | None = None
    tags: tuple[str, ...] | None = None
    category: str | None = None


def tidy_texts(
    *,
    title: str | None = None,
    description: str | None = None,
    tags: Iterable[str] | None = None,
    category: str | None = None,
) -> Texts:
    """The texts in NFC, trimmed; tags without repetitions (compared without case), first spelling kept.

    Raises:
        Invalid: with one entry for each field that is wrong.
    """
    faults: list[FieldError] = []
    found = Texts(
        title=None if title is None else _line(title, "title", TITLE_MAX_CHARS, faults, needed=True),
        description=None if description is None else _prose(description, faults),
        tags=None if tags is None else _tags(tags, faults),
        category=None if category is None else _line(category, "category", CATEGORY_MAX_CHARS, faults),
    )
    if faults:
        raise Invalid("The texts of the content are not valid", errors=tuple(faults))
    return found


def _line(text: str, field: str, max_chars: int, faults: list[FieldError], *, needed: bool = False) -> str:
    tidy = unicodedata.normalize("NFC", text.strip(" "))
    if needed and not tidy.strip():
        faults.append(FieldError(field, "must not be empty"))
    if len(tidy) > max_chars:
        faults.append(FieldError(field, f"must have at most {max_chars} characters, has {len(tidy)}"))
    if said := hidden_in(tidy):
        faults.append(FieldError(field, said))
    return tidy


def _prose(text: str, faults: list[FieldError]) -> str:
    tidy = unicodedata.normalize("NFC", text.replace("\r\n", "\n").strip())
    if len(tidy) > DESCRIPTION_MAX_CHARS:
        faults.append(
            FieldError("description", f"must have at most {DESCRIPTION_MAX_CHARS} characters, has {len(tidy)}")
        )
    if said := hidden_in(tidy, LINE_BREAKING):
        faults.append(FieldError("description", said))
    return tidy


def _tags(tags: Iterable[str], faults: list[FieldError]) -> tuple[str, ...]:
    kept: dict[str, str] = {}
    for index, tag in enumerate(tags):
        tidy = _line(tag, f"tags[{index}]", TAG_MAX_CHARS, faults, needed=True)
        kept.setdefault(tidy.casefold(), tidy)
    if len(kept) > TAGS_MAX:
        faults.append(FieldError("tags", f"must be at most {TAGS_MAX}, are {len(kept)}"))
    return tuple(kept.values())


def search_text(title: str, description: str, tags: Iterable[str]) -> str:
    """Everything a person would type, without case: for signs that make no word."""
    return "\n".join((title, description, *tags)).casefold()


def search_words(q: str) -> tuple[str, ...]:
    """The pieces of a query that makes no words (`%`, `…`), each of which must occur; at most 16 of them."""
    return tuple(dict.fromkeys(unicodedata.normalize("NFC", q).casefold().split()))[:16]
