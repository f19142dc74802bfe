"""The keys auth works with: made once, kept wrapped in the database, the same in every replica.

signing     Ed25519; its public half is in the key set (JWKS), its `kid` is the RFC 7638 thumbprint
challenge   HMAC key of the challenges
refresh     HMAC key of the refresh tokens
"""

from __future__ import annotations

import base64
import hashlib
import os
from collections.abc import Callable

import attrs
import orjson
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from streamgate.contracts.auth import SIGNING_ALGORITHM, AuthUnavailable, KeySet
from streamgate.sdk.clock import Clock
from streamgate.sdk.db import Database
from streamgate.sdk.secrets import MasterKey
from streamgate_auth import repository
from streamgate_auth.repository import StoredKey

SYMMETRIC_BYTES = 32


def _base64url(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def public_jwk(private: Ed25519PrivateKey) -> dict[str, str]:
    """RFC 8037; `kid` is the RFC 7638 thumbprint."""
    x = _base64url(private.public_key().public_bytes_raw())
    required = {"crv": "Ed25519", "kty": "OKP", "x": x}  # in the order that the thumbprint wants
    kid = _base64url(hashlib.sha256(orjson.dumps(required)).digest())
    return {**required, "kid": kid, "use": "sig", "alg": SIGNING_ALGORITHM}


@attrs.frozen(repr=False)
class Keys:
    """Unwrapped keys. `signing` is the one new tokens are signed with."""

    signing_kid: str
    signing: Ed25519PrivateKey
    public: tuple[dict[str, str], ...]
    challenge: bytes
    refresh: bytes


class KeyRing:
    """A unit's worth of keys: loaded (and made, the first time) at start, in memory from then on."""

    def __init__(self, db: Database, master: Callable[[], MasterKey], clock: Clock) -> None:
        self._db = db
        self._master = master
        self._clock = clock
        self._keys: Keys | None = None

    @property
    def keys(self) -> Keys:
        """Raises AuthUnavailable before the start."""
        if self._keys is None:
            raise AuthUnavailable("the signing keys are not loaded yet", retry_after_s=1)
        return self._keys

    def key_set(self) -> KeySet:
        return KeySet(keys=self.keys.public)

    async def start(self) -> None:
        """Raises MasterKeyFault: the keys in the database were wrapped with another master key."""
        master = self._master()
        stored = await self._db.read(repository.load_keys)
        missing = {"signing", "challenge", "refresh"} - {key.purpose for key in stored}
        if missing:
            made = [self._make(master, purpose) for purpose in sorted(missing)]
            await self._db.write(lambda session: repository.add_keys(session, made))
            stored = await self._db.read(repository.load_keys)
        self._keys = _unwrap(master, stored)

    async def stop(self) -> None:
        self._keys = None

    def _make(self, master: MasterKey, purpose: str) -> StoredKey:
        public: dict[str, str] | None = None
        if purpose == "signing":
            private = Ed25519PrivateKey.generate()
            secret = private.private_bytes_raw()
            public = public_jwk(private)
            kid = public["kid"]
        else:
            secret = os.urandom(SYMMETRIC_BYTES)
            kid = f"{purpose}-1"
        return StoredKey(
            kid=kid,
            purpose=purpose,
            generation=1,
            wrapped=master.wrap(f"auth.{purpose}", secret),
            public=public,
            created_at_ms=self._clock.now_ms(),
        )


def _unwrap(master: MasterKey, stored: list[StoredKey]) -> Keys:
    newest: dict[str, StoredKey] = {}
    for key in stored:
        newest.setdefault(key.purpose, key)

    def secret(purpose: str) -> bytes:
        return master.unwrap(f"auth.{purpose}", newest[purpose].wrapped)

    return Keys(
        signing_kid=newest["signing"].kid,
        signing=Ed25519PrivateKey.from_private_bytes(secret("signing")),
        public=tuple(key.public for key in stored if key.public is not None),
        challenge=secret("challenge"),
        refresh=secret("refresh"),
    )
