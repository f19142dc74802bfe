"""Captions and chapters in containers: found, read out in a child's way, at the times of the presentation."""

from __future__ import annotations

from pathlib import Path

import attrs
import pytest
from av.stream import Disposition

from streamgate.contracts.captions import FoundCaptions, FoundChapter
from streamgate.contracts.media import MediaOutputInvalid, MediaPlan, MediaSource
from streamgate.sdk.timedtext import webvtt
from streamgate.sdk.timedtext.cues import Cue
from streamgate.testing.spoken import Codec, Spoken, spoken_film
from streamgate_transcoder.caption_jobs import CaptionCollector
from streamgate_transcoder.media.captions import _text_of_mov, extract_captions
from streamgate_transcoder.media.channel import Frame
from streamgate_transcoder.media.limits import MediaLimits
from streamgate_transcoder.media.planning import make_plan
from streamgate_transcoder.media.probe import probe
from streamgate_transcoder.media.profiles import PROFILES
from streamgate_transcoder.media.source import DescriptorBytes

LIMITS = MediaLimits()
SAID = [(1_000, 1_500, "<i>Hello</i> & you"), (3_000, 500, "two\nlines")]


class Heard:
    def __init__(self) -> None:
        self.texts: dict[int, str] = {}

    def captions(self, index: int, data: bytes) -> None:
        self.texts[index] = data.decode()

    def progress(self, share: float, frames: int = 0) -> None:
        assert 0 <= share <= 1


def heard_of(path: Path) -> tuple[MediaPlan, dict[int, tuple[Cue, ...]]]:
    heard = Heard()
    with path.open("rb") as file:
        source = DescriptorBytes(file.fileno())
        plan = make_plan(
            probe(source, LIMITS, lambda _: None),
            PROFILES["web"],
            "c",
            1,
            MediaSource(key="s", size_bytes=source.size_bytes),
        )
        extract_captions(source, plan, LIMITS, heard)
    return plan, {index: webvtt.parse(text) for index, text in heard.texts.items()}


def test_all_kinds_of_matroska(tmp_path: Path) -> None:
    tracks = [
        Spoken(codec="subrip", language="ger", said=SAID, title="Deutsch"),
        Spoken(codec="webvtt", language="eng", said=SAID, disposition=int(Disposition.hearing_impaired)),
        Spoken(
            codec="ass", language="fre", said=[(1_000, 1_500, "0,0,Default,,0,0,0,,{\\an8\\b1}Salut{\\b0}, <toi>\\Nla")]
        ),
        Spoken(codec="subrip", language="ger", said=SAID, title="Kommentar"),
        Spoken(codec="subrip", language="", said=[(0, 1_000, "{\\an8}"), (0, 900, " ")]),
    ]
    film = spoken_film(tmp_path / "film.mkv", tracks, chapters=[(0, 2_000, "One & all"), (2_000, 4_000, "a\nb")])
    plan, cues = heard_of(film)
    assert plan.captions == (
        FoundCaptions(index=1, codec="srt", language="de", title="Deutsch"),
        FoundCaptions(index=2, codec="webvtt", language="en", kind="captions"),
        FoundCaptions(index=3, codec="ssa", language="fr"),
        FoundCaptions(index=5, codec="srt", language="und"),
    )
    both = (Cue(1_000, 2_500, "<i>Hello</i> &amp; you"), Cue(3_000, 3_500, "two\nlines"))
    french = (Cue(1_000, 2_500, "<b>Salut</b>, &lt;toi&gt;\nla", "line:0"),)
    assert cues == {1: both, 2: both, 3: french}  # the last one never says anything
    assert plan.chapters == (
        FoundChapter(start_ms=0, end_ms=2_000, title="One & all"),
        FoundChapter(start_ms=2_000, end_ms=4_000, title="a b"),
    )
    assert plan.warnings[-1] == "1 more subtitle tracks are of a language and kind that is there already"


