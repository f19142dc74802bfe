"""Files that mean harm, or that harm came to: each with the codes by which it may be refused ("" where it may play)."""

from __future__ import annotations

import io
import random
import struct
import zlib
from collections.abc import Callable, Iterator
from fractions import Fraction

import attrs
import av

from tests.plugins.transcoder.corpus import Clip, make
from tests.plugins.transcoder.corpus_edits import box, payload_at, rewrite

NOT_MEDIA, TOO_MUCH, NOTHING = "media.not_media", "media.limits_exceeded", "media.no_playable_track"
CORRUPT = "media.corrupt"

TINY = Clip(frames=30)
QUIET = Clip(frames=30, audio_codec="")


@attrs.frozen
class Hostile:
    make: Callable[[], bytes]
    codes: tuple[str, ...]


def playlists(target: str) -> Iterator[tuple[str, bytes]]:
    """What makes libav open `target` when it chooses the demuxer itself, bare and behind beginnings of ours."""
    hls = f"#EXTM3U\n#EXT-X-MEDIA-SEQUENCE:0\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n{target}\n#EXT-X-ENDLIST\n".encode()
    concat = f"ffconcat version 1.0\nfile {target}\nduration 9\n".encode()
    dash = f"<MPD><Period><AdaptationSet><Representation><BaseURL>{target}</BaseURL></Representation></AdaptationSet>"
    yield "hls", hls
    yield "concat", concat
    yield "dash", dash.encode()
    yield "sdp", f"v=0\nc=IN IP4 127.0.0.1\nm=video 9 RTP/AVP 96\na=control:{target}\n".encode()
    yield "hls behind mp4", box(b"ftyp", b"isom\0\0\0\0isom") + hls
    yield "concat behind matroska", b"\x1aE\xdf\xa3" + concat
    yield "hls behind id3", b"ID3\x04\0\0\0\0\0\0" + hls
    yield "hls in packets", b"".join(b"G" + part.ljust(187, b"\n") for part in (b"", hls, concat))
    yield "playlist in avi", _avi_with_subtitles(hls)


