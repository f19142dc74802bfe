"""Attack B37: what people write into a file, its name or a request reaches no encoder as an option."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import pytest

from streamgate.testing.attacks import attack
from streamgate.testing.clips import ClipSpec
from tests.plugins.transcoder.conftest import Made

SLIPPED = ":keyint=1:crf=51 -vf drawtext=textfile=/etc/passwd"


@pytest.fixture
def told(clips: Callable[[str, ClipSpec], Path], tmp_path: Path) -> tuple[Path, Path]:
    """The same packets twice: with nothing said of them, and with options in every text that a file has."""
    clip = clips("told.mp4", ClipSpec(frames=50, key_frames=(0,), audio_codec="aac", audio_s=2.0))
    texts = dict.fromkeys(("title", "comment", "encoder", "encoder_options", "x264-params"), SLIPPED)
    slipped = tmp_path / f"{SLIPPED.replace('/', '_')}.mkv"
    return _with_texts(clip, tmp_path / "plain.mkv", {}), _with_texts(clip, slipped, texts)


def _with_texts(clip: Path, path: Path, texts: dict[str, str]) -> Path:
    with av.open(str(clip)) as source, av.open(str(path), "w", format="matroska") as out:
        out.metadata.update(texts)
        tracks: dict[int, Any] = {}
        for stream in source.streams:
            tracks[stream.index] = out.add_stream_from_template(stream)
            tracks[stream.index].metadata.update(texts and {**texts, "language": "eng:crf=0", "handler_name": SLIPPED})
        for packet in source.demux():
            if packet.dts is not None:
                packet.stream = tracks[packet.stream.index]
                out.mux(packet)
    return path


@attack("B37")
def test_texts_of_a_file_change_no_byte_of_what_is_encoded(
    told: tuple[Path, Path], make_media: Callable[..., Made]
) -> None:
    plain, slipped = (make_media(path) for path in told)
    assert len(slipped.video_ids) == 2
    found = {item.title for item in slipped.plan.renditions if item.kind == "audio"}
    assert found == {SLIPPED}, "they were there to be read, and are shown as what they are"
    assert [item.settings for item in slipped.plan.renditions] == [item.settings for item in plain.plan.renditions]
    for rendition_id in plain.video_ids + plain.audio_ids:
        assert slipped.file(rendition_id) == plain.file(rendition_id)
