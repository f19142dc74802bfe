"""The keys auth works with: made once, kept wrapped in the database, the same in every replica.

signing     Ed25519; its public half is in the key set (JWKS), its `kid` is the RFC 7638 thumbprint
challenge   HMAC key of the challenges
refresh     HMAC key of the refresh tokens

A signing key is replaced with an overlap (`rotate`). The new one is in the key set at once and signs only when every
replica has read it and every service may ask again for a kid it does not know; the old one stays in the key set
until the last token that it can have signed is dead.
"""

from __future__ import annotations

import base64
import hashlib
import os
from collections.abc import Callable, Sequence
from typing import Literal

import attrs
import orjson
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from loguru import logger
from sqlalchemy.orm import Session

from streamgate.contracts.auth import SIGNING_ALGORITHM, AuthUnavailable, KeySet
from streamgate.errors import Conflict
from streamgate.sdk.audit import audit
from streamgate.sdk.clock import Clock
from streamgate.sdk.db import Database, DatabaseUnavailable
from streamgate.sdk.secrets import MasterKey, MasterKeyFault
from streamgate_auth import repository
from streamgate_auth.repository import StoredKey

SYMMETRIC_BYTES = 32
RELOAD_S = 10.0
ACTIVE_AFTER_S = 20.0  # RELOAD_S, and the 5 s in which a service does not ask for a kid again, with some room
MARGIN_S = 60.0  # clocks differ
PURPOSES = ("challenge", "refresh", "signing")

KeyState = Literal["next", "active", "retiring", "retired"]


class RotationRunning(Conflict):
    code, title = "auth.rotation_running", "A new signing key is about to become active"


