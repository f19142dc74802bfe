"""What a decision opens: every rendition or the lower ones, the whole or its beginning."""

from __future__ import annotations

import asyncio
from fractions import Fraction
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamgate.context import ANONYMOUS, Actor
from streamgate.contracts import events
from streamgate.sdk.playlists.presentation import Presentation
from streamgate.testing.wait import eventually
from streamgate_streaming.extent import ALL, SOUND_BESIDE_S, Extent, cut, narrower
from tests.plugins.streaming.theatre import MakeTrack, Parse, Theatre

HOLDER = Actor(kind="user", user_id="holder", roles=("viewer",))
STRANGER = Actor(kind="user", user_id="stranger", roles=("viewer",))
LEASE_S = 60.0
HIGH = ("v720/playlist.m3u8", "v720/init.mp4", "v720/0.m4s")
LOW = ("v360/playlist.m3u8", "v360/init.mp4", "v360/2.m4s", "a128/2.m4s")


async def statuses(theatre: Theatre, session: Any, *paths: str) -> list[int]:
    return [answer.status_code for answer in await asyncio.gather(*(theatre.fetch(session, path) for path in paths))]


async def refused(theatre: Theatre, session: Any, path: str) -> dict[str, Any]:
    answer = await theatre.fetch(session, path)
    assert (answer.status_code, answer.json()["code"]) == (403, "gate.refused"), answer.text
    told: dict[str, Any] = answer.json()
    return told


async def ask(theatre: Theatre, actor: Actor, client_id: str = "") -> httpx.Response:
    async with theatre.client(actor) as http:
        return await http.post("/api/v1/stream/session", json={"content_id": "c_film", "client_id": client_id})


# --- renditions -------------------------------------------------------------------------------------


async def test_only_what_is_open_is_listed_and_what_is_guessed_is_refused(film: Theatre, parse: Parse) -> None:
    film.auth.max_height_px = 480
    session = await film.watch("c_film")
    assert session["max_height_px"] == 480
    hls, dash = [(await film.fetch(session, name)).text for name in ("master.m3u8", "manifest.mpd")]
    assert "v720" not in hls + dash
    [master, manifest] = parse([("hls", hls), ("dash", dash)])
    assert [variant["uri"] for variant in master["variants"]] == ["v360/playlist.m3u8"]
    assert len(manifest["video"]) == 1
    assert await statuses(film, session, *LOW) == [200] * len(LOW)
    for path in HIGH:
        assert (await refused(film, session, path))["max_height_px"] == 480
    assert await statuses(film, session, "v1080/0.m4s", "v720/9.m4s", "v360/9.m4s") == [404] * 3
    token = session["hls_url"].split("/")[-2]
    query = {"content_id": "c_film", "rendition": "v720", "number": "1", "session": token}
    async with film.client() as http:
        assert (await http.get("/api/v1/stream/segment", params=query)).status_code == 403


@pytest.mark.parametrize("form", ["hls", "dash"])
async def test_a_playlist_by_query_lists_what_is_open(film: Theatre, form: str) -> None:
    film.auth.max_height_px = 480
    async with film.client(HOLDER) as http:
        answer = await http.get(f"/api/v1/stream/{form}", params={"content_id": "c_film"})
    assert (answer.status_code, "v720" in answer.text, "v360" in answer.text) == (200, False, True)


async def test_high_renditions_stop_within_the_lease_and_the_rest_goes_on(film: Theatre) -> None:
    film.auth.max_height_px, film.auth.full = 480, {"holder"}
    session = await film.watch("c_film")
    assert await statuses(film, session, *HIGH, *LOW) == [200] * 7
    film.auth.full.clear()
    await film.clock.advance(LEASE_S)
    assert await statuses(film, session, *HIGH) == [403] * 3
    assert await statuses(film, session, *LOW, "master.m3u8") == [200] * 5
    film.auth.full.add("holder")
    await film.clock.advance(LEASE_S)
    assert await statuses(film, session, *HIGH) == [200] * 3


async def test_where_every_rendition_is_too_high_nothing_is_open(film: Theatre) -> None:
    film.auth.max_height_px, film.auth.full = 240, {"holder"}
    session = await film.watch("c_film")
    film.auth.full.clear()
    answer = await ask(film, HOLDER, "tv")
    assert (answer.status_code, answer.json()["code"], answer.json()["max_height_px"]) == (403, "gate.refused", 240)
    await film.clock.advance(LEASE_S)
    paths = ("master.m3u8", "manifest.mpd", "a128/playlist.m3u8", "a128/0.m4s", "v360/0.m4s")
    assert await statuses(film, session, *paths) == [403] * 5


