"""A POST that creates, sent twice with one key: one suite for memory and Redis."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from starlette.requests import ClientDisconnect

from streamgate.errors import DeadlineExceeded, Internal, TooMany, Unauthorized, Unavailable
from streamgate.sdk.edge.idempotency import Idempotency
from streamgate.sdk.edge.kept import KEPT_S, Answers, Asked, MemoryAnswers, RedisAnswers
from streamgate.sdk.edge.policy import Edge
from streamgate.sdk.redis import open_redis
from streamgate.testing.servers import RedisServer
from tests.kernel.sdk.edge.conftest import Now
from tests.kernel.sdk.edge.shelf import Exists, Full, Shelf, open_client


@pytest.fixture
def shelf() -> Shelf:
    return Shelf()


@pytest.fixture(params=["memory", "redis"])
async def answers(request: pytest.FixtureRequest, now: Now) -> AsyncIterator[Answers | None]:
    if request.param == "memory":
        yield None
        return
    server: RedisServer = request.getfixturevalue("redis_server")
    redis = open_redis(server.url)
    yield RedisAnswers(redis, prefix=f"{uuid.uuid4().hex}:")
    await redis.aclose()


Ask = Callable[..., Any]


@pytest.fixture
async def ask(shelf: Shelf, answers: Answers | None, now: Now, make_edge: Callable[..., Edge]) -> AsyncIterator[Ask]:
    edge = make_edge(idempotency=Idempotency(answers, MemoryAnswers(now)))
    async with open_client(shelf, edge) as client:

        async def post(path: str = "/things", title: str = "a", key: str | bytes = "key-1", who: str = "ann") -> Any:
            headers: Any = {"idempotency-key": key}
            if who:
                headers["authorization"] = f"Bearer {who}"
            return await client.post(path, json={"title": title}, headers=headers)

        yield post


async def test_the_second_gets_the_answer_of_the_first(ask: Ask, shelf: Shelf) -> None:
    first, second = await ask(), await ask()
    assert (first.status_code, second.status_code) == (201, 201)
    assert first.json() == second.json() == {"number": 1, "title": "a"}
    assert shelf.made == 1
    assert "idempotency-replayed" not in first.headers
    assert second.headers["idempotency-replayed"] == "true"
    assert first.headers["x-request-id"] != second.headers["x-request-id"]


async def test_what_streams_is_known_by_its_length_and_headers(
    shelf: Shelf, answers: Answers | None, now: Now, make_edge: Callable[..., Edge]
) -> None:
    async with open_client(shelf, make_edge(idempotency=Idempotency(answers, MemoryAnswers(now)))) as client:

        async def send(content: Any, **headers: str) -> Any:
            sent = {"idempotency-key": "key-1", "authorization": "Bearer ann", **headers}
            return await client.post("/raw", content=content, headers=sent)

        async def leaves() -> AsyncIterator[bytes]:
            yield b"go"
            raise ClientDisconnect

        for refused, status in ((b"bad", 422), (b"odd", 409)):  # nothing was done, and the key is free
            for _ in range(2):
                answer = await send(refused)
                assert (answer.status_code, "idempotency-replayed" in answer.headers) == (status, False)
        with pytest.raises(AssertionError):  # no answer
            await send(leaves())
        first, second = await send(b"one", **{"X-Size": "3"}), await send(b"two", **{"X-Size": "3"})
        assert (first.status_code, second.status_code, shelf.made) == (201, 201, 1)
        assert second.headers["location"] == first.headers["location"] == "/things/1"
        assert second.headers["idempotency-replayed"] == "true"
        for other in (await send(b"longer", **{"X-Size": "3"}), await send(b"one", **{"X-Size": "4"})):
            assert (other.status_code, other.json()["code"]) == (422, "request.idempotency_mismatch")
        assert shelf.made == 1


async def test_a_response_comes_back_with_its_headers(ask: Ask) -> None:
    first, second = await ask("/responds"), await ask("/responds")
    assert (second.status_code, second.json()) == (201, first.json())
    assert second.headers["location"] == first.headers["location"] == "/things/1"
    assert len(second.headers.get_list("content-type")) == 1


@pytest.mark.parametrize(
    "other", [{"title": "b"}, {"path": "/things/one"}, {"key": "key-2"}, {"who": "bob"}], ids=lambda each: str(each)
)
async def test_another_request_is_another_request(ask: Ask, shelf: Shelf, other: dict[str, str]) -> None:
    await ask()
    answer = await ask(**other)
    if "title" in other:
        assert (answer.status_code, answer.json()["code"]) == (422, "request.idempotency_mismatch")
        assert shelf.made == 1
    else:
        assert answer.json()["number"] == 2
        assert "idempotency-replayed" not in answer.headers


async def test_the_path_counts_for_the_key_as_the_body_does(ask: Ask) -> None:
    assert (await ask("/things/one")).status_code == 201
    assert (await ask("/things/two")).json()["code"] == "request.idempotency_mismatch"


async def test_while_the_first_is_answered_the_second_is_409(ask: Ask, shelf: Shelf) -> None:
    first = asyncio.create_task(ask("/slow"))
    await shelf.entered.wait()
    second = await ask("/slow")
    assert (second.status_code, second.json()["code"]) == (409, "request.idempotency_in_progress")
    assert second.headers["retry-after"] == "1"
    shelf.may_go.set()
    assert (await first).status_code == 201
    assert (await ask("/slow")).headers["idempotency-replayed"] == "true"
    assert shelf.made == 1


async def test_a_refusal_is_kept_with_a_request_id_of_its_own(ask: Ask, shelf: Shelf) -> None:
    shelf.faults = [Exists("it is there")]
    first, second = await ask(), await ask()
    assert first.status_code == second.status_code == 409
    assert second.json() == {**first.json(), "request_id": second.headers["x-request-id"]}
    assert second.headers["idempotency-replayed"] == "true"
    assert shelf.made == 1


@pytest.mark.parametrize("fault", [Full("no room"), TooMany("slowly"), Unauthorized("who?")])
async def test_after_what_a_service_refuses_for_now_the_key_is_free(ask: Ask, shelf: Shelf, fault: Exception) -> None:
    shelf.faults = [fault]
    assert (await ask()).status_code in (401, 429, 503)
    assert (await ask()).json()["number"] == 2


UNKNOWN = (409, "request.idempotency_unknown")


@pytest.mark.parametrize("fault", [Internal(), Unavailable("away"), DeadlineExceeded("late"), KeyError("defect")])
async def test_what_broke_is_not_done_again(ask: Ask, shelf: Shelf, fault: Exception) -> None:
    """The connection to what it asked, or the handler itself: perhaps behind a commit."""
    shelf.faults = [fault]
    first = await ask()
    assert first.status_code in (500, 503)
    for _ in range(2):
        again = await ask()
        assert (again.status_code, again.json()["code"]) == UNKNOWN
        assert again.json()["first_request_id"] == first.headers["x-request-id"]
        assert "retry-after" not in again.headers
    assert shelf.made == 1
    assert (await ask(title="b")).json()["code"] == "request.idempotency_mismatch"
    assert (await ask(key="key-2")).json()["number"] == 2


async def test_what_took_too_long_is_not_done_again(ask: Ask, shelf: Shelf) -> None:
    try:
        late = await ask("/late")
        assert (late.status_code, late.json()["code"]) == (503, "service.deadline_exceeded")
        again = await ask("/late")
        assert (again.status_code, again.json()["code"]) == UNKNOWN
    finally:
        shelf.committed.set()
    assert shelf.made == 1


async def test_what_a_stopping_server_cuts_is_not_done_again(ask: Ask, shelf: Shelf) -> None:
    cut = asyncio.create_task(ask("/slow"))
    await shelf.entered.wait()
    cut.cancel()
    await asyncio.wait({cut})
    again = await ask("/slow")
    assert (again.status_code, again.json()["code"]) == UNKNOWN
    assert shelf.made == 0


@pytest.mark.parametrize(("path", "where"), [("/huge", "/things/1"), ("/large", None), ("/streams", None)])
async def test_what_is_too_long_to_be_kept_is_not_done_again(
    ask: Ask, shelf: Shelf, path: str, where: str | None
) -> None:
    assert (await ask(path)).status_code == 201
    again = await ask(path)
    assert (again.status_code, again.json()["code"]) == (409, "request.idempotency_answer_gone")
    assert again.json().get("location") == where
    assert shelf.made == 1


async def test_what_was_not_valid_does_not_take_the_key(ask: Ask, shelf: Shelf) -> None:
    refused = await ask(title=5)
    assert refused.status_code == 422
    assert (await ask()).status_code == 201


@pytest.mark.parametrize("path", ["/public", "/changes"])
async def test_without_sign_in_or_creation_the_key_has_no_effect(ask: Ask, path: str) -> None:
    who = "" if path == "/public" else "ann"
    assert [(await ask(path, who=who)).json()["number"] for _ in range(2)] == [1, 2]


@pytest.mark.parametrize("key", ["", "a" * 256, "with space", b"\xc3\xa9", "tab\there"])
async def test_a_key_that_is_none_is_422(ask: Ask, shelf: Shelf, key: Any) -> None:
    answer = await ask(key=key)
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "Idempotency-Key")
    assert shelf.made == 0


async def test_the_longest_key_is_good(ask: Ask) -> None:
    assert (await ask(key="a" * 255)).status_code == 201


def asked(name: str) -> Asked:
    return Asked(name=name, fingerprint="f" * 32, request_id=f"request-{name}")


async def test_memory_forgets_after_a_day_and_when_it_is_full(now: Now) -> None:
    answers = MemoryAnswers(now, max_answers=3, max_bytes=100)
    a, b, d = asked("a"), asked("b"), asked("d")
    await answers.keep(a, b"x" * 40)
    assert (await answers.claim(a, 10)).state == "done"
    now.now_s += KEPT_S
    assert (await answers.claim(a, 10)).state == "new"
    for each in (b, asked("c"), d):
        await answers.keep(each, b"x" * 40)
    assert (await answers.claim(d, 10)).state == "done"
    assert (await answers.claim(b, 10)).state == "new"


async def test_a_claim_that_nobody_ends_becomes_unknown_until_it_is_ended_or_the_key_expires(
    answers: Answers | None, now: Now
) -> None:
    """Its process died in the middle. Redis goes by its own clock."""
    store = answers or MemoryAnswers(now)
    one = asked("one")
    running_s = 60.0
    assert await state(store, one, running_s) == "new"
    assert await state(store, one, running_s) == "running"
    two = asked("two")
    assert await state(store, two, 0.0) == "new"
    found = await store.claim(two, running_s)
    assert found is not None
    assert (found.state, found.request_id, found.fingerprint) == ("unknown", "request-two", "f" * 32)
    await store.keep(two, b"sealed")  # it lived, and was slow
    assert await state(store, two, running_s) == "done"
    await store.leave(one)
    assert await state(store, one, running_s) == "unknown"
    await store.drop(one)
    assert await state(store, one, running_s) == "new"
    if answers is None:
        now.now_s += running_s
        assert await state(store, one, running_s) == "unknown"
        now.now_s += KEPT_S
        assert await state(store, one, running_s) == "new"


async def state(store: Answers, one: Asked, running_s: float) -> str:
    claim = await store.claim(one, running_s)
    assert claim is not None
    return claim.state


async def test_a_claim_in_redis_outlives_what_runs(redis_server: RedisServer) -> None:
    redis = open_redis(redis_server.url)
    prefix = f"{uuid.uuid4().hex}:"
    await RedisAnswers(redis, prefix=prefix).claim(asked("a"), 1.0)
    assert 86_000_000 < await redis.pttl(f"{prefix}a") <= 86_400_000
    await redis.aclose()


async def test_processes_share_what_redis_keeps_and_it_holds_no_answer_in_the_clear(
    redis_server: RedisServer, make_edge: Callable[..., Edge], now: Now
) -> None:
    redis = open_redis(redis_server.url)
    prefix = f"{uuid.uuid4().hex}:"
    shelf = Shelf()
    numbers = []
    headers = {"idempotency-key": "k", "authorization": "Bearer ann"}
    for _ in range(2):
        edge = make_edge(idempotency=Idempotency(RedisAnswers(redis, prefix=prefix), MemoryAnswers(now)))
        async with open_client(shelf, edge) as client:
            answer = await client.post("/things", json={"title": "secret-title"}, headers=headers)
            numbers.append(answer.json()["number"])
    assert numbers == [1, 1]
    (kept,) = [key async for key in redis.scan_iter(f"{prefix}*")]
    assert "secret-title" not in str(await redis.get(kept))
    assert 86_000_000 < await redis.pttl(kept) <= 86_400_000
    await redis.aclose()


async def test_without_redis_the_process_keeps_its_own(
    own_redis_server: RedisServer, shelf: Shelf, make_edge: Callable[..., Edge], now: Now
) -> None:
    redis = open_redis(own_redis_server.url)
    own_redis_server.kill()
    edge = make_edge(idempotency=Idempotency(RedisAnswers(redis), MemoryAnswers(now)))
    headers = {"idempotency-key": "k", "authorization": "Bearer ann"}
    async with open_client(shelf, edge) as client:
        answers = [await client.post("/things", json={}, headers=headers) for _ in range(2)]
    assert [each.json()["number"] for each in answers] == [1, 1]
    await redis.aclose()


async def test_what_was_done_while_redis_was_away_is_known_when_it_is_back(
    redis_server: RedisServer, shelf: Shelf, make_edge: Callable[..., Edge], now: Now
) -> None:
    redis = open_redis(redis_server.url)
    shared, own = RedisAnswers(redis, prefix=f"{uuid.uuid4().hex}:"), MemoryAnswers(now)
    headers = {"idempotency-key": "k", "authorization": "Bearer ann"}
    for idempotency in (Idempotency(None, own), Idempotency(shared, own)):
        async with open_client(shelf, make_edge(idempotency=idempotency)) as client:
            assert (await client.post("/things", json={}, headers=headers)).json()["number"] == 1
    await redis.aclose()
