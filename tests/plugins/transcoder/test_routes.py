"""Submit, status and cancel over HTTP; worker, streaming and metadata are stood in for."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import attrs
import pytest

from streamgate.context import Actor
from streamgate.contracts.jobs import (
    JOBS,
    JOBS_PAUSED,
    Cancel,
    JobList,
    JobsPaused,
    Pause,
    RegisterKinds,
    Resume,
)
from streamgate.contracts.live import LiveUpdate
from streamgate.contracts.metadata import METADATA
from streamgate.contracts.streaming import (
    STREAMING,
    RetryRendition,
    Transcode,
)
from streamgate.contracts.transcode import Step
from streamgate.services import Offer, ServiceRef
from streamgate.testing.attacks import attack
from streamgate.testing.house import House, house
from streamgate.testing.wait import eventually
from tests.plugins.transcoder.stand_ins import ALICE, BOB, KINDS, RUNNING, StandIns, job, standing_in


@pytest.fixture
def stand_ins() -> StandIns:
    return StandIns()


@pytest.fixture
async def home(tmp_path: Path, stand_ins: StandIns) -> AsyncIterator[House]:
    refs: tuple[ServiceRef[Any], ...] = (JOBS, METADATA, STREAMING)
    offers = [Offer(ref, standing_in(ref, stand_ins)) for ref in refs]
    async with house(tmp_path, ["transcoder"], offers=offers, subscriptions=[stand_ins.watching]) as home:
        yield home


async def test_submitting_queues_the_work_with_streaming(home: House, stand_ins: StandIns) -> None:
    answer = await home.client(ALICE).post("/api/v1/transcode/submit", json={"content_id": "c_1", "priority": 2})
    assert (answer.status_code, answer.json()) == (202, {"task_id": "t_1", "status": "queued"})
    (wanted,) = [item for item in stand_ins.asked if isinstance(item, Transcode)]
    assert (wanted.content_id, wanted.profile, wanted.priority, wanted.actor.user_id) == ("c_1", "web", 2, "u_alice")
    stand_ins.is_under_way = True
    await home.client(ALICE).post("/api/v1/transcode/pause", json={"task_id": "t_1"})
    answer = await home.client(ALICE).post("/api/v1/transcode/submit", json={"content_id": "c_1"})
    assert answer.json() == {"task_id": "t_1", "status": "paused"}, "the one that is under way"


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"content_id": "c_1", "profile": "cinema"}, "transcode.unknown_profile"),
        ({"content_id": "c_1", "profile": "web:crf=0"}, "transcode.unknown_profile"),
        ({"content_id": "c_1", "priority": 10}, "request.invalid"),
        ({"content_id": "c_1", "preset": "placebo"}, "request.invalid"),
        ({}, "request.invalid"),
    ],
)
@attack("B37")
async def test_what_cannot_be_is_422(home: House, body: dict[str, Any], code: str) -> None:
    answer = await home.client(ALICE).post("/api/v1/transcode/submit", json=body)
    assert (answer.status_code, answer.json()["code"]) == (422, code)


async def test_what_may_have_been_meant_is_said(home: House) -> None:
    answer = await home.client(ALICE).post("/api/v1/transcode/submit", json={"content_id": "c_1", "profile": "wep"})
    assert answer.json()["detail"] == "no profile 'wep': did you mean 'web'? there are audio, efficient, web"


async def test_without_a_source_there_is_nothing_to_do(home: House, stand_ins: StandIns) -> None:
    stand_ins.has_source = False
    answer = await home.client(ALICE).post("/api/v1/transcode/submit", json={"content_id": "c_1"})
    assert (answer.status_code, answer.json()["code"]) == (409, "stream.not_playable")


async def test_status_tells_how_far_it_is(home: House) -> None:
    answer = await home.client(ALICE).get("/api/v1/transcode/status", params={"task_id": "t_1"})
    told = answer.json()
    assert answer.status_code == 200
    expected = {"task_id": "t_1", "content_id": "c_1", "status": "running", "progress": 0.4, "stage": "encoding"}
    assert {key: told[key] for key in expected} == expected
    assert told["attempts"] == 2


async def test_status_tells_frames_speed_and_time_left_while_it_is_encoded(home: House, stand_ins: StandIns) -> None:
    """What the children report goes by broadcasts to whoever answers, and to the owner's open pages."""
    frames = 0

    async def told_with_pace() -> dict[str, Any] | None:
        nonlocal frames
        frames += 25
        kept = {"v360": frames - 100}
        step = Step(job_id="j_2", content_id="c_1", owner="u_alice", frames={"v360": frames}, kept=kept)
        home.plugins["transcoder"].telling.watch(step)
        told: dict[str, Any] = (await home.client(ALICE).get("/api/v1/transcode/status?task_id=t_1")).json()
        return told if told["fps"] and any(update.data["fps"] for update in stand_ins.seen) else None

    told = await eventually(told_with_pace, every_s=0.25, what="a rate")
    assert (told["progress"], told["frames"], told["frames_planned"]) == (0.4, 600, 1500)
    assert told["speed"] == pytest.approx(told["fps"] / 25, abs=0.01)
    assert told["eta_s"] == pytest.approx((1500 - 600 - 100) / told["fps"], rel=0.01)
    (rung,) = told["renditions"]
    assert [rung[name] for name in ("frames", "frames_planned", "status")] == [600, 1500, "running"]
    assert [rung[name] for name in ("fps", "speed", "eta_s")] == [told[name] for name in ("fps", "speed", "eta_s")]

    last = stand_ins.seen[-1]
    assert (last.owner, last.kind, last.id, last.event) == ("u_alice", "media", "c_1", "transcode.progress")
    assert (last.data["task_id"], last.data["stage"], last.data["frames"]) == ("t_1", "encoding", 600)
    assert last.data["renditions"][0]["id"] == "v360"
    assert len(stand_ins.seen) < frames / 25, "not with each report"