async def test_an_older_answer_opens_nothing_that_a_newer_one_has_shut(film: Theatre) -> None:
    film.auth.max_height_px = 480
    session = await film.watch("c_film")
    film.auth.full, film.auth.read_age_s = {"holder"}, 20.0
    await film.say(events.PEOPLE_CHANGED, events.PeopleChanged(subject_id="holder", revision=1, user_ids=("holder",)))
    assert await statuses(film, session, "v720/0.m4s", "v360/0.m4s") == [403, 200]


# --- previews ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("actor", [ANONYMOUS, STRANGER], ids=["nobody", "stranger"])
async def test_a_preview_is_the_beginning_and_says_what_would_open_the_rest(
    film: Theatre, parse: Parse, actor: Actor
) -> None:
    film.auth.preview_s = 9.0
    session = await film.watch("c_film", actor)
    assert session["preview_s"] == 9.0
    texts = [(await film.fetch(session, name)).text for name in ("v360/playlist.m3u8", "manifest.mpd")]
    assert texts[0].count(".m4s") == 2
    assert texts[0].rstrip().endswith("#EXT-X-ENDLIST")
    assert 'mediaPresentationDuration="PT8.000000S"' in texts[1]
    [_, manifest] = parse([("hls", texts[0]), ("dash", texts[1])])
    assert [len(each["segments"]) for each in manifest["video"]] == [2, 2]
    assert await statuses(film, session, "v720/1.m4s", "a128/1.m4s", "v360/init.mp4") == [200] * 3
    for path in ("v360/2.m4s", "v720/2.m4s", "a128/2.m4s"):
        told = await refused(film, session, path)
        assert (told["preview_s"], told["explanation"]["needed"]) == (9.0, "1")
    assert await statuses(film, session, "v360/3.m4s") == [404]
    await film.clock.advance(LEASE_S)
    assert await statuses(film, session, "v360/1.m4s", "v360/2.m4s") == [200, 403]


async def test_a_preview_becomes_whole_at_the_same_addresses(film: Theatre) -> None:
    film.auth.preview_s = 9.0
    session = await film.watch("c_film", STRANGER, "tv")
    film.auth.holders.add("stranger")
    whole = await film.watch("c_film", STRANGER, "tv")
    assert (whole["hls_url"], whole["preview_s"]) == (session["hls_url"], None)
    assert await statuses(film, session, "v360/2.m4s") == [200]
    film.auth.holders.discard("stranger")  # from now on it ends as every other does
    await film.clock.advance(LEASE_S)
    answer = await film.fetch(session, "v360/0.m4s")
    assert (answer.status_code, answer.json()["code"]) == (410, "stream.session_ended")


async def test_a_preview_becomes_whole_by_its_own_renewal(film: Theatre) -> None:
    film.auth.preview_s = 9.0
    session = await film.watch("c_film", STRANGER)
    film.auth.holders.add("stranger")
    await film.clock.advance(LEASE_S / 2)
    async with film.client(STRANGER) as http:
        renewed = await http.post(f"/api/v1/stream/session/{session['session_id']}/renew")
    assert renewed.json()["preview_s"] is None
    assert await statuses(film, session, "v360/2.m4s") == [200]
    await film.turn("streaming.flush")
    film.auth.holders.discard("stranger")
    await film.say(events.GATE_CHANGED, events.GateChanged(subject_id="c_film", revision=2, has_gate=True))
    assert [each.reason for each in await film.hear(events.SESSION_ENDED)] == ["refused"]


async def test_a_preview_becomes_whole_by_a_new_rule_that_rests_on_an_older_reading(film: Theatre) -> None:
    film.auth.preview_s = 9.0
    session = await film.watch("c_film", STRANGER, "tv")
    film.auth.holders.add("stranger")
    film.auth.read_age_s = 20.0
    assert (await film.watch("c_film", STRANGER, "tv"))["preview_s"] == 9.0, "by the same rule the newer reading counts"
    film.auth.revision = 2
    whole = await film.watch("c_film", STRANGER, "tv")
    assert (whole["hls_url"], whole["preview_s"]) == (session["hls_url"], None)


async def test_whoever_had_the_whole_and_lost_it_opens_a_preview_of_their_own(film: Theatre) -> None:
    film.auth.preview_s = 9.0
    session = await film.watch("c_film", HOLDER, "tv")
    film.auth.holders.clear()
    preview = await film.watch("c_film", HOLDER, "tv")
    assert preview["hls_url"] != session["hls_url"]
    assert [each.reason for each in await film.hear(events.SESSION_ENDED)] == ["refused"]

    async def is_over() -> bool | None:
        return True if (await film.fetch(session, "v360/0.m4s")).status_code == 410 else None

    await eventually(is_over, every_s=0.005, what="the end")


