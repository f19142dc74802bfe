"""Live progress on real sockets: who is told what, how it ends, and what a slow or a forged connection gets."""

from __future__ import annotations

import asyncio
import hashlib
import json
import time
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import aiohttp
import attrs
import pytest

from streamgate.context import ANONYMOUS, Actor
from streamgate.contracts.auth import TokenExpired, TokenInvalid
from streamgate.contracts.cache import CACHE, CacheKey
from streamgate.contracts.live import LIVE, LiveUpdate
from streamgate.engine.server import Server, bind
from streamgate.events import on_everyone
from streamgate.health import Readiness
from streamgate.sdk.clock import SYSTEM_CLOCK
from streamgate.settings import ServerSettings
from streamgate.testing.house import House, house
from streamgate.testing.wait import eventually
from streamgate.web.access import AccessLog
from streamgate.web.app import build_app
from streamgate_api.live.hub import MAX_WAITING, Event, Hub, Watcher, interest_of
from streamgate_api.live.routes import LiveRoutes
from streamgate_api.live.sse import EventStream
from streamgate_api.live.tickets import NAMESPACE, Tickets
from streamgate_api.live.watching import Looks, Pace
from streamgate_api.live.websocket import LiveSocket

EVENTS, SOCKET = "/api/v1/events", "/api/v1/ws"
SETTINGS = ServerSettings(read_timeout_s=5, drain_timeout_s=5)
PAGE = "https://video.example"


class People:
    """Believes `Bearer <name>`, until that is revoked."""

    def __init__(self) -> None:
        self.revoked: set[str] = set()

    async def authenticate(self, headers: Mapping[str, str]) -> Actor:
        sent = headers.get("authorization", "").removeprefix("Bearer ")
        if not sent:
            return ANONYMOUS
        if sent in self.revoked:
            raise TokenExpired("the access token has expired; refresh it")
        if not sent.startswith("u_"):
            raise TokenInvalid("this is not an access token; sign in again")
        return Actor(kind="user", user_id=sent, roles=("viewer",))


@attrs.define
class Stage:
    home: House
    hub: Hub
    people: People
    draining: asyncio.Event
    server: Server
    http: aiohttp.ClientSession

    async def tell(self, event: str = "upload.progress", owner: str = "u_alice", **more: Any) -> None:
        fields: dict[str, Any] = {"kind": "upload", "id": "up_1", "content_id": "c_1", "data": {"progress": 0.5}}
        fields |= more
        await self.home.events.broadcast(LIVE, LiveUpdate(owner=owner, event=event, **fields))

    async def ticket(self, name: str = "u_alice") -> str:
        async with self.http.post(f"{EVENTS}/ticket", headers=bearer(name)) as answer:
            assert answer.status == 201
            return str((await answer.json())["ticket"])


