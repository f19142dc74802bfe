"""Contents and gates under the public paths, over the real metadata and auth."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from streamgate.context import ANONYMOUS, Actor
from streamgate.testing.house import House, house

ALICE = Actor(kind="user", user_id="u_alice", roles=("viewer", "creator"))
BOB = Actor(kind="user", user_id="u_bob", roles=("viewer", "creator"))
EVE = Actor(kind="user", user_id="u_eve", roles=("viewer",))
MODERATOR = Actor(kind="user", user_id="u_mo", roles=("viewer", "moderator"))
CONTENT = "/api/v1/content"
UNKNOWN = "c_0000000000000000000000"


@pytest.fixture
async def home(tmp_path: Path) -> AsyncIterator[House]:
    async with house(tmp_path, ["metadata", "auth", "api"]) as home:
        yield home


async def call(home: House, who: Actor, method: str, path: str, **more: Any) -> httpx.Response:
    async with home.client(who) as client:
        return await client.request(method, path, **more)


async def create(home: House, who: Actor = ALICE, **body: Any) -> dict[str, Any]:
    answer = await call(home, who, "POST", CONTENT, json={"title": "A film", **body})
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def test_a_creator_creates_changes_and_deletes(home: House) -> None:
    content = await create(home, tags=["a"], description="About it")
    path = f"{CONTENT}/{content['content_id']}"
    assert (content["owner"], content["title"], content["state"]) == ("u_alice", "A film", "draft")
    changed = await call(home, ALICE, "PUT", path, json={"title": "Another", "visibility": "listed"})
    assert (changed.status_code, changed.json()["title"], changed.json()["tags"]) == (200, "Another", ["a"])
    assert (await call(home, ALICE, "GET", path)).json()["visibility"] == "listed"
    assert (await call(home, ALICE, "DELETE", path)).status_code == 204
    assert (await call(home, ALICE, "GET", path)).status_code == 404
    assert (await call(home, ALICE, "DELETE", path)).status_code == 204


async def test_protection_that_is_not_given_is_not_promised(home: House) -> None:
    answer = await call(home, ALICE, "POST", CONTENT, json={"title": "x", "protection": "drm"})
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "protection")
    assert (await create(home, protection="none"))["protection"] == "none"


async def test_who_is_no_creator_creates_nothing(home: House) -> None:
    assert (await call(home, ANONYMOUS, "POST", CONTENT, json={"title": "x"})).status_code == 401
    assert (await call(home, EVE, "POST", CONTENT, json={"title": "x"})).status_code == 403


async def test_a_private_content_is_the_same_404_as_an_unknown_one(home: House) -> None:
    content = await create(home)
    for who in (ANONYMOUS, BOB, EVE):
        private = await call(home, who, "GET", f"{CONTENT}/{content['content_id']}")
        unknown = await call(home, who, "GET", f"{CONTENT}/{UNKNOWN}")
        assert private.status_code == unknown.status_code == 404
        assert private.json()["code"] == unknown.json()["code"] == "content.not_found"


async def test_setting_a_public_gate_publishes_and_removing_it_hides(home: House) -> None:
    content = await create(home, visibility="listed")
    path = f"{CONTENT}/{content['content_id']}"
    assert (await call(home, ANONYMOUS, "GET", CONTENT)).json()["items"] == []
    stored = await call(home, ALICE, "PUT", f"{path}/gate", json={"public": {}})
    assert (stored.status_code, stored.json()["gate"]) == (200, {"public": {}})
    listed = (await call(home, ANONYMOUS, "GET", CONTENT)).json()["items"]
    assert [item["content_id"] for item in listed] == [content["content_id"]]
    assert listed[0]["published_at"]
    assert (await call(home, ALICE, "DELETE", f"{path}/gate")).status_code == 204
    assert (await call(home, ALICE, "GET", f"{path}/gate")).json()["gate"] is None
    assert (await call(home, ANONYMOUS, "GET", path)).status_code == 404


async def test_a_content_is_created_with_its_gate_or_not_at_all(home: House) -> None:
    content = await create(home, gate={"public": {}})
    assert content["published_at"]
    refused = await call(home, ALICE, "POST", CONTENT, json={"title": "Lost", "gate": {"any": []}})
    assert (refused.status_code, refused.json()["code"]) == (422, "gate.invalid")
    titles = [item["title"] for item in (await call(home, ALICE, "GET", CONTENT)).json()["items"]]
    assert titles == ["A film"]


@pytest.mark.parametrize(
    ("method", "below", "bad"),
    [
        ("PUT", "", {"titel": 1}),
        ("PUT", "/gate", {"any": []}),
        ("GET", "/gate", None),
        ("DELETE", "/gate", None),
        ("POST", "/gate/check", {"adress": 1}),
    ],
)
async def test_who_may_not_learns_nothing_of_a_bad_body(home: House, method: str, below: str, bad: Any) -> None:
    private = (await create(home))["content_id"]
    published = (await create(home, gate={"public": {}}))["content_id"]
    more = {} if bad is None else {"json": bad}
    for who, status in ((ANONYMOUS, 401), (BOB, 404)):
        assert (await call(home, who, method, f"{CONTENT}/{private}{below}", **more)).status_code == status
    expected = 422 if below == "/gate/check" else 403  # anyone signed in may ask for themselves
    assert (await call(home, BOB, method, f"{CONTENT}/{published}{below}", **more)).status_code == expected
    assert (await call(home, MODERATOR, method, f"{CONTENT}/{private}{below}", **more)).status_code in (200, 204, 422)


async def test_the_gate_explains_itself_to_oneself_and_for_others_to_the_owner(home: House) -> None:
    content = await create(home, gate={"public": {}})
    path = f"{CONTENT}/{content['content_id']}/gate/check"
    own = await call(home, EVE, "POST", path, json={})
    assert (own.status_code, own.json()["outcome"]) == (200, "holds")
    assert (await call(home, EVE, "POST", path)).status_code == 200
    other = {"address": "0x" + "11" * 20}
    assert (await call(home, EVE, "POST", path, json=other)).status_code == 403
    assert (await call(home, ALICE, "POST", path, json=other)).json()["explanation"]["kind"] == "public"


async def test_the_catalogue_is_paged_and_searched(home: House) -> None:
    for title in ("One cat", "Two cats", "A dog"):
        await create(home, title=title)
    first = (await call(home, ALICE, "GET", CONTENT, params={"limit": 2, "sort": "oldest"})).json()
    assert [item["title"] for item in first["items"]] == ["One cat", "Two cats"]
    cursor = {"limit": 2, "sort": "oldest", "cursor": first["next_cursor"]}
    second = (await call(home, ALICE, "GET", CONTENT, params=cursor)).json()
    assert ([item["title"] for item in second["items"]], second["next_cursor"]) == (["A dog"], None)
    found = (await call(home, ALICE, "GET", CONTENT, params={"q": "dog"})).json()["items"]
    assert [item["title"] for item in found] == ["A dog"]
    assert (await call(home, ALICE, "GET", CONTENT, params={"sort": "random"})).status_code == 422
