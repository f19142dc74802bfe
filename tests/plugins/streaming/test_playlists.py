"""HLS and DASH texts, read back by parsers that are not ours, and against each other."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from itertools import pairwise
from xml.etree import ElementTree as Xml

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from streamgate.contracts.media import PlannedRendition
from streamgate.sdk.playlists.dash import render_manifest
from streamgate.sdk.playlists.hls import quoted, render_media_playlist, render_multivariant
from streamgate.sdk.playlists.presentation import Colour, Presentation, Segment, Track
from streamgate.testing.attacks import attack
from tests.plugins.streaming.theatre import Parse

Make = Callable[..., Track]
Present = Callable[..., Presentation]

DASH = "{urn:mpeg:dash:schema:mpd:2011}"
NTSC_SCALE = 30_000
NTSC_GRID = (0, 120_120, 240_240, 370_370, 480_480, 510_510)  # 1001 ticks a frame; 4.004, 4.004, 4.3…, 3.67, 1.001 s
AUDIO_GRID = (0, 192_512, 384_000, 592_896, 768_000, 817_152)


@pytest.fixture
def ladder(make_track: Make, make_presentation: Present) -> Presentation:
    low = make_track(
        "v360", NTSC_GRID, NTSC_SCALE, [80_000, 90_000, 70_000, 85_000, 9_000], width_px=640, height_px=360,
        fps_num=30_000, fps_den=1_001, codec="avc1.64001e",
    )  # fmt: skip
    high = make_track(
        "v720", NTSC_GRID, NTSC_SCALE, [800_000, 900_000, 1_700_000, 850_000, 90_000], fps_num=30_000, fps_den=1_001
    )
    sound = make_track("a128", AUDIO_GRID, 48_000, 64_000)
    return make_presentation([low, high], [sound])


def test_multivariant_is_understood_by_a_strict_parser(
    ladder: Presentation, parse: Callable[..., list[object]]
) -> None:
    [read] = parse([("hls", render_multivariant(ladder))])
    low, high = ladder.video
    [sound] = ladder.audio
    facts = {"name": "Audio", "isDefault": True, "autoselect": True, "language": None, "channels": "2"}
    group = [{"uri": "a128/playlist.m3u8", "groupId": "audio", **facts}]
    assert read == {
        "version": 7,
        "independentSegments": True,
        "variants": [
            {
                "uri": f"{track.id}/playlist.m3u8",
                "bandwidth": track.peak_bps + sound.peak_bps,
                "averageBandwidth": track.average_bps + sound.average_bps,
                "codecs": f"{track.codec},mp4a.40.2",
                "resolution": {"width": track.width_px, "height": track.height_px},
                "frameRate": 29.97,
                "range": "SDR",
                "audio": group,
            }
            for track in (low, high)
        ],
    }


def test_media_playlists_are_understood_and_complete(ladder: Presentation, parse: Callable[..., list[object]]) -> None:
    answers = parse([("hls", render_media_playlist(track)) for track in ladder.tracks])
    for track, read in zip(ladder.tracks, answers, strict=True):
        assert isinstance(read, dict)
        assert (read["version"], read["playlistType"], read["endlist"], read["targetDuration"]) == (7, "VOD", True, 5)
        assert [segment["uri"] for segment in read["segments"]] == [f"{n}.m4s" for n in range(5)]
        assert {segment["map"] for segment in read["segments"]} == {"init.mp4"}
        for segment, listed in zip(track.segments, read["segments"], strict=True):
            assert abs(Fraction(segment.duration_ticks, track.timescale) - Fraction(listed["duration"])) < Fraction(
                1, 10**6
            )


def test_manifest_names_the_same_files_at_the_same_times(
    ladder: Presentation, parse: Callable[..., list[object]]
) -> None:
    [read] = parse([("dash", render_manifest(ladder))])
    assert isinstance(read, dict)
    assert read["warnings"] == []
    assert read["endList"] is True
    assert read["duration"] == pytest.approx(float(ladder.duration), abs=1e-6)
    for tracks, representations in ((ladder.video, read["video"]), (ladder.audio, read["audio"])):
        assert [found["id"] for found in representations] == [track.id for track in tracks]
        for track, found in zip(tracks, representations, strict=True):
            for segment, listed in zip(track.segments, found["segments"], strict=True):
                assert listed["uri"] == f"http://host/s/token/{track.id}/{segment.n}.m4s"
                assert listed["map"] == f"http://host/s/token/{track.id}/init.mp4"
                assert listed["duration"] == segment.duration_ticks / track.timescale
                assert listed["presentationTime"] == pytest.approx(segment.start_ticks / track.timescale, abs=1e-9)
    assert [found["resolution"] for found in read["video"]] == [
        {"width": 640, "height": 360},
        {"width": 1280, "height": 720},
    ]
    assert [found["bandwidth"] for found in read["video"]] == [track.peak_bps for track in ladder.video]


def test_sound_alone_is_a_variant_of_its_own(
    make_track: Make, make_presentation: Present, parse: Callable[..., list[object]]
) -> None:
    sound = make_track("a128", AUDIO_GRID, 48_000, 64_000)
    alone = make_presentation(audio=[sound])
    multivariant, manifest = parse([("hls", render_multivariant(alone)), ("dash", render_manifest(alone))])
    assert isinstance(multivariant, dict)
    assert isinstance(manifest, dict)
    [variant] = multivariant["variants"]
    assert (variant["uri"], variant["codecs"], variant["resolution"], variant["audio"]) == (
        "a128/playlist.m3u8", "mp4a.40.2", None, [],
    )  # fmt: skip
    assert manifest["video"] == []
    assert [len(found["segments"]) for found in manifest["audio"]] == [5]


def test_picture_alone_has_no_audio_group(
    make_track: Make, make_presentation: Present, parse: Callable[..., list[object]]
) -> None:
    silent = make_presentation([make_track("v720", (0, 4_000, 8_000), 1_000, fps_num=0)])
    multivariant, manifest = parse([("hls", render_multivariant(silent)), ("dash", render_manifest(silent))])
    assert isinstance(multivariant, dict)
    assert isinstance(manifest, dict)
    [variant] = multivariant["variants"]
    assert (variant["codecs"], variant["audio"], variant["frameRate"]) == ("avc1.64001f", [], None)
    assert manifest["audio"] == []


def test_sounds_with_different_clocks_have_their_own_timelines(
    make_track: Make, make_presentation: Present, parse: Callable[..., list[object]]
) -> None:
    both = make_presentation(
        [make_track("v720", (0, 4_000, 8_000), 1_000)],
        [make_track("a48", (0, 192_512, 384_000), 48_000), make_track("a44", (0, 176_128, 353_280), 44_100)],
    )
    text = render_manifest(both)
    assert text.count("<SegmentTimeline>") == 3
    multivariant, manifest = parse([("hls", render_multivariant(both)), ("dash", text)])
    assert isinstance(multivariant, dict)
    assert isinstance(manifest, dict)
    assert [sound["name"] for sound in multivariant["variants"][0]["audio"]] == ["Audio 1", "Audio 2"]
    assert [found["segments"][0]["duration"] for found in manifest["audio"]] == [192_512 / 48_000, 176_128 / 44_100]


@pytest.fixture
def polyglot(make_track: Make, make_presentation: Present) -> Presentation:
    """English in stereo and 5.1, French, and somebody's comments."""
    picture = make_track("v720", (0, 4_000, 8_000), 1_000)
    edges = (0, 192_512, 384_000)
    return make_presentation(
        [picture],
        [
            make_track("a128", edges, 48_000, 64_000, language="en", source_track=1),
            make_track("a384", edges, 48_000, 192_000, language="en", source_track=1, channels=6),
            make_track("a128-2", edges, 48_000, 64_000, language="fr", title="Doublé", source_track=2),
            make_track("a64-3", edges, 48_000, 32_000, language="en", title="Comments", source_track=3, channels=1),
        ],
    )


