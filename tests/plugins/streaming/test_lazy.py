"""Rungs that are made when somebody asks: listed from the first answer, each stretch made once, a few at a time."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from functools import partial
from itertools import pairwise
from typing import Any

import pytest

from streamgate.context import Actor
from streamgate.contracts import events
from streamgate.contracts.media import ASKED_SEGMENTS, CHUNK_KIND, COPY_KIND, ProbeResult
from streamgate.testing.attacks import attack
from streamgate.testing.wait import eventually
from streamgate_streaming import asked as asked_module
from streamgate_streaming import asking as asking_module
from tests.plugins.streaming.encoding import Encoder, answered, asked, fetching, stretch
from tests.plugins.streaming.makers import altered, media
from tests.plugins.streaming.theatre import Open, Theatre, bytes_of
from tests.plugins.streaming.viewers import code

BOTH, LAZY = "v720 a128", "v540 v480"


async def planned(theatre: Theatre, *, segments: int = 8) -> dict[str, Any]:
    """A film that plays as it is, with one rung that is made in advance and two that are not; a session, open."""
    probe = await theatre.upload("c_film")
    await theatre.done(probe, ProbeResult(plan=theatre.plan_for(probe, copied=BOTH, lazy=LAZY, segments=segments)))
    await theatre.hear(events.MEDIA_PLAYABLE)
    return await theatre.watch("c_film")


async def test_all_rungs_are_listed_from_the_first_answer_and_only_the_lowest_is_ordered(theatre: Theatre) -> None:
    session = await planned(theatre)
    master = (await theatre.fetch(session)).text
    for rung in ("v720", "v540", "v480", "v360"):
        assert f"{rung}/playlist.m3u8" in master
        playlist = (await theatre.fetch(session, f"{rung}/playlist.m3u8")).text
        assert (playlist.count(".m4s"), playlist.endswith("#EXT-X-ENDLIST\n")) == (8, True)
    manifest = (await theatre.fetch(session, "manifest.mpd")).text
    assert manifest.count("<Representation ") == 5
    assert Counter(job.kind for job in theatre.orders()[1:]) == {"media.copy": 1, CHUNK_KIND: 4}
    told = {each.id: (each.policy, each.status) for each in (await media(theatre)).renditions}
    assert told["v480"] == ("lazy", "planned")
    assert told["v360"] == ("eager", "planned")


async def test_where_the_setting_says_so_rungs_are_lazy_that_nobody_said_anything_of(open_theatre: Open) -> None:
    async with open_theatre(rung_policy="lazy") as theatre:
        probe = await theatre.upload("c_film")
        assert probe.payload["policy"] == "lazy"


async def test_a_segment_is_made_when_somebody_asks_with_those_that_follow(
    theatre: Theatre, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = await planned(theatre)
    asking = fetching(theatre, session, "v480/2.m4s")
    await theatre.ordered(8)
    asking += fetching(theatre, session, "v480/init.mp4")
    encoder = Encoder(theatre)
    await encoder.serve(asking)
    assert [task.result().status_code for task in asking] == [200, 200]
    assert asking[0].result().content == bytes_of("v480", 2)
    assert [stretch(job) for job in asked(theatre)] == [("v480", 1), ("v480", 2)]
    first, ahead = asked(theatre)
    if ahead not in encoder.over:
        await theatre.done(ahead, await theatre.make(ahead))
    assert (first.owner, first.priority, first.root_id) == ("", 0, "")
    assert (await theatre.fetch(session, "v480/3.m4s")).content == bytes_of("v480", 3)
    assert [stretch(job) for job in asked(theatre)] == [("v480", 1), ("v480", 2)]
    is_back = asyncio.Event()

    async def slow(*_: Any) -> None:
        await is_back.wait()

    monkeypatch.setattr(asking_module, "keep_plan", slow)
    assert (await theatre.fetch(session, "v480/5.m4s")).content == bytes_of("v480", 5), "it was made ahead"
    is_back.set()
    await theatre.ordered(9)
    assert [stretch(job) for job in asked(theatre)] == [("v480", 1), ("v480", 2), ("v480", 3)]


async def test_who_changes_to_another_rung_has_made_what_is_played_next(theatre: Theatre) -> None:
    """The head is asked for first, and comes with any part."""
    session = await planned(theatre)
    assert (await theatre.fetch(session, "v720/4.m4s")).status_code == 200
    asking = fetching(theatre, session, "v540/init.mp4")
    encoder = Encoder(theatre)
    await encoder.serve(asking)
    assert asking[0].result().status_code == 200
    assert stretch(asked(theatre)[0]) == ("v540", 2)
    asking = fetching(theatre, session, "v540/5.m4s")
    await encoder.serve(asking)
    assert asking[0].result().content == bytes_of("v540", 5)
    assert {number for _, number in map(stretch, asked(theatre))} == {2, 3}


async def test_it_is_ready_without_them_and_says_when_one_is_whole(theatre: Theatre) -> None:
    session = await planned(theatre)
    for job in (await theatre.ordered(6))[1:]:
        await theatre.done(job, await theatre.make(job))
    await theatre.hear(events.MEDIA_READY)
    assert {each.rendition_id for each in theatre.told(events.RENDITION_READY)} == {"v720", "a128", "v360"}
    await Encoder(theatre).make_all(session, "v480")
    assert (await theatre.hear(events.RENDITION_READY, 4))[-1].rendition_id == "v480"
    rendition = next(each for each in (await media(theatre)).renditions if each.id == "v480")
    assert (rendition.status, rendition.progress) == ("ready", 1.0)
    assert theatre.transcoder.asked == []
    assert len(theatre.told(events.MEDIA_READY)) == 1


async def test_rates_hold_before_there_is_a_byte_and_are_measured_in_the_end(theatre: Theatre) -> None:
    """BANDWIDTH is what the encoder may reach at most, and AVERAGE-BANDWIDTH what the source's own lets expect."""
    session = await planned(theatre)

    def told(text: str) -> dict[str, dict[str, str]]:
        lines = text.splitlines()
        found = {}
        for line, uri in pairwise(lines):
            if line.startswith("#EXT-X-STREAM-INF:"):
                words = line.partition(":")[2].replace('"', "").split(",")
                found[uri.partition("/")[0]] = dict(word.split("=") for word in words if "=" in word)
        return found

    before = told((await theatre.fetch(session)).text)["v480"]
    sound_bps = 128_000
    assert 3_000_000 < int(before["BANDWIDTH"]) - sound_bps < 4_500_000
    assert int(before["AVERAGE-BANDWIDTH"]) < 3_000_000
    assert (before["CODECS"], before["RESOLUTION"]) == ("avc1.64001f", "854x480")
    await Encoder(theatre).make_all(session, "v480")
    await theatre.hear(events.RENDITION_READY)
    after = told((await theatre.fetch(session)).text)["v480"]
    assert int(after["BANDWIDTH"]) < int(before["BANDWIDTH"])
    assert after["CODECS"] == before["CODECS"]


