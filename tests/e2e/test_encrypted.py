"""An encrypted film: anybody has its bytes, who may watch has its keys, and new keys end what the old ones opened."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import av
import pytest

from streamgate.testing.attacks import attack
from streamgate.testing.clips import ClipSpec, make_clip
from streamgate.testing.stacks import Stack
from streamgate.testing.wait import eventually
from tests.e2e.client import Api
from tests.e2e.others import key_of, unsealed
from tests.e2e.playback import Getter, Track, fetch, read_dash, read_hls
from tests.e2e.shared import WALK, shared_stack
from tests.plugins.streaming.reels import decoded

FRAMES = 100
CLIP = ClipSpec(
    width_px=320,
    height_px=180,
    frames=FRAMES,
    key_frames=(0, 50),
    audio_codec="aac",
    audio_s=4.0,
    options={"crf": "36"},
)


@pytest.fixture(scope="session")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_clip(tmp_path_factory.mktemp("sealed") / "film.mp4", CLIP)


@pytest.fixture(params=["all", "split"])
def stack(request: pytest.FixtureRequest) -> Stack:
    return shared_stack(request)


@attack("B14", "B28", "B48")
@pytest.mark.timeout(120, func_only=True)
async def test_keys_are_what_the_gate_gives(stack: Stack, film: Path) -> None:
    async with Api.connect(stack.url) as creator, Api.connect(stack.url) as nobody:
        await creator.sign_in(WALK["creator"])
        new = {"title": "Sealed", "protection": "encrypted"}
        content_id = (await creator.call("POST", "/api/v1/content", json=new))["content_id"]
        await creator.resume_upload(await creator.begin_upload(film, content_id=content_id), film)
        await creator.wait_for_content(content_id, lambda content: content["state"] == "ready")
        session = await open_session(creator, stack, content_id)
        hls = {track.name: track for track in await read_hls(nobody, session["hls_url"])}
        dash = {track.name: track for track in await read_dash(nobody, session["dash_url"])}
        [picture] = [name for name in hls if name.startswith("v")]
        assert all("/api/v1/stream/m/" in url for track in (*hls.values(), *dash.values()) for url in track.segments)

        clear = await by_hls(nobody, session["hls_url"], hls[picture])
        assert len(decoded(clear)) == FRAMES
        sealed, key = await by_dash(nobody, session, dash[picture])
        assert decoded(sealed, decryption_key=key) == decoded(clear)
        ciphertext = await nobody.get(hls[picture].segments[0])
        assert ciphertext.headers["cache-control"].startswith("public, max-age=")
        assert ciphertext.headers["access-control-allow-origin"] == "*"
        assert "vary" not in ciphertext.headers
        for stolen in (ciphertext.content, await fetch(nobody, dash[picture])):
            assert not frames_in_common(stolen, clear), "bytes without a key are worth nothing"
        folder = session["hls_url"].removesuffix("master.m3u8")
        for path in ("0.m4s", "init.mp4"):
            assert (await nobody.get(f"{folder}{picture}/{path}")).status_code == 404

        changed = await creator.call("POST", "/api/v1/stream/rekey", json={"content_id": content_id})
        assert changed["media_version"] == 2

        async def over() -> str | None:
            answer = await nobody.get(f"{folder}{picture}/0.key")
            return answer.json()["reason"] if answer.status_code == 410 else None

        assert await eventually(over, timeout_s=30, every_s=0.05, what="the end") == "version_changed"
        session = await open_session(creator, stack, content_id)
        after = {track.name: track for track in await read_hls(nobody, session["hls_url"])}
        assert set(after[picture].segments).isdisjoint(hls[picture].segments)
        assert await by_hls(nobody, session["hls_url"], after[picture]) == clear
        assert (await nobody.get(after[picture].segments[0])).content != ciphertext.content


async def open_session(api: Api, stack: Stack, content_id: str) -> dict[str, Any]:
    session: dict[str, Any] = await api.call("POST", "/api/v1/stream/session", json={"content_id": content_id})
    return {**session, **{name: urljoin(stack.url, session[name]) for name in ("hls_url", "dash_url")}}


async def by_hls(web: Getter, url: str, track: Track) -> bytes:
    """All of a rendition, as a player has it in the end."""
    playlist_url = urljoin(url, f"{track.name}/playlist.m3u8")
    playlist = (await web.get(playlist_url)).text
    [(key_path, iv)] = re.findall(r'#EXT-X-KEY:METHOD=AES-128,URI="([^"]+)",IV=0x([0-9a-f]{32})', playlist)
    key = (await web.get(urljoin(playlist_url, key_path))).content
    parts = [(await web.get(track.init)).content]
    for segment in track.segments:
        parts.append(unsealed((await web.get(segment)).content, key, iv))
    return b"".join(parts)


async def by_dash(web: Api, session: dict[str, Any], track: Track) -> tuple[bytes, str]:
    """All of a rendition as it comes, and its key."""
    sealed = await fetch(web, track)
    _, key = await key_of(web, session["dash_url"], sealed)
    return sealed, key


def frames_in_common(stolen: bytes, clear: bytes) -> set[str]:
    try:
        return set(decoded(stolen)) & set(decoded(clear))
    except (av.FFmpegError, ValueError):
        return set()
