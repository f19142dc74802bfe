"""Captions and chapters of a source. Their packets hold text, so nothing is decoded: what is said is read out by our
own readers, with times of the presentation."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from fractions import Fraction
from itertools import pairwise
from typing import Any, Protocol

import attrs
from av.container import InputContainer
from av.packet import Packet
from av.stream import Discard, Disposition, Stream

from streamgate.contracts.captions import MAX_FOUND, UNKNOWN_LANGUAGE, FoundCaptions, FoundChapter
from streamgate.contracts.media import MediaPlan
from streamgate.sdk.timedtext import ass, chapters, markup, subrip, webvtt
from streamgate.sdk.timedtext.cues import MAX_CUE_CHARS, MAX_CUES, MAX_KEPT_BYTES, Cue, TextInvalid, cue, in_order
from streamgate.sdk.timedtext.settings import clean_settings

from .limits import MediaLimits
from .opening import open_source, packets
from .source import RangedBytes
from .titles import language_of, title_of

_TEXTS = {"subrip", "srt", "text", "mov_text", "ass", "ssa", "webvtt"}
_UNENDED_MS = 4_000
"""How long a cue stays that says no end, at most until the next one."""
_MAX_PACKET_BYTES = 64 << 10
_FACES = ((1, "b"), (2, "i"), (4, "u"))


class TextSink(Protocol):
    def captions(self, index: int, data: bytes) -> None: ...

    def progress(self, share: float, frames: int = 0) -> None: ...


def found_captions(container: InputContainer, warnings: list[str]) -> tuple[FoundCaptions, ...]:
    """One track for each language and kind: the first that shows all of it. Others are told in `warnings`."""
    found: dict[tuple[str, str], FoundCaptions] = {}
    pictures, left_out = 0, 0
    for stream in sorted(container.streams.subtitles, key=lambda each: bool(each.disposition & Disposition.forced)):
        context: Any = stream.codec_context
        codec = "" if context is None else str(context.name)
        if codec not in _TEXTS:
            pictures += 1
            continue
        is_for_deaf = bool(stream.disposition & (Disposition.hearing_impaired | Disposition.captions))
        track = FoundCaptions(
            index=stream.index,
            codec=codec,
            language=language_of(stream) or UNKNOWN_LANGUAGE,
            title=title_of(stream),
            kind="captions" if is_for_deaf else "subtitles",
        )
        key = (track.language, track.kind)
        if key in found or len(found) == MAX_FOUND:
            left_out += 1
        else:
            found[key] = track
    if pictures:
        warnings.append(
            f"{pictures} of the subtitle tracks hold pictures, or text of an unknown kind, and are left out"
        )
    if left_out:
        warnings.append(f"{left_out} more subtitle tracks are of a language and kind that is there already")
    return tuple(sorted(found.values(), key=lambda each: each.index))


def found_chapters(container: InputContainer, origin_s: Fraction) -> tuple[FoundChapter, ...]:
    """Args:
    origin_s: source time at which the presentation begins.
    """
    found = []
    for number, said in enumerate(container.chapters()[: chapters.MAX_CHAPTERS], start=1):
        base = said["time_base"]
        scale = Fraction(base.numerator, base.denominator) if base else Fraction(1, 1000)
        start_ms, end_ms = (max(0, round((said[edge] * scale - origin_s) * 1000)) for edge in ("start", "end"))
        title = chapters.titled(str(said.get("metadata", {}).get("title", "")), number)
        found.append(FoundChapter(start_ms=start_ms, end_ms=end_ms, title=title))
    return tuple(found)


def extract_captions(source: RangedBytes, plan: MediaPlan, limits: MediaLimits, sink: TextSink) -> None:
    """Sends each track of the plan that says anything, as WebVTT.

    Raises:
        NotMedia, MediaTooLarge: as for every task.
    """
    wanted = {track.index: track for track in plan.captions}
    readers = {index: _Reader(track.codec) for index, track in wanted.items()}
    origin_s = Fraction(plan.origin_ticks, plan.timescale)
    with open_source(source, limits) as container:
        streams = [each for each in container.streams.subtitles if each.index in wanted]
        if not streams:
            return
        for stream in container.streams:
            stream.discard = Discard.default if stream.index in wanted else Discard.all
        size_bytes = max(1, source.size_bytes)
        for packet in packets(container, *streams):
            if packet.size:
                readers[packet.stream.index].take(packet, _time_base(packet.stream), origin_s)
                sink.progress(min(1.0, (packet.pos or 0) / size_bytes))
    for index, reader in readers.items():
        try:
            data = webvtt.render(in_order(reader.ended())).encode()
        except TextInvalid:  # nothing is said, or far more than anybody reads
            continue
        if len(data) <= MAX_KEPT_BYTES:
            sink.captions(index, data)


class _Reader:
    """Cues of one track, from its packets."""

    def __init__(self, codec: str) -> None:
        self._codec = codec
        self._cues: list[tuple[Cue, bool]] = []  # and whether it says when it ends

    def take(self, packet: Packet[Any], time_base: Fraction, origin_s: Fraction) -> None:
        if packet.size > _MAX_PACKET_BYTES or packet.pts is None or len(self._cues) > MAX_CUES:
            return
        start_ms = round((packet.pts * time_base - origin_s) * 1000)
        text, settings = self._said(packet)
        duration_ms = round((packet.duration or 0) * time_base * 1000)
        ends_ms = start_ms + (duration_ms or _UNENDED_MS)
        try:
            shown = cue(max(0, start_ms), max(0, ends_ms), text[:0] if len(text) > MAX_CUE_CHARS else text, settings)
        except TextInvalid:  # of a damaged clock
            return
        if shown is not None:
            self._cues.append((shown, bool(duration_ms)))

    def ended(self) -> Iterable[Cue]:
        """Those without an end are ended by the next."""
        following = dict(pairwise(sorted({each.start_ms for each, _ in self._cues})))
        for each, is_ended in self._cues:
            after = following.get(each.start_ms, each.end_ms)
            yield each if is_ended else attrs.evolve(each, end_ms=min(each.end_ms, after))

    def _said(self, packet: Packet[Any]) -> tuple[str, str]:
        data = bytes(packet)
        if self._codec == "mov_text":
            return markup.clean(_text_of_mov(data)), ""
        text = data.decode("utf-8", errors="replace")
        if self._codec in ("ass", "ssa"):  # read order, layer, style, name, three margins, effect, text
            return ass.text_of(text.split(",", 8)[-1])
        if self._codec == "webvtt":
            return markup.clean(text), _settings_of(packet)
        return subrip.text_of(text)


def _settings_of(packet: Packet[Any]) -> str:
    for side in packet.iter_sidedata():
        if side.data_type == "webvtt_settings":
            return clean_settings(bytes(side).decode("utf-8", errors="replace").rstrip("\0"))
    return ""


def _text_of_mov(data: bytes) -> str:
    """3GPP timed text (TS 26.245): a length, the text, and boxes behind it, of which `styl` says what is bold."""
    if len(data) < 2:
        return ""
    (length,) = struct.unpack_from(">H", data)
    raw, boxes = data[2 : 2 + length], data[2 + length :]
    is_wide = raw[:2] in (b"\xfe\xff", b"\xff\xfe")
    text = raw.decode("utf-16" if is_wide else "utf-8", errors="replace")
    opened: dict[int, list[str]] = {}
    for first, last, faces in _styles_of(boxes):
        for face, name in _FACES:
            if faces & face and first < last <= len(text):
                opened.setdefault(first, []).append(f"<{name}>")
                opened.setdefault(last, []).insert(0, f"</{name}>")
    parts = (("".join(opened.get(at, ())), markup.escape(sign)) for at, sign in enumerate(text))
    return "".join(tags + sign for tags, sign in parts) + "".join(opened.get(len(text), ()))


def _styles_of(boxes: bytes) -> Iterable[tuple[int, int, int]]:
    """First and last character and face of each run of a sample."""
    at = 0
    while at + 8 <= len(boxes):
        (size,), kind = struct.unpack_from(">I", boxes, at), boxes[at + 4 : at + 8]
        if size < 8:
            return
        if kind == b"styl" and at + 10 <= len(boxes):
            (count,) = struct.unpack_from(">H", boxes, at + 8)
            for n in range(min(count, (min(at + size, len(boxes)) - at - 10) // 12)):
                yield struct.unpack_from(">HHxxB", boxes, at + 10 + 12 * n)
        at += size


def _time_base(stream: Stream) -> Fraction:
    said = stream.time_base  # PyAV 18 has a Fraction, 19 a rational of its own
    return Fraction(said.numerator, said.denominator) if said else Fraction(1, 1000)
