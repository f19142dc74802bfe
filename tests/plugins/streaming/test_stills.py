"""Lists of what a player shows while somebody moves through a film: key frames, and sheets of the storyboard."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import attrs
import pytest

from streamgate.contracts.pictures import MadePicture, Storyboard
from streamgate.sdk.playlists.captions import CaptionTrack
from streamgate.sdk.playlists.dash import render_manifest
from streamgate.sdk.playlists.hls import render_multivariant
from streamgate.sdk.playlists.presentation import Colour, Presentation, Track
from streamgate.sdk.playlists.stills import has_iframes, render_iframes, render_images
from streamgate.testing.attacks import attack
from streamgate_streaming.protected.content_keys import ContentKeys
from tests.plugins.streaming.albums import show
from tests.plugins.streaming.theatre import STRANGER, Parse, Theatre

GRID = (0, 51_200, 102_400, 128_000)
SHEET = MadePicture(key="k", size_bytes=50_000, sha256="ab" * 32, width_px=320, height_px=180)
BOARD = Storyboard(
    tile_width_px=160, tile_height_px=90, columns=2, rows=2, tiles=5, interval_ms=2_000, sheets=(SHEET, SHEET)
)


@pytest.fixture
def track(make_track: Callable[..., Track]) -> Track:
    made = make_track("v360", GRID, 12_800, 100_000)
    lengths = (20_000, 30_000, 10_000)
    segments = zip(made.segments, lengths, strict=True)
    return attrs.evolve(made, segments=tuple(attrs.evolve(each, first_frame_bytes=size) for each, size in segments))


def test_key_frames_are_named_by_their_bytes(
    track: Track, make_presentation: Callable[..., Presentation], parse: Parse
) -> None:
    track = attrs.evolve(track, colour=Colour(9, 16, 9))
    master, listed = parse([("hls", render_multivariant(make_presentation([track]))), ("hls", render_iframes(track))])
    assert len(master["variants"]) == 1
    assert master["iframes"] == [
        {
            "uri": "v360/iframes.m3u8",
            "bandwidth": 60_000,
            "averageBandwidth": 48_000,
            "codecs": "avc1.64001f",
            "range": "PQ",
        }
    ]
    assert (listed["targetDuration"], listed["endlist"], listed["isIFrame"]) == (5, True, True)
    assert [(each["uri"], each["duration"], each["byterange"]) for each in listed["segments"]] == [
        ("0.m4s", 4, {"offset": 0, "length": 20_000}),
        ("1.m4s", 4, {"offset": 0, "length": 30_000}),
        ("2.m4s", 2, {"offset": 0, "length": 10_000}),
    ]


def test_they_are_listed_once_all_are_known(track: Track, make_presentation: Callable[..., Presentation]) -> None:
    first, *others = track.segments
    some = attrs.evolve(track, segments=(attrs.evolve(first, first_frame_bytes=0), *others))
    assert (has_iframes(track), has_iframes(some)) == (True, False)
    assert "I-FRAME" not in render_multivariant(make_presentation([some]))


def test_a_storyboard_is_listed_for_hls_and_dash(
    track: Track, make_presentation: Callable[..., Presentation], parse: Parse
) -> None:
    presentation = attrs.evolve(make_presentation([track]), storyboard=BOARD)
    assert render_multivariant(presentation).splitlines()[-1] == (
        '#EXT-X-IMAGE-STREAM-INF:BANDWIDTH=50000,RESOLUTION=160x90,CODECS="jpeg",URI="storyboard/playlist.m3u8"'
    )
    images = render_images(BOARD, 10_000_000).splitlines()
    assert images[2] == "#EXT-X-TARGETDURATION:8"
    assert images[5:-1] == [
        "#EXT-X-IMAGES-ONLY",
        "#EXTINF:8.000,",
        "#EXT-X-TILES:RESOLUTION=160x90,LAYOUT=2x2,DURATION=2",
        "0.jpg",
        "#EXTINF:2.000,",
        "#EXT-X-TILES:RESOLUTION=160x90,LAYOUT=2x1,DURATION=2",
        "1.jpg",
    ]
    manifest = render_manifest(presentation)
    [read] = parse([("dash", manifest)])
    assert (read["warnings"], len(read["video"])) == ([], 1)
    assert '<EssentialProperty schemeIdUri="http://dashif.org/guidelines/thumbnail_tile" value="2x2" />' in manifest
    assert 'media="storyboard/$Number$.jpg" timescale="1000" duration="8000" startNumber="0"' in manifest


def test_what_is_encrypted_has_words_in_parts_and_no_key_frames(
    track: Track, make_presentation: Callable[..., Presentation]
) -> None:
    english = CaptionTrack(language="en", label="English")
    film = attrs.evolve(make_presentation([track]), storyboard=BOARD, captions=(english,))
    keys = ContentKeys(media="/m/c_1/1/", secret=bytes(32), starts=(0, 2))
    playlist = render_multivariant(film, sealing=keys)
    assert "I-FRAME" not in playlist
    assert 'URI="captions/en/playlist.m3u8"' in playlist
    manifest = render_manifest(film, sealing=keys, licence_url="urn:x")
    assert re.findall("<BaseURL>(.*)</BaseURL>", manifest) == ["captions/en/0-2.vtt", "captions/en/2-3.vtt"]
    assert "thumbnail_tile" not in manifest
    one_period = attrs.evolve(keys, starts=(0,))
    manifest = render_manifest(film, sealing=one_period, licence_url="urn:x")
    assert re.findall("<BaseURL>(.*)</BaseURL>", manifest) == ["captions/en.vtt"]
    assert "thumbnail_tile" in manifest


@attack("B13")
async def test_they_are_of_the_session(film: Theatre) -> None:
    await show(film)
    session = await film.watch("c_film")
    listed = await film.fetch(session, "storyboard/playlist.m3u8")
    assert (listed.status_code, listed.headers["content-type"]) == (200, "application/vnd.apple.mpegurl")
    assert listed.headers["cache-control"] == "private, no-store"
    assert "IMAGE-STREAM-INF" in (await film.fetch(session)).text
    assert (await film.fetch(session, "v360/iframes.m3u8")).status_code == 404  # nobody has said where they end
    film.auth.preview_s = 9.0
    beginning: dict[str, Any] = await film.watch("c_film", STRANGER)
    assert (await film.fetch(beginning, "storyboard/playlist.m3u8")).status_code == 403
    for name in ("master.m3u8", "manifest.mpd"):
        assert "storyboard" not in (await film.fetch(beginning, name)).text


async def test_key_frames_of_a_made_film_are_listed_and_cut(theatre: Theatre, monkeypatch: pytest.MonkeyPatch) -> None:
    parts = theatre._parts

    async def with_first_frames(*args: Any) -> Any:
        made = await parts(*args)
        known = [
            attrs.evolve(
                part, segments=tuple(attrs.evolve(each, first_frame_bytes=90 + each.n) for each in part.segments)
            )
            for part in made.parts
        ]
        return attrs.evolve(made, parts=tuple(known))

    monkeypatch.setattr(type(theatre), "_parts", lambda _, *args: with_first_frames(*args))
    await theatre.play("c_film")
    session = await theatre.watch("c_film")
    assert (await theatre.fetch(session)).text.count("#EXT-X-I-FRAME-STREAM-INF") == 2
    listed = (await theatre.fetch(session, "v360/iframes.m3u8")).text
    assert [f"#EXT-X-BYTERANGE:{90 + n}@0\n{n}.m4s" in listed for n in range(4)] == [True, True, True, False]
    part = await theatre.fetch(session, "v360/1.m4s", headers={"Range": "bytes=0-90"})
    assert (part.status_code, len(part.content)) == (206, 91)
    assert (await theatre.fetch(session, "a128/iframes.m3u8")).status_code == 404
    theatre.auth.preview_s = 9.0
    beginning = await theatre.watch("c_film", STRANGER)
    assert (await theatre.fetch(beginning, "v360/iframes.m3u8")).text.count(".m4s") == 2
