"""A film that needs no encoding to be watched is watched before anything of it is encoded."""

from __future__ import annotations

import io
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import av
import pytest

from streamgate.testing.clips import ClipSpec, make_clip
from streamgate.testing.stacks import Stack
from streamgate.testing.wait import eventually
from tests.e2e.client import Api
from tests.e2e.playback import Track, fetch, read_dash, read_hls
from tests.e2e.shared import WALK, shared_stack

FRAMES = 500
CLIP = ClipSpec(
    width_px=1280,
    height_px=720,
    frames=FRAMES,
    key_frames=tuple(range(0, FRAMES, 50)),
    options={"crf": "36"},
    audio_codec="aac",
    audio_s=20.0,
)


FOREIGN = ClipSpec(
    width_px=640,
    height_px=360,
    frames=750,
    codec="mpeg4",
    key_frames=None,
    options={"b": "500k"},
    container="matroska",
    audio_codec="aac",
    audio_s=30.0,
)
"""No browser plays this picture."""


@pytest.fixture(scope="session")
def foreign(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_clip(tmp_path_factory.mktemp("foreign") / "film.mkv", FOREIGN)


@pytest.fixture(scope="session")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_clip(tmp_path_factory.mktemp("film") / "film.mp4", CLIP)


@pytest.fixture(params=["all", "split"])
def stack(request: pytest.FixtureRequest) -> Stack:
    return shared_stack(request)


@pytest.mark.timeout(120, func_only=True)
async def test_the_first_segment_is_there_before_any_encode_job_is_done(stack: Stack, film: Path) -> None:
    async with Api.connect(stack.url) as api:
        await api.sign_in(WALK["creator"])
        begun = await api.begin_upload(film)
        await api.resume_upload(begun, film)
        asked = {"content_id": begun["content_id"]}
        session = await opened(api, asked)
        hls_url, dash_url = (urljoin(stack.url, session[key]) for key in ("hls_url", "dash_url"))
        tracks = {track.name: track for track in await read_hls(api, hls_url)}
        picture = tracks["v720"]
        wanted = (picture.init, picture.segments[0], picture.segments[-1])
        head, first, end = [(await api.get(url)).content for url in wanted]
        info = await api.call("GET", "/api/v1/stream/info", params=asked)
        status = {rendition["id"]: rendition["status"] for rendition in info["renditions"]}
        assert (info["state"], info["playable"]) == ("encoding", True)
        assert {status["v480"], status["v360"], status["v240"]} <= {"planned", "running"}
        assert set(tracks) == {"v720", *(name for name in status if name.startswith("a"))}
        assert {track.name for track in await read_dash(api, dash_url)} == set(tracks)
        assert frames(head + first) > 0
        assert frames(head + end) > 0
        await api.call("POST", "/api/v1/transcode/pause", json={"task_id": info["task_id"]})
        whole = [await fetch(api, track) for track in tracks.values()]
        await api.call("POST", "/api/v1/transcode/cancel", json={"task_id": info["task_id"]})
        await make_another_version(api, begun["content_id"], picture)
    assert frames(whole[0]) == FRAMES


@pytest.mark.timeout(120, func_only=True)
async def test_a_film_that_has_to_be_encoded_is_watched_while_it_is_made(stack: Stack, foreign: Path) -> None:
    async with Api.connect(stack.url) as api:
        await api.sign_in(WALK["creator"])
        begun = await api.begin_upload(foreign)
        await api.resume_upload(begun, foreign)
        asked = {"content_id": begun["content_id"]}
        session = await opened(api, asked)
        info = await api.call("GET", "/api/v1/stream/info", params=asked)
        tracks = {track.name: track for track in await read_hls(api, urljoin(stack.url, session["hls_url"]))}
        assert {name for name in tracks if name.startswith("v")} == {"v240"}
        assert len(tracks) == 2, "and what is heard"
        picture = tracks["v240"]
        parts: list[bytes] = []
        for url in (picture.segments[-1], picture.init, *picture.segments):

            async def part(url: str = url) -> bytes | None:
                answer = await api.get(url)
                assert answer.status_code in (200, 503), answer.text
                return answer.content if answer.status_code == 200 else None

            parts.append(await eventually(part, timeout_s=30, what=url))
        assert frames(b"".join(parts[1:])) == FOREIGN.frames
        await api.call("POST", "/api/v1/transcode/cancel", json={"task_id": info["task_id"]})


async def opened(api: Api, asked: dict[str, str]) -> dict[str, Any]:
    """As soon as it can be."""

    async def session() -> dict[str, Any] | None:
        answer = await api.send("POST", "/api/v1/stream/session", json=asked)
        return answer.json() if answer.status_code == 201 else None

    return await eventually(session, timeout_s=30, every_s=0.02, what="a session")


async def make_another_version(api: Api, content_id: str, watched: Track) -> None:
    """A version whose rungs are made when somebody asks for them, paused and gone on with. Who watches the one before
    plays on to its end."""
    asked = {"content_id": content_id}
    task = await api.call("POST", "/api/v1/transcode/submit", json={**asked, "policy": "lazy"})
    wanted = {"task_id": task["task_id"]}

    async def steer(verb: str) -> str:
        answer = await api.call("POST", f"/api/v1/transcode/{verb}", json=wanted, patience_s=20)
        return str(answer["status"])

    assert [await steer(verb) for verb in ("pause", "pause")] == ["paused", "paused"]
    status = await api.call("GET", "/api/v1/transcode/status", params=wanted)
    assert (status["status"], status["fps"], status["eta_s"]) == ("paused", None, None)
    assert await steer("resume") in ("queued", "running")

    async def plays() -> dict[str, Any] | None:
        info: dict[str, Any] = await api.call("GET", "/api/v1/stream/info", params=asked)
        return info if info["media_version"] > 1 and info["renditions"] else None

    info = await eventually(plays, timeout_s=30, what="the new version")
    policies = {each["id"]: each["policy"] for each in info["renditions"]}
    assert [name for name, policy in policies.items() if policy == "lazy"] == ["v480", "v360"]
    session = await api.call("POST", "/api/v1/stream/session", json={**asked, "client_id": "a-second-player"})
    tracks = {track.name: track for track in await read_hls(api, urljoin(str(api.http.base_url), session["hls_url"]))}
    assert set(tracks) == set(policies)
    for rung, n in (("v480", 3), ("v240", 0)):

        async def part(url: str) -> bytes | None:
            answer = await api.get(url)
            assert answer.status_code in (200, 503), answer.text
            return answer.content if answer.status_code == 200 else None

        head = await eventually(partial(part, tracks[rung].init), timeout_s=30, what=f"the head of {rung}")
        data = await eventually(partial(part, tracks[rung].segments[n]), timeout_s=30, what=f"a segment of {rung}")
        assert frames(head + data) > 0
    assert await steer("cancel") in ("cancelled", "done")
    assert frames(await fetch(api, watched)) == FRAMES


def frames(data: bytes) -> int:
    with av.open(io.BytesIO(data), "r", format="mp4") as container:
        return sum(1 for _ in container.decode(video=0))
