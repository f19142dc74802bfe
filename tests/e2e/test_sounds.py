"""Every language of a film reaches the player, and 5.1 beside the stereo that is made of it."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import urljoin

import pytest

from streamgate.testing.stacks import Stack
from tests.e2e.client import Api
from tests.e2e.playback import decode, fetch, read_dash, read_hls
from tests.e2e.shared import WALK, shared_stack
from tests.plugins.transcoder.corpus import Clip, make

FILM = Clip(frames=150, audio_layout="5.1", audio_tracks=2, languages=["eng", "fre"])
FORMS = {("audio", "en", "2"), ("audio", "fr", "2"), ("surround", "en", "6"), ("surround", "fr", "6")}


@pytest.fixture(params=["all", "split"])
def stack(request: pytest.FixtureRequest) -> Stack:
    return shared_stack(request)


@pytest.mark.timeout(120, func_only=True)
async def test_languages_and_forms_are_listed_and_whole(stack: Stack, tmp_path: Path) -> None:
    film = tmp_path / "film.mp4"
    film.write_bytes(make(FILM))
    async with Api.connect(stack.url) as api:
        await api.sign_in(WALK["creator"])
        begun = await api.begin_upload(film)
        await api.resume_upload(begun, film)
        asked = {"content_id": begun["content_id"]}
        await api.wait_for_content(begun["content_id"], lambda content: content["state"] in ("ready", "failed"))
        info = await api.call("GET", "/api/v1/stream/info", params=asked)
        names = {each["name"] for each in info["renditions"]}
        assert names == {"64p", "audio en", "audio en 5.1", "audio fr", "audio fr 5.1"}
        session = await api.call("POST", "/api/v1/stream/session", json=asked)
        hls_url, dash_url = (urljoin(stack.url, session[key]) for key in ("hls_url", "dash_url"))
        lines = re.findall(r"#EXT-X-MEDIA:TYPE=AUDIO,(.+)", (await api.get(hls_url)).text)
        wanted = re.compile(r'GROUP-ID="(\w+)".*LANGUAGE="(\w+)".*CHANNELS="(\d)"')
        assert {found.groups() for line in lines if (found := wanted.search(line))} == FORMS
        sounds = [track for track in await read_hls(api, hls_url) if not track.name.startswith("v")]
        assert {track.name for track in await read_dash(api, dash_url)} >= {track.name for track in sounds}
        made = [decode(track.name, await fetch(api, track)) for track in sounds]
    assert len(made) == 4
    assert len({each.samples for each in made}) == 1
    assert made[0].samples == pytest.approx(6 * 48_000, abs=1024)