def test_each_form_of_sound_is_a_group_with_the_same_members(
    polyglot: Presentation, parse: Callable[..., list[object]]
) -> None:
    [read] = parse([("hls", render_multivariant(polyglot))])
    assert isinstance(read, dict)
    groups = {
        variant["audio"][0]["groupId"]: [
            (each["name"], each["language"], each["channels"], each["uri"].split("/")[0]) for each in variant["audio"]
        ]
        for variant in read["variants"]
    }
    others = [("Doublé", "fr", "2", "a128-2"), ("Comments", "en", "1", "a64-3")]
    assert groups == {
        "audio": [("en", "en", "2", "a128"), *others],
        "surround": [("en", "en", "6", "a384"), *others],
    }
    for variant in read["variants"]:
        assert [each["isDefault"] for each in variant["audio"]] == [True, False, False]
        assert [each["autoselect"] for each in variant["audio"]] == [True, True, False]  # one of a language
    # hls.js takes variants of one rate and address for one quality, and does not change the sound while it adapts.
    assert len({(variant["uri"], variant["bandwidth"]) for variant in read["variants"]}) == 1
    picture, costliest = polyglot.video[0], polyglot.audio[1]
    assert read["variants"][0]["bandwidth"] == picture.peak_bps + costliest.peak_bps
    averages = [variant["averageBandwidth"] - picture.average_bps for variant in read["variants"]]
    assert averages == [polyglot.audio[0].average_bps, costliest.average_bps]


