"""A film that brings its captions along: they are listed, read by whoever may watch, and end with the session."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import pytest

from streamgate.testing.attacks import attack
from streamgate.testing.spoken import Spoken, spoken_film
from streamgate.testing.stacks import Stack
from streamgate.testing.wait import eventually
from tests.e2e.client import Api
from tests.e2e.shared import WALK, shared_stack

FOUND = [
    Spoken(codec="subrip", language="ger", said=[(500, 1_000, "Guten <i>Tag</i>")]),
    Spoken(codec="ass", language="fre", said=[(1_000, 2_500, "0,0,Default,,0,0,0,,{\\an8}Salut")]),
]
OWN = "1\n00:00:01,000 --> 00:00:02,000\n<script>Hello</script>\n"


@pytest.fixture(scope="session")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("spoken") / "film.mkv"
    return spoken_film(path, FOUND, chapters=[(0, 2_000, "One"), (2_000, 4_000, "Two")])


@pytest.fixture(params=["all", "split"])
def stack(request: pytest.FixtureRequest) -> Stack:
    return shared_stack(request)


@attack("B13", "B35")
@pytest.mark.timeout(120, func_only=True)
async def test_what_a_film_says_is_found_and_obeys_its_session(stack: Stack, film: Path) -> None:
    async with Api.connect(stack.url) as creator, Api.connect(stack.url) as nobody:
        await creator.sign_in(WALK["creator"])
        begun = await creator.begin_upload(film)
        await creator.resume_upload(begun, film)
        content_id = begun["content_id"]
        captions = f"/api/v1/stream/captions/{content_id}"

        async def found() -> list[Any] | None:
            listed = await creator.call("GET", captions)
            return listed["captions"] if len(listed["captions"]) == 2 else None

        listed = await eventually(found, timeout_s=60, every_s=0.1, what="the captions of the film")
        assert [(each["language"], each["source"], each["cues"]) for each in listed] == [
            ("de", "file", 1),
            ("fr", "file", 1),
        ]
        given = await creator.send("PUT", f"{captions}/en", content=OWN.encode())
        assert given.status_code == 200, given.text

        async def opened() -> dict[str, Any] | None:
            answer = await creator.call("POST", "/api/v1/stream/session", json={"content_id": content_id})
            return answer if len(answer["captions"]) == 3 else None

        session = await eventually(opened, timeout_s=30, every_s=0.1, what="all captions in a session")
        texts = {
            each["language"]: (await nobody.get(urljoin(stack.url, each["url"]))).text for each in session["captions"]
        }
        assert "00:00:00.500 --> 00:00:01.500\nGuten <i>Tag</i>\n" in texts["de"]
        assert "00:00:01.000 --> 00:00:03.500 line:0\nSalut\n" in texts["fr"]
        assert "00:00:01.000 --> 00:00:02.000\nHello\n" in texts["en"]
        chapters = await nobody.get(urljoin(stack.url, session["chapters_url"]))
        assert "00:00:02.000 --> 00:00:04.000\nTwo\n" in chapters.text
        folder = urljoin(stack.url, session["hls_url"]).removesuffix("master.m3u8")
        assert 'LANGUAGE="fr"' in (await nobody.get(f"{folder}master.m3u8")).text
        pieces = (await nobody.get(f"{folder}captions/fr/playlist.m3u8")).text
        piece = await nobody.get(f"{folder}captions/fr/0.vtt")
        assert "0.vtt" in pieces
        assert (piece.headers["cache-control"], "Salut" in piece.text) == ("private, no-store", True)

        await creator.send("DELETE", f"/api/v1/stream/session/{session['session_id']}")

        async def over() -> bool | None:
            names = ("captions/fr.vtt", "captions/fr/0.vtt", "captions/fr/playlist.m3u8", "chapters.vtt")
            return all([(await nobody.send("GET", f"{folder}{name}")).status_code == 410 for name in names]) or None

        await eventually(over, timeout_s=30, every_s=0.1, what="the end of the session everywhere")
