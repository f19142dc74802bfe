"""Players that are not ours play an encrypted video, with a key for each of its periods and renditions."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.browser.chromium import Tab, open_tab
from tests.browser.stage import CLIP_S, LADDER_PX, Stage

pytestmark = pytest.mark.timeout(150)
HERE = Path(__file__).parent
PACKAGES = HERE / "node_modules"
SHAKA = PACKAGES / "shaka-player" / "dist" / "shaka-player.compiled.js"
DASH_JS = PACKAGES / "dashjs" / "dist" / "modern" / "umd" / "dash.all.min.js"
PLAYERS = {
    "hls.js": ("probe_hls.js", "hls_url", None),
    "shaka by HLS": ("probe_dash.js", "hls_url", SHAKA),
    "shaka by DASH": ("probe_dash.js", "dash_url", SHAKA),
    "dash.js": ("probe_dashjs.js", "dash_url", DASH_JS),
}


@pytest_asyncio.fixture(loop_scope="session")
async def sealed(one_process: Stage) -> AsyncIterator[str]:
    """The gated video, encrypted; afterwards as it was."""
    content_id = one_process.contents["gated"]
    await one_process.protect(content_id, "encrypted")
    yield content_id
    await one_process.protect(content_id, "none")


async def load(tab: Tab, script: Path) -> None:
    """It is not part of the server, so the browser is handed it under the page's origin."""
    await tab.page.route("**/player.js", lambda route: route.fulfill(path=script, content_type="text/javascript"))
    await tab.page.add_script_tag(url=f"{tab.origin}/player.js")


@pytest.mark.parametrize("player", PLAYERS)
async def test_it_plays_seeks_and_ends(one_process: Stage, sealed: str, player: str) -> None:
    probe, address, script = PLAYERS[player]
    held = await one_process.new_holder()
    session = await one_process.session(held.wallet, sealed)
    async with open_tab(one_process.url) as tab:
        await tab.open()
        if script is not None:
            await load(tab, script)
        await tab.value((HERE / probe).read_text(encoding="utf-8"), {"url": session[address], "config": {}})
        await tab.value("() => { probe.video.muted = true; probe.video.play().catch(() => {}); }")
        await tab.until("probe.seen.errors.length > 0 || probe.video.currentTime > 1", what="playing")
        for second in (8, CLIP_S - 1.5):
            await tab.value("(second) => { probe.video.currentTime = second; }", second)
            played = f"probe.seen.errors.length > 0 || probe.video.currentTime > {second} + 0.5"
            await tab.until(played, what=f"playing from {second} s on")
        await tab.until("probe.seen.errors.length > 0 || probe.seen.ended === 1", what="the end")
        report = await tab.value("probe.report()")
        assert report["errors"] == []
        assert report["duration_s"] == pytest.approx(CLIP_S, abs=0.05)
        assert report["height_px"] in LADDER_PX
        assert report["frames"] > 40
        assert report["audio_bytes"] > 10_000
        keys = [line for line in tab.lines if line.endswith((".key", "/licence"))]
        assert len(keys) >= 4, "of sound and picture, in more than one period"
        assert any("/api/v1/stream/m/" in line for line in tab.lines)
        assert not any("/api/v1/stream/s/" in line and line.endswith(".m4s") for line in tab.lines)
        assert (tab.faults, tab.refused, tab.foreign) == ([], [], [])
