"""Metadata over HTTP."""

from __future__ import annotations

import httpx

from streamgate.context import ANONYMOUS, Actor
from streamgate.contracts.metadata import METADATA, Publish
from streamgate.testing.house import House

BASE = "/api/v1/metadata"


async def create(home: House, actor: Actor, **fields: object) -> dict[str, object]:
    async with home.client(actor) as http:
        answer = await http.post(f"{BASE}/create", json={"title": "Big Buck Bunny", **fields})
    assert answer.status_code == 201, answer.text
    made: dict[str, object] = answer.json()
    return made


async def call(home: House, actor: Actor, method: str, path: str, **arguments: object) -> httpx.Response:
    async with home.client(actor) as http:
        return await http.request(method, f"{BASE}{path}", **arguments)  # type: ignore[arg-type]


async def test_create_get_update_delete(home: House, alice: Actor) -> None:
    made = await create(home, alice, tags=["a"], category="film")
    content_id = made["content_id"]
    changed = await call(home, alice, "PUT", "/update", json={"content_id": content_id, "title": "Rabbit"})
    assert (changed.status_code, changed.json()["title"]) == (200, "Rabbit")
    found = await call(home, alice, "GET", "", params={"content_id": content_id})
    assert found.json() == changed.json()
    assert found.json()["tags"] == ["a"]
    assert (await call(home, alice, "DELETE", "/delete", params={"content_id": content_id})).status_code == 204
    gone = await call(home, alice, "GET", "", params={"content_id": content_id})
    assert (gone.status_code, gone.json()["code"]) == (404, "content.not_found")


async def test_policies_as_nobody_and_as_the_wrong_user(home: House, alice: Actor, bob: Actor) -> None:
    content_id = str((await create(home, alice))["content_id"])
    viewer = Actor(kind="user", user_id="vi", roles=("viewer",))
    asked: list[tuple[str, str, dict[str, object]]] = [
        ("PUT", "/update", {"json": {"content_id": content_id, "title": "Mine"}}),
        ("DELETE", "/delete", {"params": {"content_id": content_id}}),
    ]
    assert (await call(home, ANONYMOUS, "POST", "/create", json={"title": "x"})).status_code == 401
    assert (await call(home, viewer, "POST", "/create", json={"title": "x"})).status_code == 403
    for method, path, arguments in asked:
        assert (await call(home, ANONYMOUS, method, path, **arguments)).status_code == 401
        assert (await call(home, bob, method, path, **arguments)).status_code == 404
    await home.services.get(METADATA).publish(Publish(content_id=content_id, revision=1, published=True))
    for method, path, arguments in asked:
        assert (await call(home, bob, method, path, **arguments)).status_code == 403
    assert (await call(home, ANONYMOUS, "GET", "", params={"content_id": content_id})).status_code == 200


async def test_faults_are_named_by_field(home: House, alice: Actor) -> None:
    answer = await call(home, alice, "POST", "/create", json={"title": "a\nb", "tags": ["x" * 51]})
    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == ["title", "tags[0]"]
    assert (await call(home, alice, "POST", "/create", json={"title": "x", "owner": "bob"})).status_code == 422


async def test_protection_that_is_not_given_is_not_promised(home: House, alice: Actor) -> None:
    answer = await call(home, alice, "POST", "/create", json={"title": "x", "protection": "drm"})
    assert answer.status_code == 422
    assert answer.json()["errors"] == [{"field": "protection", "message": "must be one of none, encrypted"}]
    assert (await create(home, alice, protection="none"))["protection"] == "none"


async def test_search_is_public_and_paged(home: House, alice: Actor) -> None:
    for n in range(3):
        made = await create(home, alice, title=f"film {n}", visibility="listed")
        wanted = Publish(content_id=str(made["content_id"]), revision=1, published=True)
        await home.services.get(METADATA).publish(wanted)
    await create(home, alice, title="film private", visibility="listed")
    first = (await call(home, ANONYMOUS, "GET", "/search", params={"q": "film", "limit": 2})).json()
    rest = (
        await call(home, ANONYMOUS, "GET", "/search", params={"q": "film", "limit": 2, "cursor": first["next_cursor"]})
    ).json()
    assert {content["title"] for content in first["items"] + rest["items"]} == {"film 0", "film 1", "film 2"}
    assert rest["next_cursor"] is None
    of_bob = await call(home, ANONYMOUS, "GET", "/search", params={"q": "film", "owner": "bob"})
    assert of_bob.json()["items"] == []
    bad = await call(home, ANONYMOUS, "GET", "/search", params={"cursor": "???"})
    assert (bad.status_code, bad.json()["errors"][0]["field"]) == (422, "cursor")


async def test_categories_tags_and_marks_over_http(home: House, alice: Actor) -> None:
    await create(home, alice, title="A <b>film</b>", tags=["Cats"], category="Film")
    for path, expected in (("/categories", "Film"), ("/tags?prefix=ca", "cats")):
        assert (await call(home, alice, "GET", path)).json() == {"items": [{"name": expected, "count": 1}]}
        assert (await call(home, ANONYMOUS, "GET", path)).json() == {"items": []}
    page = (await call(home, alice, "GET", "/search", params={"q": "film", "sort": "relevance"})).json()
    [marked] = page["highlights"].values()
    assert marked["title"] == "A &lt;b&gt;<mark>film</mark>&lt;/b&gt;"
    for path in (
        "/search?sort=rank",
        "/search?state=bogus",
        "/search?limit=0",
        "/tags?limit=201",
        f"/search?q={'x' * 501}",
        "/search?cursor=x",
    ):
        answer = await call(home, ANONYMOUS, "GET", path)
        assert (answer.status_code, len(answer.json()["errors"])) == (422, 1), path
