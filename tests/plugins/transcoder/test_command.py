"""`streamgate transcode` as people run it: a process of its own, no server, no configuration."""

from __future__ import annotations

import io
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import av
import pytest
from click.testing import CliRunner

from streamgate.testing.clips import ClipSpec
from streamgate.testing.spoken import Spoken, spoken_film
from streamgate_transcoder.local.command import STOPPED, transcode
from streamgate_transcoder.local.folder import put_in_place

CLIP = ClipSpec(
    width_px=854,
    height_px=480,
    frames=260,
    key_frames=(0, 60, 110, 200),
    options={"crf": "36"},  # with few enough bits to be played as it is
    audio_codec="aac",
    audio_s=10.4,
)
FRAMES, AAC_FRAMES = 260, 488


def begin(folder: Path, *words: str) -> subprocess.Popen[str]:
    environment = {name: os.environ[name] for name in ("PATH", "PYTHONPATH") if name in os.environ}
    return subprocess.Popen(
        [sys.executable, "-m", "streamgate.cli", "transcode", *words],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def events(lines: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in lines.splitlines()]


def children_of(pid: int) -> list[int]:
    return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def shown_frames(master: Path) -> int:
    """How many frames a player sees that is given the playlist alone."""
    with av.open(str(master)) as container:
        return sum(1 for _ in container.decode(video=0))


def key_frames_of(rung: Path) -> list[tuple[str, int]]:
    """Files and lengths, as an I-frame playlist names them."""
    text = (rung / "iframes.m3u8").read_text()
    return [(name, int(length)) for length, name in re.findall(r"#EXT-X-BYTERANGE:(\d+)@0\n(\S+)", text)]


def key_frame(rung: Path, name: str, length: int) -> int:
    """How many pictures so much of a segment gives, and not a byte less."""
    with av.open(io.BytesIO((rung / "init.mp4").read_bytes() + (rung / name).read_bytes()[:length]), "r") as container:
        packets = [packet for packet in container.demux(video=0) if packet.size]
        assert packets[0].is_keyframe
        whole = [packet for packet in packets if not packet.is_corrupt]
        return sum(len(packet.decode()) for packet in whole) + len(container.streams.video[0].decode(None))


def test_a_file_becomes_a_folder_that_players_open(tmp_path: Path, clips: Callable[..., Path]) -> None:
    with begin(tmp_path, str(clips("command.mp4", CLIP)), "--out", "film", "--json") as process:
        told, faults = process.communicate(timeout=50)
    assert (process.returncode, faults) == (0, "")
    film = tmp_path / "film"
    assert sorted(each.name for each in tmp_path.iterdir()) == ["film"], "nothing is left beside it"
    (sound,) = (each.name for each in film.glob("a*"))
    files = [sound, "manifest.mpd", "master.m3u8", "v240", "v360", "v480"]
    assert sorted(each.name for each in film.iterdir()) == files
    assert shown_frames(film / "master.m3u8") == FRAMES
    segments = [line for line in (film / "v360" / "playlist.m3u8").read_text().splitlines() if not line.startswith("#")]
    for rung in (film / "v360", film / "v480"):
        texts = ["init.mp4", "playlist.m3u8", "iframes.m3u8"]
        assert sorted([*segments, *texts]) == sorted(each.name for each in rung.iterdir())
        assert [key_frame(rung, *named) for named in key_frames_of(rung)] == [1] * len(segments)
    first_picture = (film / "v480" / "0.m4s").read_bytes().partition(b"mdat")[2][:1_000]
    assert first_picture in clips("command.mp4", CLIP).read_bytes(), "at its own height it is the source's"
    timeline = ElementTree.parse(film / "manifest.mpd").iter("{urn:mpeg:dash:schema:mpd:2011}SegmentTimeline")
    assert {sum(1 + int(run.get("r", "0")) for run in each) for each in timeline} == {len(segments)}

    *progress, done = events(told)
    assert {each["event"] for each in progress} == {"progress"}
    assert (done["event"], done["master"], done["duration_s"]) == ("done", "film/master.m3u8", 10.4)
    frames = [each["frames"] for each in progress if "frames" in each]
    assert frames == sorted(frames)
    last = progress[-1]
    assert (last["stage"], last["progress"], last["frames"], last["frames_planned"]) == ("done", 1.0, FRAMES, FRAMES)
    counted = {each["id"]: (each["stage"], each["frames"], each["frames_planned"]) for each in last["renditions"]}
    pictures = dict.fromkeys(("v240", "v360", "v480"), ("done", FRAMES, FRAMES))
    assert counted == {**pictures, sound: ("done", AAC_FRAMES, AAC_FRAMES)}


def test_what_is_no_media_is_refused_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "notes.mp4").write_text("not a film\n" * 200)
    with begin(tmp_path, "notes.mp4", "--json") as process:
        told, faults = process.communicate(timeout=50)
    assert process.returncode == 1
    (failed,) = [each for each in events(told) if each["event"] != "progress"]
    assert (failed["event"], failed["code"]) == ("failed", "media.not_media")
    assert faults.startswith("streamgate: notes.mp4: Not a video or audio file")
    assert failed["remedy"] in faults
    assert [each.name for each in tmp_path.iterdir()] == ["notes.mp4"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_stopped_in_the_middle_it_leaves_nothing(
    tmp_path: Path, clips: Callable[..., Path], number: signal.Signals
) -> None:
    long = clips("long.mp4", ClipSpec(width_px=640, height_px=360, frames=400, key_frames=(0, 200)))
    with begin(tmp_path, str(long), "--json", "--jobs", "1") as process:
        assert process.stdout is not None
        for line in process.stdout:
            if json.loads(line)["stage"] == "encode":
                break
        children = children_of(process.pid)
        process.send_signal(number)
        told, faults = process.communicate(timeout=20)
    assert process.returncode == STOPPED
    assert faults == "streamgate: stopped; nothing was left behind\n"
    assert {each["event"] for each in events(told)} <= {"progress"}  # one may have been on its way
    assert children
    assert [each for each in children if Path(f"/proc/{each}").exists()] == []
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "film.mp4").write_bytes(b"?")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("mine")
    yield tmp_path
    assert (tmp_path / "full" / "mine.txt").read_text() == "mine"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            ["film.mp4", "--out", "full"],
            "full is not empty: name another folder with --out, or write into it with --force",
        ),
        (["film.mp4", "--out", "film.mp4"], "is a file"),
        (["film.mp4", "--profile", "cinema"], "no profile 'cinema': there are audio, efficient, web"),
        (["gone.mp4"], "'gone.mp4' does not exist"),
        (["film.mp4", "--jobs", "0"], "0 is not in the range"),
    ],
)
def test_wrong_usage_is_told_before_anything_begins(here: Path, words: list[str], said: str) -> None:
    result = CliRunner().invoke(transcode, words)
    assert result.exit_code == 2
    assert said in result.output
    assert sorted(each.name for each in here.iterdir()) == ["film.mp4", "full"]


