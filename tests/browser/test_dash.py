"""Shaka Player plays the DASH manifest of the same segments."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.browser.chromium import open_tab
from tests.browser.stage import CLIP_S, LADDER_PX, Stage

pytestmark = pytest.mark.timeout(150)
HERE = Path(__file__).parent
PROBE = (HERE / "probe_dash.js").read_text(encoding="utf-8")
SHAKA = HERE / "node_modules" / "shaka-player" / "dist" / "shaka-player.dash.js"


async def test_shaka_plays_the_manifest(one_process: Stage) -> None:
    held = await one_process.new_holder()
    session = await one_process.session(held.wallet, one_process.contents["gated"])
    async with open_tab(one_process.url) as tab:
        # Not part of the server, so the test hands it to the browser under the page's origin.
        await tab.page.route("**/shaka.js", lambda route: route.fulfill(path=SHAKA, content_type="text/javascript"))
        await tab.open()
        await tab.page.add_script_tag(url=f"{tab.origin}/shaka.js")
        await tab.value(PROBE, {"url": session["dash_url"]})
        await tab.until("probe.seen.errors.length > 0 || probe.video.readyState === 4", what="the manifest")
        loaded = await tab.value("probe.report()")
        assert loaded["errors"] == []
        assert sorted(track["height"] for track in loaded["tracks"]) == list(LADDER_PX)
        assert all(track["audioCodec"].startswith("mp4a") for track in loaded["tracks"])

        await tab.value("() => { probe.video.play(); }")
        await tab.until("probe.video.currentTime > 2", what="playing")
        await tab.value(f"() => {{ probe.video.currentTime = {CLIP_S - 1.5}; }}")
        await tab.until("probe.seen.ended === 1", what="the end")
        last = await tab.value("probe.report()")
        assert last["duration_s"] == pytest.approx(CLIP_S, abs=0.05)
        assert last["frames"] > 40
        assert last["audio_bytes"] > 10_000
        assert last["errors"] == []
        assert (tab.faults, tab.refused, tab.foreign) == ([], [], [])
