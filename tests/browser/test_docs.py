"""`/docs`: the whole API to read and to try, in one process and split, wide and narrow."""

from __future__ import annotations

import pytest
from playwright.async_api import expect

from tests.browser.chromium import Tab, open_tab
from tests.browser.stage import Stage

pytestmark = pytest.mark.timeout(150)

NINE = {"content", "upload", "transcode", "stream", "metadata", "cache", "auth", "jobs", "monitor"}


async def read_and_try(origin: str, *, width_px: int) -> None:
    async with open_tab(origin, width_px=width_px) as tab:
        await tab.open("/docs")
        page = tab.page
        await expect(page.locator("#tags a").first).to_be_visible()
        shown = {text.split(" (")[0] for text in await page.locator("#tags a").all_inner_texts()}
        assert shown >= NINE, NINE - shown

        await page.locator("#find").fill("post /api/v1/content")
        create = page.locator("details.operation:visible").filter(has_text="/api/v1/content").first
        await expect(create.locator(".policy")).to_have_text("creator")
        await create.locator("summary").click()
        await expect(create).to_contain_text("Idempotency-Key")
        await expect(create).to_contain_text("request.too_many")
        await expect(create).to_contain_text('"title"')
        assert await create.get_by_role("button").count() == 0, "what changes something is not tried by a click"

        await page.locator("#find").fill("get /health")
        health = page.locator("details.operation:visible").first
        await health.locator("summary").click()
        await health.get_by_role("button", name="Send").click()
        await expect(health.locator("pre[aria-live]")).to_contain_text('"status": "ok"')
        assert await tab.value("document.documentElement.scrollWidth <= innerWidth"), await overflow(tab)
        assert (tab.faults, tab.refused, tab.foreign) == ([], [], [])


async def overflow(tab: Tab) -> str:
    """What sticks out, for people."""
    expression = "[...document.querySelectorAll('*')].filter((e) => e.getBoundingClientRect().right > innerWidth)"
    return str(await tab.value(f"{expression}.map((e) => e.tagName + '.' + e.className).slice(0, 9).join(' ')"))


@pytest.mark.parametrize("width_px", [1280, 360])
async def test_the_api_is_read_and_tried(one_process: Stage, width_px: int) -> None:
    await read_and_try(one_process.url, width_px=width_px)


async def test_a_gateway_shows_every_service(many_processes: Stage) -> None:
    await read_and_try(many_processes.url, width_px=1280)
