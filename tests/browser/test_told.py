"""What a viewer is told when what is open changes: a free beginning, a chain that is away, playback taken back."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Request, Route, expect

from tests.browser.chromium import open_tab
from tests.browser.stage import Stage
from tests.browser.test_sharing import sign_in
from tests.e2e.client import Api

pytestmark = pytest.mark.timeout(150)
FREE_S = 5
ON_SCREEN = """() => [...document.querySelectorAll("#notice-tree li")].map((item) => [
    item.className, item.querySelector(".unseen").textContent, item.querySelector(".mark").textContent])"""


@pytest_asyncio.fixture(loop_scope="session")
async def film(one_process: Stage) -> AsyncIterator[str]:
    """The gated video under a gate of several parts, with a free beginning; afterwards as it was."""
    rule: dict[str, Any] = {
        "all": [
            one_process.gate,
            {"any": [{"role": {"role": "moderator"}}, {"role": {"role": "admin"}}]},
            {"not": {"role": {"role": "admin"}}},
        ]
    }
    content_id = one_process.contents["gated"]
    await one_process.set_gate(content_id, {"version": 1, "gate": rule, "preview_s": FREE_S})
    yield content_id
    await one_process.set_gate(content_id, one_process.gate)


async def test_a_viewer_is_told_what_is_open_and_why_it_no_longer_is(one_process: Stage, film: str) -> None:
    async with open_tab(one_process.url, width_px=360, height_px=740) as tab, Api.connect(one_process.url) as owner:
        await owner.sign_in(one_process.creator)
        page, notice, remark = tab.page, tab.page.locator("#notice"), tab.page.locator("#remark")
        await tab.open(f"/?v={film}")
        await sign_in(page, "visitor's wallet")
        await expect(remark).to_have_text(f"The first {FREE_S} seconds are free to watch.")
        await tab.until("video.readyState > 2", what="the free beginning")
        await tab.value("() => { video.currentTime = video.duration - 0.5; }")
        await expect(notice).to_contain_text("The free beginning ends here")
        await expect(notice.get_by_role("list", name="What the gate asks for")).to_contain_text("All of these")
        lacks, holds = ["lacks", "not met: ", "✗"], ["holds", "met: ", "✓"]
        assert await tab.value(ON_SCREEN) == [lacks, lacks, lacks, lacks, lacks, holds]
        assert await tab.value("document.documentElement.scrollWidth <= innerWidth"), "it fits the screen"
        await expect(remark).to_be_hidden()

        await notice.get_by_role("button", name="Get a demo token").click()
        await expect(notice.locator(".tree .holds")).to_have_count(2)  # one more; the rest is still asked for
        assert await tab.value("video.readyState") == 0
        await one_process.set_gate(film, one_process.gate)
        await notice.get_by_role("button", name="Get a demo token").click()
        await tab.until("video.duration > 10 && video.currentTime > 3 && !video.paused", what="the rest, from there on")
        await expect(remark).to_be_hidden()

        await page.route("**/renew", with_grace)
        await expect(remark).to_contain_text("The chain cannot be read now. Playback goes on until 2 Jan 2030")
        await page.unroute("**/renew")
        await expect(remark).to_be_hidden()

        address = await page.locator("#account-name").get_attribute("title")
        taken = {"content_id": film, "address": address, "reason": "the licence has ended"}
        opened: list[str] = []
        page.on("request", lambda request: opened.append(request.url) if is_opening(request) else None)
        await owner.call("POST", "/api/v1/stream/revoke", json=taken)
        by_owner = "The person who shared this video has ended it."
        await expect(notice).to_contain_text(by_owner)
        assert (opened, await tab.value("video.readyState")) == ([], 0), "it does not go on by itself"

        async def end_again(route: Route) -> None:
            await owner.call("POST", "/api/v1/stream/revoke", json=taken)
            await route.continue_()

        await page.route("**/*.m4s", end_again, times=1)
        again = notice.get_by_role("button", name="Watch again")
        await again.click()
        await expect(notice).to_contain_text(by_owner)  # said by a segment now, and by a renewal before
        await again.click()
        await tab.until("video.played.length && video.played.start(0) > 3", what="the rest, from where it stopped")
        assert len(opened) == 2

        await owner.call("POST", "/api/v1/stream/revoke", json={**taken, "for_s": 600})
        await expect(notice).to_contain_text("Playback was taken back")
        await expect(notice).to_contain_text("The person who shared this video has taken it back.")
        await expect(notice).to_contain_text("“the licence has ended”")
        await expect(notice).to_contain_text("It can be watched again from ")
        assert await tab.value("video.readyState") == 0, "nothing plays on from what was buffered"
        assert (tab.faults, tab.foreign) == ([], [])


def is_opening(request: Request) -> bool:
    return request.method == "POST" and request.url.endswith("/api/v1/stream/session")


async def with_grace(route: Route) -> None:
    """The server's answer, as it is while the chain is away."""
    answer = await route.fetch()
    grace = {"until": "2030-01-02T03:04:05Z", "reason": "cannot be read now"}
    await route.fulfill(response=answer, json={**await answer.json(), "grace": grace})