async def test_a_task_that_worker_has_not_heard_of_yet_is_queued(home: House, stand_ins: StandIns) -> None:
    stand_ins.known_to_worker = False
    answer = await home.client(ALICE).get("/api/v1/transcode/status", params={"task_id": "t_1"})
    assert answer.json()["status"] == "queued"


async def test_cancelling_reaches_worker(home: House, stand_ins: StandIns) -> None:
    answer = await home.client(ALICE).post("/api/v1/transcode/cancel", json={"task_id": "t_1"})
    assert answer.json() == {"task_id": "t_1", "status": "cancelled"}
    assert Cancel(job_id="t_1") in stand_ins.asked


async def test_pausing_and_going_on_reach_worker_and_the_owners_pages(home: House, stand_ins: StandIns) -> None:
    async with home.client(ALICE) as client:
        for verb, status in (("pause", "paused"), ("pause", "paused"), ("resume", "running")):
            answer = await client.post(f"/api/v1/transcode/{verb}", json={"task_id": "t_1"})
            assert (answer.status_code, answer.json()) == (200, {"task_id": "t_1", "status": status})
            told = (await client.get("/api/v1/transcode/status?task_id=t_1")).json()
            assert (told["status"], told["stage"], told["progress"]) == (status, "encoding", 0.4)
            assert (told["eta_s"] is None) == (told["speed"] is None) == (status == "paused")
    steered = [item for item in stand_ins.asked if isinstance(item, Pause | Resume)]
    assert steered == [Pause(job_id="t_1"), Pause(job_id="t_1"), Resume(job_id="t_1")]
    await stand_ins.until_seen(3)
    assert [(each.owner, each.event, each.data["status"]) for each in stand_ins.seen] == [
        ("u_alice", "transcode.progress", "paused"),
        ("u_alice", "transcode.progress", "paused"),
        ("u_alice", "transcode.progress", "running"),
    ]


async def test_while_the_last_of_a_paused_task_is_encoded_pages_hear_so(home: House, stand_ins: StandIns) -> None:
    await home.events.broadcast(JOBS_PAUSED, JobsPaused(root_ids=("t_1",), is_paused=True))

    async def told() -> LiveUpdate | None:
        step = Step(job_id="j_2", content_id="c_1", owner="u_alice", frames={"v360": 25})
        home.plugins["transcoder"].telling.watch(step)
        return next(iter(stand_ins.seen), None)

    await eventually(told, every_s=0.25, what="a report")
    assert (stand_ins.seen[-1].data["status"], stand_ins.seen[-1].data["eta_s"]) == ("paused", None)


async def test_what_is_not_queued_yet_cannot_be_paused_yet(home: House, stand_ins: StandIns) -> None:
    stand_ins.known_to_worker = False
    answer = await home.client(ALICE).post("/api/v1/transcode/pause", json={"task_id": "t_1"})
    assert (answer.status_code, answer.json()["code"]) == (503, "transcode.not_queued_yet")
    assert answer.headers["retry-after"] == "1"


async def test_one_rendition_is_made_again(home: House, stand_ins: StandIns) -> None:
    async with home.client(ALICE) as client:
        wanted = {"task_id": "t_1", "rendition_id": "v360"}
        answer = await client.post("/api/v1/transcode/retry", json=wanted)
        assert (answer.status_code, answer.json()) == (202, {"task_id": "t_1", "status": "running"})
        [asked] = [item for item in stand_ins.asked if isinstance(item, RetryRendition)]
        assert (asked.task_id, asked.rendition_id, asked.actor.user_id) == ("t_1", "v360", "u_alice")
        answer = await client.post("/api/v1/transcode/retry", json={**wanted, "rendition_id": "v720"})
        assert (answer.status_code, answer.json()["code"]) == (409, "stream.rendition_not_failed")
        assert not [item for item in stand_ins.asked if isinstance(item, Resume)]


async def test_what_is_made_again_later_is_not_held_by_a_pause_of_then(home: House, stand_ins: StandIns) -> None:
    over = (job(), job(job_id="j_2", status="dead"))
    stand_ins.ended = attrs.evolve(RUNNING, status="dead", is_paused=True, jobs=over)
    wanted = {"task_id": "t_1", "rendition_id": "v360"}
    assert (await home.client(ALICE).post("/api/v1/transcode/retry", json=wanted)).status_code == 202
    steered = [item for item in stand_ins.asked if isinstance(item, Resume | RetryRendition)]
    assert [type(item) for item in steered] == [Resume, RetryRendition]