def _base64url(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def public_jwk(private: Ed25519PrivateKey) -> dict[str, str]:
    """RFC 8037; `kid` is the RFC 7638 thumbprint."""
    x = _base64url(private.public_key().public_bytes_raw())
    required = {"crv": "Ed25519", "kty": "OKP", "x": x}  # in the order that the thumbprint wants
    kid = _base64url(hashlib.sha256(orjson.dumps(required)).digest())
    return {**required, "kid": kid, "use": "sig", "alg": SIGNING_ALGORITHM}


@attrs.frozen(kw_only=True)
class SigningKey:
    """Unwrapped. `active_from_ms`: from then on it signs, until the next generation does."""

    kid: str
    generation: int
    private: Ed25519PrivateKey = attrs.field(repr=False)
    public: dict[str, str]
    created_at_ms: int
    active_from_ms: int
    signs_until_ms: int | None  # None: no newer one is there


@attrs.frozen(repr=False)
class Keys:
    """Unwrapped keys; `signing` by generation, the oldest first, never empty."""

    signing: tuple[SigningKey, ...]
    challenge: bytes
    refresh: bytes


class KeyRing:
    """A unit's worth of keys: loaded (and made, the first time) at start, read again every few seconds when asked.

    Args:
        token_ttl_s: life of what the signing key signs.
    """

    def __init__(self, db: Database, master: Callable[[], MasterKey], clock: Clock, *, token_ttl_s: float) -> None:
        self._db = db
        self._master = master
        self._clock = clock
        self._token_ttl_s = token_ttl_s
        self._keys: Keys | None = None
        self._loaded_at_s = 0.0

    @property
    def keys(self) -> Keys:
        """Raises AuthUnavailable before the start."""
        if self._keys is None:
            raise AuthUnavailable("the signing keys are not loaded yet", retry_after_s=1)
        return self._keys

    def signer(self) -> SigningKey:
        """The newest key whose time has come."""
        now_ms = self._clock.now_ms()
        ready = [key for key in self.keys.signing if key.active_from_ms <= now_ms]
        return (ready or self.keys.signing[:1])[-1]

    def state(self, key: SigningKey) -> KeyState:
        active = self.signer()
        if key.generation >= active.generation:
            return "active" if key is active else "next"
        dead_at_ms = (key.signs_until_ms or 0) + (self._token_ttl_s + MARGIN_S) * 1000
        return "retiring" if self._clock.now_ms() < dead_at_ms else "retired"

    def public_of(self, kid: str) -> dict[str, str] | None:
        """The public half of a key that tokens may still be signed with."""
        return next((key for key in self._published() if key["kid"] == kid), None)

    async def key_set(self) -> KeySet:
        await self.freshen()
        return KeySet(keys=self._published())

    def _published(self) -> tuple[dict[str, str], ...]:
        return tuple(key.public for key in reversed(self.keys.signing) if self.state(key) != "retired")

    async def freshen(self) -> None:
        """Reads the keys again where that is some seconds ago: another replica may have made one."""
        if self._clock.monotonic_s() - self._loaded_at_s < RELOAD_S:
            return
        self._loaded_at_s = self._clock.monotonic_s()
        try:
            self._load(await self._db.read(repository.load_keys))
        except (DatabaseUnavailable, MasterKeyFault) as fault:  # what we have goes on serving
            logger.bind(error=str(fault)).warning("signing keys could not be read again")

    async def rotate(self) -> SigningKey:
        """Makes the next signing key; those whose tokens are all dead are thrown away.

        Raises:
            RotationRunning: 409, one is waiting for its time already.
        """
        self._load(await self._db.read(repository.load_keys))
        newest = self.keys.signing[-1]
        if self.state(newest) == "next":
            raise RotationRunning(f"key {newest.kid} becomes active within {ACTIVE_AFTER_S:g} s")
        made = self._make(self._master(), "signing", newest.generation + 1)
        retired = [key.kid for key in self.keys.signing if self.state(key) == "retired"]

        def save(session: Session) -> None:
            repository.add_keys(session, [made])
            if made.kid not in {key.kid for key in repository.load_keys(session)}:
                raise RotationRunning("another process has just made a new key")
            repository.delete_keys(session, retired)
            audit(session, "auth.signing_key_rotated", on=f"signing_key:{made.kid}")

        await self._db.write(save)
        self._load(await self._db.read(repository.load_keys))
        return self.keys.signing[-1]

    async def start(self) -> None:
        """Raises MasterKeyFault: the keys in the database were wrapped with another master key."""
        stored = await self._db.read(repository.load_keys)
        missing = set(PURPOSES) - {key.purpose for key in stored}
        if missing:
            made = [self._make(self._master(), purpose, 1) for purpose in sorted(missing)]
            await self._db.write(lambda session: repository.add_keys(session, made))
            stored = await self._db.read(repository.load_keys)
        self._load(stored)

    async def stop(self) -> None:
        self._keys = None

    def _load(self, stored: Sequence[StoredKey]) -> None:
        self._loaded_at_s = self._clock.monotonic_s()
        self._keys = _unwrap(self._master(), stored)

    def _make(self, master: MasterKey, purpose: str, generation: int) -> StoredKey:
        public: dict[str, str] | None = None
        if purpose == "signing":
            private = Ed25519PrivateKey.generate()
            secret = private.private_bytes_raw()
            public = public_jwk(private)
            kid = public["kid"]
        else:
            secret = os.urandom(SYMMETRIC_BYTES)
            kid = f"{purpose}-{generation}"
        return StoredKey(
            kid=kid,
            purpose=purpose,
            generation=generation,
            wrapped=master.wrap(f"auth.{purpose}", secret),
            public=public,
            created_at_ms=self._clock.now_ms(),
        )


def _unwrap(master: MasterKey, stored: Sequence[StoredKey]) -> Keys:
    """`stored`: newest generation first."""

    def newest(purpose: str) -> bytes:
        key = next(key for key in stored if key.purpose == purpose)
        return master.unwrap(f"auth.{purpose}", key.wrapped)

    signing: list[SigningKey] = []
    signs_until_ms: int | None = None
    for key in stored:
        if key.purpose == "signing" and key.public is not None:
            active_from_ms = key.created_at_ms + (int(ACTIVE_AFTER_S * 1000) if key.generation > 1 else 0)
            signing.append(
                SigningKey(
                    kid=key.kid,
                    generation=key.generation,
                    private=Ed25519PrivateKey.from_private_bytes(master.unwrap("auth.signing", key.wrapped)),
                    public=key.public,
                    created_at_ms=key.created_at_ms,
                    active_from_ms=active_from_ms,
                    signs_until_ms=signs_until_ms,
                )
            )
            signs_until_ms = active_from_ms
    return Keys(signing=tuple(reversed(signing)), challenge=newest("challenge"), refresh=newest("refresh"))
