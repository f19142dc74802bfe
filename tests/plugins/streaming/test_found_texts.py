"""Captions and chapters that a film brings along: taken in with care, and behind what its maker gives."""

from __future__ import annotations

import hashlib
from typing import Any

import attrs
import pytest

from streamgate.contracts import events
from streamgate.contracts.captions import (
    CAPTIONS_KIND,
    CaptionsResult,
    FoundCaptions,
    FoundChapter,
    MadeCaptions,
)
from streamgate.contracts.jobs import NewJob
from streamgate.contracts.streaming import STREAMING, MediaQuery
from streamgate.testing.wait import eventually
from tests.plugins.streaming.others import CREATOR
from tests.plugins.streaming.theatre import Theatre

GERMAN = FoundCaptions(index=2, codec="srt", language="de", title="Alles")
UNKNOWN = FoundCaptions(index=5, codec="webvtt", language="und", kind="captions")
CAPTIONS = "/api/v1/stream/captions/c_film"


def vtt(words: str) -> bytes:
    return f"WEBVTT\n\n00:00:01.000 --> 00:00:02.000\n{words}\n".encode()


async def play_with(theatre: Theatre, *captions: FoundCaptions, chapters: tuple[FoundChapter, ...] = ()) -> NewJob:
    """A film is ready, and this job was asked for beside it."""
    probe = await theatre.upload("c_film")
    plan = attrs.evolve(theatre.plan_for(probe), captions=captions, chapters=chapters)
    for job in await theatre.planned(probe, plan):
        await theatre.done(job, await theatre.make(job))
    await theatre.hear(events.MEDIA_READY)

    async def ordered() -> NewJob | None:
        return next((job for job in theatre._all_orders() if job.kind == CAPTIONS_KIND), None)

    return await eventually(ordered, timeout_s=10, every_s=0.005, what="the job")


async def made(theatre: Theatre, job: NewJob, index: int, data: bytes, sha256: str = "") -> MadeCaptions:
    key = f"jobs/{job.subject_id}/{job.job_id}/l_1/captions-{index}.vtt"
    await theatre.blobs.put_bytes(key, data)
    digest = sha256 or hashlib.sha256(data).hexdigest()
    return MadeCaptions(index=index, key=key, size_bytes=len(data), sha256=digest)


async def listed(theatre: Theatre) -> list[tuple[Any, ...]]:
    async with theatre.client() as http:
        found = (await http.get(CAPTIONS)).json()["captions"]
        return [(each["language"], each["kind"], each["label"], each["source"], each["default"]) for each in found]


async def words(theatre: Theatre, session: dict[str, Any], path: str, holds: str) -> None:
    async def there() -> bool | None:
        return holds in (await theatre.fetch(session, path)).text or None

    await eventually(there, timeout_s=10, every_s=0.005, what=f"{holds!r} in {path}")


async def test_they_are_shown_and_the_creators_own_go_first(theatre: Theatre) -> None:
    chapters = (FoundChapter(start_ms=0, end_ms=5, title="A\nB"), FoundChapter(start_ms=2_000, end_ms=4_000, title=""))
    job = await play_with(theatre, GERMAN, UNKNOWN, chapters=chapters)
    assert (job.priority, job.owner) == (5, CREATOR.user_id)
    session = await theatre.watch("c_film")
    assert "SUBTITLES" not in (await theatre.fetch(session)).text
    assert (await theatre.fetch(session, "chapters.vtt")).text == (
        "WEBVTT\n\n00:00:00.000 --> 00:00:02.000\nA B\n\n00:00:02.000 --> 00:00:04.000\n2\n"
    )
    both = (await made(theatre, job, 2, vtt("Guten Tag")), await made(theatre, job, 5, vtt("?")))
    await theatre.done(job, CaptionsResult(captions=both))
    await words(theatre, session, "master.m3u8", "captions/und.cc/playlist.m3u8")
    await words(theatre, session, "captions/de.vtt", "Guten Tag")
    german, unknown = ("de", "subtitles", "Alles", "file", False), ("und", "captions", "Subtitles", "file", False)
    assert await listed(theatre) == [german, unknown]

    async with theatre.client(CREATOR) as http:
        assert (await http.put(f"{CAPTIONS}/de?default=true", content=vtt("Servus"))).status_code == 200
        assert await listed(theatre) == [("de", "subtitles", "Deutsch", "own", True), unknown]
        await words(theatre, session, "captions/de.vtt", "Servus")
        assert (await http.delete(f"{CAPTIONS}/de")).status_code == 204
        assert await listed(theatre) == [german, unknown]
        await words(theatre, session, "captions/de.vtt", "Guten Tag")
        assert [(await http.delete(f"{CAPTIONS}/de")).status_code for _ in range(2)] == [204, 404]
        assert (await http.delete("/api/v1/stream/chapters/c_film")).status_code == 204
    assert await listed(theatre) == [unknown]
    gone = events.ContentDeleted(subject_id="c_film", revision=9, owner="x")
    await theatre.say(events.CONTENT_DELETED, gone)
    await theatre.collected()


@pytest.mark.parametrize(
    ("index", "data", "sha256", "said"),
    [
        (4, vtt("x"), "", "not planned"),
        (2, vtt("x"), "0" * 64, "other bytes"),
        (2, b"1\n00:00:01,000 --> 00:00:02,000\nx\n", "", "begins with WEBVTT"),
        (2, b"WEBVTT\n\n\xff", "", "cannot be read"),
    ],
)
async def test_what_is_not_as_asked_is_a_warning(
    theatre: Theatre, index: int, data: bytes, sha256: str, said: str
) -> None:
    job = await play_with(theatre, GERMAN)
    await theatre.done(job, CaptionsResult(captions=(await made(theatre, job, index, data, sha256),)))

    async def warned() -> str | None:
        state = await theatre.home.services.get(STREAMING).media(MediaQuery(content_id="c_film"))
        return next((each for each in state.warnings if each.startswith("captions: ")), None)

    warning = await eventually(warned, timeout_s=10, every_s=0.005, what="a warning")
    assert warning.startswith("captions: media.result_invalid: ")
    assert said in warning
    assert await listed(theatre) == []


async def test_a_job_that_failed_is_a_warning(theatre: Theatre) -> None:
    job = await play_with(theatre, GERMAN)
    await theatre.over(job, status="failed", error_code="media.corrupt", error_detail="cut off")

    async def warned() -> bool | None:
        state = await theatre.home.services.get(STREAMING).media(MediaQuery(content_id="c_film"))
        return "captions: media.corrupt: cut off" in state.warnings or None

    await eventually(warned, timeout_s=10, every_s=0.005, what="a warning")
