"""What a session's answers say of it, to a client that protoc has made."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from streamgate.context import Actor
from streamgate.sdk.clock import rfc3339
from streamgate_api.rpc.server import Address, RpcServer
from tests.plugins.api.rpc_client import Client, believing, messages, refusal
from tests.plugins.streaming.theatre import Theatre

HOLDER = Actor(kind="user", user_id="holder", roles=("viewer",))
STRANGER = Actor(kind="user", user_id="stranger", roles=("viewer",))
M = messages("Streaming")
OPEN = M.OpenSessionRequest(content_id="c_film", client_id="tv")
LEASE_S, GRACE_S = 60.0, 300.0


@pytest.fixture
async def nobody(film: Theatre) -> AsyncIterator[Client]:
    address = Address(host="127.0.0.1", port=0, is_derived=False)
    server = RpcServer(lambda: believing(film.home.app), address, asyncio.Event())
    await server.start()
    async with Client.connect(server.port) as client:
        yield client
    await server.stop()


async def test_until_when_it_is_decided_and_that_all_is_open(film: Theatre, nobody: Client) -> None:
    holder = nobody.acting_as(HOLDER)
    session = await holder.call("Streaming", "OpenSession", OPEN)
    until = rfc3339(round((film.clock.now_s() + LEASE_S) * 1000))
    assert (session.decided_until, session.expires_at) == (until, until)
    renewed = await holder.call("Streaming", "RenewSession", M.RenewSessionRequest(session_id=session.session_id))
    for answer in (session, renewed):
        assert not any(answer.HasField(name) for name in ("grace", "preview_s", "max_height_px"))


async def test_a_preview_and_the_height_that_is_open(film: Theatre, nobody: Client) -> None:
    film.auth.preview_s, film.auth.max_height_px = 8.5, 480
    stranger = nobody.acting_as(STRANGER)
    session = await stranger.call("Streaming", "OpenSession", OPEN)
    assert (session.preview_s, session.max_height_px) == (8.5, 480)
    film.auth.max_height_px = 360
    await film.clock.advance(LEASE_S)
    renewed = await stranger.call("Streaming", "RenewSession", M.RenewSessionRequest(session_id=session.session_id))
    assert (renewed.preview_s, renewed.max_height_px) == (8.5, 360)


async def test_on_grace_a_renewal_says_until_when_and_why(film: Theatre, nobody: Client) -> None:
    holder = nobody.acting_as(HOLDER)
    session = await holder.call("Streaming", "OpenSession", OPEN)
    ends_at_s = film.clock.now_s() + GRACE_S
    film.auth.unknown, film.auth.grace_until_s = True, ends_at_s
    await film.clock.advance(LEASE_S)
    renew = M.RenewSessionRequest(session_id=session.session_id)
    until = rfc3339(round(ends_at_s * 1000))
    for answer in (
        await holder.call("Streaming", "RenewSession", renew),
        await holder.call("Streaming", "OpenSession", OPEN),
    ):
        assert (answer.decided_until, answer.grace.until, answer.grace.reason) == (until, until, "cannot be read now")
    await film.clock.advance(GRACE_S - LEASE_S)
    told = await refusal(holder.call("Streaming", "RenewSession", renew))
    assert told.reason == "gate.unknown"