async def test_in_a_task_that_was_cancelled_nothing_is_made_again(home: House, stand_ins: StandIns) -> None:
    async with home.client(ALICE) as client:
        await client.post("/api/v1/transcode/cancel", json={"task_id": "t_1"})
        answer = await client.post("/api/v1/transcode/retry", json={"task_id": "t_1", "rendition_id": "v360"})
    assert (answer.status_code, answer.json()["code"]) == (409, "stream.version_failed")
    assert "submit" in answer.json()["detail"]
    assert not [item for item in stand_ins.asked if isinstance(item, RetryRendition)]


@pytest.mark.parametrize(
    ("method", "path", "sent"),
    [
        ("POST", "submit", {"json": {"content_id": "c_1"}}),
        ("GET", "status", {"params": {"task_id": "t_1"}}),
        ("POST", "cancel", {"json": {"task_id": "t_1"}}),
        ("POST", "pause", {"json": {"task_id": "t_1"}}),
        ("POST", "resume", {"json": {"task_id": "t_1"}}),
        ("POST", "retry", {"json": {"task_id": "t_1", "rendition_id": "v360"}}),
    ],
)
async def test_strangers_get_404_and_nobody_401(
    home: House, stand_ins: StandIns, method: str, path: str, sent: dict[str, Any]
) -> None:
    url = f"/api/v1/transcode/{path}"
    assert (await home.client(BOB).request(method, url, **sent)).status_code == 404
    assert (await home.client().request(method, url, **sent)).status_code == 401
    assert [item for item in stand_ins.asked if not isinstance(item, RegisterKinds)] == []


async def test_the_kinds_are_registered_with_worker(home: House, stand_ins: StandIns) -> None:
    wanted = next(item for item in stand_ins.asked if isinstance(item, RegisterKinds))
    names = [*KINDS, "media.captions", "media.pictures", "media.poster"]
    assert [kind.name for kind in wanted.kinds] == names
    assert not any(kind.user_may_submit for kind in wanted.kinds)


async def test_a_list_has_the_whole_tasks_of_whoever_asks(home: House, stand_ins: StandIns) -> None:
    async with home.client(ALICE) as http:
        answer = await http.get("/api/v1/transcode/list", params={"content_id": "c_1", "limit": 2})
        assert answer.status_code == 200, answer.text
        [item] = answer.json()["items"]  # of the other the content is gone
        assert (item["task_id"], item["content_id"], item["status"]) == ("t_1", "c_1", "running")
        assert answer.json()["next_cursor"] == "more"
        done = await http.get("/api/v1/transcode/list", params={"status": "done"})
        assert done.json()["items"] == []
    (wanted, _) = [asked for asked in stand_ins.asked if isinstance(asked, JobList)]
    assert (wanted.actor.user_id, wanted.kind, wanted.subject_id) == ("u_alice", "media.probe", "c_1")
    assert (wanted.limit, wanted.root_only) == (2, True)


async def test_profiles_and_figures_are_shown_to_creators(home: House) -> None:
    async with home.client(ALICE) as http:
        profiles = (await http.get("/api/v1/transcode/profiles")).json()["items"]
        assert [(each["name"], [rung["name"] for rung in each["rungs"]]) for each in profiles] == [
            ("web", ["1080p", "720p", "480p", "360p", "240p"]),
            ("efficient", ["1080p", "720p", "480p", "360p", "240p"]),
            ("audio", []),
        ]
        web, efficient, audio = profiles
        assert efficient["video_codecs"] == ["h264", "av1"]
        assert (web["video_codecs"], web["surround_bitrate_bps"], web["loudness_lufs"]) == (["h264"], 384_000, None)
        assert (audio["video_codecs"], audio["audio_codec"], audio["loudness_lufs"]) == ([], "aac", -16.0)
        figures = (await http.get("/api/v1/transcode/metrics")).json()
    assert (figures["queue_depth"], figures["running"], figures["oldest_queued_s"]) == (7, 2, 1.5)
    workers = figures["workers"]
    assert workers["busy"] == 0
    assert 1 <= workers["least"] <= workers["now"]
    assert 1 <= workers["places"] <= workers["most"]
    assert figures["media_s_per_s"] == 0.0
    viewer = Actor(kind="user", user_id="u_v", roles=("viewer",))
    async with home.client(viewer) as http:
        for path in ("list", "profiles", "metrics"):
            assert (await http.get(f"/api/v1/transcode/{path}")).status_code == 403


@pytest.mark.parametrize("query", [{"status": "lost"}, {"limit": 0}, {"limit": 101}, {"page": 1}])
async def test_a_wrong_list_question_is_refused(home: House, query: dict[str, Any]) -> None:
    async with home.client(ALICE) as http:
        answer = await http.get("/api/v1/transcode/list", params=query)
    assert (answer.status_code, [each["field"] for each in answer.json()["errors"]]) == (422, list(query))
