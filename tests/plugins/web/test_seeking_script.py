"""What the seek bar reads of a storyboard: the text that the server writes."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import streamgate_web
from streamgate.contracts.pictures import Storyboard
from streamgate.sdk.playlists.storyboard import render_vtt

STATIC = Path(streamgate_web.__file__).parent / "static"
BOARD = Storyboard(tile_width_px=160, tile_height_px=90, columns=2, rows=2, tiles=6, interval_ms=900_000)
SCENE = """
import { pictureAt, picturesOf } from "./seeking.js";
const all = picturesOf(JSON.parse(process.argv[2]), "https://host/api/v1/stream/s/token/storyboard.vtt");
console.log(JSON.stringify([all.length, ...[-1, 0, 899.9, 900, 4500, 9999].map((timeS) => pictureAt(all, timeS))]));
"""


async def test_the_picture_of_a_time_is_found(tmp_path: Path) -> None:
    (tmp_path / "package.json").write_text('{"type": "module"}')
    for name in ("seeking.js", "words.js"):
        (tmp_path / name).write_text((STATIC / name).read_text())
    (tmp_path / "scene.js").write_text(SCENE)
    node = await asyncio.create_subprocess_exec(
        *("node", str(tmp_path / "scene.js"), json.dumps(render_vtt(BOARD, 5000))), stdout=asyncio.subprocess.PIPE
    )
    count, *found = json.loads((await node.communicate())[0])
    first = {"fromS": 0, "url": "https://host/api/v1/stream/s/token/storyboard/0.jpg", "x": 0, "y": 0}
    last = {"fromS": 4500, "url": "https://host/api/v1/stream/s/token/storyboard/1.jpg", "x": 160, "y": 0}
    size = {"width": 160, "height": 90}
    second = {**first, "fromS": 900, "x": 160}
    assert count == 6
    assert found == [{**each, **size} for each in (first, first, first, second, last, last)]
