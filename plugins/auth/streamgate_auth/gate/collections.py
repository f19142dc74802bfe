"""Collections of contents: a rule that several gates share by `same_as`."""

from __future__ import annotations

import attrs
from sqlalchemy.orm import Session

from streamgate.context import Actor
from streamgate.contracts.gate import CollectionInUse, CollectionNotFound, Rule, TooManyHere
from streamgate.contracts.metadata import ContentNotFound, ContentQuery, Metadata
from streamgate.sdk.audit import audit
from streamgate.sdk.clock import Clock
from streamgate.sdk.db import Database
from streamgate.sdk.ids import new_id
from streamgate_auth.gate import repository_collections as repository
from streamgate_auth.gate.checking import Checking
from streamgate_auth.gate.known import Known
from streamgate_auth.gate.repository import save_refs, touch_gates
from streamgate_auth.gate.repository_collections import CollectionRecord

MAX_COLLECTIONS = 500
MAX_USERS_SHOWN = 100


class Collections:
    """Everything but reading their gates, which the decisions do themselves."""

    def __init__(self, *, db: Database, metadata: Metadata, checking: Checking, known: Known, clock: Clock) -> None:
        self._known = known
        self._db = db
        self._metadata = metadata
        self._checking = checking
        self._clock = clock

    async def create(self, actor: Actor, name: str, rule: Rule) -> CollectionRecord:
        """Raises GateInvalid: 422. TooManyHere: 409."""
        checked = await self._checking.check_shared(rule)
        now_ms = self._clock.now_ms()
        record = CollectionRecord(
            collection_id=new_id("g"),
            owner=actor.user_id,
            name=name,
            rule=checked.document,
            warnings=checked.warnings,
            revision=1,
            created_at_ms=now_ms,
            updated_at_ms=now_ms,
        )

        def save(session: Session) -> None:
            if repository.count_collections(session, actor.user_id) >= MAX_COLLECTIONS:
                raise TooManyHere(f"a person has at most {MAX_COLLECTIONS} collections; delete one first")
            self._checking.require_named(session, checked, owners=())
            repository.add_collection(session, record)
            save_refs(session, record.collection_id, checked.refs)
            audit(session, "gate.collection_made", on=f"collection:{record.collection_id}", actor=actor)

        await self._db.write(save)
        return record

    async def listed(self, actor: Actor) -> list[CollectionRecord]:
        """The actor's own, the newest first."""
        return await self._db.read(lambda session: repository.collections_of(session, actor.user_id))

    async def get(self, actor: Actor, collection_id: str) -> tuple[CollectionRecord, tuple[str, ...]]:
        """With some of the contents whose gates name it. Raises CollectionNotFound: 404, also for somebody else's."""

        def load(session: Session) -> tuple[CollectionRecord, tuple[str, ...]]:
            found = repository.load_collections(session, [collection_id])
            record = _own(found.get(collection_id), actor, collection_id)
            return record, tuple(repository.users_of(session, collection_id, limit=MAX_USERS_SHOWN))

        return await self._db.read(load)

    async def change(self, actor: Actor, collection_id: str, name: str | None, rule: Rule | None) -> CollectionRecord:
        """What is None stays. Another rule is another revision of each gate that names the collection, and
        `gate.changed` says so of each.

        Raises:
            CollectionNotFound: 404. GateInvalid: 422.
        """
        checked = None if rule is None else await self._checking.check_shared(rule)
        now_ms = self._clock.now_ms()

        def save(session: Session) -> CollectionRecord:
            found = repository.hold_collections(session, [collection_id])
            before = _own(found.get(collection_id), actor, collection_id)
            after = before if name is None else attrs.evolve(before, name=name)
            if checked is not None:
                self._checking.require_named(session, checked, owners=())
                after = attrs.evolve(after, rule=checked.document, warnings=checked.warnings)
            is_other = after.rule != before.rule
            if after == before:
                return before
            after = attrs.evolve(after, revision=before.revision + is_other, updated_at_ms=now_ms)
            repository.change_collection(session, after)
            users = 0
            if is_other and checked is not None:
                save_refs(session, collection_id, checked.refs)
                users = len(touch_gates(session, collection_id, by=actor.user_id, now_ms=now_ms))
            detail = {"contents": str(users)}
            audit(session, "gate.collection_set", on=f"collection:{collection_id}", actor=actor, detail=detail)
            return after

        changed = await self._db.write(save)
        self._known.forget_gates()
        return changed

    async def delete(self, actor: Actor, collection_id: str) -> None:
        """Raises CollectionNotFound: 404. CollectionInUse: 409."""
        _, users = await self.get(actor, collection_id)
        gone = [content_id for content_id in users if await self._is_gone(content_id)]

        def remove(session: Session) -> None:
            found = repository.hold_collections(session, [collection_id])
            _own(found.get(collection_id), actor, collection_id)
            for content_id in gone:
                save_refs(session, content_id, ())
            left = repository.users_of(session, collection_id, limit=MAX_USERS_SHOWN)
            if left:
                raise CollectionInUse(_in_use(len(left)), extra={"content_ids": list(left)})
            save_refs(session, collection_id, ())
            repository.remove_collection(session, collection_id)
            audit(session, "gate.collection_deleted", on=f"collection:{collection_id}", actor=actor)

        await self._db.write(remove)

    async def _is_gone(self, content_id: str) -> bool:
        """Gates of deleted contents stay, and open nothing."""
        try:
            await self._metadata.facts(ContentQuery(content_id=content_id))
        except ContentNotFound:
            return True
        return False


def _in_use(count: int) -> str:
    if count == 1:
        return "the gate of one content names this collection; give it another gate first"
    many = f"{count} contents" if count < MAX_USERS_SHOWN else f"{count} contents or more"
    return f"the gates of {many} name this collection; give them another gate first"


def _own(record: CollectionRecord | None, actor: Actor, collection_id: str) -> CollectionRecord:
    if record is None or not (actor.is_moderator or record.owner == actor.user_id):
        raise CollectionNotFound(f"you have no collection {collection_id[:40]!r}")
    return record
