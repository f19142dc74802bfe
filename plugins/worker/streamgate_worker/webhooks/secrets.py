"""The secrets that webhooks are signed with: a person's own, by name, wrapped by the master key, shown once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs
from sqlalchemy import Row, delete, func, select
from sqlalchemy.orm import Session

from streamgate.context import Actor
from streamgate.contracts.webhooks import SecretFound, SecretQuery
from streamgate.errors import Conflict, NotFound, TooMany, Unavailable
from streamgate.sdk.audit import audit
from streamgate.sdk.clock import Clock, rfc3339
from streamgate.sdk.db import Database, insert_into
from streamgate.sdk.secrets import MasterKey, MasterKeyFault
from streamgate_worker.tables import webhook_secrets as table
from streamgate_worker.webhooks.signing import new_secret, write_secret

MAX_PER_OWNER = 50


class SecretUnknown(NotFound):
    code, title = "jobs.webhook_secret_unknown", "No such webhook secret"


class SecretInUse(Conflict):
    code, title = "jobs.webhook_secret_kept", "The former secret still counts"


class TooManySecrets(TooMany):
    code, title = "jobs.too_many_secrets", "Too many webhook secrets"


class SecretsUnavailable(Unavailable):
    code, title = "jobs.secrets_unavailable", "Webhook secrets cannot be opened here"


@attrs.frozen(kw_only=True)
class SecretInfo:
    """`former_until`: until then what is sent is signed with the former secret as well."""

    name: str
    created_at: str
    rotated_at: str
    former_until: str | None


@attrs.frozen(kw_only=True)
class NewSecret(SecretInfo):
    """`secret` is shown here and never again."""

    secret: str


class WebhookSecrets:
    """
    Args:
        master_key: asked when a secret is wrapped or opened; raises MasterKeyFault where there is none.
    """

    def __init__(self, db: Database, clock: Clock, master_key: Callable[[], MasterKey]) -> None:
        self._db = db
        self._clock = clock
        self._master_key = master_key

    async def put(self, actor: Actor, name: str, *, secret: bytes | None, overlap_s: float) -> NewSecret:
        """Makes a secret, or a new one beside the former, which counts for `overlap_s` more.

        Raises:
            SecretInUse: a third one would count: the last change is less than its overlap ago.
            TooManySecrets, SecretsUnavailable.
        """
        now_ms, owner, fresh = self._clock.now_ms(), actor.user_id, secret or new_secret()
        wrapped = self._key().wrap(_purpose(owner, name), fresh)

        def work(session: Session) -> Row[Any]:
            former = session.execute(_one(owner, name).with_for_update()).first()
            if former is None and _count(session, owner) >= MAX_PER_OWNER:
                raise TooManySecrets(f"at most {MAX_PER_OWNER} webhook secrets of one person; remove some")
            if former is not None and former.previous is not None and former.previous_until_ms > now_ms:
                said = f"two secrets of {name} count until {rfc3339(former.previous_until_ms)}; rotate after that"
                raise SecretInUse(said)
            changed = {
                "current": wrapped,
                "previous": former.current if former is not None and overlap_s > 0 else None,
                "previous_until_ms": now_ms + round(overlap_s * 1000) if former is not None else 0,
                "rotated_at_ms": now_ms,
            }
            values = {"owner": owner, "name": name, "created_at_ms": now_ms, **changed}
            statement = insert_into(session, table).values(**values)
            session.execute(statement.on_conflict_do_update(index_elements=["owner", "name"], set_=changed))
            act = "webhook_secret.created" if former is None else "webhook_secret.rotated"
            audit(session, act, on=f"webhook_secret:{owner}/{name}", actor=actor)
            return session.execute(_one(owner, name)).one()

        info = _info(await self._db.write(work), now_ms)
        return NewSecret(**attrs.asdict(info), secret=write_secret(fresh))

    async def list_all(self, owner: str) -> list[SecretInfo]:
        statement = select(table).where(table.c.owner == owner).order_by(table.c.name)
        rows = await self._db.read(lambda session: session.execute(statement).all())
        return [_info(row, self._clock.now_ms()) for row in rows]

    async def remove(self, actor: Actor, name: str) -> None:
        """Raises SecretUnknown."""

        def work(session: Session) -> None:
            gone = delete(table).where(table.c.owner == actor.user_id, table.c.name == name).returning(table.c.name)
            if session.scalar(gone) is None:
                raise _unknown(name)
            audit(session, "webhook_secret.removed", on=f"webhook_secret:{actor.user_id}/{name}", actor=actor)

        await self._db.write(work)

    async def exists(self, owner: str, name: str) -> bool:
        return await self._db.read(lambda session: session.execute(_one(owner, name)).first() is not None)

    async def find_secret(self, query: SecretQuery) -> SecretFound:
        return SecretFound(exists=await self.exists(query.owner, query.name))

    async def counting(self, owner: str, name: str) -> list[bytes]:
        """What to sign with now: the newest first.

        Raises:
            SecretUnknown, SecretsUnavailable.
        """
        row = await self._db.read(lambda session: session.execute(_one(owner, name)).first())
        if row is None:
            raise _unknown(name)
        wrapped = [row.current]
        if row.previous is not None and row.previous_until_ms > self._clock.now_ms():
            wrapped.append(row.previous)
        key = self._key()
        try:
            return [key.unwrap(_purpose(owner, name), each) for each in wrapped]
        except MasterKeyFault as fault:
            raise SecretsUnavailable(f"the secret {name} was wrapped with another master key") from fault

    def _key(self) -> MasterKey:
        try:
            return self._master_key()
        except MasterKeyFault as fault:
            raise SecretsUnavailable("this server has no master key: its operator sets one") from fault


def _purpose(owner: str, name: str) -> str:
    """A wrapped secret opens in its own row only."""
    return f"worker.webhook:{owner}/{name}"


def _one(owner: str, name: str) -> Any:
    return select(table).where(table.c.owner == owner, table.c.name == name)


def _count(session: Session, owner: str) -> int:
    return session.scalar(select(func.count()).select_from(table).where(table.c.owner == owner)) or 0


def _unknown(name: str) -> SecretUnknown:
    return SecretUnknown(f"there is no webhook secret {name[:100]}")


def _info(row: Row[Any], now_ms: int) -> SecretInfo:
    has_former = row.previous is not None and row.previous_until_ms > now_ms
    return SecretInfo(
        name=row.name,
        created_at=rfc3339(row.created_at_ms),
        rotated_at=rfc3339(row.rotated_at_ms),
        former_until=rfc3339(row.previous_until_ms) if has_former else None,
    )