def test_each_sound_is_an_adaptation_set_in_its_language(
    polyglot: Presentation, parse: Callable[..., list[object]]
) -> None:
    text = render_manifest(polyglot)
    [read] = parse([("dash", text)])
    assert isinstance(read, dict)
    assert read["warnings"] == []
    sets = [each for each in Xml.fromstring(text).iter(f"{DASH}AdaptationSet") if each.get("contentType") == "audio"]
    found = [
        (
            each.get("lang"),
            each.findtext(f"{DASH}Label"),
            next(role.get("value") for role in each.iter(f"{DASH}Role")),
            [form.get("value") for form in each.iter(f"{DASH}AudioChannelConfiguration")],
        )
        for each in sets
    ]
    assert found == [
        ("en", None, "main", ["2"]),
        ("en", None, "alternate", ["6"]),
        ("fr", "Doublé", "alternate", ["2"]),
        ("en", "Comments", "alternate", ["1"]),
    ]
    assert [each.get("selectionPriority") for each in sets] == ["2", "1", "1", "1"]


class Sealed:
    media = "media/"
    starts = (0,)

    def iv(self, track_id: str, period: int) -> bytes:
        return bytes(16)

    def kid(self, track_id: str, period: int) -> bytes:
        return bytes(16)


def test_codecs_are_sets_of_their_own_and_only_one_of_them_is_sealed(
    make_track: Make, make_presentation: Present, parse: Callable[..., list[object]]
) -> None:
    def picture(track_id: str, codec: str, size_bytes: int) -> Track:
        return make_track(track_id, (0, 4_000, 8_000), 1_000, size_bytes, codec=codec)

    tracks = [
        picture("v360-av1", "av01.0.01M.08", 80_000),
        picture("v360", "avc1.64001e", 100_000),
        picture("v720-av1", "av01.0.05M.08", 300_000),
        picture("v720", "avc1.64001f", 400_000),
    ]
    both = make_presentation(tracks)
    clear, sealed = render_manifest(both), render_manifest(both, sealing=Sealed(), licence_url="licence")
    read, listed = parse([("dash", clear), ("hls", render_multivariant(both))])
    assert isinstance(read, dict)
    assert isinstance(listed, dict)
    assert read["warnings"] == []
    sets = [
        [each.get("id") for each in found.iter(f"{DASH}Representation")]
        for found in Xml.fromstring(clear).iter(f"{DASH}AdaptationSet")
    ]
    assert sets == [["v360-av1", "v720-av1"], ["v360", "v720"]]
    assert [each["codecs"] for each in listed["variants"]] == [track.codec for track in tracks]
    assert "av01" not in sealed
    assert 'id="v720"' in sealed