def bearer(name: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {name}"}


@pytest.fixture
def pace() -> Pace:
    return Pace(heartbeat_s=0.4, check_s=0.1)


@pytest.fixture
async def stage(tmp_path: Path, pace: Pace) -> AsyncIterator[Stage]:
    hub = Hub(SYSTEM_CLOCK, per_person=3, per_process=5)
    heard = [on_everyone(LIVE, hub.on_update, resync=hub.resync)]
    async with house(tmp_path, ["cache"], subscriptions=heard) as home:
        people, draining = People(), asyncio.Event()
        tickets = Tickets(home.services.get(CACHE), SYSTEM_CLOCK)
        looks = Looks(hub, people, tickets, draining, SYSTEM_CLOCK, pace)
        live = LiveRoutes(tickets, EventStream(looks), LiveSocket(looks, (PAGE, "http://127.0.0.1:9090")))

        async def ready() -> Readiness:
            return Readiness(ready=True, checks={})

        app = build_app(
            routes=live.routes(),
            mounts=live.mounts(),
            authenticator=people,
            settings=SETTINGS,
            service="api",
            mode="all",
            readiness=ready,
            began_s=time.monotonic(),
            access_log=AccessLog(lambda batch: None),
        )
        server = Server("http:api", app, bind("127.0.0.1", 0), SETTINGS)
        await server.start()
        timeout = aiohttp.ClientTimeout(total=20)
        async with aiohttp.ClientSession(f"http://127.0.0.1:{server.port}", timeout=timeout) as http:
            yield Stage(home, hub, people, draining, server, http)
        draining.set()
        await server.stop()


@attrs.define
class Stream:
    """A reader of server-sent events."""

    answer: aiohttp.ClientResponse

    async def next(self) -> tuple[str, Any]:
        """The next event's name and data; ("", None) at the end. Comments are passed over."""
        name, data = "", None
        async for line in self.answer.content:
            field, _, value = line.decode().rstrip("\n").partition(": ")
            if field == "event":
                name = value
            elif field == "data":
                data = json.loads(value)
            elif not field and name:
                return name, data
        return name, data


async def look(stage: Stage, query: str = "", name: str = "u_alice") -> Stream:
    stream = Stream(await stage.http.get(f"{EVENTS}{query}", headers=bearer(name)))
    assert (stream.answer.status, (await stream.next())[0]) == (200, "hello")
    return stream


async def say(socket: aiohttp.ClientWebSocketResponse) -> dict[str, Any]:
    """The next message that is no ping."""
    while True:
        message: dict[str, Any] = await socket.receive_json()
        if message["event"] != "ping":
            return message


async def refused(stage: Stage, query: str = "", **headers: str) -> tuple[int, str]:
    """Status and code of a WebSocket handshake that must be refused; of an event stream it is the same."""
    with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
        await stage.http.ws_connect(f"{SOCKET}{query}", headers=headers)
    async with stage.http.get(f"{EVENTS}{query}", headers=headers) as answer:
        problem = await answer.json()
    assert caught.value.status == answer.status
    return answer.status, problem["code"]


async def test_events_tell_a_person_what_is_theirs(stage: Stage) -> None:
    alice, bob = await look(stage), await look(stage, name="u_bob")
    assert alice.answer.headers["content-type"].startswith("text/event-stream")
    assert alice.answer.headers["cache-control"] == "no-store"
    await stage.tell("upload.progress")
    await stage.tell("job.finished", owner="u_bob", kind="job", id="j_1")
    name, data = await alice.next()
    assert (name, data["kind"], data["id"], data["content_id"]) == ("upload.progress", "upload", "up_1", "c_1")
    assert data["data"] == {"progress": 0.5}
    assert data["at"].endswith("Z")
    name, data = await bob.next()
    assert (name, data["kind"], data["id"]) == ("job.finished", "job", "j_1")
    alice.answer.close()
    bob.answer.close()


async def test_a_socket_tells_the_same(stage: Stage) -> None:
    async with stage.http.ws_connect(SOCKET, headers=bearer("u_alice")) as socket:
        hello = await socket.receive_json()
        assert (hello["event"], hello["heartbeat_s"]) == ("hello", 0.4)
        await socket.send_str("what a client says is not listened to")
        await stage.tell("media.ready", kind="media", id="c_1")
        told = await say(socket)
        assert (told["event"], told["kind"], told["data"]) == ("media.ready", "media", {"progress": 0.5})


async def test_only_what_is_asked_for(stage: Stage) -> None:
    stream = await look(stage, "?kinds=media,job&content_id=c_2")
    await stage.tell(kind="upload", content_id="c_2")
    await stage.tell(kind="media", id="c_1", content_id="c_1")
    await stage.tell("media.ready", kind="media", id="c_2", content_id="c_2")
    assert (await stream.next())[0] == "media.ready"
    stream.answer.close()


@pytest.mark.parametrize("query", ["?kinds=nonsense", "?color=red", "?kinds=job&kinds=job"])
async def test_a_query_that_is_none(stage: Stage, query: str) -> None:
    assert await refused(stage, query, **bearer("u_alice")) == (422, "request.invalid")
    async with stage.http.get(EVENTS + query, headers=bearer("u_alice")) as answer:
        assert [each["field"] for each in (await answer.json())["errors"]] == [query[1:].partition("=")[0]]


async def test_nobody_is_told_nothing(stage: Stage) -> None:
    assert await refused(stage) == (401, "auth.required")
    assert await refused(stage, **bearer("garbage")) == (401, "auth.token_invalid")
    assert await refused(stage, "?ticket=" + "A" * 43) == (401, "events.ticket_invalid")
    assert await refused(stage, "?ticket=short") == (401, "events.ticket_invalid")
    for path in (EVENTS, SOCKET):
        async with stage.http.delete(path) as answer:
            assert answer.status in (401, 405)
    async with stage.http.get(SOCKET, headers=bearer("u_alice")) as answer:
        assert (answer.status, (await answer.json())["code"]) == (426, "events.upgrade_required")
        assert answer.headers["upgrade"] == "websocket"
    async with stage.http.post(SOCKET, headers=bearer("u_alice")) as answer:
        assert (answer.status, answer.headers["allow"]) == (405, "GET, HEAD")
    async with stage.http.head(EVENTS, headers=bearer("u_alice")) as answer:
        assert (answer.status, answer.content_type) == (200, "text/event-stream")
    async with stage.http.post(f"{EVENTS}/ticket") as answer:
        assert answer.status == 401
    assert stage.hub.count == 0


async def test_a_ticket_lets_a_page_in_once(stage: Stage) -> None:
    ticket = await stage.ticket()
    stream = Stream(await stage.http.get(f"{EVENTS}?ticket={ticket}"))
    assert (await stream.next())[0] == "hello"
    stream.answer.close()
    assert await refused(stage, f"?ticket={ticket}") == (401, "events.ticket_invalid")
    ticket = await stage.ticket()
    async with stage.http.ws_connect(f"{SOCKET}?ticket={ticket}", headers={"Origin": PAGE}) as socket:
        assert (await socket.receive_json())["event"] == "hello"
        await stage.tell("upload.finished")
        assert (await say(socket))["event"] == "upload.finished"


async def test_the_cache_holds_no_credential_and_makes_no_ticket(stage: Stage) -> None:
    cache = stage.home.services.get(CACHE)
    ticket = await stage.ticket()
    key = CacheKey(key=hashlib.sha256(f"name:{ticket}".encode()).hexdigest(), namespace=NAMESPACE)
    entry = await cache.get(key)
    assert entry.found
    assert entry.ttl_s is not None
    assert entry.ttl_s <= 60
    assert "alice" not in str(entry.value)


async def test_a_page_of_another_origin_has_no_socket(stage: Stage) -> None:
    headers = {**bearer("u_alice"), "Origin": "https://evil.example"}
    with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
        await stage.http.ws_connect(SOCKET, headers=headers)
    assert caught.value.status == 403
    for origin in (PAGE, "http://localhost:9090"):
        async with stage.http.ws_connect(SOCKET, headers={**bearer("u_alice"), "Origin": origin}) as socket:
            assert (await socket.receive_json())["event"] == "hello"


async def test_signing_out_ends_it(stage: Stage) -> None:
    stream = await look(stage)
    ticket = await stage.ticket()
    async with stage.http.ws_connect(f"{SOCKET}?ticket={ticket}") as socket:
        await socket.receive_json()
        stage.people.revoked.add("u_alice")
        await stage.tell("upload.finished")
        name, data = await stream.next()
        assert (name, data["detail"]) == ("auth.token_expired", "the access token has expired; refresh it")
        assert (await stream.next())[0] == ""
        assert (await say(socket))["event"] == "auth.token_expired"
        assert (await socket.receive()).type is aiohttp.WSMsgType.CLOSE
        assert socket.close_code == 4401
    await eventually(lambda: _is(stage.hub.count == 0), what="both to leave")


async def test_a_sign_of_life_where_nothing_is_new(stage: Stage) -> None:
    stream = await look(stage)
    assert (await stream.answer.content.readline()).startswith(b": ")
    async with stage.http.ws_connect(SOCKET, headers=bearer("u_alice")) as socket:
        assert [(await socket.receive_json())["event"] for _ in range(2)] == ["hello", "ping"]
    stream.answer.close()


async def test_no_more_than_so_many_at_once(stage: Stage) -> None:
    streams = [await look(stage) for _ in range(3)]
    assert await refused(stage, **bearer("u_alice")) == (429, "events.too_many")
    streams += [await look(stage, name="u_bob") for _ in range(2)]
    assert await refused(stage, **bearer("u_carol")) == (429, "events.too_many")
    for stream in streams:
        stream.answer.close()
    await eventually(lambda: _is(stage.hub.count == 0), what="those who left to be forgotten")
    (await look(stage)).answer.close()


@pytest.mark.parametrize("pace", [Pace(heartbeat_s=30, check_s=20)])
async def test_a_stopping_server_ends_them_at_once(stage: Stage) -> None:
    stream = await look(stage)
    socket = await stage.http.ws_connect(SOCKET, headers=bearer("u_alice"))
    await socket.receive_json()
    reading = asyncio.ensure_future(socket.receive())
    began_s = time.monotonic()
    stage.draining.set()
    await stage.server.stop()
    assert time.monotonic() - began_s < 2
    assert (await stream.next())[0] == ""
    await reading
    assert socket.close_code == 1001
    assert stage.hub.count == 0


async def test_a_slow_reader_loses_progress_first(stage: Stage) -> None:
    watcher = stage.hub.enter("u_alice", interest_of("", ""))
    await stage.tell("upload.finished")
    for number in range(MAX_WAITING + 10):
        await stage.tell(data={"progress": number})
    await stage.tell("media.ready", kind="media")
    taken = await everything(watcher, until="media.ready")
    assert (len(taken), taken[0].name) == (MAX_WAITING, "upload.finished")
    assert taken[-2].data["data"] == {"progress": MAX_WAITING + 9}
    stage.hub.leave(watcher)


async def test_a_reader_too_slow_for_changes_of_state_is_told_to_read_again(stage: Stage) -> None:
    watcher = stage.hub.enter("u_alice", interest_of("", ""))
    for number in range(MAX_WAITING + 5):
        await stage.tell("job.finished", kind="job", id=f"j_{number}")
    await stage.tell("media.ready", kind="media")
    taken = await everything(watcher, until="media.ready")
    assert [event.name for event in taken] == ["gap", *["job.finished"] * 5, "media.ready"]
    stage.hub.leave(watcher)


async def everything(watcher: Watcher, *, until: str) -> list[Event]:
    """What waits once that has come."""

    async def came() -> bool | None:
        return any(event.name == until for _, event in watcher._waiting) or None

    await eventually(came, what=until)
    return await watcher.next(1)


async def test_what_the_bus_may_have_lost_is_a_gap(stage: Stage) -> None:
    stream = await look(stage)
    await stage.hub.resync()
    assert (await stream.next())[0] == "gap"
    stream.answer.close()


async def _is(fact: bool) -> bool | None:
    return fact or None
