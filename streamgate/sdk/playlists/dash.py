"""DASH manifests (ISO/IEC 23009-1): one static MPD over the segments that HLS lists too."""

from __future__ import annotations

from fractions import Fraction
from itertools import groupby
from math import ceil
from xml.etree import ElementTree as Xml

import attrs

from streamgate.sdk.playlists import captions, stills
from streamgate.sdk.playlists.presentation import Colour, Presentation, Track
from streamgate.sdk.playlists.sealing import Sealing, add_protection, by_key_period, described_bps

MEDIA_TYPE = "application/dash+xml"
_NAMESPACE = "urn:mpeg:dash:schema:mpd:2011"
_LIVE_PROFILE = "urn:mpeg:dash:profile:isoff-live:2011"
_CHANNELS_SCHEME = "urn:mpeg:dash:23003:3:audio_channel_configuration:2011"
_ROLE_SCHEME = "urn:mpeg:dash:role:2011"
_COLOUR_SCHEME = "urn:mpeg:mpegB:cicp"
_NOT_TOLD = Colour().primaries
_SEALED_CODEC = "avc1."
"""CENC leaves other bytes of AV1 clear than of H.264; it is not listed where it would be sealed."""
_MICROSECONDS = 1_000_000


def render_manifest(
    presentation: Presentation, *, folder: str = "", sealing: Sealing | None = None, licence_url: str = ""
) -> str:
    """The manifest; URLs are relative to the session's folder, which a manifest that is answered elsewhere names.

    Where the segments are encrypted (`sealing`), there is a Period for each key period, with an init segment that names
    the key; ClearKey's licence is at `licence_url`.

    Segments are numbered from 0 and timed by a SegmentTimeline in the track's own time scale, so every time
    is the integer that stands in the segment's `tfdt`. Tracks that are cut alike share one timeline.

    Raises:
        ValueError: a value XML cannot carry (control characters).
    """
    mpd = Xml.Element(
        "MPD",
        {
            "xmlns": _NAMESPACE,
            "type": "static",
            "profiles": _LIVE_PROFILE,
            "mediaPresentationDuration": _duration_text(presentation.duration),
            "maxSegmentDuration": _duration_text(max(track.longest for track in presentation.tracks)),
            "minBufferTime": f"PT{presentation.target_duration_s}S",
        },
    )
    if folder:
        Xml.SubElement(mpd, "BaseURL").text = folder
    if sealing:
        for number, part in by_key_period(presentation, sealing):
            _add_period(mpd, part, presentation, _Sealed(sealing, number, licence_url))
    else:
        _add_period(mpd, presentation, presentation, None)
    Xml.indent(mpd, space=" ")
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + Xml.tostring(mpd, encoding="unicode") + "\n"


@attrs.frozen
class _Sealed:
    sealing: Sealing
    period: int
    licence_url: str

    def kid(self, track: Track) -> bytes:
        return self.sealing.kid(track.id, self.period)


@attrs.frozen
class _Place:
    """`starts`: of the Period, in seconds from the beginning."""

    starts: Fraction
    sealed: _Sealed | None


def _add_period(mpd: Xml.Element, part: Presentation, whole: Presentation, sealed: _Sealed | None) -> None:
    """A Period of a part of the whole. Its start is the picture's, where there is one: sound that is cut at its own
    frames begins up to 11 ms beside it."""
    leading, origin = (part.video or part.audio)[0], (whole.video or whole.audio)[0]
    starts = Fraction(leading.segments[0].start_ticks - origin.segments[0].start_ticks, origin.timescale)
    place = _Place(starts, sealed)
    described = {"id": str(sealed.period if sealed else 0), "start": _duration_text(starts) if starts else "PT0S"}
    period = Xml.SubElement(mpd, "Period", described)
    sounds = tuple((track,) for track in part.audio)  # nobody changes between sounds as between pictures
    families: dict[tuple[str, str], list[Track]] = {}  # nor between codecs, or dynamic ranges
    for track in part.video:
        if sealed is None or track.codec.startswith(_SEALED_CODEC):
            family = (track.codec.partition(".")[0], track.colour.video_range)
            families.setdefault(family, []).append(track)
    for number, tracks in enumerate((*map(tuple, families.values()), *sounds)):
        _add_set(period, number, tracks, place, is_main=tracks[0] in (*part.video, *part.audio[:1]))
    first, end = leading.segments[0].n, leading.segments[-1].n + 1
    is_all = (first, end) == (0, len(origin.segments))
    captions.add_sets(period, part.captions, float(part.duration), pieces=None if is_all else (first, end))
    if part.storyboard is not None and is_all:  # tiles of which only some are of a Period are understood by no player
        stills.add_images(period, part.storyboard, len(period))


