"""What others say that ends playback, or has it decided again: gates, sign-ins, people, tokens that moved."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence, Set
from functools import partial
from itertools import count

import attrs
from loguru import logger

from streamgate.contracts.auth import Auth, DecideMany, DecideQuery, Decision
from streamgate.contracts.events import GateChanged, PeopleChanged, SignInEnded, TokenTransferred
from streamgate.events import Received
from streamgate.sdk.clock import Clock
from streamgate.sdk.db import Database

from . import session_repository as repository
from .decider import BATCH, Decider
from .extent import is_preview
from .keeper import REFUSED, SIGNED_OUT, Keeper
from .lease import Moment, decision_for, due_now
from .session_repository import StoredSession
from .transfers import MAX_PEOPLE, Transfers


class Hearing:
    """Sessions are found by their rows, so that those count that no replica has in memory."""

    def __init__(
        self, db: Database, auth: Auth, clock: Clock, keeper: Keeper, decider: Decider, transfers: Transfers
    ) -> None:
        self._db = db
        self._auth = auth
        self._clock = clock
        self._keeper = keeper
        self._decider = decider
        self._transfers = transfers
        self._changes = count(1)
        self._changed: OrderedDict[str, int] = OrderedDict()  # by person: the latest change

    async def on_gate_changed(self, event: Received[GateChanged]) -> None:
        """Every running session of the content is decided again by its new rule, wherever it is served.

        Raises:
            Unavailable: auth could not be asked; the event comes again.
        """
        content_id, after_id = event.body.subject_id, ""
        self._transfers.note_gate(content_id, event.body.revision)
        while page := await self._db.read(
            partial(repository.running_of_content, content_id=content_id, after_id=after_id, limit=BATCH)
        ):
            await self.decide(page)
            after_id = page[-1].session_id

    async def on_gate_changed_everywhere(self, event: Received[GateChanged]) -> None:
        """In every replica: what an older rule has let in is decided again with the next request, and what is being
        opened, by no older rule."""
        content_id, revision = event.body.subject_id, event.body.revision
        self._transfers.note_gate(content_id, revision)
        for live in self._keeper.live:
            if live.content_id == content_id and live.gate_revision < revision:
                live.lease = due_now(live.lease)

    async def on_sign_in_ended(self, event: Received[SignInEnded]) -> None:
        """What was opened with a sign-in or an API key ends with it."""
        opened = await self._db.read(lambda session: repository.running_by(session, event.body.subject_id))
        if opened:
            await self._keeper.end(opened, SIGNED_OUT)

    async def on_people_changed(self, event: Received[PeopleChanged]) -> None:
        """All that these people play is decided again, wherever it is served.

        Raises:
            Unavailable: auth could not be asked; the event comes again.
        """
        user_ids, after_id = event.body.user_ids, ""
        while page := await self._db.read(
            partial(repository.running_of_people, user_ids=user_ids, after_id=after_id, limit=BATCH)
        ):
            await self.decide(page)
            after_id = page[-1].session_id

    async def on_people_changed_everywhere(self, event: Received[PeopleChanged]) -> None:
        """In every replica: what is in memory is decided again with the next request, and what is being opened."""
        people = event.body.user_ids
        for user_id in people:
            self._changed[user_id] = next(self._changes)
            self._changed.move_to_end(user_id)
        while len(self._changed) > MAX_PEOPLE:
            self._changed.popitem(last=False)
        self._due_now(set(people))

    def latest_change(self, user_id: str) -> int:
        """Another number than before where this person has changed meanwhile, as this process has heard."""
        return self._changed.get(user_id, 0)

    async def on_token_transferred(self, event: Received[TokenTransferred]) -> None:
        """Walk B: of the people concerned, every running session that rests on this contract is decided again, by
        answers that have seen the block.

        Raises:
            Unavailable: auth could not be asked; the event comes again.
        """
        moved = event.body
        self._transfers.note(moved)
        user_ids, after_id, count = self._transfers.undecided(moved), "", 0
        while user_ids and (
            page := await self._db.read(
                partial(
                    repository.running_on,
                    leaf_key=moved.subject_id,
                    user_ids=user_ids,
                    after_id=after_id,
                    limit=BATCH,
                )
            )
        ):
            await self.decide(page)
            after_id, count = page[-1].session_id, count + len(page)
        self._transfers.note_decided(moved, user_ids)
        if count:
            logger.bind(contract=moved.subject_id, sessions=count).info("sessions decided again after a transfer")

    async def on_transfer_everywhere(self, event: Received[TokenTransferred]) -> None:
        """In every replica: what is in memory is decided again with the next request, and by no older answer."""
        self._transfers.note(event.body)
        self._due_now(set(event.body.user_ids))

    async def resync(self) -> None:
        """Transfers may have been missed: everything is decided again with its next request."""
        for live in self._keeper.live:
            live.lease = due_now(live.lease)

    async def decide_again(self, session_ids: Sequence[str], seen: Mapping[str, int]) -> None:
        """Decides those of them that run, by answers that have seen these blocks, too (by chain)."""
        for at in range(0, len(session_ids), BATCH):
            wanted = session_ids[at : at + BATCH]
            await self.decide(await self._db.read(partial(repository.running_among, session_ids=wanted)), seen)

    async def decide(self, page: Sequence[StoredSession], seen: Mapping[str, int] | None = None) -> None:
        """Decides sessions of this and of other replicas again, at most 200. A no ends them everywhere; what is not
        known leaves their leases to run out, unless another rule gave them."""
        queries = tuple(self._question(stored, seen or {}) for stored in page)
        if not queries:
            return
        answered = await self._auth.decide_many(DecideMany(queries=queries))
        arrived = Moment.now(self._clock)
        pairs = zip(page, answered.decisions, strict=True)
        decided = [(stored, decision_for(stored.actor, answer)) for stored, answer in pairs]
        open_here = self._keeper.live.get
        for stored, decision in decided:
            live = open_here(stored.session_id)
            if live is not None:
                self._decider.apply(live, decision, arrived)
        await self._write(decided)

    def _due_now(self, people: Set[str]) -> None:
        for live in self._keeper.live:
            if live.actor.user_id in people:
                live.lease = due_now(live.lease)

    def _question(self, stored: StoredSession, seen: Mapping[str, int]) -> DecideQuery:
        query = self._transfers.question(stored.content_id, stored.actor)
        chains = {*query.min_block, *seen}
        blocks = {chain: max(query.min_block.get(chain, 0), seen.get(chain, 0)) for chain in chains}
        return attrs.evolve(query, min_block=blocks)

    async def _write(self, decided: Sequence[tuple[StoredSession, Decision]]) -> None:
        refused = [stored.session_id for stored, decision in decided if _ends(stored, decision)]
        if refused:
            await self._keeper.end(refused, REFUSED)
        opened = {
            stored.session_id: decision
            for stored, decision in decided
            if decision.outcome != "unknown" and not _ends(stored, decision)
        }
        await self._keeper.resting.save(opened)


def _ends(stored: StoredSession, decision: Decision) -> bool:
    return decision.outcome == "does_not_hold" and not (stored.is_preview and is_preview(decision))
