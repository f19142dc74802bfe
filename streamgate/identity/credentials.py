"""What a role shows (its certificate) and what it keeps to itself (its keys), as they lie in its file."""

from __future__ import annotations

import base64
import os
from pathlib import Path
from typing import Any

import attrs
import orjson
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from streamgate.identity.grants import Grants
from streamgate.wire import from_plain, to_plain

SIGNATURE_BYTES = 64
_CERTIFICATE_LABEL = b"streamgate certificate 1\0"


class IdentityFault(Exception):
    """An identity cannot be used; the message says which file and what to do."""


@attrs.frozen(kw_only=True)
class Certificate:
    """The installation's word that whoever holds the private half of `public_key` has this role.

    `issuer` names the identity key that signed it. Times are Unix seconds.
    """

    role: str
    issuer: str
    public_key: str  # Ed25519, base64
    not_before_s: int
    not_after_s: int
    grants: Grants

    def is_valid_at(self, at_s: float) -> bool:
        return self.not_before_s <= at_s < self.not_after_s


def sign_certificate(certificate: Certificate, issuer: Ed25519PrivateKey) -> bytes:
    """The certificate as it travels: JSON ‖ signature, 64 bytes."""
    body = orjson.dumps(to_plain(certificate))
    return body + issuer.sign(_CERTIFICATE_LABEL + body)


def open_certificate(raw: bytes, trusted: dict[str, Ed25519PublicKey]) -> Certificate:
    """Whatever its dates.

    Raises:
        IdentityFault: it is none, or no identity key that we trust has signed it.
    """
    body, signature = raw[:-SIGNATURE_BYTES], raw[-SIGNATURE_BYTES:]
    try:
        certificate = from_plain(Certificate, orjson.loads(body))
    except Exception as fault:  # cattrs and orjson raise many kinds
        raise IdentityFault("the certificate cannot be read") from fault
    issuer = trusted.get(certificate.issuer)
    if issuer is None:
        raise IdentityFault(f"the certificate of {certificate.role} is from an identity key that is not trusted here")
    try:
        issuer.verify(signature, _CERTIFICATE_LABEL + body)
    except InvalidSignature as fault:
        raise IdentityFault(f"the certificate of {certificate.role} was not signed by its issuer") from fault
    return certificate


@attrs.frozen(kw_only=True, repr=False)
class Credentials:
    """All that a process of a role needs. Byte values are base64.

    Args:
        certificate: as `sign_certificate` made it.
        signing_key: Ed25519 seed, the private half of the certificate's key: for what has many readers.
        nats_seed: logs in to NATS.
        trusted: identity key id → public key, Ed25519.
        asks: service (`svc.auth.v1`) → the key shared with it.
        answers: service → identity key id → the key from which those of its callers follow.
    """

    certificate: str
    signing_key: str
    nats_seed: str
    trusted: dict[str, str]
    asks: dict[str, str]
    answers: dict[str, dict[str, str]]

    def opened(self) -> Certificate:
        """Raises IdentityFault."""
        return open_certificate(unbase64(self.certificate), self.trusted_keys())

    def trusted_keys(self) -> dict[str, Ed25519PublicKey]:
        return {key_id: Ed25519PublicKey.from_public_bytes(unbase64(key)) for key_id, key in self.trusted.items()}


def load_credentials(path: Path) -> Credentials:
    """Raises IdentityFault: there is no such file, or it is not one of ours."""
    try:
        plain = orjson.loads(path.read_bytes())
        credentials = from_plain(Credentials, plain)
        credentials.opened()
    except OSError as fault:
        raise IdentityFault(f"{path} cannot be read: {fault.strerror}") from fault
    except IdentityFault as fault:
        raise IdentityFault(f"{path}: {fault}") from fault
    except Exception as fault:  # cattrs and orjson raise many kinds; their texts could hold a key
        raise IdentityFault(f"{path} is no identity: make one with `streamgate identity issue`") from fault
    return credentials


def write_private(path: Path, value: Any) -> None:
    """JSON, for its owner only; whole or not at all."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(orjson.dumps(to_plain(value), option=orjson.OPT_INDENT_2))
            file.flush()
            os.fsync(file.fileno())
        draft.rename(path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise


def to_base64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


def unbase64(text: str) -> bytes:
    return base64.b64decode(text, validate=True)
