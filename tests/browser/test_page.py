"""The page at `/`, as a person sees it."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import pytest
from playwright.async_api import Route, expect

from streamgate.contracts.pictures import MAX_MOVING_SIDE_PX
from tests.browser.chromium import Tab, open_tab
from tests.browser.stage import HOSTILE, PUBLIC, SMALL, SMALL_S, Stage
from tests.e2e.client import Api
from tests.e2e.pictures import check_pictures
from tests.e2e.wallet import Wallet

pytestmark = pytest.mark.timeout(150)
PLAYS = "video.currentTime > 1 && video.getVideoPlaybackQuality().totalVideoFrames > 10"


async def choose(tab: Tab, title: str) -> None:
    await tab.page.locator("#catalogue a").filter(has_text=title).click()


async def test_what_is_public_is_listed_and_plays_at_a_click(one_process: Stage) -> None:
    async with open_tab(one_process.url) as tab:
        await tab.open()
        page = tab.page
        await expect(page.locator("#catalogue li")).to_have_count(4)
        card = page.locator("#catalogue a").filter(has_text="Colours and a tone")
        await expect(card).to_contain_text(f"0:{SMALL_S}")
        await expect(page.locator("#player")).to_be_hidden()
        await card.click()
        await expect(page.get_by_role("heading", name="Colours and a tone")).to_be_visible()
        await expect(page).to_have_title("Colours and a tone · StreamGate")
        await expect(card).to_have_attribute("aria-current", "page")
        await tab.until(PLAYS, what="playing")
        await tab.until(f"video.videoHeight === {SMALL.height_px}", what="the full height")
        assert await tab.value("video.currentSrc.startsWith('blob:')"), "hls.js plays it"
        await expect(page.locator("#notice")).to_be_hidden()

        await page.go_back()
        await expect(page.locator("#player")).to_be_hidden()
        await tab.until("video.paused || video.readyState === 0", what="silence")
        await page.go_forward()
        await tab.until(PLAYS, what="playing again")
        await page.reload()
        await tab.until(PLAYS, what="playing after a reload")
        assert (tab.faults, tab.refused, tab.foreign) == ([], [], [])


async def test_a_gate_says_in_words_what_opens_it(one_process: Stage) -> None:
    rule = f"holds a token of {one_process.chain['contract']} on {one_process.chain['chain']}."
    gated = one_process.contents["gated"]
    async with open_tab(one_process.url) as tab:
        notice = tab.page.locator("#notice")
        await tab.open()
        await choose(tab, "For holders")
        await expect(notice).to_contain_text("For token holders")
        await expect(notice).to_contain_text(f"Sign in with a wallet that {rule}")
        assert tab.refused == [(401, "/api/v1/stream/session")]

        async with Api.connect(one_process.url) as api:  # a proxy may sign people in
            await api.sign_in(Wallet.new("stranger"))
            await tab.page.set_extra_http_headers({"Authorization": f"Bearer {api.token}"})
        await tab.open(f"/?v={gated}")
        await expect(notice).to_contain_text("The gate does not open")
        await expect(notice).to_contain_text(f"Needed: a wallet that {rule}")
        assert await tab.value("video.readyState") == 0
        assert (tab.faults, tab.foreign) == ([], [])


async def test_what_cannot_be_played_says_so(one_process: Stage) -> None:
    async with open_tab(one_process.url) as tab:
        await tab.open()
        notice = tab.page.locator("#notice")
        announced = tab.page.locator("#catalogue li").filter(has_text="onerror")
        await expect(announced).to_contain_text("Nothing uploaded yet")
        await announced.locator("a").click()
        await expect(notice).to_contain_text("Nothing uploaded yet")
        await choose(tab, "Damaged")
        await expect(notice).to_contain_text("Cannot be played")
        await tab.open("/?v=c_0000000000000000000000")
        await expect(notice).to_contain_text("No such video")
        assert (tab.faults, tab.foreign) == ([], [])


async def test_words_of_others_are_text(one_process: Stage) -> None:
    async with open_tab(one_process.url) as tab:
        await tab.open()
        card = tab.page.locator("#catalogue a").filter(has_text="onerror")
        await expect(card.locator("strong")).to_have_text(HOSTILE)
        await card.click()
        await expect(tab.page.locator("#player-title")).to_have_text(HOSTILE)
        await expect(tab.page.locator("#player-about")).to_have_text(HOSTILE)
        await expect(tab.page).to_have_title(f"{HOSTILE} · StreamGate")
        assert await tab.value("document.querySelectorAll('main img:not(.poster), main script').length") == 0
        assert (tab.faults, tab.foreign) == ([], [])


async def test_it_begins_by_itself_once_it_can_be_watched(one_process: Stage, small_clip: Path) -> None:
    """Whoever waits on the page sees the upload come to life, and is told when the owner puts a gate on it."""
    content_id = await one_process.put("Soon", PUBLIC, listed=False)
    async with open_tab(one_process.url) as tab, Api.connect(one_process.url) as api:
        await tab.open(f"/?v={content_id}")
        notice = tab.page.locator("#notice")
        await expect(notice).to_contain_text("Nothing uploaded yet")
        await api.sign_in(one_process.creator)
        await one_process.upload(api, content_id, small_clip)
        await tab.until(PLAYS, what="playing", timeout_s=60)
        await expect(notice).to_be_hidden()

        await one_process.set_gate(content_id, one_process.gate)
        await expect(notice).to_contain_text("For token holders")
        assert await tab.value("video.readyState") == 0, "nothing is kept to play on from"
        assert (tab.faults, tab.foreign) == ([], [])


async def test_a_long_list_is_shown_piece_by_piece(one_process: Stage) -> None:
    async def ask_for_fewer(route: Route) -> None:
        await route.continue_(url=route.request.url.replace("limit=24", "limit=3"))

    async with open_tab(one_process.url) as tab:
        await tab.page.route("**/api/v1/content?*", ask_for_fewer)
        await tab.open()
        cards, more = tab.page.locator("#catalogue li"), tab.page.get_by_role("button", name="Show more")
        await expect(cards).to_have_count(3)
        await more.click()
        await expect(cards).to_have_count(4)
        await expect(more).to_be_hidden()
        assert len(set(await cards.locator("a").evaluate_all("links => links.map((link) => link.href)"))) == 4
        assert (tab.faults, tab.refused) == ([], [])


@pytest.mark.parametrize("colours", ["light", "dark"])
@pytest.mark.parametrize("width_px", [1280, 360])
async def test_nothing_is_wider_than_the_window(
    one_process: Stage, width_px: int, colours: Literal["light", "dark"]
) -> None:
    too_wide = """() => [...document.querySelectorAll("body *")]
        .filter((e) => e.getBoundingClientRect().right > innerWidth + 0.5 || e.scrollWidth > e.clientWidth + 1)
        .map((e) => e.outerHTML.slice(0, 80))"""
    async with open_tab(one_process.url, width_px=width_px, colours=colours) as tab:
        for path in ("/", *(f"/?v={content_id}" for content_id in one_process.contents.values())):
            await tab.open(path)
            await expect(tab.page.locator("#catalogue li")).to_have_count(4)
            if path != "/":
                await tab.until("video.readyState >= 3 || !document.getElementById('notice').hidden", what=path)
            assert await tab.value("document.documentElement.scrollWidth - innerWidth") <= 0, path
            assert await tab.value(too_wide) == [], path
        assert tab.faults == []


async def test_a_card_has_its_poster_and_the_seek_bar_shows_what_is_where(one_process: Stage) -> None:
    content_id = one_process.contents["public"]
    async with open_tab(one_process.url) as tab, Api.connect(one_process.url) as api:
        await check_pictures(api, one_process.url, content_id)
        await tab.open()
        card = tab.page.locator("#catalogue a").filter(has_text="Colours and a tone")
        poster = card.locator("img.poster")
        await expect(poster).to_have_js_property("naturalWidth", SMALL.width_px)
        await tab.page.emulate_media(reduced_motion="reduce")
        await card.hover()
        await tab.value("new Promise((resolve) => setTimeout(resolve, 300))")  # what the page waited for is over
        still = f"/api/v1/stream/poster/{content_id}.jpg"
        assert await poster.get_attribute("src") == still, "somebody wants nothing to move"
        await tab.page.locator("#catalogue-title").hover()
        await tab.page.emulate_media(reduced_motion="no-preference")
        await card.hover()
        await expect(poster).to_have_attribute("src", f"/api/v1/stream/poster/{content_id}.webp")
        await expect(poster).to_have_js_property("naturalWidth", MAX_MOVING_SIDE_PX)
        await tab.page.locator("#catalogue-title").hover()
        await expect(poster).to_have_attribute("src", still)
        await tab.page.keyboard.press("Tab")
        await card.focus()
        await expect(poster).to_have_attribute("src", f"/api/v1/stream/poster/{content_id}.webp")
        await card.click()
        await tab.until(PLAYS, what="playing")
        bar, peek = tab.page.locator("#seeking input"), tab.page.locator("#seeking .peek")
        await bar.hover()
        await expect(peek).to_be_visible()
        assert "/storyboard/0.jpg" in await peek.evaluate("each => getComputedStyle(each).backgroundImage")
        box = await peek.bounding_box()
        assert box is not None
        assert (box["width"], box["height"]) == (160, 90)
        await tab.page.locator("#player-title").hover()
        await expect(peek).to_be_hidden()
        await bar.fill("3")
        await tab.until("Math.abs(video.currentTime - 3) < 1.5", what="where the bar says")
        assert (tab.faults, tab.refused, tab.foreign) == ([], [], [])
