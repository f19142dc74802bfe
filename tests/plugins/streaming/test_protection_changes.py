"""A content that is encrypted later, is encrypted no more, or gets new keys."""

from __future__ import annotations

import re
from typing import Any

import pytest
from sqlalchemy import select

from streamgate.context import Actor
from streamgate.contracts import events
from streamgate.contracts.audit import AUDITED
from streamgate.contracts.media import CHUNK_KIND, ProbeResult
from streamgate.sdk.secrets import MasterKey
from streamgate.settings import KernelSettings
from streamgate.testing.attacks import attack
from streamgate.testing.wait import eventually
from streamgate_streaming.protected.secrets import Secrets
from streamgate_streaming.tables import SecretRow
from tests.plugins.streaming.makers import media
from tests.plugins.streaming.sealed import kids_of, licence, opened, play_sealed, protect, public
from tests.plugins.streaming.theatre import Open, Theatre, bytes_of

CREATOR = Actor(kind="user", user_id="creator", roles=("creator",))
STRANGER = Actor(kind="user", user_id="stranger", roles=("creator",))


async def over(theatre: Theatre, session: Any, path: str = "master.m3u8") -> str:
    """Why it ended, once this process has heard."""

    async def ended() -> Any:
        answer = await theatre.fetch(session, path)
        return answer.json() if answer.status_code == 410 else None

    told = await eventually(ended, timeout_s=5, every_s=0.005)
    assert told["code"] == "stream.session_ended"
    return str(told["reason"])


async def rekey(theatre: Theatre, actor: Actor = CREATOR, content_id: str = "c_film") -> Any:
    async with theatre.client(actor) as http:
        return await http.post("/api/v1/stream/rekey", json={"content_id": content_id})


# --- encrypted, or no more --------------------------------------------------------------------------


async def test_what_plays_ends_when_it_is_encrypted_and_is_opened_anew(theatre: Theatre) -> None:
    await theatre.play("c_film")
    clear = await theatre.watch("c_film")
    assert (await theatre.fetch(clear, "v720/0.m4s")).status_code == 200
    await protect(theatre, "encrypted", 2)
    assert await over(theatre, clear, "v720/0.m4s") == "version_changed"
    sealed = await theatre.watch("c_film")
    assert sealed["session_id"] != clear["session_id"]
    assert (await theatre.fetch(sealed, "v720/0.m4s")).status_code == 404
    assert await opened(theatre, sealed, "v720") == [bytes_of("v720", n) for n in range(3)]
    before = (await public(theatre, "1/hls/v720/0.m4s")).content
    await protect(theatre, "none", 3)
    assert await over(theatre, sealed, "v720/0.key") == "version_changed"
    clear = await theatre.watch("c_film")
    assert (await theatre.fetch(clear, "v720/0.m4s")).content == bytes_of("v720", 0)
    assert (await theatre.fetch(clear, "v720/0.key")).status_code == 404
    assert (await public(theatre, "1/hls/v720/0.m4s")).status_code == 404
    await protect(theatre, "encrypted", 4)
    await theatre.watch("c_film")
    assert (await public(theatre, "1/hls/v720/0.m4s")).content == before, "other bytes under an address that is kept"


async def test_an_older_word_changes_nothing(theatre: Theatre) -> None:
    """Events come late, and a reading of metadata may be older than an event."""
    await theatre.play("c_film")
    await protect(theatre, "encrypted", 5)
    theatre.metadata.protection["c_film"], theatre.metadata.revision = "none", 4
    session = await theatre.watch("c_film")
    assert (await theatre.fetch(session, "v720/0.m4s")).status_code == 404
    late = events.ProtectionChanged(subject_id="c_film", revision=3, protection="none")
    await theatre.say(events.PROTECTION_CHANGED, late)
    assert (await theatre.fetch(session, "v720/0.key")).status_code == 200


async def test_what_is_encrypted_from_the_start_needs_no_event(theatre: Theatre) -> None:
    await play_sealed(theatre)
    session = await theatre.watch("c_film")
    assert (await theatre.fetch(session, "v720/0.m4s")).status_code == 404
    assert (await theatre.fetch(session, "v720/0.key")).status_code == 200


# --- new keys ---------------------------------------------------------------------------------------


@attack("B28")
async def test_new_keys_for_the_same_segments(theatre: Theatre) -> None:
    await play_sealed(theatre)
    before = await theatre.watch("c_film")
    old = await theatre.fetch(before, "v720/0.key")
    old_kids = await kids_of(theatre, before)
    answer = await rekey(theatre)
    assert (answer.status_code, answer.json()) == (
        200,
        {"content_id": "c_film", "media_version": 2, "sessions_ended": 1},
    )
    assert await over(theatre, before, "v720/0.key") == "version_changed"
    after = await theatre.watch("c_film")
    assert "/m/c_film/2/" in (await theatre.fetch(after, "v720/playlist.m3u8")).text
    assert (await theatre.fetch(after, "v720/0.key")).content != old.content
    for track in ("v720", "v360", "a128"):
        assert await opened(theatre, after, track) == [bytes_of(track, n) for n in range(3)]
    assert (await licence(theatre, after, *old_kids)).status_code == 404
    state = await media(theatre)
    assert (state.media_version, state.state) == (2, "ready")
    ready = await theatre.hear(events.MEDIA_READY, 2)
    assert ready[-1].media_version == 2
    acts = [(each.act, each.subject_id) for each in await theatre.hear(AUDITED) if each.act == "stream.rekeyed"]
    assert acts == [("stream.rekeyed", "content:c_film")]