async def test_a_preview_ends_with_the_offer(film: Theatre) -> None:
    film.auth.preview_s = 9.0
    session = await film.watch("c_film", ANONYMOUS)
    film.auth.preview_s = 0.0
    await film.clock.advance(LEASE_S)
    assert (await film.fetch(session, "v360/0.m4s")).status_code == 410


async def test_a_preview_shorter_than_a_segment_is_none(film: Theatre) -> None:
    film.auth.preview_s = 3.9
    answer = await ask(film, STRANGER)
    assert (answer.status_code, answer.json()["code"], answer.json()["preview_s"]) == (403, "gate.refused", 3.9)
    assert answer.json()["first_segment_s"] == 4.0
    assert answer.json()["detail"].endswith(
        "does not open for you: a preview is of whole segments, and the first one is 4 s long, of which 3.9 s are free"
    )
    film.auth.preview_s, film.auth.max_height_px = 9.0, 240  # none is so low
    answer = await ask(film, STRANGER)
    assert (answer.status_code, answer.json()["max_height_px"]) == (403, 240)
    assert "no rendition that low" in answer.json()["detail"]
    film.auth.preview_s, film.auth.max_height_px = 4.0, None
    assert (await ask(film, STRANGER)).status_code == 201


# --- cutting ----------------------------------------------------------------------------------------


@given(
    segments=st.integers(1, 12),
    preview_s=st.floats(0.1, 60),
    heights=st.lists(st.sampled_from([240, 360, 720, 1080]), min_size=0, max_size=4, unique=True),
    max_height_px=st.none() | st.integers(100, 1200),
)
def test_nothing_beyond_the_extent_is_in_what_is_left(
    make_track: MakeTrack, segments: int, preview_s: float, heights: list[int], max_height_px: int | None
) -> None:
    grid = [4 * 12_800 * n for n in range(segments + 1)]
    sound = [round(4 * n * 48_000 / 1024) * 1024 for n in range(segments + 1)]
    video = tuple(make_track(f"v{h}", grid, 12_800, height_px=h, width_px=h * 16 // 9) for h in sorted(heights))
    audio = (make_track("a128", sound, 48_000),)
    whole = Presentation(content_id="c", media_version=1, target_duration_s=4, video=video, audio=audio)
    assert cut(whole, ALL) == whole
    left = cut(whole, Extent(preview_s=preview_s, max_height_px=max_height_px))
    if left is None:
        too_high = heights and max_height_px is not None and min(heights) > max_height_px
        assert too_high or preview_s < 4 + SOUND_BESIDE_S
        return
    assert [track.id for track in left.video] == [
        track.id for track in video if max_height_px is None or track.height_px <= max_height_px
    ]
    for track in left.tracks:
        assert track.duration <= Fraction(preview_s) + Fraction(SOUND_BESIDE_S)
        assert track.segments == audio[0].segments[: len(track.segments)] or track.kind == "video"
    assert all(abs(float(track.duration - left.duration)) <= SOUND_BESIDE_S for track in left.audio)
    ends_s = (
        [float(Fraction(end, 12_800)) for end in grid] if video else [float(Fraction(end, 48_000)) for end in sound]
    )
    free_s = preview_s if video else preview_s + SOUND_BESIDE_S
    longest = max(end_s for end_s in ends_s if end_s <= free_s)
    assert abs(float(left.duration) - longest) <= SOUND_BESIDE_S


def test_sound_alone_has_the_segment_that_ends_with_the_preview(make_track: MakeTrack) -> None:
    """Its frames do not fall on whole seconds."""
    audio = make_track("a128", [round(4 * n * 48_000 / 1024) * 1024 for n in range(9)], 48_000)
    whole = Presentation(content_id="c", media_version=1, target_duration_s=4, video=(), audio=(audio,))
    for preview_s in (4.0, 8.0, 12.0, 16.0, 20.0):
        left = cut(whole, Extent(preview_s=preview_s))
        assert left is not None
        assert len(left.audio[0].segments) == preview_s // 4


def test_an_upright_film_is_as_high_as_it_is_called(make_track: MakeTrack) -> None:
    upright = make_track("v720", [0, 51_200], 12_800, width_px=720, height_px=1280)
    whole = Presentation(content_id="c", media_version=1, target_duration_s=4, video=(upright,), audio=())
    assert cut(whole, Extent(max_height_px=720)) == whole
    assert cut(whole, Extent(max_height_px=719)) is None


def test_narrower_is_what_both_open() -> None:
    one, other = Extent(preview_s=9, max_height_px=720), Extent(max_height_px=480)
    assert narrower(one, other) == narrower(other, one) == Extent(preview_s=9, max_height_px=480)
    assert narrower(one, ALL) == one
