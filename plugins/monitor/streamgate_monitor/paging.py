"""Lists that only grow at their newest end: newest first, in a stretch of time, page after page from a row backwards.

Such a table has `seq`, which rises, and `at_ms`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Protocol, TypeVar

import attrs
from sqlalchemy import Select, Table, select

from streamgate.errors import FieldError, Invalid
from streamgate_monitor.asking import moment
from streamgate_monitor.texts import storable

_PLACE = re.compile(r"[0-9]{1,18}")


class Asked(Protocol):
    """What a question to such a list has. `since` and `until`: RFC 3339 moments. `cursor`: of the page before."""

    @property
    def since(self) -> str: ...

    @property
    def until(self) -> str: ...

    @property
    def cursor(self) -> str: ...

    @property
    def limit(self) -> int: ...


@attrs.frozen(kw_only=True)
class Window:
    """The rows of a page. `before`: only those that came before this one; 0 from the newest. 0 is no bound of time."""

    since_ms: int = 0
    until_ms: int = 0
    before: int = 0
    limit: int


class Placed(Protocol):
    @property
    def seq(self) -> int: ...


Row = TypeVar("Row", bound=Placed)


def window_of(asked: Asked) -> Window:
    """
    Raises:
        Invalid: a moment or the cursor is none.
    """
    if asked.cursor and not _PLACE.fullmatch(asked.cursor):
        raise Invalid("the cursor is not one of this list", errors=(FieldError("cursor", "is not one of this list"),))
    return Window(
        since_ms=moment("since", asked.since),
        until_ms=moment("until", asked.until),
        before=int(asked.cursor or 0),
        limit=asked.limit,
    )


def rows_in(table: Table, window: Window, **wanted: str) -> Select[Any]:
    """The rows of that window whose columns are as `wanted`; no text asks for nothing. One more than its limit, by
    which `page_of` knows that the list goes on."""
    query = select(table).order_by(table.c.seq.desc()).limit(window.limit + 1)
    for name, text in wanted.items():
        if text:
            query = query.where(table.c[name] == storable(text))
    if window.since_ms:
        query = query.where(table.c.at_ms >= window.since_ms)
    if window.until_ms:
        query = query.where(table.c.at_ms < window.until_ms)
    if window.before:
        query = query.where(table.c.seq < window.before)
    return query


def page_of(found: Sequence[Row], limit: int) -> tuple[Sequence[Row], str | None]:
    """What is shown of the rows found, and the cursor of the next page where there is one."""
    shown = found[:limit]
    return shown, str(shown[-1].seq) if len(found) > limit else None
