"""The page at `/`, as a person sees it."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.async_api import Page, expect

from streamgate.testing.wait import eventually
from tests.e2e.client import Api
from tests.e2e.wallet import Wallet

pytestmark = pytest.mark.timeout(120)


async def played(page: Page) -> dict[str, Any]:
    """What the video element has done so far."""
    found: dict[str, Any] = await page.evaluate(
        """() => {
            const video = document.getElementById("video");
            const quality = video.getVideoPlaybackQuality();
            return { time_s: video.currentTime, frames: quality.totalVideoFrames, source: video.currentSrc,
                     ready: video.readyState,
                     buffered_s: video.buffered.length ? video.buffered.end(0) - video.currentTime : 0 };
        }"""
    )
    return found


async def playing(page: Page, until_s: float) -> dict[str, Any]:
    """What it has done once it has played so far. The page's policy allows no waiting by an expression."""

    async def look() -> dict[str, Any] | None:
        state = await played(page)
        return state if state["time_s"] > until_s else None

    return await eventually(look, timeout_s=20, what=f"{until_s} s of playing")


async def test_what_is_public_is_listed_and_plays(site: Any, browser_page: Any) -> None:
    page: Page = browser_page.page
    await page.goto(site.url)
    await expect(page.get_by_text("StreamGate").first).to_be_visible()
    await expect(page.locator("#catalogue li")).to_have_count(2)
    card = page.get_by_role("link", name="Open to <b>all</b>")  # as text: a title is no markup
    await expect(card).to_contain_text("0:20")
    await card.click()
    await expect(page.get_by_role("heading", name="Open to <b>all</b>")).to_be_visible()
    state = await playing(page, 2.0)
    assert state["frames"] > 20, state
    assert state["source"].startswith("blob:"), "hls.js plays it"
    await page.go_back()
    await expect(page.locator("#player")).to_be_hidden()


async def test_who_is_not_signed_in_is_told_of_the_gate(site: Any, browser_page: Any) -> None:
    browser_page.allow("the server responded with a status of 401")
    page: Page = browser_page.page
    await page.goto(f"{site.url}/?v={site.gated_id}")
    await expect(page.locator("#notice")).to_contain_text("token holders")
    assert (await played(page))["frames"] == 0


async def test_a_gate_says_in_words_what_opens_it(site: Any, browser_page: Any) -> None:
    browser_page.allow("the server responded with a status of 403")
    page: Page = browser_page.page
    async with Api.connect(site.url) as api:
        await api.sign_in(Wallet.new("stranger"))
        await page.set_extra_http_headers({"Authorization": f"Bearer {api.token}"})
    await page.goto(f"{site.url}/?v={site.gated_id}")
    await expect(page.locator("#notice")).to_contain_text("The gate does not open")
    await expect(page.locator("#notice")).to_contain_text(site.rule_text)
    assert (await played(page))["frames"] == 0


async def test_an_address_of_nothing_says_so(site: Any, browser_page: Any) -> None:
    browser_page.allow("the server responded with a status of 404")
    page: Page = browser_page.page
    await page.goto(f"{site.url}/?v=c_0000000000000000000000")
    await expect(page.locator("#notice")).to_contain_text("No such video")


async def test_the_picture_ends_with_the_session(site: Any, browser_page: Any) -> None:
    """The owner takes the gate away: private again, and whoever watches is told within the lease."""
    for status in (401, 403, 404, 410):
        browser_page.allow(f"the server responded with a status of {status}")
    page: Page = browser_page.page
    await page.goto(f"{site.url}/?v={site.open_id}")
    await playing(page, 1.0)
    async with Api.connect(site.url) as api:
        await api.sign_in(site.creator)
        gate = f"/api/v1/content/{site.open_id}/gate"
        await api.call("DELETE", gate)
        try:
            await expect(page.locator("#notice")).to_be_visible(timeout=15_000)
            state = await played(page)
            assert (state["ready"], state["buffered_s"]) == (0, 0), "nothing is kept to play on from"
        finally:
            await api.call("PUT", gate, json={"public": {}})