@pytest.mark.parametrize(("name", "codec"), [("film.mp4", "mov_text"), ("film.mkv", "subrip")])
def test_times_are_those_of_the_presentation(tmp_path: Path, name: str, codec: Codec) -> None:
    """A source whose first picture is shown at 2 s."""
    said = [(1_000, 500, "before"), (3_000, 1_000, "one"), (4_500, 0 if codec == "subrip" else 1_000, "two")]
    film = spoken_film(
        tmp_path / name,
        [Spoken(codec=codec, language="eng", said=said)],
        chapters=[(0, 3_000, "A"), (3_000, 6_000, "B")],
        starts_ms=2_000,
    )
    plan, cues = heard_of(film)
    origin_ms = plan.origin_ticks * 1000 // plan.timescale
    first = 3_000 - origin_ms
    if name.endswith("mkv"):
        assert origin_ms == 2_000
    assert [(each.start_ms, each.text) for each in cues[1] if each.text != "before"] == [
        (first, "one"),
        (first + 1_500, "two"),
    ]
    assert cues[1][-1].end_ms == first + (5_500 if codec == "subrip" else 2_500)
    assert [each.start_ms for each in plan.chapters] == [0, max(0, 3_000 - origin_ms)]


def test_pictures_of_words_are_left_with_a_warning(tmp_path: Path) -> None:
    film = spoken_film(tmp_path / "film.mkv", [Spoken(codec="dvd_subtitle", language="eng", said=[])])
    plan, cues = heard_of(film)
    assert (plan.captions, cues) == ((), {})
    assert any("1 of the subtitle tracks hold pictures" in warning for warning in plan.warnings)


def test_a_film_without_is_planned_as_before(tmp_path: Path) -> None:
    plan, cues = heard_of(spoken_film(tmp_path / "film.mp4", []))
    assert (plan.captions, plan.chapters, cues) == ((), (), {})


@pytest.mark.parametrize(
    ("sample", "text"),
    [
        (b"", ""),
        (b"\0", ""),
        (b"\0\0", ""),
        (b"\0\x05ab<cd", "ab&lt;cd"),
        (b"\xff\xffab", "ab"),
        (b"\0\x06\xfe\xff\x00a\x00b", "ab"),
        (
            b"\0\x04abcd" + b"\0\0\0\x22styl\0\x02" + b"\0\1\0\2\0\1\2\x12rgba" + b"\0\2\0\4\0\1\1\x12rgba",
            "a<i>b</i><b>cd</b>",
        ),
        (b"\0\x02ab" + b"\0\0\0\x16styl\xff\xff" + b"\0\0\0\2\0\1\4\x12rgba", "<u>ab</u>"),
        (b"\0\x02ab" + b"\0\0\0\x03styl", "ab"),
        (b"\0\x02ab" + b"\0\0\0\x16styl\0\1" + b"\0\2\0\1\0\1\4\x12rgba", "ab"),
    ],
)
def test_samples_of_3gpp_text(sample: bytes, text: str) -> None:
    assert _text_of_mov(sample) == text


async def test_only_what_was_asked_for_is_taken(tmp_path: Path) -> None:
    plan, _ = heard_of(spoken_film(tmp_path / "film.mkv", [Spoken(codec="subrip", language="eng", said=SAID)]))
    good = b"WEBVTT\n\n00:00:01.000 --> 00:00:02.000\nx\n"
    for head, data in (
        ({"kind": "captions", "index": 2}, good),
        ({"kind": "captions", "index": "1"}, good),
        ({"kind": "picture", "index": 1}, good),
        ({"kind": "captions", "index": 1}, b"1\n00:00:01,000 --> 00:00:02,000\nx"),
        ({"kind": "captions", "index": 1}, b"WEBVTT\n\n\xff"),
        ({"kind": "captions", "index": 1}, b"WEBVTT\n\n" + b"x" * (5 << 20)),
    ):
        collector = CaptionCollector(None, None, plan)  # type: ignore[arg-type]  # neither is reached
        with pytest.raises(MediaOutputInvalid):
            await collector.take(Frame(head, data))
    assert attrs.asdict(CaptionCollector(None, None, plan).result()) == {"captions": ()}  # type: ignore[arg-type]
