"""A worker that is away: nothing that was decided waits for it, and what it must hear, it hears when it is back."""

from __future__ import annotations

from typing import Any

import pytest

from streamgate.contracts import events
from streamgate.contracts.streaming import STREAMING, MediaQuery
from streamgate.errors import Unavailable
from streamgate_streaming.tables import CancelRow
from tests.plugins.streaming.theatre import Theatre

DELETED = events.ContentDeleted(subject_id="c_film", revision=9, owner="creator")
TAKEN_BACK = events.UploadFailed(
    subject_id="c_film", revision=2, upload_id="u_c_film_1", content_id="c_film", code="upload.aborted", detail=""
)


async def open_cancels(theatre: Theatre) -> int:
    count: int = await theatre.db.read(lambda session: session.query(CancelRow).count())
    return count


async def state(theatre: Theatre) -> str:
    return (await theatre.home.services.get(STREAMING).media(MediaQuery(content_id="c_film"))).state


@pytest.mark.parametrize(
    ("event", "body", "left"),
    [(events.CONTENT_DELETED, DELETED, "none"), (events.UPLOAD_FAILED, TAKEN_BACK, "failed")],
)
async def test_an_end_is_carried_out_without_the_worker_and_the_task_is_cancelled_later(
    theatre: Theatre, event: Any, body: Any, left: str
) -> None:
    probe = await theatre.upload("c_film")
    await theatre.planned(probe)
    theatre.jobs.fault = Unavailable("nobody serves worker")
    await theatre.say(event, body)
    assert await state(theatre) == left
    assert (theatre.jobs.cancelled, await open_cancels(theatre)) == ([], 1)
    await theatre.turn("streaming.cancel")
    assert await open_cancels(theatre) == 1  # still away
    theatre.jobs.fault = None
    theatre.jobs.known.add(probe.job_id)
    await theatre.turn("streaming.cancel")
    assert (theatre.jobs.cancelled, await open_cancels(theatre)) == ([probe.job_id], 0)


async def test_a_task_that_is_not_queued_yet_is_cancelled_when_it_is(theatre: Theatre) -> None:
    probe = await theatre.upload("c_film")
    await theatre.say(events.CONTENT_DELETED, DELETED)
    assert (theatre.jobs.cancelled, await open_cancels(theatre)) == ([], 1)
    theatre.jobs.known.add(probe.job_id)
    await theatre.turn("streaming.cancel")
    assert (theatre.jobs.cancelled, await open_cancels(theatre)) == ([probe.job_id], 0)


async def test_a_task_that_never_comes_is_forgotten(theatre: Theatre) -> None:
    await theatre.upload("c_film")
    await theatre.say(events.CONTENT_DELETED, DELETED)
    theatre.clock.jump(86_401)
    await theatre.turn("streaming.cancel")
    assert await open_cancels(theatre) == 0
