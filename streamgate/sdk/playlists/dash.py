"""DASH manifests (ISO/IEC 23009-1): one static MPD over the segments that HLS lists too."""

from __future__ import annotations

from fractions import Fraction
from itertools import groupby
from math import ceil
from xml.etree import ElementTree as Xml

from streamgate.sdk.playlists import captions
from streamgate.sdk.playlists.presentation import Presentation, Track

MEDIA_TYPE = "application/dash+xml"
_NAMESPACE = "urn:mpeg:dash:schema:mpd:2011"
_LIVE_PROFILE = "urn:mpeg:dash:profile:isoff-live:2011"
_CHANNELS_SCHEME = "urn:mpeg:dash:23003:3:audio_channel_configuration:2011"
_ROLE_SCHEME = "urn:mpeg:dash:role:2011"
_MICROSECONDS = 1_000_000


def render_manifest(presentation: Presentation, *, folder: str = "") -> str:
    """The manifest; URLs are relative to the session's folder, which a manifest that is answered elsewhere names.

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
    period = Xml.SubElement(mpd, "Period", {"id": "0", "start": "PT0S"})
    sounds = tuple((track,) for track in presentation.audio)  # nobody changes between sounds as between pictures
    for number, tracks in enumerate(tracks for tracks in (presentation.video, *sounds) if tracks):
        _add_set(period, number, tracks, is_main=tracks[0] in (*presentation.video, *presentation.audio[:1]))
    captions.add_sets(period, presentation.captions, len(period), float(presentation.duration))
    Xml.indent(mpd, space=" ")
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + Xml.tostring(mpd, encoding="unicode") + "\n"


def _add_set(period: Xml.Element, number: int, tracks: tuple[Track, ...], *, is_main: bool) -> None:
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
    if kind == "audio":
        adaptation.set("selectionPriority", "2" if is_main else "1")  # dash.js begins with the highest rate otherwise
        _add_words(adaptation, tracks[0], is_main=is_main)
    is_cut_alike = len({_timeline_key(track) for track in tracks}) == 1
    if is_cut_alike:
        _add_template(adaptation, tracks[0])
    for track in tracks:
        representation = Xml.SubElement(adaptation, "Representation", _checked(_described(track)))
        if track.channels:
            Xml.SubElement(
                representation,
                "AudioChannelConfiguration",
                {"schemeIdUri": _CHANNELS_SCHEME, "value": str(track.channels)},
            )
        if not is_cut_alike:
            _add_template(representation, track)


def _add_words(adaptation: Xml.Element, track: Track, *, is_main: bool) -> None:
    if track.title:
        Xml.SubElement(adaptation, "Label").text = _checked({"title": track.title})["title"]
    Xml.SubElement(adaptation, "Role", {"schemeIdUri": _ROLE_SCHEME, "value": "main" if is_main else "alternate"})


def _described(track: Track) -> dict[str, str]:
    attributes = {"id": track.id, "codecs": track.codec, "bandwidth": str(track.peak_bps)}
    if track.kind == "video":
        attributes |= {"width": str(track.width_px), "height": str(track.height_px)}
        if track.fps_num:
            rate = Fraction(track.fps_num, track.fps_den)
            attributes["frameRate"] = str(rate)
    elif track.sample_rate_hz:
        attributes["audioSamplingRate"] = str(track.sample_rate_hz)
    return attributes


def _add_template(parent: Xml.Element, track: Track) -> None:
    template = Xml.SubElement(
        parent,
        "SegmentTemplate",
        {
            "timescale": str(track.timescale),
            "initialization": "$RepresentationID$/init.mp4",
            "media": "$RepresentationID$/$Number$.m4s",
            "startNumber": "0",
        },
    )
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