def _avi_with_subtitles(text: bytes) -> bytes:
    """libav guesses anew at what an AVI's text stream holds (`GAB2`), which once let playlists in."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return kind + struct.pack("<I", len(body)) + body + b"\0" * (len(body) % 2)

    header = struct.pack("<14I", 40_000, 0, 0, 16, 1, 0, 1, 0, 64, 64, 0, 0, 0, 0)
    stream = struct.pack("<4s4sIHHIIIIIIII4H", b"txts", b"\0" * 4, 0, 0, 0, 0, 1, 25, 0, 1, 0, 0, 0, 0, 0, 0, 0)
    lists = chunk(b"LIST", b"hdrl" + chunk(b"avih", header) + chunk(b"LIST", b"strl" + chunk(b"strh", stream)))
    body = b"GAB2\0\x02\0" + struct.pack("<I", 0) + b"\x04\0" + struct.pack("<I", len(text)) + text
    return chunk(b"RIFF", b"AVI " + lists + chunk(b"LIST", b"movi" + chunk(b"00tx", body)))


def cut(share: float, clip: Clip) -> bytes:
    data = make(clip)
    return data[: int(len(data) * share)]


def flipped(seed: int, clip: Clip, where: str) -> bytes:
    """A dozen bytes changed, of the header or of the media. The same seed changes the same bytes."""
    data, chance = bytearray(make(clip)), random.Random(seed)
    start, end = _stretch(bytes(data), where)
    for _ in range(12):
        data[chance.randrange(start, end)] = chance.randrange(256)
    return bytes(data)


def _stretch(data: bytes, where: str) -> tuple[int, int]:
    if where == "anywhere":
        return 16, len(data)
    moov = data.rindex(b"moov")
    return (moov, len(data)) if where == "header" else (data.index(b"mdat") + 4, moov - 4)


def stretched_samples() -> bytes:
    """`stsz` says: 268 million samples of one byte each. The index of those would take 6 GB."""
    sizes = struct.pack(">III", 0, 1, 0x0FFF_FFFF)
    times = struct.pack(">IIII", 0, 1, 0x0FFF_FFFF, 1)
    places = struct.pack(">IIIII", 0, 1, 1, 0x0FFF_FFFF, 1)
    data = rewrite(make(QUIET), "moov/trak/mdia/minf/stbl/stsz", sizes)
    data = rewrite(data, "moov/trak/mdia/minf/stbl/stts", times)
    return rewrite(data, "moov/trak/mdia/minf/stbl/stsc", places)


def header_of_gigabytes() -> bytes:
    """A moov that says it has 8 GB."""
    data = make(QUIET)
    at = data.rindex(b"moov")
    return data[: at - 4] + struct.pack(">I4sQ", 1, b"moov", 8 << 30) + data[at + 4 :]


def tables_of_gigabytes() -> bytes:
    """Each table of the header says that it has 2^32 - 1 rows."""
    data = make(QUIET)
    for table in ("stts", "stsc", "stss", "stco"):
        path = f"moov/trak/mdia/minf/stbl/{table}"
        data = rewrite(data, path, b"\0\0\0\0\xff\xff\xff\xff" + payload_at(data, path)[8:])
    return data


def long_for_its_frames(seconds: int) -> bytes:
    """A hundred frames, each of which stays for `seconds`."""
    path = "moov/trak/mdia/mdhd"
    data = rewrite(make(attrs.evolve(QUIET, frames=100)), "moov/trak/edts", None)
    header = bytearray(payload_at(data, path))
    struct.pack_into(">I", header, 12, 1)  # ticks a second
    times = struct.pack(">IIII", 0, 1, 100, seconds)
    return rewrite(rewrite(data, path, bytes(header)), "moov/trak/mdia/minf/stbl/stts", times)


def many_streams(count: int) -> bytes:
    """Any number of tracks that say nothing but that they are there."""
    moov = payload_at(make(QUIET), "moov")
    head, trak = box(b"mvhd", payload_at(moov, "mvhd")), box(b"trak", payload_at(moov, "trak"))
    return box(b"ftyp", b"isom\0\0\2\0isom") + box(b"moov", head, *[trak] * count)


def claimed_size(side_px: int) -> bytes:
    """The container says so; the pictures are small."""
    data = make(QUIET)
    entry = bytearray(payload_at(data, "moov/trak/mdia/minf/stbl/stsd"))
    struct.pack_into(">HH", entry, 8 + 8 + 24, side_px, side_px)
    return rewrite(data, "moov/trak/mdia/minf/stbl/stsd", bytes(entry))


def coded_size(side_px: int) -> bytes:
    """The pictures say so: JPEGs whose own header claims it, from the third one on. The container says 64 x 64."""
    data = bytearray(make(Clip(frames=12, audio_codec="", container="mov", codec="mjpeg", pixel_format="yuvj420p")))
    at, found = 0, 0
    while (at := data.find(b"\xff\xc0\x00\x11\x08", at + 1)) > 0:
        found += 1
        if found > 2:
            struct.pack_into(">HH", data, at + 5, side_px, side_px)
    return bytes(data)


def deflated_picture(side_px: int) -> bytes:
    """A PNG of one bit a pixel: 32 kB for 268 million pixels."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    rows = zlib.compress(bytes((side_px // 8 + 1) * side_px), 1)
    head = struct.pack(">IIBBBBB", side_px, side_px, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def picture_as_video(picture: bytes) -> bytes:
    """That PNG as the frames of a QuickTime film, which libav would decode."""
    out = io.BytesIO()
    with av.open(out, "w", format="mov") as container:
        stream = container.add_stream("png", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 64, "gray"
        for number in range(3):
            packet = av.Packet(picture)
            packet.stream, packet.pts, packet.dts, packet.time_base = stream, number, number, Fraction(1, 25)
            packet.is_keyframe = True
            container.mux(packet)
    return out.getvalue()


def animated_gif() -> bytes:
    """65,535 x 65,535 pixels, and frames that go on."""
    frame = b"!\xf9\x04\0\x01\0\0\0,\0\0\0\0\xff\xff\xff\xff\0\x02\x02D\x01\0"
    return b"GIF89a\xff\xff\xff\xff\x80\0\0" + bytes(6) + frame * 2000 + b";"


def flood(packets: int) -> bytes:
    """So many packets within one second of video."""
    out = io.BytesIO()
    with av.open(out, "w", format="matroska") as container:
        stream = container.add_stream("mjpeg", rate=1000)
        stream.width, stream.height, stream.pix_fmt = 64, 64, "yuvj420p"
        with av.open(
            io.BytesIO(make(Clip(frames=1, audio_codec="", codec="mjpeg", pixel_format="yuvj420p"))), "r"
        ) as small:
            picture = bytes(next(small.demux(video=0)))
        for number in range(packets):
            packet = av.Packet(picture)
            packet.stream, packet.time_base = stream, Fraction(1, 1000)
            packet.pts = packet.dts = number * 1000 // packets
            container.mux(packet)
    return out.getvalue()


def growing(small_px: int, large_px: int) -> bytes:
    """Ten pictures of one size, then ten of another, in one track."""
    out = io.BytesIO()
    with av.open(out, "w", format="matroska") as container:
        stream = container.add_stream("mjpeg", rate=25)
        stream.width, stream.height, stream.pix_fmt = small_px, small_px, "yuvj420p"
        for number, side_px in enumerate([small_px] * 10 + [large_px] * 10):
            clip = Clip(frames=1, size=(side_px, side_px), audio_codec="", codec="mjpeg", pixel_format="yuvj420p")
            with av.open(io.BytesIO(make(clip)), "r") as one:
                packet = av.Packet(bytes(next(one.demux(video=0))))
            packet.stream, packet.time_base = stream, Fraction(1, 25)
            packet.pts = packet.dts = number
            container.mux(packet)
    return out.getvalue()


def attachment_of_gigabytes() -> bytes:
    """A Matroska file whose attachment says that it has 3 GB."""

    def element(number: bytes, body: bytes, size: int | None = None) -> bytes:
        return number + struct.pack(">Q", (size or len(body)) | 1 << 56) + body

    head = element(b"\x1aE\xdf\xa3", element(b"B\x82", b"matroska"))
    data = element(b"F\\", b"x" * 100, 3 << 30)
    file = element(b"a\xa7", element(b"Fn", b"a") + element(b"F`", b"font/ttf") + data, 3 << 30)
    return head + element(b"\x18S\x80g", element(b"\x19A\xa4i", file, 3 << 30), 3 << 30)


def nested(depth: int) -> bytes:
    body = b""
    for _ in range(depth):
        body = box(b"trak", body)
    return box(b"ftyp", b"isom\0\0\0\0isom") + box(b"moov", body)


HOSTILE = {
    "nothing": Hostile(lambda: b"", (NOT_MEDIA,)),
    "one byte": Hostile(lambda: b"\0", (NOT_MEDIA,)),
    "a program": Hostile(lambda: b"\x7fELF\x02\x01\x01" + bytes(5000), (NOT_MEDIA,)),
    "a png bomb": Hostile(lambda: deflated_picture(16_384), (NOT_MEDIA,)),
    "a png bomb as video": Hostile(lambda: picture_as_video(deflated_picture(16_384)), (NOTHING, TOO_MUCH)),
    "a film of small pngs": Hostile(lambda: picture_as_video(deflated_picture(64)), (NOTHING,)),
    "a gif bomb": Hostile(animated_gif, (NOT_MEDIA,)),
    "a header alone": Hostile(lambda: box(b"moov", payload_at(make(TINY), "moov")), (NOTHING,)),
    "no header": Hostile(lambda: cut(0.5, TINY), (NOT_MEDIA, NOTHING)),
    "cut off at once": Hostile(lambda: make(TINY)[:40], (NOT_MEDIA, NOTHING)),
    "cut inside the header": Hostile(
        lambda: make(attrs.evolve(TINY, container_options={"movflags": "faststart"}))[:700], (NOT_MEDIA, NOTHING)
    ),
    "the container says 16k x 16k": Hostile(lambda: claimed_size(16_384), ("",)),
    "the pictures say 16k x 16k": Hostile(lambda: coded_size(16_384), ("",)),
    "8 GB of header": Hostile(header_of_gigabytes, ("",)),
    "tables of 2^32 rows": Hostile(tables_of_gigabytes, (NOT_MEDIA, NOTHING, TOO_MUCH)),
    "268 million samples": Hostile(stretched_samples, (NOTHING, TOO_MUCH)),
    "sixteen hours of a hundred frames": Hostile(lambda: long_for_its_frames(590), (TOO_MUCH,)),
    "1000 streams": Hostile(lambda: many_streams(1000), (TOO_MUCH,)),
    "100 streams": Hostile(lambda: many_streams(100), (TOO_MUCH,)),
    "20,000 packets a second": Hostile(lambda: flood(20_000), (TOO_MUCH,)),
    "3 GB of attachment": Hostile(attachment_of_gigabytes, (NOT_MEDIA, NOTHING, TOO_MUCH)),
    "boxes in boxes": Hostile(lambda: nested(2000), (NOT_MEDIA, NOTHING)),
}