def test_forced_into_a_folder_it_replaces_what_has_the_same_names(here: Path) -> None:
    out, whole = here / "full", here / "whole"
    for folder, text in ((out, "old"), (whole, "new")):
        (folder / "v72").mkdir(parents=True)
        (folder / "v72" / "0.m4s").write_text(text)
        (folder / "master.m3u8").write_text(text)
    (out / "v72" / "1.m4s").write_text("old")
    put_in_place(whole, out)
    assert (out / "master.m3u8").read_text() == "new"
    assert [each.read_text() for each in (out / "v72").iterdir()] == ["new"]


def test_captions_and_chapters_of_the_file_are_written(tmp_path: Path) -> None:
    tracks = [Spoken(codec="subrip", language="ger", said=[(1_000, 1_000, "Guten Tag")], title="Alles")]
    spoken_film(tmp_path / "film.mkv", tracks, chapters=[(0, 2_000, "One"), (2_000, 4_000, "Two")])
    done = begin(tmp_path, "film.mkv", "--jobs", "1")
    _, faults = done.communicate(timeout=60)
    assert done.returncode == 0, faults
    folder = tmp_path / "film"
    assert 'NAME="Alles",LANGUAGE="de"' in (folder / "master.m3u8").read_text()
    assert "captions/de.vtt" in (folder / "manifest.mpd").read_text()
    assert (folder / "captions/de.vtt").read_text().endswith("00:00:01.000 --> 00:00:02.000\nGuten Tag\n")
    assert "Guten Tag" in (folder / "captions/de/0.vtt").read_text()
    assert "0.vtt" in (folder / "captions/de/playlist.m3u8").read_text()
    assert "Two" in (folder / "chapters.vtt").read_text()
