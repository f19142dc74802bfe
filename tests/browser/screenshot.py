"""`python -m tests.browser.screenshot`: makes docs/images/page.png, the page while Big Buck Bunny plays, anew."""

from __future__ import annotations

import asyncio
import io
import tempfile
from fractions import Fraction
from pathlib import Path

import av
import av.filter
from playwright.async_api import expect

from streamgate.testing.clips import one_minute_clip
from streamgate.testing.stacks import all_in_one
from tests.browser.chromium import open_tab
from tests.browser.stage import PUBLIC, Stage

TARGET = Path(__file__).parents[2] / "docs" / "images" / "page.png"
WIDTH_PX, HEIGHT_PX = 900, 850
COLOURS = 88
AT_S = 26


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="streamgate-screenshot-") as name:
        folder = Path(name)
        clip = one_minute_clip(folder / "big-buck-bunny.mp4")
        with all_in_one(folder) as stack:
            picture = asyncio.run(shoot(Stage(stack), clip))
    TARGET.write_bytes(with_few_colours(picture))
    print(f"docs/images/{TARGET.name}: {TARGET.stat().st_size / 1000:.0f} kB")


async def shoot(stage: Stage, clip: Path) -> bytes:
    await stage.prepare()
    await stage.put("Premiere in November", stage.gate, description="The trailer is being cut.")
    holders = "What did not make it into the film, for holders of the pass."
    await stage.put("Outtakes", stage.gate, description=holders)
    bunny = await stage.put("Big Buck Bunny", PUBLIC, description="Blender Foundation, CC BY 3.0", file=clip)
    async with open_tab(stage.url, width_px=WIDTH_PX, height_px=HEIGHT_PX) as tab:
        await tab.open(f"/?v={bunny}")
        await expect(tab.page.locator("#catalogue li")).to_have_count(3)
        await tab.until("video.currentTime > 1 && video.buffered.length")
        await tab.value(f"() => {{ video.currentTime = {AT_S}; }}")
        await tab.until(f"!video.seeking && video.videoHeight === 720 && video.currentTime > {AT_S} + 0.5")
        await tab.page.locator("#video").hover()
        await tab.page.mouse.move(WIDTH_PX / 2, HEIGHT_PX / 3)  # shows its controls, within half a second
        await tab.until(f"video.currentTime > {AT_S + 1}")
        return await tab.page.screenshot()


def with_few_colours(png: bytes) -> bytes:
    """The same picture with a palette, at a fraction of the size."""
    with av.open(io.BytesIO(png), mode="r", format="png_pipe") as source:
        picture = next(source.decode(video=0))
    graph = av.filter.Graph()
    buffer = graph.add_buffer(width=picture.width, height=picture.height, format=picture.format, time_base=Fraction(1))
    split, sink = graph.add("split"), graph.add("buffersink")
    palette = graph.add("palettegen", f"max_colors={COLOURS}:reserve_transparent=0")
    use = graph.add("paletteuse", "dither=none")
    buffer.link_to(split)
    split.link_to(use, 0, 0)
    split.link_to(palette, 1, 0)
    palette.link_to(use, 0, 1)
    use.link_to(sink)
    graph.configure()
    picture.pts = 0
    graph.vpush(picture)
    graph.vpush(None)
    drawn = graph.vpull()
    encoder = av.CodecContext.create("png", "w")
    encoder.width, encoder.height, encoder.pix_fmt, encoder.time_base = drawn.width, drawn.height, "pal8", Fraction(1)
    encoder.options = {"compression_level": "9", "pred": "none"}
    return b"".join(bytes(packet) for packet in (*encoder.encode(drawn), *encoder.encode(None)))


if __name__ == "__main__":
    main()
