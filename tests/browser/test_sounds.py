"""Languages and 5.1: hls.js, the page and Shaka begin with the main sound in stereo, and change when they are told."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.async_api import expect

from tests.browser.chromium import open_tab
from tests.browser.stage import PUBLIC, Stage
from tests.browser.test_dash import PROBE as PROBE_DASH
from tests.browser.test_dash import SHAKA
from tests.browser.test_hls import PROBE as PROBE_HLS
from tests.e2e.client import Api
from tests.e2e.others import read_by_others
from tests.plugins.transcoder.corpus import Clip, make

pytestmark = pytest.mark.timeout(150)
SPOKEN = Clip(frames=300, audio_layout="5.1", audio_tracks=2, languages=["eng", "fre"])
FORMS = [("en", "2"), ("fr", "2"), ("en", "6"), ("fr", "6")]
PLAYED = "probe.seen.fragments.filter((part) => part.type === 'audio').length"


async def test_languages_and_forms_are_chosen_among(one_process: Stage, tmp_path: Path) -> None:
    path = tmp_path / "spoken.mp4"
    path.write_bytes(make(SPOKEN))
    content_id = await one_process.put("Spoken", PUBLIC, file=path, listed=False)
    session = await one_process.session(one_process.creator, content_id)
    async with Api.connect(one_process.url) as nobody:
        read = await read_by_others(nobody, session, tmp_path)
    assert len({count for name, count in read.samples.items() if name.startswith("a")}) == 1
    async with open_tab(one_process.url) as tab:
        await tab.open()
        await tab.value(
            PROBE_HLS, {"url": session["hls_url"], "config": {"maxBufferLength": 4, "maxMaxBufferLength": 4}}
        )
        await tab.until("probe.hls.audioTracks.length === 4", what="the sounds")
        tracks = await tab.value("probe.hls.audioTracks.map(({ lang, channels }) => [lang, channels])")
        assert [tuple(each) for each in tracks] == FORMS
        assert await tab.value("[probe.hls.audioTrack, probe.hls.levels.length]") == [0, 1]
        await tab.value("() => { probe.video.play(); }")
        await tab.until("probe.video.currentTime > 0.5", what="playing")
        for wanted in (1, 3, 2):
            before = await tab.value(PLAYED)
            await tab.value("(wanted) => { probe.hls.audioTrack = wanted; }", wanted)
            await tab.until(f"{PLAYED} > {before} && probe.hls.audioTrack === {wanted}", what=f"sound {wanted}")
            at_s = await tab.value("probe.video.currentTime")
            await tab.until(f"probe.video.currentTime > {at_s + 0.3}", what=f"going on with sound {wanted}")
        await tab.value("() => { probe.video.currentTime = probe.video.duration - 1; }")
        await tab.until("probe.seen.ended === 1", what="the end")
        assert (await tab.value("probe.report()"))["errors"] == []

        await tab.open(f"/?v={content_id}")
        choice = tab.page.locator("#sounds select")
        await expect(choice).to_be_visible()
        names = ["English – In eng", "French – In fre", "English – In eng (5.1)", "French – In fre (5.1)"]
        await expect(choice.locator("option")).to_have_text(names)
        await expect(choice.locator("option:checked")).to_have_text(names[0])
        await choice.select_option(label=names[1])
        await tab.until("!document.getElementById('video').paused", what="playing on")
        await expect(choice.locator("option:checked")).to_have_text(names[1])

        await tab.page.route("**/shaka.js", lambda route: route.fulfill(path=SHAKA, content_type="text/javascript"))
        await tab.page.add_script_tag(url=f"{tab.origin}/shaka.js")
        await tab.value(PROBE_DASH, {"url": session["dash_url"]})
        await tab.until("probe.seen.errors.length > 0 || probe.video.readyState === 4", what="the manifest")
        active = "probe.player.getVariantTracks().filter(({ active }) => active)"
        now = f"{active}.map(({{ language, channelsCount }}) => [language, channelsCount])"
        assert await tab.value(now) == [["en", 2]]
        french = "probe.player.getAudioTracks().find((it) => it.language === 'fr' && it.channelsCount === 6)"
        await tab.value(f"() => {{ probe.video.play(); probe.player.selectAudioTrack({french}); }}")
        await tab.until("probe.video.currentTime > 1", what="playing")
        assert await tab.value(now) == [["fr", 6]]
        await tab.value("() => { probe.video.currentTime = probe.video.duration - 1; }")
        await tab.until("probe.seen.ended === 1", what="the end")
        assert (await tab.value("probe.report()"))["errors"] == []
        assert (tab.faults, tab.refused, tab.foreign) == ([], [], [])
