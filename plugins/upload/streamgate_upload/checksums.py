"""tus' Upload-Checksum: what the bytes of one request must hash to."""

from __future__ import annotations

import base64
import binascii
import hashlib

import attrs

from streamgate.errors import BadRequest

ALGORITHMS = ("sha1", "sha256", "sha512")


@attrs.frozen
class Checksum:
    """`algorithm` is one of ALGORITHMS, as hashlib names them too."""

    algorithm: str
    digest: bytes


def parse_checksum(header: str | None) -> Checksum | None:
    """`sha1 Kq5sNclPz7QV2+lfQIuc6R7oRu0=`; None where none was sent.

    Raises:
        BadRequest: it cannot be read, or the algorithm is none of ours.
    """
    if header is None:
        return None
    algorithm, _, text = header.strip().partition(" ")
    if algorithm not in ALGORITHMS:
        raise BadRequest(f"Upload-Checksum is taken with {', '.join(ALGORITHMS)}, not with {algorithm[:40]!r}")
    try:
        digest = base64.b64decode(text.strip(), validate=True)
    except (binascii.Error, ValueError) as fault:
        raise BadRequest("Upload-Checksum must have the checksum in base64") from fault
    wanted_bytes = hashlib.new(algorithm, usedforsecurity=False).digest_size
    if len(digest) != wanted_bytes:
        raise BadRequest(f"Upload-Checksum: {algorithm} has {wanted_bytes} bytes, not {len(digest)}")
    return Checksum(algorithm, digest)
