"""The page and its files as they are served: strict, complete, kept for as long as they may be."""

from __future__ import annotations

import gzip
import re
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from streamgate.testing.house import house
from streamgate_web.assets import Assets
from streamgate_web.page import CONTENT_SECURITY_POLICY, Page
from streamgate_web.plugin import STATIC

BUILD = Path(__file__).parents[3] / "plugins" / "web" / "build.py"


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    async with house(tmp_path, ["web"]) as home, home.client() as client:
        yield client


async def test_the_page_and_all_it_names_are_there(client: httpx.AsyncClient) -> None:
    page = await client.get("/")
    assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert "{{" not in page.text
    named = re.findall(r'(?:src|href)="(/assets/[^"]+)"', page.text)
    assert [path.rpartition("/")[2] for path in named] == ["icon.svg", "page.css", "hls.min.js", "page.js"]
    scripts = [path for path in named if path.endswith("page.js")]
    while scripts:  # and what the scripts import, from beside them
        path = scripts.pop()
        for name in re.findall(r'from "\./([^"]+)"', (await client.get(path)).text):
            named.append(f"{path.rpartition('/')[0]}/{name}")
            scripts.append(named[-1])
    assert {path.rpartition("/")[2] for path in named} >= {"api.js", "player.js", "words.js"}
    for path in named:
        answer = await client.get(path)
        assert answer.status_code == 200, path
        assert answer.headers["cache-control"] == "public, max-age=31536000, immutable", path
        assert answer.headers["x-content-type-options"] == "nosniff", path


async def test_only_files_of_our_own_may_run(client: httpx.AsyncClient) -> None:
    page = await client.get("/")
    assert page.headers["content-security-policy"] == CONTENT_SECURITY_POLICY
    assert page.headers["x-frame-options"] == "DENY"
    assert "unsafe" not in CONTENT_SECURITY_POLICY
    assert "http" not in CONTENT_SECURITY_POLICY
    assert "default-src 'none'" in CONTENT_SECURITY_POLICY
    inline = re.findall(r"<script(?![^>]*\bsrc=)|<style|\son[a-z]+=|\sstyle=|javascript:|https?://", page.text)
    assert inline == []
    for path in STATIC.glob("*.js"):
        text = path.read_text(encoding="utf-8")
        sinks = r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|new Function|https?://"
        assert not re.search(sinks, text), path.name


async def test_the_page_itself_is_asked_about_each_time_and_sent_once(client: httpx.AsyncClient) -> None:
    first = await client.get("/")
    assert first.headers["cache-control"] == "no-cache"
    again = await client.get("/", headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


async def test_other_content_has_another_address(tmp_path: Path) -> None:
    (tmp_path / "page.js").write_text("1")
    first = Assets(tmp_path).base
    assert Assets(tmp_path).base == first
    (tmp_path / "page.js").write_text("2")
    assert Assets(tmp_path).base != first


async def test_a_file_of_an_older_page_is_served_and_not_kept(client: httpx.AsyncClient) -> None:
    answer = await client.get("/assets/0123456789abcdef/page.js")
    assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-store")


async def test_large_files_are_sent_packed_to_those_who_take_it(client: httpx.AsyncClient) -> None:
    path = f"/assets/{Assets(STATIC).release}/vendor/hls.min.js"
    async with client.stream("GET", path, headers={"accept-encoding": "gzip"}) as packed:
        raw = b"".join([part async for part in packed.aiter_raw()])
    plain = await client.get(path, headers={"accept-encoding": "identity"})
    assert packed.headers["content-encoding"] == "gzip"
    assert packed.headers["vary"] == plain.headers["vary"] == "accept-encoding"
    assert "content-encoding" not in plain.headers
    assert gzip.decompress(raw) == plain.content
    assert len(raw) < len(plain.content) / 2
    head = await client.head(path, headers={"accept-encoding": "identity"})
    assert (head.content, head.headers["content-length"]) == (b"", str(len(plain.content)))


@pytest.mark.parametrize(
    "path",
    [
        "/assets/x/absent.js",
        "/assets/x/../../plugin.py",
        "/assets/x/..%2f..%2fplugin.py",
        "/assets/x/index.html",
        "/assets/x/",
        "/assets/",
        "/assets",
    ],
)
async def test_nothing_but_the_files_is_served(client: httpx.AsyncClient, path: str) -> None:
    answer = await client.get(path)
    assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")


async def test_a_file_is_only_read(client: httpx.AsyncClient) -> None:
    answer = await client.post("/assets/x/page.js")
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET, HEAD")


def test_without_hls_js_the_page_names_no_script_that_is_not_there(tmp_path: Path) -> None:
    (tmp_path / "page.js").write_text("1")
    page = Page("{{hls}}<p>{{version}}</p>", Assets(tmp_path))
    assert b"script" not in page.body


def test_building_again_changes_nothing() -> None:
    vendor = STATIC / "vendor"
    before = {path.name: path.stat().st_mtime_ns for path in vendor.iterdir()}
    assert set(before) == {"hls.min.js", "hls.LICENSE.txt"}
    subprocess.run([sys.executable, str(BUILD)], check=True)
    assert {path.name: path.stat().st_mtime_ns for path in vendor.iterdir()} == before
