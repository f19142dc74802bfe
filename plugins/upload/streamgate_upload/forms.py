"""multipart/form-data as a stream of parts, nothing kept: python-multipart parses, we hand the bytes on."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any, cast

import attrs
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from streamgate.errors import BadRequest, UnsupportedMediaType

PARTS_MAX = 16


@attrs.frozen
class PartBegins:
    """`filename` is None for a plain field. Header names are in lower case."""

    name: str
    filename: str | None
    headers: dict[str, str]


@attrs.frozen
class PartData:
    data: bytes


@attrs.frozen
class PartEnds:
    pass


FormEvent = PartBegins | PartData | PartEnds


def boundary_of(content_type: str) -> bytes | None:
    """The boundary of a multipart/form-data content type; None for any other type.

    Raises:
        UnsupportedMediaType: multipart/form-data without a boundary.
    """
    kind, options = parse_options_header(content_type)
    if kind != b"multipart/form-data":
        return None
    boundary = options.get(b"boundary", b"")
    if not boundary:
        raise UnsupportedMediaType("multipart/form-data needs a boundary")
    return boundary


async def read_form(body: AsyncIterator[bytes], boundary: bytes) -> AsyncGenerator[FormEvent, None]:
    """The parts of a form as they come.

    Raises:
        BadRequest: not a form, cut off, a part without a name, more than PARTS_MAX parts.
    """
    reader = _Reader()
    try:
        parser = MultipartParser(boundary, cast(Any, reader.callbacks()))  # its TypedDict exists for checkers only
        async for piece in body:
            if piece:
                parser.write(piece)
            for event in reader.take():
                yield event
        parser.finalize()
    except FormParserError as fault:
        raise BadRequest(f"The form cannot be read: {fault}") from fault
    if not reader.is_whole:
        raise BadRequest("The form ends in the middle")


class _Reader:
    """Collects what the parser calls back, as events."""

    def __init__(self) -> None:
        self._events: list[FormEvent] = []
        self._field = b""
        self._value = b""
        self._headers: dict[str, str] = {}
        self._parts = 0
        self.is_whole = False

    def callbacks(self) -> dict[str, object]:
        return {
            "on_part_begin": self._on_part_begin,
            "on_part_data": self._on_part_data,
            "on_part_end": self._on_part_end,
            "on_header_field": self._on_header_field,
            "on_header_value": self._on_header_value,
            "on_header_end": self._on_header_end,
            "on_headers_finished": self._on_headers_finished,
            "on_end": self._on_end,
        }

    def take(self) -> list[FormEvent]:
        taken, self._events = self._events, []
        return taken

    def _on_part_begin(self) -> None:
        self._headers = {}
        self._parts += 1
        if self._parts > PARTS_MAX:
            raise BadRequest(f"The form has more than {PARTS_MAX} parts")

    def _on_header_field(self, data: bytes, start: int, end: int) -> None:
        self._field += data[start:end]

    def _on_header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _on_header_end(self) -> None:
        self._headers[self._field.decode("latin-1").lower()] = self._value.decode("utf-8", "replace")
        self._field, self._value = b"", b""

    def _on_headers_finished(self) -> None:
        kind, options = parse_options_header(self._headers.get("content-disposition", "").encode())
        if kind != b"form-data" or b"name" not in options:
            raise BadRequest("A part of the form has no name")
        filename = options.get(b"filename")
        self._events.append(
            PartBegins(
                options[b"name"].decode("utf-8", "replace"),
                None if filename is None else filename.decode("utf-8", "replace"),
                self._headers,
            )
        )

    def _on_part_data(self, data: bytes, start: int, end: int) -> None:
        self._events.append(PartData(data[start:end]))

    def _on_part_end(self) -> None:
        self._events.append(PartEnds())

    def _on_end(self) -> None:
        self.is_whole = True
