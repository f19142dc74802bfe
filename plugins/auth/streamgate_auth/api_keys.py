"""API keys: made once and shown once, kept as a hash, limited by their scopes."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from typing import get_args

import attrs
from sqlalchemy.orm import Session

from streamgate.context import Actor
from streamgate.contracts.auth import (
    API_KEY_PREFIX,
    ApiKeyQuery,
    KeyNotFound,
    KeyScope,
    TooManyOfYours,
    VerifiedApiKey,
    api_key_digest,
)
from streamgate.sdk.audit import audit
from streamgate.sdk.clock import Clock
from streamgate.sdk.db import Database
from streamgate.sdk.ids import new_id
from streamgate_auth import repository_api_keys as repository
from streamgate_auth.ending import Ending, note_ended
from streamgate_auth.repository_api_keys import ApiKeyRecord
from streamgate_auth.repository_wallets import list_wallets
from streamgate_auth.roles import Roles

MAX_KEYS = 50
RANDOM_BYTES = 32
USE_NOTED_EVERY_MS = 60_000
KEPT_WHEN_OVER_MS = 7 * 86_400_000
SCOPES: tuple[str, ...] = get_args(KeyScope)
_ABOVE = frozenset({"admin", "moderator"})  # roles that act on what others own


@attrs.frozen(kw_only=True)
class MadeKey:
    """`api_key` is shown now and never again."""

    api_key: str
    record: ApiKeyRecord


class ApiKeys:
    """The keys of people, and of this machine's administrator (`local_admin`)."""

    def __init__(self, *, db: Database, roles: Roles, ending: Ending, clock: Clock) -> None:
        self._db = db
        self._roles = roles
        self._ending = ending
        self._clock = clock

    async def make(self, actor: Actor, name: str, scopes: Sequence[KeyScope], expires_in_s: int | None) -> MadeKey:
        """Raises TooManyOfYours: 409."""
        now_ms = self._clock.now_ms()
        expires_at_ms = None if expires_in_s is None else now_ms + expires_in_s * 1000
        made = new_key(actor.user_id, name, scopes, now_ms=now_ms, expires_at_ms=expires_at_ms)

        def save(session: Session) -> None:
            if repository.count_keys(session, actor.user_id, now_ms=now_ms) >= MAX_KEYS:
                raise TooManyOfYours(f"an account has at most {MAX_KEYS} API keys; revoke one first")
            add_audited(session, made, actor)

        await self._db.write(save)
        return made

    async def listed(self, actor: Actor) -> list[ApiKeyRecord]:
        """The newest first."""
        now_ms = self._clock.now_ms()
        return await self._db.read(lambda session: repository.list_keys(session, actor.user_id, now_ms=now_ms))

    async def revoke(self, actor: Actor, key_id: str) -> None:
        """Raises KeyNotFound: 404, also for somebody else's."""
        now_ms = self._clock.now_ms()
        revoked = await self._db.write(lambda session: revoke_audited(session, actor, key_id, now_ms=now_ms))
        if not revoked:
            raise KeyNotFound(f"you have no API key {key_id[:40]!r}")
        await self._ending.tell(revoked)

    async def verify(self, query: ApiKeyQuery) -> VerifiedApiKey:
        """The contract's `verify_api_key`."""
        now_ms = self._clock.now_ms()

        def find(session: Session) -> tuple[ApiKeyRecord, tuple[str, ...], str] | None:
            key = repository.find_by_digest(session, query.digest, now_ms=now_ms)
            if key is None:
                return None
            wallets = list_wallets(session, [key.user_id]).get(key.user_id, ())
            roles = key.roles if key.roles is not None else self._roles.of(session, wallets)
            return key, roles, wallets[0].address if wallets else ""

        found = await self._db.read(find)
        if found is None:
            return VerifiedApiKey(actor=None)
        key, roles, address = found
        if now_ms - (key.used_at_ms or 0) >= USE_NOTED_EVERY_MS:
            await self._db.write(lambda session: repository.note_use(session, key.key_id, now_ms=now_ms))
        actor = Actor(
            kind="user",
            user_id=key.user_id,
            roles=roles if "admin" in key.scopes else tuple(role for role in roles if role not in _ABOVE),
            address=address,
            credential=key.key_id,
            scopes=key.scopes,
        )
        return VerifiedApiKey(actor=actor, expires_at_ms=key.expires_at_ms or 0)


def new_key(
    user_id: str,
    name: str,
    scopes: Sequence[str],
    *,
    now_ms: int,
    expires_at_ms: int | None = None,
    roles: tuple[str, ...] | None = None,
) -> MadeKey:
    api_key = API_KEY_PREFIX + secrets.token_urlsafe(RANDOM_BYTES)
    record = ApiKeyRecord(
        key_id=new_id("k"),
        digest=api_key_digest(api_key),
        user_id=user_id,
        name=name,
        scopes=tuple(scope for scope in SCOPES if scope in scopes),
        roles=roles,
        created_at_ms=now_ms,
        expires_at_ms=expires_at_ms,
    )
    return MadeKey(api_key=api_key, record=record)


def add_audited(session: Session, made: MadeKey, actor: Actor) -> None:
    repository.forget_keys(session, over_before_ms=made.record.created_at_ms - KEPT_WHEN_OVER_MS)
    repository.add_key(session, made.record)
    detail = {"name": made.record.name, "scopes": " ".join(made.record.scopes)}
    audit(session, "auth.api_key_made", on=f"api_key:{made.record.key_id}", actor=actor, detail=detail)


def revoke_audited(session: Session, actor: Actor, key_id: str | None, *, now_ms: int) -> list[str]:
    """One of the actor's keys, or all; those that were good until now."""
    revoked = list(repository.revoke_keys(session, actor.user_id, key_id, now_ms=now_ms))
    for each in revoked:
        audit(session, "auth.api_key_revoked", on=f"api_key:{each}", actor=actor)
    note_ended(session, revoked, actor.user_id, "revoked" if key_id is not None else "replaced")
    return revoked
