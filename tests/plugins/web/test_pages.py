"""The page's files as they are served."""

from __future__ import annotations

import re

import httpx
import pytest

from streamgate.context import ANONYMOUS, Actor
from streamgate.health import Readiness
from streamgate.settings import ServerSettings
from streamgate.testing.attacks import attack
from streamgate.web.app import build_app
from streamgate_web.assets import CONTENT_SECURITY_POLICY, content_security_policy, load_assets
from streamgate_web.pages import Pages


class Nobody:
    async def authenticate(self, headers: object) -> Actor:
        return ANONYMOUS


async def ready() -> Readiness:
    return Readiness(ready=True, checks={})


@pytest.fixture
def client() -> httpx.AsyncClient:
    app = build_app(
        routes=Pages(load_assets(), profile="dev").routes(),
        authenticator=Nobody(),
        settings=ServerSettings(),
        service="web",
        mode="only",
        readiness=ready,
        began_s=0,
    )
    return httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://page")


async def test_the_page_and_all_it_names_are_there(client: httpx.AsyncClient) -> None:
    page = await client.get("/")
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    named = re.findall(r'(?:src|href)="(/assets/[^"]+)"', page.text)
    assert len(named) == 5
    for path in named:
        answer = await client.get(path)
        assert answer.status_code == 200, path
        if "/vendor/" not in path:
            named += [f"/assets/{name}" for name in re.findall(r' from "\./([^"]+)"', answer.text)]
    assert {"/assets/watching.js", "/assets/words.js", "/assets/ask.js"} <= set(named)


@attack("B36")
async def test_only_files_of_our_own_may_run(client: httpx.AsyncClient) -> None:
    page = await client.get("/")
    assert page.headers["content-security-policy"] == CONTENT_SECURITY_POLICY
    assert "unsafe" not in CONTENT_SECURITY_POLICY
    assert not re.search(r"<script(?![^>]*\bsrc=)|\son[a-z]+=|style=", page.text), "inline code would not run"


async def test_a_known_file_is_not_sent_twice(client: httpx.AsyncClient) -> None:
    first = await client.get("/assets/page.js")
    again = await client.get("/assets/page.js", headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


@attack("B34")
@pytest.mark.parametrize("path", ["/assets/absent.js", "/assets/../plugin.py", "/assets/..%2fplugin.py", "/assets/"])
async def test_nothing_but_the_page_is_served(client: httpx.AsyncClient, path: str) -> None:
    answer = await client.get(path)
    assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")


def test_the_page_knows_the_profile_it_is_served_in() -> None:
    index = load_assets()["index.html"]
    filled = index.filled(b'data-profile=""', b'data-profile="prod"')
    assert b'<body data-profile="prod">' in filled.body
    assert filled.etag != index.etag


def test_the_player_may_fetch_from_a_content_network_and_nothing_else_may() -> None:
    plain, open_to = CONTENT_SECURITY_POLICY, content_security_policy("https://cdn.example.com")
    assert "connect-src 'self';" in plain
    assert open_to.replace(" https://cdn.example.com", "") == plain
    assert "connect-src 'self' https://cdn.example.com;" in open_to