async def test_no_blob_is_lost_or_left_by_new_keys(theatre: Theatre) -> None:
    await play_sealed(theatre)
    await theatre.watch("c_film")
    await rekey(theatre)
    for _ in range(30):
        await theatre.clock.advance(30)
    await theatre.collect()
    session = await theatre.watch("c_film")
    assert await opened(theatre, session, "v720") == [bytes_of("v720", n) for n in range(3)]
    async with theatre.client() as http:
        assert (await http.get("/api/v1/stream/m/c_film/1/hls/v720/0.m4s")).status_code == 404
    await theatre.say(events.CONTENT_DELETED, events.ContentDeleted(subject_id="c_film", revision=9, owner="creator"))
    await theatre.collected()
    assert await theatre.db.read(lambda session: session.scalars(select(SecretRow)).all()) == []


async def test_who_may_not_and_what_has_none(theatre: Theatre) -> None:
    assert (await rekey(theatre)).status_code == 404
    await theatre.play("c_film")
    assert (await rekey(theatre)).json()["code"] == "stream.not_encrypted"
    await protect(theatre, "encrypted", 2)
    assert (await rekey(theatre, STRANGER)).status_code == 404
    assert (await rekey(theatre, content_id="c_other")).status_code == 404
    theatre.metadata.contents.add("c_empty")
    theatre.metadata.protection["c_empty"] = "encrypted"
    assert (await rekey(theatre, content_id="c_empty")).json()["code"] == "stream.not_playable"
    assert (await media(theatre)).media_version == 1


async def test_what_is_being_made_keeps_its_keys(theatre: Theatre) -> None:
    theatre.metadata.protection["c_film"] = "encrypted"
    jobs = await theatre.planned(await theatre.upload("c_film"))
    for job in jobs[:-1]:
        await theatre.done(job, await theatre.make(job))
    assert (await rekey(theatre)).json()["code"] == "stream.not_playable"
    await theatre.done(jobs[-1], await theatre.make(jobs[-1]))
    await theatre.hear(events.MEDIA_READY)
    again = await theatre.planned(await theatre.upload("c_film", 2))
    assert again
    assert (await rekey(theatre)).json()["code"] == "stream.still_made"


# --- what is not made yet ---------------------------------------------------------------------------


async def test_strangers_have_nothing_made_unless_somebody_watches(theatre: Theatre) -> None:
    theatre.metadata.protection["c_film"] = "encrypted"
    probe = await theatre.upload("c_film")
    plan = theatre.plan_for(probe, copied="v720 a128", segments=5)
    await theatre.done(probe, ProbeResult(plan=plan))
    await theatre.hear(events.MEDIA_PLAYABLE)
    session = await theatre.watch("c_film")
    assert (await theatre.fetch(session, "v720/playlist.m3u8")).text.count(".m4s") == 5
    assert (await public(theatre, "1/hls/v720/3.m4s", method="HEAD")).status_code == 503
    assert theatre.transcoder.asked == []
    assert await opened(theatre, session, "v720") == [bytes_of("v720", n) for n in range(5)]
    asked = len(theatre.transcoder.asked)
    async with theatre.client(Actor(kind="user", user_id="holder", roles=("viewer",))) as http:
        await http.delete(f"/api/v1/stream/session/{session['session_id']}")
    for job in (await theatre.ordered(5))[1:]:
        if job.kind == CHUNK_KIND:
            await theatre.done(job, await theatre.make(job))
    assert (await public(theatre, "1/hls/v720/3.m4s")).status_code == 200
    assert len(theatre.transcoder.asked) == asked


async def test_nobody_watches_nothing_is_made(theatre: Theatre) -> None:
    theatre.metadata.protection["c_film"] = "encrypted"
    probe = await theatre.upload("c_film")
    await theatre.done(probe, ProbeResult(plan=theatre.plan_for(probe, copied="v720 a128", segments=5)))
    await theatre.hear(events.MEDIA_PLAYABLE)
    session = await theatre.watch("c_film")
    async with theatre.client(Actor(kind="user", user_id="holder", roles=("viewer",))) as http:
        await http.delete(f"/api/v1/stream/session/{session['session_id']}")
    answer = await public(theatre, "1/hls/v720/3.m4s")
    assert (answer.status_code, answer.json()["code"]) == (503, "stream.segment_pending")
    assert answer.headers["cache-control"] == "no-store"
    assert theatre.transcoder.asked == []


# --- at rest ----------------------------------------------------------------------------------------


async def test_it_holds_in_either_database(open_theatre: Open, stored_in: KernelSettings | None) -> None:
    async with open_theatre(stored_in) as theatre:
        await theatre.play("c_film")
        await protect(theatre, "encrypted", 2)
        session = await theatre.watch("c_film")
        key = (await theatre.fetch(session, "v720/0.key")).content
        assert (await rekey(theatre)).json()["media_version"] == 2
        after = await theatre.watch("c_film")
        assert (await theatre.fetch(after, "v720/0.key")).content != key
        assert await opened(theatre, after, "v360") == [bytes_of("v360", n) for n in range(3)]


@attack("B48")
async def test_a_secret_is_wrapped_for_its_version_alone(theatre: Theatre) -> None:
    await play_sealed(theatre)
    session = await theatre.watch("c_film")
    key = (await theatre.fetch(session, "v720/0.key")).content

    def read(session: Any) -> Any:
        return session.scalars(select(SecretRow)).one()

    row = await theatre.db.read(read)
    assert key not in row.wrapped
    other = Secrets(MasterKey(bytes(32)), key_period_s=600)
    with pytest.raises(Exception, match="does not open"):
        await theatre.db.read(lambda session: other.find(session, "c_film", 1))
    stored = [each.key async for each in theatre.blobs.list()]
    assert not any(re.search(r"hls|cenc|key", each) for each in stored)

    async def whole() -> bool | None:
        return True if await opened(theatre, session, "a128") else None

    await eventually(whole, timeout_s=5)
