"""`python -m tests.browser.screenshot`: makes docs/images/page.png anew: the same film for the same visitor, locked
before the token has come and playing after it."""

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
from tests.browser.stage import Stage

TARGET = Path(__file__).parents[2] / "docs" / "images" / "page.png"
WIDTH_PX, HEIGHT_PX = 560, 560
COLOURS = 96
AT_S = 26


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="streamgate-screenshot-") as name:
        folder = Path(name)
        clip = one_minute_clip(folder / "big-buck-bunny.mp4")
        with all_in_one(folder) as stack:
            pictures = asyncio.run(shoot(Stage(stack), clip))
    TARGET.write_bytes(side_by_side(*pictures))
    print(f"docs/images/{TARGET.name}: {TARGET.stat().st_size / 1000:.0f} kB")


async def shoot(stage: Stage, clip: Path) -> tuple[bytes, bytes]:
    await stage.prepare()
    bunny = await stage.put("Big Buck Bunny", stage.gate, description="Blender Foundation, CC BY 3.0", file=clip)
    async with open_tab(stage.url, width_px=WIDTH_PX, height_px=HEIGHT_PX) as tab:
        await tab.open(f"/?v={bunny}")
        notice = tab.page.locator("#notice")
        await notice.get_by_role("button", name="Sign in with a wallet").click()
        await tab.page.locator("#wallets-list button").filter(has_text="Throw-away wallet").click()
        await expect(notice).to_contain_text("The gate does not open")
        locked = await tab.page.screenshot()
        await notice.get_by_role("button", name="Get a demo token").click()
        await tab.until("video.currentTime > 1 && video.buffered.length")
        await tab.value(f"() => {{ video.currentTime = {AT_S}; }}")
        await tab.until(f"!video.seeking && video.videoHeight === 720 && video.currentTime > {AT_S} + 0.5")
        await tab.page.evaluate("scrollTo(0, 0)")
        await tab.page.locator("#video").hover()
        await tab.page.mouse.move(WIDTH_PX / 2, HEIGHT_PX / 3)  # shows its controls, within half a second
        await tab.until(f"video.currentTime > {AT_S + 1}")
        return locked, await tab.page.screenshot()


def side_by_side(*pngs: bytes) -> bytes:
    """One picture of them, with a palette: a fraction of the size."""
    graph = av.filter.Graph()
    stack = graph.add("hstack", f"inputs={len(pngs)}")
    buffers = []
    for index, png in enumerate(pngs):
        with av.open(io.BytesIO(png), mode="r", format="png_pipe") as source:
            picture = next(source.decode(video=0))
        buffer = graph.add_buffer(
            width=picture.width, height=picture.height, format=picture.format, time_base=Fraction(1)
        )
        buffer.link_to(stack, 0, index)
        buffers.append((buffer, picture))
    split, sink = graph.add("split"), graph.add("buffersink")
    palette = graph.add("palettegen", f"max_colors={COLOURS}:reserve_transparent=0")
    use = graph.add("paletteuse", "dither=none")
    stack.link_to(split)
    split.link_to(use, 0, 0)
    split.link_to(palette, 1, 0)
    palette.link_to(use, 0, 1)
    use.link_to(sink)
    graph.configure()
    for buffer, picture in buffers:
        picture.pts = 0
        buffer.push(picture)
        buffer.push(None)
    drawn = graph.vpull()
    encoder = av.CodecContext.create("png", "w")
    encoder.width, encoder.height, encoder.pix_fmt, encoder.time_base = drawn.width, drawn.height, "pal8", Fraction(1)
    encoder.options = {"compression_level": "9", "pred": "none"}
    return b"".join(bytes(packet) for packet in (*encoder.encode(drawn), *encoder.encode(None)))


if __name__ == "__main__":
    main()
