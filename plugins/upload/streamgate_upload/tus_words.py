"""What tus requests and answers say in their headers."""

from __future__ import annotations

import base64
import binascii
import re
from email.utils import formatdate
from urllib.parse import urlsplit

import attrs
from starlette.requests import Request

from streamgate.contracts.uploads import TusVersionUnknown
from streamgate.errors import BadRequest, FieldError, Invalid, UnsupportedMediaType
from streamgate_upload.checksums import ALGORITHMS
from streamgate_upload.names import is_content_type
from streamgate_upload.repository import Upload
from streamgate_upload.service import NewUpload

VERSION = "1.0.0"
EXTENSIONS = (
    "creation",
    "creation-with-upload",
    "creation-defer-length",
    "checksum",
    "expiration",
    "termination",
    "concatenation",
)
BYTES_TYPE = "application/offset+octet-stream"
METADATA_MAX_CHARS = 8192
PARTIALS_MAX = 1000

_NUMBER = re.compile(r"[0-9]{1,18}")
_ID = re.compile(r"[A-Za-z0-9_]{1,40}")


@attrs.frozen
class Concat:
    """An Upload-Concat header: `partial_ids` of a final upload, in order; none of a partial one."""

    text: str
    partial_ids: tuple[str, ...] = ()


def spoken(max_size_bytes: int) -> dict[str, str]:
    """The answer to OPTIONS."""
    return {
        "Tus-Version": VERSION,
        "Tus-Extension": ",".join(EXTENSIONS),
        "Tus-Max-Size": str(max_size_bytes),
        "Tus-Checksum-Algorithm": ",".join(ALGORITHMS),
    }


def check_version(request: Request) -> None:
    """Raises TusVersionUnknown."""
    if request.headers.get("tus-resumable") != VERSION:
        raise TusVersionUnknown(f"Send `Tus-Resumable: {VERSION}`")


def check_is_bytes(request: Request) -> None:
    """Raises UnsupportedMediaType."""
    if request.headers.get("content-type", "") != BYTES_TYPE:
        raise UnsupportedMediaType(f"Bytes are sent as {BYTES_TYPE}")


def read_offset(request: Request) -> int:
    """Raises BadRequest."""
    offset = request.headers.get("upload-offset", "")
    if not _NUMBER.fullmatch(offset):
        raise BadRequest("Upload-Offset must say where the bytes begin")
    return int(offset)


def read_length(request: Request) -> int | None:
    """The size of the whole file; None where it is not told.

    Raises:
        BadRequest: it cannot be read.
    """
    length = request.headers.get("upload-length")
    if length is None:
        return None
    if not _NUMBER.fullmatch(length):
        raise BadRequest("Upload-Length must be the size of the file in bytes")
    return int(length)


def read_new_length(request: Request) -> int:
    """Of an upload that begins; 0 where it will be told later.

    Raises:
        BadRequest: neither its size is told, nor that it will be; or both.
        Invalid: it is empty.
    """
    deferred, length = request.headers.get("upload-defer-length"), read_length(request)
    if deferred not in (None, "1"):
        raise BadRequest("Upload-Defer-Length is 1, where it is sent")
    if (deferred is None) == (length is None):
        raise BadRequest("Send either Upload-Length, or Upload-Defer-Length: 1 where the size is told later")
    if length == 0:
        raise Invalid("An empty file is no upload", errors=(FieldError("Upload-Length", "must be at least 1"),))
    return length or 0


def read_concat(request: Request, prefix: str) -> Concat | None:
    """`partial`, or `final;` and the addresses of partial ones, with or without their host; None where none was sent.

    Raises:
        BadRequest: it cannot be read, or names one twice.
    """
    header = request.headers.get("upload-concat")
    if header is None or header.strip() == "partial":
        return None if header is None else Concat("partial")
    kind, _, addresses = header.partition(";")
    paths = [urlsplit(address).path.rpartition("/") for address in addresses.split()]
    ids = tuple(last for folder, _, last in paths if folder == prefix and _ID.fullmatch(last))
    if kind.strip() != "final" or not paths or len(ids) < len(paths) or not header.isascii():
        raise BadRequest(f"Upload-Concat is `partial`, or `final;` and the addresses below {prefix} to be put together")
    if len(set(ids)) < len(ids) or len(ids) > PARTIALS_MAX:
        raise BadRequest(f"Upload-Concat names each partial upload once, and at most {PARTIALS_MAX} of them")
    return Concat(header, ids)


def state_of(upload: Upload) -> dict[str, str]:
    """Where an upload stands, and how long it is waited for; nothing of a final one that is being made."""
    if upload.form == "final" and upload.status == "receiving":
        return {}
    said = {"Upload-Offset": str(upload.received_bytes)}
    if upload.status == "receiving":
        said["Upload-Expires"] = formatdate(upload.expires_at_ms / 1000, usegmt=True)
    return said


def all_of(upload: Upload) -> dict[str, str]:
    """What HEAD tells."""
    said = state_of(upload)
    if upload.size_bytes:
        said["Upload-Length"] = str(upload.size_bytes)
    else:
        said["Upload-Defer-Length"] = "1"
    if upload.told_metadata:
        said["Upload-Metadata"] = upload.told_metadata
    if upload.told_concat:
        said["Upload-Concat"] = upload.told_concat
    return {**said, "Cache-Control": "no-store"}


def read_new(request: Request, size_bytes: int) -> NewUpload:
    """What is to be opened. Raises Invalid: Upload-Metadata cannot be read."""
    header = request.headers.get("upload-metadata", "")
    told = parse_metadata(header)
    filetype = told.get("filetype", "")
    new = NewUpload(
        filename=told.get("filename", told.get("name", "")),
        size_bytes=size_bytes,
        content_type=filetype if is_content_type(filetype) else "",
        content_id=told.get("content_id") or None,
        told_metadata=header,
    )
    return new if "title" not in told else attrs.evolve(new, title=told["title"])


def parse_metadata(header: str) -> dict[str, str]:
    """`filename Y2xpcC5tcDQ=,is_draft` as texts by key; a key alone has the empty text.

    Raises:
        Invalid: something of it cannot be read.
    """
    told: dict[str, str] = {}
    if len(header) > METADATA_MAX_CHARS:
        raise _unreadable(f"has more than {METADATA_MAX_CHARS} characters")
    if not (header.isascii() and header.isprintable()):
        raise _unreadable("has characters other than printable ASCII")
    for pair in header.split(",") if header.strip() else ():
        key, _, value = pair.strip().partition(" ")
        if not key or key in told:
            raise _unreadable("has a key twice, or none")
        try:
            told[key] = base64.b64decode(value.strip(), validate=True).decode()
        except (binascii.Error, ValueError) as fault:
            raise _unreadable(f"has a value for {key[:40]!r} that is not base64 of UTF-8") from fault
        if "\0" in told[key]:
            raise _unreadable("must not contain U+0000")
    return told


def _unreadable(message: str) -> Invalid:
    return Invalid("Upload-Metadata cannot be read", errors=(FieldError("Upload-Metadata", message),))