@pytest.mark.parametrize(
    ("transfer", "video_range", "tag"),
    [(1, "SDR", "SupplementalProperty"), (16, "PQ", "EssentialProperty"), (18, "HLG", "EssentialProperty")],
)
def test_ranges_are_told_and_are_sets_of_their_own(
    make_track: Make, make_presentation: Present, parse: Parse, transfer: int, video_range: str, tag: str
) -> None:
    settings = {"color_primaries": "9", "color_trc": str(transfer), "colorspace": "9"}
    colour = Colour.of(PlannedRendition(id="v720", kind="video", mode="copy", settings=settings))
    plain = make_track("v360", (0, 4_000, 8_000), 1_000, width_px=640, height_px=360)
    wide = make_track("v720", (0, 4_000, 8_000), 1_000, colour=colour)
    both = make_presentation([plain, wide])
    text = render_manifest(both)
    multivariant, manifest = parse([("hls", render_multivariant(both)), ("dash", text)])
    assert [each["range"] for each in multivariant["variants"]] == ["SDR", video_range]
    assert manifest["warnings"] == []
    sets = Xml.fromstring(text).findall(f"./{DASH}Period/{DASH}AdaptationSet")
    assert len(sets) == (1 if video_range == "SDR" else 2)
    first, last = [each for found in sets for each in found.findall(f"{DASH}Representation")]
    assert not first.findall("*"), "nothing is told of colours that nobody knows"
    told = {each.get("schemeIdUri", "").rpartition(":")[2]: each.get("value") for each in last.findall(f"{DASH}{tag}")}
    assert told == {"ColourPrimaries": "9", "TransferCharacteristics": str(transfer), "MatrixCoefficients": "9"}


def test_several_sounds_without_a_picture_are_one_variant_to_choose_beside(
    polyglot: Presentation, make_presentation: Present, parse: Callable[..., list[object]]
) -> None:
    english, _, french, _ = polyglot.audio
    [read] = parse([("hls", render_multivariant(make_presentation(audio=[english, french])))])
    assert isinstance(read, dict)
    [variant] = read["variants"]
    assert (variant["uri"], variant["codecs"]) == ("a128/playlist.m3u8", "mp4a.40.2")
    assert [each["uri"] for each in variant["audio"]] == ["a128/playlist.m3u8", "a128-2/playlist.m3u8"]


def test_peak_is_measured_over_runs_of_half_to_one_and_a_half_targets(make_track: Make) -> None:
    # A quarter-second tail at a high rate must not count alone: 2.5 s is the shortest run.
    track = make_track("v360", (0, 4_000, 8_000, 8_250), 1_000, [400_000, 500_000, 100_000])
    assert track.average_bps == -(-1_000_000 * 8 * 4 // 33)
    assert track.peak_bps == -(-600_000 * 8 * 1_000 // 4_250)


def test_peak_of_a_clip_shorter_than_half_a_target_is_its_average(make_track: Make) -> None:
    track = make_track("v360", (0, 1_000), 1_000, 100_000)
    assert (track.peak_bps, track.average_bps) == (800_000, 800_000)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    timescale=st.sampled_from([1_000, 12_800, 24_000, 30_000, 44_100, 48_000, 90_000, 1_000_000]),
    lengths=st.lists(st.integers(1, 10_400), min_size=1, max_size=60),
)
def test_listed_times_never_drift(timescale: int, lengths: list[int]) -> None:
    edges = [0]
    for length in lengths:
        edges.append(edges[-1] + max(1, length * timescale // 1_000))
    segments = tuple(
        Segment(n=n, key="k", size_bytes=1, sha256="", start_ticks=a, duration_ticks=b - a)
        for n, (a, b) in enumerate(pairwise(edges))
    )
    track = Track(
        id="v1", kind="video", codec="avc1.64001f", timescale=timescale, init_key="i", init_sha256="",
        init_size_bytes=1, segments=segments, target_duration_s=11,
    )  # fmt: skip
    listed = [Fraction(line[8:-1]) for line in render_media_playlist(track).splitlines() if line.startswith("#EXTINF:")]
    elapsed = Fraction(0)
    for segment, duration_s in zip(segments, listed, strict=True):
        elapsed += duration_s
        exact = Fraction(segment.start_ticks + segment.duration_ticks, timescale)
        assert abs(elapsed - exact) <= Fraction(1, 2_000_000)
        assert round(duration_s) <= track.target_duration_s


@attack("B35")
@pytest.mark.parametrize("value", ['a"b', "a\nb", "a\r\n#EXT-X-KEY:METHOD=NONE", "a\x00b", "a\u2028b"])
def test_values_that_would_break_out_of_a_playlist_are_refused(value: str) -> None:
    with pytest.raises(ValueError, match="cannot stand"):
        quoted(value)


@attack("B35")
def test_markup_in_a_manifest_value_stays_a_value(make_track: Make, make_presentation: Present) -> None:
    text = render_manifest(make_presentation([make_track("v720", (0, 4_000), 1_000, codec='x"/><script>&')]))
    assert "<script>" not in text
    assert 'codecs="x&quot;/&gt;&lt;script&gt;&amp;"' in text
