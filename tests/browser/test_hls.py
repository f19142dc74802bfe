"""hls.js, as the page serves it, plays what holders get."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.browser.chromium import Tab, open_tab
from tests.browser.stage import CLIP_S, LADDER_PX, LEASE_S, Stage

pytestmark = pytest.mark.timeout(150)
PROBE = (Path(__file__).parent / "probe_hls.js").read_text(encoding="utf-8")


@pytest.fixture(params=["one_process", "many_processes"])
def stage(request: pytest.FixtureRequest) -> Stage:
    found: Stage = request.getfixturevalue(request.param)
    return found


async def play(tab: Tab, url: str, **config: object) -> None:
    """Loads hls.js with the page, and the stream into it; nothing plays yet."""
    await tab.open()
    await tab.value(PROBE, {"url": url, "config": config})
    await tab.until("probe.seen.parsed === 1", what="the multivariant playlist")


async def test_a_holder_watches_seeks_switches_and_reaches_the_end(stage: Stage) -> None:
    held = await stage.new_holder()
    session = await stage.session(held.wallet, stage.contents["gated"])
    async with open_tab(stage.url) as tab:
        await play(tab, session["hls_url"], startLevel=0)
        first = await tab.value("probe.report()")
        assert [level["height"] for level in first["levels"]] == list(LADDER_PX)
        assert [level["codecSet"] for level in first["levels"]] == ["avc1,mp4a"] * len(LADDER_PX)

        await tab.value("() => { probe.hls.loadLevel = 0; probe.video.play(); }")
        await tab.until("probe.seen.playing > 0 && probe.video.currentTime > 1", what="playing")
        await tab.until("probe.isWhole()", what="all of the lowest level")
        before = await tab.value("probe.report()")
        assert before["height_px"] == LADDER_PX[0]

        await tab.value("(top) => { probe.hls.nextLevel = top; }", len(LADDER_PX) - 1)
        await tab.until(f"probe.video.videoHeight === {LADDER_PX[-1]}", what="the highest level")
        await tab.until(f"probe.seen.switched.at(-1) === {len(LADDER_PX) - 1}", what="hls.js to note it")
        after = await tab.value("probe.report()")
        assert after["waiting"] == before["waiting"], "it stalled while the level changed"
        assert after["time_s"] > before["time_s"]
        await tab.until("probe.isWhole()", what="all of the highest level")

        await tab.value("() => { probe.video.currentTime = probe.video.duration - 2; }")
        await tab.until("probe.seen.ended === 1", what="the end")
        last = await tab.value("probe.report()")
        assert last["duration_s"] == pytest.approx(CLIP_S, abs=0.05)
        assert len(last["ranges"]) == 1
        assert last["ranges"][0][0] == 0
        assert last["frames"] > before["frames"] > 20
        assert last["audio_bytes"] > 10_000
        assert last["errors"] == []
        assert (tab.faults, tab.refused, tab.foreign) == ([], [], [])


async def test_every_level_is_one_piece(one_process: Stage) -> None:
    """No gap between segments, whatever level they are of."""
    held = await one_process.new_holder()
    session = await one_process.session(held.wallet, one_process.contents["gated"])
    async with open_tab(one_process.url) as tab:
        for level, height_px in enumerate(LADDER_PX):
            await play(tab, session["hls_url"], startLevel=level)
            await tab.value("(level) => { probe.hls.loadLevel = level; }", level)
            await tab.until("probe.isWhole() && probe.video.readyState === 4", what=f"all of level {level}")
            report = await tab.value("probe.report()")
            assert (report["height_px"], report["errors"]) == (height_px, []), report
            assert report["ranges"][0] == pytest.approx([0, CLIP_S], abs=0.05)
            assert {part["level"] for part in report["fragments"] if part["type"] == "main"} == {level}


async def test_a_sold_token_stops_the_player_within_the_lease(one_process: Stage) -> None:
    held = await one_process.new_holder()
    session = await one_process.session(held.wallet, one_process.contents["gated"])
    async with open_tab(one_process.url) as tab:
        # It fetches the next segment four seconds ahead, as a player of a long film would.
        await play(tab, session["hls_url"], maxBufferLength=4, maxMaxBufferLength=4, startLevel=0)
        await tab.value("() => { probe.video.play(); }")
        await tab.until("probe.seen.playing > 0", what="playing")
        await one_process.take_away(held)
        gone_ms = time.time() * 1000

        await tab.until("probe.seen.errors.some((error) => error.status >= 400)", what="the refusal")
        await tab.until("probe.video.paused || probe.video.readyState < 3", what="the end of what was loaded")
        report = await tab.value("probe.report()")
        failed = [error for error in report["errors"] if error["type"] == "networkError"]
        refusals = [error["status"] for error in failed if error["details"] != "aborted"]  # by the player itself
        assert set(refusals) <= {403, 410}, refusals
        late_ms = max(part["at_ms"] for part in report["fragments"]) - gone_ms
        assert late_ms < (LEASE_S + 1) * 1000, f"a segment was given {late_ms:.0f} ms after the token had gone"
        assert report["ranges"][-1][1] < CLIP_S - 1, "all of it had been loaded already"
        assert {status for status, _ in tab.refused} <= {403, 410}
        assert all(path.startswith("/api/v1/stream/s/") for _, path in tab.refused)
