"""A storyboard for players: WebVTT cues that name a part of a sheet each (media fragments, `#xywh=`), and the playlist
of images that some HLS players read. URLs are relative to the session's folder."""

from __future__ import annotations

from streamgate.contracts.pictures import Storyboard

VTT_TYPE = "text/vtt"
FOLDER = "storyboard"


def render_vtt(board: Storyboard, duration_s: float) -> str:
    """One cue for each picture, from its time to the next one's; the last one ends with the film."""
    lines = ["WEBVTT"]
    end_ms = max(round(duration_s * 1000), 1)
    a_sheet = board.columns * board.rows
    for n in range(board.tiles):
        starts_ms = n * board.interval_ms
        ends_ms = min(starts_ms + board.interval_ms, end_ms)
        if ends_ms <= starts_ms:
            break
        sheet, within = divmod(n, a_sheet)
        row, column = divmod(within, board.columns)
        area = (
            f"{column * board.tile_width_px},{row * board.tile_height_px},{board.tile_width_px},{board.tile_height_px}"
        )
        lines += ["", f"{_time(starts_ms)} --> {_time(ends_ms)}", f"{FOLDER}/{sheet}.jpg#xywh={area}"]
    return "\n".join(lines) + "\n"


def _time(ms: int) -> str:
    minutes, rest_ms = divmod(ms, 60_000)
    return f"{minutes // 60:02d}:{minutes % 60:02d}:{rest_ms // 1000:02d}.{rest_ms % 1000:03d}"
