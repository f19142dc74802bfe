"""What players show while somebody moves through a film: its key frames (EXT-X-I-FRAMES-ONLY), and its storyboard.

A segment of ours is `styp`, `moof` and `mdat`, and its key frame is the first of `mdat`: the beginning of the file, up
to the end of that frame, is all that an I-frame playlist names.
"""

from __future__ import annotations

from math import ceil
from xml.etree import ElementTree as Xml

from streamgate.contracts.pictures import Storyboard
from streamgate.sdk.playlists.presentation import Track
from streamgate.sdk.playlists.storyboard import FOLDER

IFRAMES_FILE = "iframes.m3u8"
IMAGES_FILE = f"{FOLDER}/playlist.m3u8"
_TILES = "http://dashif.org/guidelines/thumbnail_tile"


def has_iframes(track: Track) -> bool:
    """Whether it is known of every segment where its key frame ends."""
    return track.kind == "video" and all(segment.first_frame_bytes for segment in track.segments)


def iframe_line(track: Track, folder: str) -> str:
    """EXT-X-I-FRAME-STREAM-INF."""
    lengths = [(segment.first_frame_bytes * 8 * track.timescale, segment.duration_ticks) for segment in track.segments]
    peak_bps = max(ceil(bits / ticks) for bits, ticks in lengths)
    average_bps = ceil(sum(bits for bits, _ in lengths) / sum(ticks for _, ticks in lengths))
    return (
        f"#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH={peak_bps},AVERAGE-BANDWIDTH={average_bps},"
        f'CODECS="{track.codec}",RESOLUTION={track.width_px}x{track.height_px},'
        f'VIDEO-RANGE={track.colour.video_range},URI="{folder}{track.id}/{IFRAMES_FILE}"'
    )


def render_iframes(track: Track) -> str:
    """A track's key frames: one of each segment."""
    lines = [
        "#EXTM3U",
        "#EXT-X-VERSION:7",
        f"#EXT-X-TARGETDURATION:{track.target_duration_s}",
        "#EXT-X-MEDIA-SEQUENCE:0",
        "#EXT-X-PLAYLIST-TYPE:VOD",
        "#EXT-X-I-FRAMES-ONLY",
        '#EXT-X-MAP:URI="init.mp4"',
    ]
    for segment, (starts_us, ends_us) in zip(track.segments, track.spans, strict=True):
        seconds, rest_us = divmod(ends_us - starts_us, 1_000_000)
        lines += [
            f"#EXTINF:{seconds}.{rest_us:06d},",
            f"#EXT-X-BYTERANGE:{segment.first_frame_bytes}@0",
            f"{segment.n}.m4s",
        ]
    return "\n".join([*lines, "#EXT-X-ENDLIST"]) + "\n"


def image_line(board: Storyboard, folder: str) -> str:
    """EXT-X-IMAGE-STREAM-INF, of Roku's and Disney's extension, which Shaka reads too."""
    size = f"{board.tile_width_px}x{board.tile_height_px}"
    return (
        f'#EXT-X-IMAGE-STREAM-INF:BANDWIDTH={_rate_bps(board)},RESOLUTION={size},CODECS="jpeg",'
        f'URI="{folder}{IMAGES_FILE}"'
    )


def render_images(board: Storyboard, ends_us: int) -> str:
    """The sheets. A player divides a sheet's time by its places: the last one has fewer rows, and so a layout of its
    own."""
    sheet_ms = board.columns * board.rows * board.interval_ms
    lines = [
        "#EXTM3U",
        "#EXT-X-VERSION:7",
        f"#EXT-X-TARGETDURATION:{ceil(min(sheet_ms, ceil(ends_us / 1000)) / 1000)}",
        "#EXT-X-MEDIA-SEQUENCE:0",
        "#EXT-X-PLAYLIST-TYPE:VOD",
        "#EXT-X-IMAGES-ONLY",
    ]
    for n in range(board.sheet_count):
        rows = board.sheet_size(n)[1] // board.tile_height_px
        shown_ms = min((n + 1) * sheet_ms, max(ends_us // 1000, n * sheet_ms + 1)) - n * sheet_ms
        size, layout = f"{board.tile_width_px}x{board.tile_height_px}", f"{board.columns}x{rows}"
        lines += [
            f"#EXTINF:{shown_ms // 1000}.{shown_ms % 1000:03d},",
            f"#EXT-X-TILES:RESOLUTION={size},LAYOUT={layout},DURATION={board.interval_ms / 1000:g}",
            f"{n}.jpg",
        ]
    return "\n".join([*lines, "#EXT-X-ENDLIST"]) + "\n"


def add_images(period: Xml.Element, board: Storyboard, set_id: int) -> None:
    """The storyboard as DASH-IF's guidelines have it (section 6.2.6): an AdaptationSet of tiles."""
    attributes = {"id": str(set_id), "contentType": "image", "mimeType": "image/jpeg"}
    adaptation = Xml.SubElement(period, "AdaptationSet", attributes)
    sheet_ms = board.columns * board.rows * board.interval_ms
    described = {
        "id": FOLDER,
        "bandwidth": str(_rate_bps(board)),
        "width": str(board.columns * board.tile_width_px),
        "height": str(board.rows * board.tile_height_px),
    }
    representation = Xml.SubElement(adaptation, "Representation", described)
    Xml.SubElement(
        representation, "EssentialProperty", {"schemeIdUri": _TILES, "value": f"{board.columns}x{board.rows}"}
    )
    Xml.SubElement(
        representation,
        "SegmentTemplate",
        {
            "media": f"{FOLDER}/$Number$.jpg",
            "timescale": "1000",
            "duration": str(sheet_ms),
            "startNumber": "0",
        },
    )


def _rate_bps(board: Storyboard) -> int:
    sheet_s = board.columns * board.rows * board.interval_ms / 1000
    return max(1, ceil(max(sheet.size_bytes for sheet in board.sheets) * 8 / sheet_s))
