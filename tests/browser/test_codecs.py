"""Chromium plays AV1 beside H.264: hls.js and Shaka, from the same segments' times."""

from __future__ import annotations

from pathlib import Path

import pytest

from streamgate.testing.wait import eventually
from tests.browser.chromium import open_tab
from tests.browser.stage import PUBLIC, Stage
from tests.browser.test_dash import PROBE as PROBE_DASH
from tests.browser.test_dash import SHAKA
from tests.browser.test_hls import PROBE as PROBE_HLS
from tests.e2e.client import Api
from tests.e2e.others import read_by_others
from tests.plugins.transcoder.corpus import Clip, make

pytestmark = pytest.mark.timeout(150)


async def test_av1_is_played_beside_h264(one_process: Stage, tmp_path: Path) -> None:
    path = tmp_path / "both.mp4"
    path.write_bytes(make(Clip(frames=250, size=(128, 72))))
    content_id = await one_process.put("Both", PUBLIC, file=path, listed=False)
    async with Api.connect(one_process.url) as api:
        await api.sign_in(one_process.creator)
        asked = {"content_id": content_id, "profile": "efficient"}
        await api.call("POST", "/api/v1/transcode/submit", json=asked)

        async def is_made() -> bool | None:
            info = await api.call("GET", "/api/v1/stream/info", params={"content_id": content_id})
            made = {each["name"]: each["status"] for each in info["renditions"]}
            return True if made.get("72p AV1") == "ready" and info["state"] == "ready" else None

        await eventually(is_made, timeout_s=60, what="AV1")
    session = await one_process.session(one_process.creator, content_id)
    async with Api.connect(one_process.url) as nobody:
        read = await read_by_others(nobody, session, tmp_path)
    assert len({count for name, count in read.samples.items() if name.startswith("v")}) == 1
    async with open_tab(one_process.url) as tab:
        await tab.open()
        await tab.value(PROBE_HLS, {"url": session["hls_url"], "config": {}})
        await tab.until("probe.hls.levels.length === 2", what="the levels")
        codecs = await tab.value("probe.hls.levels.map(({ codecSet }) => codecSet)")
        assert sorted(codecs) == ["av01,mp4a", "avc1,mp4a"]
        await tab.value("(level) => { probe.hls.loadLevel = level; probe.video.play(); }", codecs.index("av01,mp4a"))
        await tab.until("probe.isWhole()", what="all of AV1")
        await tab.value("() => { probe.video.currentTime = probe.video.duration - 1; }")
        await tab.until("probe.seen.ended === 1", what="the end")
        report = await tab.value("probe.report()")
        assert (report["errors"], report["height_px"]) == ([], 72)
        levels = {part["level"] for part in report["fragments"] if part["type"] == "main"}
        assert codecs.index("av01,mp4a") in levels

        await tab.page.route("**/shaka.js", lambda route: route.fulfill(path=SHAKA, content_type="text/javascript"))
        await tab.page.add_script_tag(url=f"{tab.origin}/shaka.js")
        await tab.value(PROBE_DASH, {"url": session["dash_url"]})
        await tab.until("probe.seen.errors.length > 0 || probe.video.readyState === 4", what="the manifest")
        offered = await tab.value("probe.player.getVariantTracks().map(({ videoCodec }) => videoCodec)")
        assert offered == ["av01.0.00M.08"], "Shaka keeps the codec that needs least"
        await tab.value("() => { probe.video.play(); }")
        await tab.value("() => { probe.video.currentTime = probe.video.duration - 1; }")
        await tab.until("probe.seen.ended === 1", what="the end")
        last = await tab.value("probe.report()")
        assert (last["errors"], last["height_px"]) == ([], 72)
        assert (tab.faults, tab.refused, tab.foreign) == ([], [], [])