def _add_set(period: Xml.Element, number: int, tracks: tuple[Track, ...], place: _Place, *, is_main: bool) -> None:
    kind = tracks[0].kind
    attributes = {
        "id": str(number),
        "contentType": kind,
        "mimeType": f"{kind}/mp4",
        "segmentAlignment": "true",
        "startWithSAP": "1",
    }
    if kind == "video":
        attributes["maxWidth"] = str(max(track.width_px for track in tracks))
        attributes["maxHeight"] = str(max(track.height_px for track in tracks))
    if tracks[0].language:
        attributes["lang"] = tracks[0].language
    adaptation = Xml.SubElement(period, "AdaptationSet", _checked(attributes))
    sealed = place.sealed
    if kind == "audio":
        adaptation.set("selectionPriority", "2" if is_main else "1")  # dash.js begins with the highest rate otherwise
        _add_words(adaptation, tracks[0], is_main=is_main)
    if sealed:
        add_protection(adaptation, sealed.kid(tracks[0]), sealed.licence_url)
    is_cut_alike = len({_timeline_key(track) for track in tracks}) == 1
    if is_cut_alike:
        _add_template(adaptation, tracks[0], place)
    for track in tracks:
        representation = Xml.SubElement(
            adaptation, "Representation", _checked(_described(track, is_sealed=sealed is not None))
        )
        if track.channels:
            Xml.SubElement(
                representation,
                "AudioChannelConfiguration",
                {"schemeIdUri": _CHANNELS_SCHEME, "value": str(track.channels)},
            )
        if sealed and len(tracks) > 1:
            add_protection(representation, sealed.kid(track), sealed.licence_url)
        if kind == "video":
            _add_colour(representation, track.colour)
        if not is_cut_alike:
            _add_template(representation, track, place)


def _add_colour(representation: Xml.Element, colour: Colour) -> None:
    """As ISO/IEC 23091-2 names it. Essential where a player that does not know it would show something else."""
    tag = "SupplementalProperty" if colour.video_range == "SDR" else "EssentialProperty"
    told = {
        "ColourPrimaries": colour.primaries,
        "TransferCharacteristics": colour.transfer,
        "MatrixCoefficients": colour.matrix,
    }
    for name, code in told.items():
        if code != _NOT_TOLD:
            Xml.SubElement(representation, tag, {"schemeIdUri": f"{_COLOUR_SCHEME}:{name}", "value": str(code)})


def _add_words(adaptation: Xml.Element, track: Track, *, is_main: bool) -> None:
    if track.title:
        Xml.SubElement(adaptation, "Label").text = _checked({"title": track.title})["title"]
    Xml.SubElement(adaptation, "Role", {"schemeIdUri": _ROLE_SCHEME, "value": "main" if is_main else "alternate"})


def _described(track: Track, *, is_sealed: bool) -> dict[str, str]:
    rate_bps = track.peak_bps + (described_bps(track) if is_sealed else 0)
    attributes = {"id": track.id, "codecs": track.codec, "bandwidth": str(rate_bps)}
    if track.kind == "video":
        attributes |= {"width": str(track.width_px), "height": str(track.height_px)}
        if track.fps_num:
            rate = Fraction(track.fps_num, track.fps_den)
            attributes["frameRate"] = str(rate)
    elif track.sample_rate_hz:
        attributes["audioSamplingRate"] = str(track.sample_rate_hz)
    return attributes


def _add_template(parent: Xml.Element, track: Track, place: _Place) -> None:
    sealed = place.sealed
    folder = f"{sealed.sealing.media}cenc/$RepresentationID$/" if sealed else "$RepresentationID$/"
    attributes = {
        "timescale": str(track.timescale),
        "initialization": f"{folder}{f'init-{sealed.period}' if sealed else 'init'}.mp4",
        "media": f"{folder}$Number$.m4s",
        "startNumber": str(track.segments[0].n),
    }
    if place.starts:
        attributes["presentationTimeOffset"] = str(round(place.starts * track.timescale))
    template = Xml.SubElement(parent, "SegmentTemplate", attributes)
    timeline = Xml.SubElement(template, "SegmentTimeline")
    starts_ticks = track.segments[0].start_ticks
    for duration_ticks, alike in groupby(segment.duration_ticks for segment in track.segments):
        count = sum(1 for _ in alike)
        run = {"d": str(duration_ticks)}
        if len(timeline) == 0:
            run = {"t": str(starts_ticks), **run}
        if count > 1:
            run["r"] = str(count - 1)
        Xml.SubElement(timeline, "S", run)


def _timeline_key(track: Track) -> tuple[int, ...]:
    return (track.timescale, track.segments[0].start_ticks, *(segment.duration_ticks for segment in track.segments))


def _duration_text(duration: Fraction) -> str:
    """xs:duration, rounded up to the microsecond so that no player cuts the last frame away."""
    seconds, rest_us = divmod(ceil(duration * _MICROSECONDS), _MICROSECONDS)
    return f"PT{seconds}.{rest_us:06d}S"


def _checked(attributes: dict[str, str]) -> dict[str, str]:
    for value in attributes.values():
        if not value.isprintable():
            raise ValueError(f"cannot stand in a manifest: {value!r}")
    return attributes
