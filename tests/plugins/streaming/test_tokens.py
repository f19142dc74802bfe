"""One token that goes round among friends gives one stream."""

from __future__ import annotations

import asyncio
import base64
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import attrs
import httpx
import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from streamgate.context import Actor
from streamgate.contracts import events
from streamgate.contracts.auth import Decision
from streamgate.contracts.gate import Explanation
from streamgate.contracts.streaming import TooManySessions
from streamgate.settings import DatabaseSettings, KernelSettings, Secret, SecretSettings
from streamgate.testing.attacks import attack
from streamgate.testing.wait import eventually
from streamgate_streaming.decider import Decider, blocks_of
from streamgate_streaming.hearing import Hearing
from streamgate_streaming.keeper import Keeper
from streamgate_streaming.opening import Opening
from streamgate_streaming.tables import SessionRow, TokenRow
from streamgate_streaming.transfers import Transfers
from tests.plugins.streaming.theatre import Open, Theatre

ONE, TWO, OTHER = "eip155:1/0xabc/1", "eip155:1/0xabc/2", "eip155:1/0xdef/1"
SEGMENT = "v360/0.m4s"


def person(name: str) -> Actor:
    return Actor(kind="user", user_id=name, roles=("viewer",))


def hold(theatre: Theatre, name: str, *tokens: str) -> None:
    """These tokens, and no others; none: a holder no more."""
    theatre.auth.tokens[name] = tokens
    (theatre.auth.holders.add if tokens else theatre.auth.holders.discard)(name)


async def ask(theatre: Theatre, name: str, client_id: str = "") -> httpx.Response:
    async with theatre.client(person(name)) as http:
        return await http.post("/api/v1/stream/session", json={"content_id": "c_film", "client_id": client_id})


async def taken(theatre: Theatre) -> list[tuple[str, str]]:
    def read(session: Session) -> list[tuple[str, str]]:
        return [
            (row.user_id, row.token)
            for row in session.scalars(select(TokenRow).order_by(TokenRow.user_id, TokenRow.token))
        ]

    found: list[tuple[str, str]] = await theatre.db.read(read)
    return found


async def test_a_second_person_with_the_token_is_told_which_and_how_to_free_it(film: Theatre) -> None:
    for name in ("ann", "ben"):
        hold(film, name, ONE)
    first = await film.watch("c_film", person("ann"))
    answer = await ask(film, "ben")
    assert (answer.status_code, answer.json()["code"]) == (409, "stream.too_many")
    told = answer.json()
    assert (told["token"], told["limit"], told["free_after_s"]) == (ONE, 1, 120)
    assert (await film.fetch(first, SEGMENT)).status_code == 200
    async with film.client(person("ann")) as http:
        await http.delete(f"/api/v1/stream/session/{first['session_id']}")
    assert (await ask(film, "ben")).status_code == 201


@attack("B16", "B25")
async def test_whose_wallet_it_is_that_others_watch_by_is_not_told(film: Theatre) -> None:
    for name in ("ann", "ben"):
        hold(film, name, "eip155:1/0xabc@0xvault")
    await film.watch("c_film", person("ann"))
    answer = await ask(film, "ben")
    assert (answer.status_code, answer.json()["token"]) == (409, "eip155:1/0xabc")
    assert "what one wallet holds of eip155:1/0xabc" in answer.json()["detail"]
    assert "vault" not in answer.text


async def test_one_persons_devices_count_once(film: Theatre) -> None:
    hold(film, "ann", ONE)
    assert [(await ask(film, "ann", device)).status_code for device in ("tv", "phone")] == [201, 201]
    assert await taken(film) == [("ann", ONE)] * 2


@attack("B16")
async def test_who_has_got_the_token_takes_over_at_once(film: Theatre) -> None:
    hold(film, "ann", ONE)
    first = await film.watch("c_film", person("ann"))
    hold(film, "ann")
    hold(film, "ben", ONE)
    film.auth.block_number = 77
    await film.watch("c_film", person("ben"))
    answer = await film.fetch(first, SEGMENT)
    assert (answer.status_code, answer.json()["reason"]) == (410, "refused")
    [again] = [query for query in film.auth.asked if query.min_block]
    assert (again.actor.user_id, again.min_block) == ("ann", {"eip155:1": 77})
    assert await taken(film) == [("ben", ONE)]


async def test_who_holds_another_one_plays_on_by_that(film: Theatre) -> None:
    hold(film, "ann", ONE)
    first = await film.watch("c_film", person("ann"))
    hold(film, "ann", TWO)
    hold(film, "ben", ONE)
    await film.watch("c_film", person("ben"))
    assert await taken(film) == [("ann", TWO), ("ben", ONE)]
    assert (await film.fetch(first, SEGMENT)).status_code == 200


async def test_a_person_who_paused_gives_way(film: Theatre) -> None:
    for name in ("ann", "ben"):
        hold(film, name, ONE)
    first = await film.watch("c_film", person("ann"))
    film.clock.jump(121)
    await film.watch("c_film", person("ben"))
    [ended] = await film.hear(events.SESSION_ENDED)
    assert (ended.subject_id, ended.reason) == (first["session_id"], "replaced")


@pytest.mark.parametrize("theirs", [(ONE,), (TWO, ONE), (OTHER,)])
async def test_every_token_that_opens_it_is_taken(film: Theatre, theirs: tuple[str, ...]) -> None:
    hold(film, "ann", ONE, TWO, OTHER)
    hold(film, "ben", *theirs)
    await film.watch("c_film", person("ann"))
    answer = await ask(film, "ben")
    assert (answer.status_code, answer.json()["token"]) == (409, theirs[0])
    assert [token for _, token in await taken(film)] == [ONE, TWO, OTHER]