@attack("B40")
async def test_fifty_who_jump_about_have_each_stretch_made_once_and_few_at_a_time(theatre: Theatre) -> None:
    """Whoever is not served at once is told when to come back, and is served then."""
    await planned(theatre, segments=40)
    people = [Actor(kind="user", user_id=f"viewer{n}", roles=("viewer",)) for n in range(50)]
    theatre.auth.holders |= {person.user_id for person in people}
    sessions = [await theatre.watch("c_film", actor=person) for person in people]
    chance = random.Random(7)
    wanted = [f"v480/{chance.randrange(40)}.m4s" for _ in people]
    left = dict(enumerate(wanted))
    told, encoder = Counter[int](), Encoder(theatre)
    while left:
        asking = {n: asyncio.create_task(theatre.fetch(sessions[n], path)) for n, path in left.items()}
        await encoder.serve(list(asking.values()), most=8)
        for n, task in asking.items():
            answer = task.result()
            told[answer.status_code] += 1
            if answer.status_code == 200:
                assert answer.content == bytes_of("v480", int(left.pop(n).split("/")[1].removesuffix(".m4s")))
            else:
                assert code(answer) == (503, "stream.segment_pending")
                assert 1 <= int(answer.headers["retry-after"]) <= 2
    assert told[200] == 50
    assert told[503] > 0, "not all fit at once"
    stretches = Counter(map(stretch, asked(theatre)))
    assert set(stretches.values()) == {1}
    assert {number for _, number in stretches} >= {int(path[5:-4]) // ASKED_SEGMENTS for path in wanted}


async def test_of_all_films_so_many_stretches_are_made_at_a_time(
    theatre: Theatre, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever comes after is refused before anything is written for it."""
    monkeypatch.setattr(asked_module, "MOST", 1)
    session = await planned(theatre)
    asking = fetching(theatre, session, "v480/0.m4s")
    first = (await theatre.ordered(7))[6]

    async def never(*_: Any) -> None:
        raise AssertionError("a plan is kept for what is not made")

    with monkeypatch.context() as patch:
        patch.setattr(asking_module, "keep_plan", never)
        assert code(await theatre.fetch(session, "v540/4.m4s")) == (503, "stream.segment_pending")
    await theatre.done(first, await theatre.make(first))
    await answered(asking, theatre)
    assert [stretch(job) for job in asked(theatre)] == [("v480", 0)], "none ahead, where there is room for one"
    asking = fetching(theatre, session, "v540/4.m4s")
    await theatre.ordered(8)
    part = asked_module.Part(plan=await theatre.plan_of(first), rendition_id="v480", n=1)
    follows = partial(asked_module.wanted, part=part)
    assert await theatre.db.read(follows) == [], "nor after what is there"
    await Encoder(theatre, over=[first]).serve(asking)
    assert [each.number for each in await theatre.db.read(follows)] == [1]


async def test_a_rung_that_cannot_be_made_is_not_asked_for_again(theatre: Theatre) -> None:
    session = await planned(theatre)
    asking = fetching(theatre, session, "v480/4.m4s")
    first = (await theatre.ordered(8))[6]
    await theatre.over(first, status="dead", error_code="media.child_failed", error_detail="it died")
    await answered(asking, theatre)
    assert code(asking[0].result()) == code(await theatre.fetch(session, "v480/6.m4s")) == (404, "stream.not_found")
    await theatre.clock.advance(61.0)
    assert "v480" not in (await theatre.fetch(session)).text
    rendition = next(each for each in (await media(theatre)).renditions if each.id == "v480")
    assert rendition.status == "failed"
    assert (await theatre.fetch(session, "v540/playlist.m3u8")).status_code == 200


@pytest.mark.parametrize("how", [{"status": "cancelled"}, {"status": "dead", "error_code": "media.task_lost"}])
async def test_what_was_lost_or_put_aside_is_asked_for_again(theatre: Theatre, how: dict[str, Any]) -> None:
    session = await planned(theatre)
    asking = fetching(theatre, session, "v480/4.m4s")
    first = (await theatre.ordered(8))[6]
    await theatre.over(first, **how)
    encoder = Encoder(theatre, over=[first])
    await encoder.serve(asking)
    assert asking[0].result().content == bytes_of("v480", 4)
    assert Counter(map(stretch, encoder.over))[stretch(first)] == 2


async def test_the_lowest_rung_jumps_the_queue_where_it_is_not_made_yet(theatre: Theatre) -> None:
    session = await planned(theatre)
    asking = fetching(theatre, session, "v360/5.m4s")
    [chunk] = [job for job in await theatre.ordered(6) if job.payload.get("chunk_n") == 2]

    async def is_hurried() -> bool | None:
        return theatre.jobs.bumped == [chunk.job_id] or None

    await eventually(is_hurried, what="a word to the queue")
    await theatre.done(chunk, await theatre.make(chunk))
    await answered(asking, theatre)
    assert asking[0].result().content == bytes_of("v360", 5)
    assert asked(theatre) == []


async def test_what_is_made_otherwise_than_planned_takes_its_rung_away(theatre: Theatre) -> None:
    session = await planned(theatre)
    asking = fetching(theatre, session, "v480/0.m4s")
    first = (await theatre.ordered(8))[6]
    await theatre.done(first, altered(await theatre.make(first), "v480", decode_time_ticks=7))
    await answered(asking, theatre)
    assert code(asking[0].result()) == code(await theatre.fetch(session, "v480/6.m4s")) == (404, "stream.not_found")


async def test_its_plan_is_there_for_whoever_makes_it_however_late(theatre: Theatre) -> None:
    """With new keys a version has another number, and so another plan."""
    session = await planned(theatre)
    [copy] = [job for job in theatre.orders() if job.kind == COPY_KIND]
    await theatre.blobs.delete(copy.payload["plan_key"])
    asking = fetching(theatre, session, "v480/2.m4s")
    await Encoder(theatre).serve(asking)
    assert asking[0].result().content == bytes_of("v480", 2)


async def test_a_stretch_whose_end_was_never_heard_is_made_for_the_next_who_asks(theatre: Theatre) -> None:
    session = await planned(theatre)
    asking = fetching(theatre, session, "v480/4.m4s")
    lost = (await theatre.ordered(8))[6]
    await Encoder(theatre, over=[lost]).serve([])
    asking[0].cancel()
    theatre.jobs.queued(*theatre.orders()[:6], probe="done")
    for job in asked(theatre):
        theatre.jobs.queued(job, encode_asked="done")
    for _ in range(3):
        theatre.clock.jump(601)
        await theatre.turn("streaming.reconcile")
    asking = fetching(theatre, await theatre.watch("c_film"), "v480/4.m4s")
    encoder = Encoder(theatre, over=asked(theatre))
    await encoder.serve(asking)
    assert asking[0].result().content == bytes_of("v480", 4)
    assert stretch(encoder.over[-1])[0] == "v480"
