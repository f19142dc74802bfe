"""multipart/form-data as a stream."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamgate.errors import BadRequest, UnsupportedMediaType
from streamgate_upload.forms import PARTS_MAX, PartBegins, PartData, PartEnds, boundary_of, read_form


def form_of(files: dict[str, bytes], fields: dict[str, str]) -> tuple[bytes, bytes]:
    request = httpx.Request(
        "POST", "http://x/", data=fields, files={name: (f"{name}.bin", data) for name, data in files.items()}
    )
    boundary = boundary_of(request.headers["content-type"])
    assert boundary is not None
    return request.read(), boundary


async def pieces(body: bytes, step: int) -> AsyncIterator[bytes]:
    for at in range(0, len(body), step):
        yield body[at : at + step]


async def parts(body: bytes, boundary: bytes, step: int) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    name = ""
    async for event in read_form(pieces(body, step), boundary):
        match event:
            case PartBegins(name=name):
                found[name] = b""
            case PartData(data=data):
                found[name] += data
            case PartEnds():
                pass
    return found


@given(st.binary(max_size=400), st.integers(1, 97))
async def test_bytes_come_out_as_they_went_in_however_they_are_cut(data: bytes, step: int) -> None:
    tricky = b"\r\n--" + data + b"\r\n"
    body, boundary = form_of({"file": tricky}, {"title": "Bücher"})
    assert await parts(body, boundary, step) == {"title": "Bücher".encode(), "file": tricky}


async def test_file_names_and_headers_are_told() -> None:
    body, boundary = form_of({"file": b"x"}, {})
    events = [event async for event in read_form(pieces(body, 1000), boundary)]
    begins = events[0]
    assert isinstance(begins, PartBegins)
    assert (begins.name, begins.filename) == ("file", "file.bin")
    assert begins.headers["content-type"] == "application/octet-stream"


@pytest.mark.parametrize("keep", [0.3, 0.9, 0.99])
async def test_a_form_that_is_cut_off_is_refused(keep: float) -> None:
    body, boundary = form_of({"file": b"x" * 300}, {"title": "t"})
    with pytest.raises(BadRequest):
        await parts(body[: int(len(body) * keep)], boundary, 64)


async def test_too_many_parts_are_refused() -> None:
    body, boundary = form_of({"file": b"x"}, {f"f{n}": "v" for n in range(PARTS_MAX)})
    with pytest.raises(BadRequest):
        await parts(body, boundary, 1000)


async def test_what_is_no_form_is_refused() -> None:
    with pytest.raises(BadRequest):
        await parts(b"\x00\x01 not a form", b"xyz", 4)


def test_content_types() -> None:
    assert boundary_of("multipart/form-data; boundary=abc") == b"abc"
    assert boundary_of("application/octet-stream") is None
    assert boundary_of("") is None
    with pytest.raises(UnsupportedMediaType):
        boundary_of("multipart/form-data")
