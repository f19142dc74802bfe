"""One chain, followed block by block from a checkpoint, through reorganisations.

Each step is one transaction: [checkpoint | `token.transferred`]. Before it is committed every process is told what
moved, so that whoever hears the event finds nothing old. A step that is done twice says everything twice, which is
harmless; one that is left out would not be, so that each checkpoint follows on the one before by the blocks' hashes.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Literal

import attrs
from loguru import logger
from sqlalchemy.orm import Session

from streamgate.contracts.watched import MovedTokens, Watched
from streamgate.sdk.clock import Clock
from streamgate.sdk.db import Database
from streamgate.sdk.evm import ChainId, to_checksum
from streamgate.sdk.lease import Leadership
from streamgate_auth.evm.blocks import Block, Logs
from streamgate_auth.evm.chain import Chain
from streamgate_auth.evm.watch import repository
from streamgate_auth.evm.watch.metrics import REWINDS, TRANSFERS, WATCH_BEHIND, WATCH_LAG
from streamgate_auth.evm.watch.repository import Following, Place, Told
from streamgate_auth.evm.watch.transfers import TOPICS, Moved, moved
from streamgate_auth.moved import people_with, tell_moved
from streamgate_auth.rpc.pool import NoAnswer

MAX_BLOCKS = 1000
"""Of one step; nodes that cannot give so many are asked for fewer, until they can."""
CONTRACTS_PER_QUERY = 200
LOOK_BACK_S, MAX_BLOCKS_BACK = 60.0, 100
"""What happened so long before a contract was watched is told, too."""
MAX_WALLETS_TOLD = 5000
"""Of one step to all processes, so that the message stays small; contracts with more are told as a whole."""

Where = Literal["at_head", "on_the_way", "behind"]
"""`behind`: the node is, and there is nothing to do but to wait."""
Tell = Callable[[Watched], Awaitable[None]]


class Follower:
    """Args:
    tell: says it to every process, this one first.
    """

    def __init__(self, chain: ChainId, db: Database, leadership: Leadership, tell: Tell, clock: Clock) -> None:
        self._chain = chain
        self._db = db
        self._leadership = leadership
        self._tell = tell
        self._clock = clock
        self._following: Following | None = None
        self._is_loaded = False
        self._max_blocks = MAX_BLOCKS

    async def step(self, chain: Chain, contracts: frozenset[str]) -> bool:
        """One look at the chain; whether there is more to do at once.

        Args:
            contracts: to be watched from now on, in lower case.

        Raises:
            NoAnswer: the chain cannot be read. DatabaseUnavailable. LeadershipLost.
        """
        if not self._is_loaded:
            self._following = await self._db.read(lambda session: repository.load_following(session, self._chain))
            self._is_loaded = True
        following = self._following
        if not contracts and (following is None or not following.contracts):
            return False
        asked_at_ms = self._clock.now_ms()
        head = await chain.head()
        if following is None or not following.contracts:  # what nobody watched is nobody's to catch up on
            await self._watch(chain, self._beginning(head), contracts, is_new=True)
            return True
        if head.number <= following.place.number:
            place = await self._stand(chain, following, head, asked_at_ms)
        else:
            place = await self._advance(chain, following, head, asked_at_ms)
        if place == "at_head" and contracts != following.contracts.keys():
            assert self._following is not None  # it has just been followed
            await self._watch(chain, self._following, contracts)
            return True
        return place == "on_the_way"

    async def _advance(self, chain: Chain, following: Following, head: Block, asked_at_ms: int) -> Where:
        last = min(head.number, following.place.number + self._max_blocks)
        try:
            found = await self._logs(chain, following.place.number + 1, last, following.contracts)
        except NoAnswer:
            self._max_blocks = max(1, (last - following.place.number) // 2)
            raise
        self._max_blocks = min(MAX_BLOCKS, 2 * self._max_blocks)
        if found.before is not None and found.before.hash != following.place.hash:
            await self._go_back(chain, following, head, asked_at_ms)
            return "on_the_way"
        is_at_head = last == head.number and not chain.is_outrun(last)
        await self._go_on(following, found, asked_at_ms, is_at_head=is_at_head)
        WATCH_BEHIND.labels(chain=self._chain).set(head.number - last)
        return "at_head" if last == head.number else "on_the_way"

    # --- nothing new, or another branch ---------------------------------------------------------

    def _beginning(self, head: Block) -> Following:
        before = self._following
        return Following(
            place=_place(head),
            rewinds=0 if before is None else before.rewinds,
            version=0 if before is None else before.version,
            contracts={},
        )

    async def _watch(
        self, chain: Chain, following: Following, contracts: frozenset[str], *, is_new: bool = False
    ) -> None:
        """Other contracts from here on. Of new ones that which happened in the last minute, too: between the gate that
        names one and this moment somebody may have begun to watch, and given their token away.

        Args:
            is_new: nothing else is known of the chain.
        """
        before, place = self._following, following.place
        added = contracts - following.contracts.keys()
        first = max(0, place.number + 1 - self._blocks_back(chain))
        after = _watching(following, contracts, first)
        gone: Moved = {}
        if added:
            found = await self._logs(chain, first, place.number, added)
            if found.last.hash != place.hash:
                raise NoAnswer("the chain changed while it was read")
            gone = moved(found.logs)

        def save(session: Session) -> None:
            self._leadership.check(session)
            repository.save_following(session, self._chain, before, after)
            people = self._say_moved(session, gone, place.number)
            if is_new:
                repository.forget_told(session, self._chain, above=-1)
                repository.add_told(session, self._chain, Told(place=place, moved=people))

        await self._db.write(save)
        self._following = after

    def _blocks_back(self, chain: Chain) -> int:
        return min(MAX_BLOCKS_BACK, max(1, math.ceil(LOOK_BACK_S / chain.facts.block_time_s)))

    async def _stand(self, chain: Chain, following: Following, head: Block, asked_at_ms: int) -> Where:
        """The head is no newer than what is known: the chain stands still, or the node is behind, or on a branch."""
        if head.hash == following.place.hash:
            WATCH_BEHIND.labels(chain=self._chain).set(0)
            watched = self._watched(following, asked_at_ms, first_block=following.place.number + 1)
            await self._tell(attrs.evolve(watched, is_at_head=not chain.is_outrun(head.number)))
            return "at_head"
        told = await self._db.read(lambda session: repository.load_told(session, self._chain))
        nearest = next((each.place for each in told if each.place.number <= head.number), None)
        if nearest is not None and await _is_on(chain, nearest, head):
            return "behind"
        await self._go_back(chain, following, head, asked_at_ms)
        return "on_the_way"

    async def _go_back(self, chain: Chain, following: Following, head: Block, asked_at_ms: int) -> None:
        """To the last block that both branches have; whoever was told of a later one is told again."""
        told = await self._db.read(lambda session: repository.load_told(session, self._chain))
        ancestor: Place | None = None
        for each in told:
            if await _is_on(chain, each.place, head):
                ancestor = each.place
                break
        place = ancestor or _place(head)
        left = [each for each in told if each.place.number > place.number or ancestor is None]
        after = attrs.evolve(following, place=place, rewinds=following.rewinds + 1)
        if ancestor is None:  # nothing is left of what was known: it begins here
            after = _watching(attrs.evolve(after, contracts={}), following.contracts, head.number + 1)
        logger.bind(chain=self._chain, block=place.number, left=following.place.number).warning(
            "the chain was reorganised; its transfers are told again"
        )
        REWINDS.labels(chain=self._chain).inc()
        await self._tell(
            attrs.evolve(self._watched(after, asked_at_ms, first_block=place.number + 1), is_at_head=False)
        )

        def save(session: Session) -> None:
            self._leadership.check(session)
            repository.forget_told(session, self._chain, above=place.number if ancestor is not None else -1)
            repository.save_following(session, self._chain, following, after)
            if ancestor is None:
                repository.add_told(session, self._chain, Told(place=place, moved={}))
            for contract, user_ids in _people(left).items():
                tell_moved(session, chain=self._chain, contract=contract, user_ids=user_ids, block_number=head.number)

        await self._db.write(save)
        self._following = after

    # --- new blocks -----------------------------------------------------------------------------

    async def _go_on(self, following: Following, found: Logs, asked_at_ms: int, *, is_at_head: bool) -> None:
        after = attrs.evolve(following, place=_place(found.last))
        gone = moved(found.logs)
        TRANSFERS.labels(chain=self._chain).inc(len(found.logs))
        watched = self._watched(after, asked_at_ms, first_block=following.place.number + 1)
        await self._tell(attrs.evolve(watched, is_at_head=is_at_head, moved=_told_to_all(gone)))

        def save(session: Session) -> None:
            self._leadership.check(session)
            repository.save_following(session, self._chain, following, after)
            people = self._say_moved(session, gone, found.last.number)
            repository.add_told(session, self._chain, Told(place=after.place, moved=people))

        await self._db.write(save)
        self._following = after
        WATCH_LAG.labels(chain=self._chain).set(max(0.0, self._clock.now_s() - found.last.timestamp_s))

    async def _logs(self, chain: Chain, first: int, last: int, contracts: Iterable[str]) -> Logs:
        """Raises NoAnswer."""
        wanted = sorted(contracts)
        parts = [
            await chain.logs(first, last, wanted[start : start + CONTRACTS_PER_QUERY], [TOPICS])
            for start in range(0, max(1, len(wanted)), CONTRACTS_PER_QUERY)
        ]
        if any((each.last, each.before) != (parts[0].last, parts[0].before) for each in parts):
            raise NoAnswer("the chain changed while it was read")
        return attrs.evolve(parts[0], logs=tuple(log for each in parts for log in each.logs))

    def _say_moved(self, session: Session, gone: Moved, block_number: int) -> dict[str, list[str]]:
        """In this transaction, to our people among them; who that is, by contract."""
        people = {
            contract: people_with(session, self._chain, map(to_checksum, wallets))
            for contract, wallets in gone.items()
            if wallets
        }
        told = {contract: user_ids for contract, user_ids in people.items() if user_ids}
        self._tell_people(session, told, block_number)
        return told

    def _tell_people(self, session: Session, people: Mapping[str, Sequence[str]], block_number: int) -> None:
        for contract, user_ids in people.items():
            tell_moved(session, chain=self._chain, contract=contract, user_ids=user_ids, block_number=block_number)

    def _watched(self, following: Following, asked_at_ms: int, *, first_block: int) -> Watched:
        return Watched(
            chain=self._chain,
            first_block=first_block,
            block_number=following.place.number,
            at_ms=asked_at_ms,
            is_at_head=True,
            rewinds=following.rewinds,
            contracts_version=following.version,
        )


def _watching(following: Following, contracts: Iterable[str], since_block: int) -> Following:
    """With these watched instead, the new ones from that block on."""
    known = following.contracts
    if known.keys() == set(contracts):
        return following
    watched = {contract: known.get(contract, since_block) for contract in contracts}
    return attrs.evolve(following, contracts=watched, version=following.version + 1)


def _place(block: Block) -> Place:
    return Place(number=block.number, hash=block.hash)


async def _is_on(chain: Chain, place: Place, head: Block) -> bool:
    """Whether the branch that ends at this head has that block. Raises NoAnswer."""
    if place.number >= head.number:
        return place == _place(head)
    block = await chain.block(place.number)
    return block is not None and block.hash == place.hash


def _people(told: Sequence[Told]) -> dict[str, list[str]]:
    found: dict[str, dict[str, None]] = {}
    for each in told:
        for contract, user_ids in each.moved.items():
            found.setdefault(contract, {}).update(dict.fromkeys(user_ids))
    return {contract: list(user_ids) for contract, user_ids in found.items()}


def _told_to_all(gone: Moved) -> tuple[MovedTokens, ...]:
    """The contracts with the fewest wallets by wallet, as long as there is room."""
    left = MAX_WALLETS_TOLD
    told = []
    for contract, wallets in sorted(gone.items(), key=lambda each: len(each[1] or ())):
        left -= len(wallets or ())
        told.append(MovedTokens(contract=contract, wallets=wallets if left >= 0 else None))
    return tuple(told)