async def test_who_does_not_rest_on_a_token_takes_none(film: Theatre) -> None:
    await film.watch("c_film")
    assert await taken(film) == []


async def test_what_moves_while_it_plays_is_taken_by_the_next_decision(film: Theatre) -> None:
    hold(film, "ann", ONE)
    hold(film, "ben", TWO)
    sessions = [await film.watch("c_film", person(name)) for name in ("ann", "ben")]
    hold(film, "ann", TWO)  # they change tokens
    hold(film, "ben", ONE)
    await film.clock.advance(30)
    for session in sessions:
        assert (await film.fetch(session, SEGMENT)).status_code == 200

    async def changed() -> bool | None:
        await film.turn("streaming.flush")
        return True if await taken(film) == [("ann", TWO), ("ben", ONE)] else None

    await eventually(changed, every_s=0.005, what="the exchange")


async def test_who_moves_to_a_token_that_is_in_use_stops(film: Theatre) -> None:
    hold(film, "ann", ONE)
    hold(film, "ben", TWO)
    await film.watch("c_film", person("ann"))
    session = await film.watch("c_film", person("ben"))
    hold(film, "ben", ONE)
    await film.say(events.GATE_CHANGED, events.GateChanged(subject_id="c_film", revision=2, has_gate=True))
    assert (await film.fetch(session, SEGMENT)).status_code == 200, "they may be about to change tokens"
    await film.turn("streaming.flush")
    answer = await film.fetch(session, SEGMENT)
    assert (answer.status_code, answer.json()["reason"]) == (410, "token_in_use")


def test_the_blocks_of_a_decision_are_the_newest_of_each_chain() -> None:
    def node(chain: str, block: int | None, *parts: Explanation) -> Explanation:
        return Explanation(kind="k", outcome="holds", text="", chain=chain, block_number=block, parts=parts)

    tree = node("", None, node("eip155:1", 7), node("eip155:1", 9), node("solana:mainnet", 3), node("eip155:5", None))
    decision = Decision(outcome="holds", is_public=False, explanation=tree, read_at_s=0, gate_revision=1)
    assert blocks_of(decision) == {"eip155:1": 9, "solana:mainnet": 3}


# --- two replicas -----------------------------------------------------------------------------------


def another_replica(theatre: Theatre) -> Opening:
    """With a memory of its own, on the same database."""
    plugin, auth = theatre.home.plugins["streaming"], theatre.auth
    config = plugin._opening._config
    keeper, transfers = (
        Keeper(plugin._db, theatre.clock, config),
        Transfers(theatre.clock, max_age_s=config.lease_s / 2),
    )
    decider = Decider(
        auth,
        theatre.clock,
        transfers,
        lease_s=config.lease_s,
        wait_s=1.0,
        on_refused=keeper.end_refused,
        on_gate=keeper.resting.note,
    )
    hearing = Hearing(plugin._db, auth, theatre.clock, keeper, decider, transfers)
    return Opening(
        plugin._db,
        auth,
        theatre.metadata,
        plugin._catalogue,
        theatre.clock,
        config,
        keeper,
        decider,
        hearing,
        plugin._opening._revoking,
        transfers,
        plugin.revocations,
        plugin._opening._secrets,
    )


async def most_people(theatre: Theatre) -> int:
    """With one token, among running sessions."""

    def read(session: Session) -> int:
        people = func.count(func.distinct(TokenRow.user_id))
        counts = session.scalars(select(people).group_by(TokenRow.token)).all()
        running = select(SessionRow.user_id).where(SessionRow.state != "ended").group_by(SessionRow.user_id)
        assert set(session.scalars(select(TokenRow.user_id))) <= set(session.scalars(running))
        return max(counts, default=0)

    found: int = await theatre.db.read(read)
    return found


async def open_at_once(theatre: Theatre, names: Sequence[str], replicas: Sequence[Any]) -> list[bool]:
    async def one(name: str, replica: Any) -> bool:
        try:
            await replica.open(person(name), "c_film", "")
        except TooManySessions:
            return False
        return True

    return await asyncio.gather(*(one(name, replicas[n % len(replicas)]) for n, name in enumerate(names)))


@attack("B16")
@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
async def test_there_are_never_more_than_the_limit(
    open_theatre: Open, tmp_path: Path, request: pytest.FixtureRequest, database: str
) -> None:
    settings = None
    if database == "postgresql":
        settings = KernelSettings(
            profile="test",
            data_dir=tmp_path,
            database=DatabaseSettings(url=Secret(request.getfixturevalue("postgres_url"))),
            secrets=SecretSettings(master_key=Secret(base64.b64encode(bytes(32)).decode())),
        )
    async with open_theatre(settings) as theatre:
        await theatre.play("c_film")
        chance = random.Random(5)
        replicas = [theatre.home.plugins["streaming"]._opening, another_replica(theatre)]
        tokens = [f"eip155:1/0xabc/{n}" for n in range(4)]
        names = [f"p{n}" for n in range(8)]
        for limit in (1, 2):
            for replica in replicas:
                replica._config = attrs.evolve(replica._config, max_sessions_per_token=limit, max_sessions=50)
            for _ in range(2):
                for name in names:
                    hold(theatre, name, *chance.sample(tokens, chance.randint(1, 2)))
                opened = await open_at_once(theatre, chance.choices(names, k=10), replicas)
                assert any(opened)
                assert await most_people(theatre) <= limit
