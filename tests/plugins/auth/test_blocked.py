"""Wallets that the operator blocks: whose they were stays blocked, and so do the others that person had."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from streamgate.context import Actor
from streamgate.contracts.events import PEOPLE_CHANGED, PeopleChanged
from streamgate.sdk.ids import uuid7
from streamgate.testing.house import House, house
from streamgate.testing.wait import eventually
from streamgate.testing.wallets import Wallet
from streamgate_auth.config import AuthConfig
from streamgate_auth.tables import BarredRow
from tests.plugins.auth.people import (
    NAMES,
    actor_of,
    answer_to,
    content_of,
    decide,
    person,
    settings_on,
    sign_in_by,
)

BAD, SECOND, THIRD, LATER = (Wallet.named(f"{name} of the blocked") for name in ("bad", "second", "third", "later"))
PREFIX = "/api/v1/auth/wallets"
Enter = Callable[..., Any]


@pytest.fixture(params=["sqlite", "postgresql"])
def enter(request: pytest.FixtureRequest, tmp_path: Path) -> Enter:
    """Opens a house that blocks these, on the same database each time."""
    settings = settings_on(request, tmp_path)

    @asynccontextmanager
    async def open_house(*blocked: str) -> AsyncIterator[House]:
        configs = {"auth": AuthConfig(blocked_addresses=blocked)}
        async with house(tmp_path, NAMES, settings=settings, configs=configs) as home:
            yield home

    return open_house


async def signed_in(home: House, wallet: Wallet) -> Actor:
    async with home.client() as http:
        return actor_of(await sign_in_by(http, wallet, "siwe"))


async def link(home: House, actor: Actor, wallet: Wallet) -> None:
    async with home.client(actor) as me:
        asked = (await me.post(f"{PREFIX}/challenge", json={"address": wallet.address})).json()
        assert (await me.post(PREFIX, json=answer_to(asked, wallet))).status_code == 201


async def unlink(home: House, actor: Actor, wallet: Wallet) -> None:
    async with home.client(actor) as me:
        assert (await me.delete(f"{PREFIX}/{wallet.address}")).status_code == 204


async def film(home: House) -> str:
    return await content_of(home, (await person(home, "owner of the blocked")).actor, {"public": {}})


async def test_who_had_a_blocked_wallet_is_blocked_with_all_they_had(enter: Enter) -> None:
    async with enter(BAD.address.lower()) as home:
        content_id, me = await film(home), await signed_in(home, SECOND)

        async def watches(actor: Actor) -> bool:
            return (await decide(home, actor, content_id)).outcome == "holds"

        await link(home, me, THIRD)
        assert await watches(me)
        await link(home, me, BAD)
        assert not await watches(me)
        await unlink(home, me, THIRD)
        assert not await watches(await signed_in(home, THIRD)), "another account, a wallet of then"
        await unlink(home, me, BAD)
        assert not await watches(me)
        await link(home, me, LATER)
        await unlink(home, me, SECOND)
        later = await signed_in(home, LATER)
        await link(home, later, SECOND)
        await unlink(home, later, LATER)
        assert not await watches(await signed_in(home, LATER)), "handed on from one to the next"
        assert await watches(await signed_in(home, Wallet.named("anybody")))
    for blocked in ((BAD.address,), ()):  # remembered beyond the process, and only while the operator blocks it
        async with enter(*blocked) as home:
            for wallet in (SECOND, THIRD, LATER, BAD):
                outcome = (await decide(home, await signed_in(home, wallet), content_id)).outcome
                assert outcome == ("does_not_hold" if blocked else "holds")


async def test_unlinking_where_nobody_is_blocked_remembers_nothing(enter: Enter) -> None:
    async with enter(BAD.address) as home:
        me = await signed_in(home, SECOND)
        await link(home, me, THIRD)
        await unlink(home, me, THIRD)
        assert await home.plugins["auth"].db.read(lambda session: session.query(BarredRow).count()) == 0


async def test_what_another_process_remembers_counts_here_when_it_says_so(enter: Enter) -> None:
    async with enter(BAD.address) as home:
        content_id, me = await film(home), await signed_in(home, SECOND)
        row = {"name": me.user_id, "of_address": BAD.address}
        await home.plugins["auth"].db.write(lambda session: session.add(BarredRow(**row)))
        told = PeopleChanged(subject_id=me.user_id, revision=1, user_ids=(me.user_id,))
        await home.events.publish(PEOPLE_CHANGED, told, event_id=uuid7())

        async def is_refused() -> bool | None:
            return (await decide(home, me, content_id)).outcome == "does_not_hold" or None

        await eventually(is_refused, what="the other's word")
