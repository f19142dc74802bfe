"""Reading a source, telling what it is, and refusing what is not media."""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamgate.contracts.media import MediaTooLarge, NoPlayableTrack, NotMedia
from streamgate.testing.attacks import attack
from streamgate.testing.clips import ClipSpec, big_buck_bunny
from streamgate_transcoder.media import probe as probing
from streamgate_transcoder.media.info import MediaInfo
from streamgate_transcoder.media.limits import MediaLimits
from streamgate_transcoder.media.sniff import sniff_demuxer
from streamgate_transcoder.media.source import AskedBytes, DescriptorBytes, SourceFile

HLS = b"#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXTINF:4,\nfile:///etc/passwd\n"
CONCAT = b"ffconcat version 1.0\nfile /etc/passwd\n"


@given(st.binary(max_size=200), st.lists(st.tuples(st.integers(-250, 250), st.integers(0, 2), st.integers(-1, 100))))
def test_the_source_file_reads_as_any_file(data: bytes, steps: list[tuple[int, int, int]]) -> None:
    """Beside `io.BytesIO`, whose rules for seeking and reading are the ones libav expects."""
    ours, theirs = SourceFile(AskedBytes(len(data), lambda at, length: data[at : at + length])), io.BytesIO(data)
    for offset, whence, length in steps:
        base = (0, theirs.tell(), len(data))[whence]
        assert theirs.seek(max(0, base + offset)) == ours.seek(offset, whence)
        assert theirs.read(length) == ours.read(length)
        assert ours.tell() == max(0, base + offset) + len(
            data[max(0, base + offset) :][: length if length >= 0 else None]
        )


def test_ranges_across_blocks_are_answered_whole_and_blocks_are_kept() -> None:
    data = os.urandom(3 << 20)
    asked: list[tuple[int, int]] = []

    def ask(offset: int, length: int) -> bytes:
        asked.append((offset, length))
        return data[offset : offset + length]

    source = AskedBytes(len(data), ask)
    assert data[1000:2_500_000] == source.read_at(1000, 2_499_000)
    assert data[-10:] == source.read_at(len(data) - 10, 4096)
    assert source.read_at(len(data), 10) == b""
    assert len(asked) == 3


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        (b"\0\0\0\x20ftypisom\0\0\0\0", "mov"),
        (b"\0\0\0\x08wide\0\0\0\0mdat", "mov"),
        (b"\x1aE\xdf\xa3\x9f", "matroska"),
        (b"RIFF\0\0\0\0WAVEfmt ", "wav"),
        (b"fLaC\0", "flac"),
        (b"OggS\0", "ogg"),
        (b"ID3\x04\0", "mp3"),
        (b"\xff\xfb\x90\0", "mp3"),
        (b"\xff\xf1\x50\x80", "aac"),
        ((b"\x47" + bytes(187)) * 3, "mpegts"),
        ((bytes(4) + b"\x47" + bytes(187)) * 3, "mpegts"),
    ],
)
def test_formats_are_told_by_their_first_bytes(head: bytes, expected: str) -> None:
    assert expected == sniff_demuxer(head)


@pytest.mark.parametrize(
    "head",
    [b"", b"x", HLS, CONCAT, b"RIFF\0\0\0\0AVI LIST", b"<MPD>", b"v=0\r\no=", b"%PDF-1.7", b"\x89PNG\r\n", bytes(4096)],
)
def test_what_is_not_on_the_list_is_not_media(head: bytes) -> None:
    with pytest.raises(NotMedia):
        sniff_demuxer(head)


@given(st.binary(max_size=600))
def test_any_bytes_are_either_on_the_list_or_not_media(head: bytes) -> None:
    try:
        assert sniff_demuxer(head) in {"mov", "matroska", "wav", "flac", "ogg", "mp3", "aac", "mpegts"}
    except NotMedia:
        pass


@pytest.mark.parametrize(
    "data",
    [
        b"\0\0\0\x20ftypisom" + HLS,
        b"\x1aE\xdf\xa3" + CONCAT,
        b"ID3\x04\0\0\0\0\0\0" + HLS,
        b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom" + bytes(5000),
    ],
    ids=["hls behind mp4", "concat behind matroska", "hls behind mp3", "mp4 without a header"],
)
def test_a_false_beginning_does_not_help(data: bytes, tmp_path: Path, probe_path: Callable[[Path], MediaInfo]) -> None:
    path = tmp_path / "false"
    path.write_bytes(data)
    with pytest.raises((NotMedia, NoPlayableTrack)):
        probe_path(path)


@attack("B31")
def test_an_mp4_that_names_another_file_cannot_make_it_read(
    clips: Callable[..., Path], tmp_path: Path, probe_path: Callable[[Path], MediaInfo]
) -> None:
    """A data reference ('alis', 'url ') to a file is the road by which an mp4 would reach one."""
    data = clips("plain-short.mp4", ClipSpec(frames=30, key_frames=(0,))).read_bytes()
    target = tmp_path / "secret.mp4"
    target.write_bytes(data)
    name = str(target).encode() + b"\0"
    hostile = data.replace(b"url \0\0\0\x01", b"url \0\0\0\0", 1)  # 'not in this file'; no address follows
    path = tmp_path / "hostile.mp4"
    path.write_bytes(hostile + name)
    accessed = target.stat().st_atime_ns
    try:
        probe_path(path)
    except (NotMedia, NoPlayableTrack):
        pass
    assert accessed == target.stat().st_atime_ns


def test_a_header_cut_off_is_not_media(tmp_path: Path, probe_path: Callable[[Path], MediaInfo]) -> None:
    path = tmp_path / "cut"
    path.write_bytes(big_buck_bunny().read_bytes()[:500_000])  # its header lies at the end
    with pytest.raises(NotMedia):
        probe_path(path)


@attack("B32")
@pytest.mark.parametrize(
    ("limits", "expected"),
    [
        (MediaLimits(max_pixels=1280 * 720 - 1), "pixels"),
        (MediaLimits(max_side_px=1279), "pixels"),
        (MediaLimits(max_streams=1), "streams|header"),
        (MediaLimits(max_duration_s=5.2), "longer than"),
        (MediaLimits(max_frames=131), "frames"),
        (MediaLimits(max_channels=5), "channels"),
    ],
)
def test_limits_are_checked(limits: MediaLimits, expected: str, open_bytes: Callable[[Path], DescriptorBytes]) -> None:
    with pytest.raises((MediaTooLarge, NotMedia), match=expected):
        probing.probe(open_bytes(big_buck_bunny()), limits, lambda share: None)


def test_a_frame_rate_beyond_the_limit_is_refused(
    clips: Callable[..., Path], open_bytes: Callable[[Path], DescriptorBytes]
) -> None:
    spec = ClipSpec(width_px=64, height_px=64, pts=tuple(range(600)), time_base=Fraction(1, 1000), b_frames=0)
    path = clips("fast.mp4", spec)
    with pytest.raises(MediaTooLarge, match="frames a second"):
        probing.probe(open_bytes(path), MediaLimits(), lambda share: None)
