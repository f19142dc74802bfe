"""Captions and chapters on the page and in Shaka: listed, chosen, remembered, and shown when they are said."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import expect

from tests.browser.chromium import Tab, open_tab
from tests.browser.stage import SMALL_S, Stage
from tests.e2e.client import Api
from tests.e2e.pictures import check_pictures

pytestmark = pytest.mark.timeout(150)
HERE = Path(__file__).parent
PACKAGES = HERE / "node_modules"
SHAKA = PACKAGES / "shaka-player" / "dist" / "shaka-player.compiled.js"
DASH_JS = PACKAGES / "dashjs" / "dist" / "modern" / "umd" / "dash.all.min.js"

SAID = {
    "en": "1\n00:00:01,000 --> 00:00:05,500\nEarly & <i>over</i> a seam\n\n2\n00:00:08,000 --> 00:00:11,500\nLate\n",
    "de": "WEBVTT\n\n00:01.000 --> 00:05.500\nFrüh\n\n00:08.000 --> 00:11.500\nSpät\n",
}
WORDS = """() => Array.from(document.getElementById("video").textTracks).filter((track) => track.mode === "showing")
    .flatMap((track) => Array.from(track.activeCues ?? [], (cue) => cue.text))"""


@asynccontextmanager
async def said(stage: Stage, content_id: str) -> AsyncIterator[Api]:
    """The shared video with captions and chapters, as long as this test needs them."""
    paths = {f"/api/v1/stream/captions/{content_id}/{language}": text for language, text in SAID.items()}
    chapters = f"/api/v1/stream/chapters/{content_id}"
    parts = "WEBVTT\n\n00:00.000 --> 00:06.000\nA\n\n00:06.000 --> 00:12.000\nB & C\n"
    async with Api.connect(stage.url) as api:
        await api.sign_in(stage.creator)
        for path, text in (*paths.items(), (f"{chapters}.vtt", parts)):
            given = await api.send("PUT", path, content=text.encode())
            assert given.status_code == 200, given.text
        try:
            yield api
        finally:
            for path in (*paths, chapters):
                await api.send("DELETE", path)


async def shows(tab: Tab, at_s: float, words: list[str], script: str = WORDS, video: str = "video") -> None:
    """Paused at a time, exactly these words stand on the picture."""
    await tab.value(f"() => {{ {video}.pause(); {video}.currentTime = {at_s}; }}")
    wanted = json.dumps("|".join(words))
    await tab.until(f"({script})().join('|') === {wanted}", what=f"{words} at {at_s} s")


async def test_the_page_lists_them_and_remembers_what_was_chosen(one_process: Stage) -> None:
    content_id = one_process.contents["public"]
    async with said(one_process, content_id), open_tab(one_process.url) as tab:
        await tab.open(f"/?v={content_id}")
        select = tab.page.locator("#captions select")
        await expect(select.locator("option")).to_have_text(["Off", "Deutsch", "English"])
        await expect(select).to_have_value("off")
        await tab.until("video.textTracks.length === 2 && video.readyState >= 3", what="the tracks of hls.js")
        await shows(tab, 3, [])
        await select.select_option(label="English")
        await shows(tab, 3, ["Early &amp; <i>over</i> a seam"])
        await shows(tab, 5, ["Early &amp; <i>over</i> a seam"])
        await shows(tab, 7, [])
        await shows(tab, 9, ["Late"])
        await tab.page.locator("#player-title").click()
        await tab.page.keyboard.press("c")
        await shows(tab, 9, [])
        await select.select_option(label="Deutsch")
        await tab.page.reload()
        await expect(select).to_have_value("de/subtitles")
        await tab.until("video.textTracks.length === 2 && video.readyState >= 3", what="the tracks after a reload")
        await shows(tab, 9, ["Spät"])

        bar, peek = tab.page.locator("#seeking input"), tab.page.locator("#seeking .peek")
        await expect(tab.page.locator("#seeking .marks span")).to_have_count(1)
        box = await bar.bounding_box()
        assert box is not None
        await bar.hover(position={"x": box["width"] * 0.75, "y": box["height"] / 2})
        await expect(peek).to_contain_text("B & C")
        assert (tab.faults, tab.refused, tab.foreign) == ([], [], [])


PLAYERS = {
    "shaka by HLS": ("hls_url", "probe_captions.js", SHAKA),
    "shaka by DASH": ("dash_url", "probe_captions.js", SHAKA),
    "dash.js": ("dash_url", "probe_captions_dashjs.js", DASH_JS),
}


async def play(tab: Tab, player: str, session: dict[str, Any]) -> dict[str, Any]:
    """What the player says once it has loaded the stream, with German captions."""
    address, probe, script = PLAYERS[player]
    await tab.page.route("**/player.js", lambda route: route.fulfill(path=script, content_type="text/javascript"))
    await tab.open()
    await tab.page.add_script_tag(url=f"{tab.origin}/player.js")
    await tab.value((HERE / probe).read_text(encoding="utf-8"), {"url": session[address], "language": "de"})
    await tab.until("probe.seen.errors.length > 0 || probe.video.readyState === 4", what="the stream")
    report: dict[str, Any] = await tab.value("probe.report()")
    assert report["errors"] == []
    assert sorted(each["language"] for each in report["tracks"]) == ["de", "en"]
    return report


@pytest.mark.parametrize("player", PLAYERS)
async def test_other_players_show_them_when_they_are_said(one_process: Stage, player: str) -> None:
    content_id = one_process.contents["public"]
    async with said(one_process, content_id) as api, open_tab(one_process.url) as tab:
        await check_pictures(api, one_process.url, content_id)
        report = await play(tab, player, await one_process.session(one_process.creator, content_id))
        assert len(report["images"]) == 1
        picture = await tab.value(f"probe.pictureAt({SMALL_S - 1})")
        assert picture["uri"].endswith("/storyboard/0.jpg")
        assert (picture["width"], picture["height"]) == (160, 90)
        for at_s, words in ((3, ["Früh"]), (5, ["Früh"]), (7, []), (9, ["Spät"])):
            await shows(tab, at_s, words, "probe.words", "probe.video")
        assert (tab.faults, tab.refused, tab.foreign) == ([], [], [])


@pytest.mark.parametrize("player", PLAYERS)
async def test_of_an_encrypted_video_too(one_process: Stage, player: str) -> None:
    """DASH has a Period for each key, and a file of captions for each Period."""
    content_id = one_process.contents["gated"]
    await one_process.protect(content_id, "encrypted")
    try:
        async with said(one_process, content_id), open_tab(one_process.url) as tab:
            held = await one_process.new_holder()
            await play(tab, player, await one_process.session(held.wallet, content_id))
            for at_s, words in ((3, ["Früh"]), (9, ["Spät"]), (5, ["Früh"]), (7, [])):
                await shows(tab, at_s, words, "probe.words", "probe.video")
            assert (tab.faults, tab.foreign) == ([], [])
    finally:
        await one_process.protect(content_id, "none")
