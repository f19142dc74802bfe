"""A real Chromium with one tab, which remembers what it said: a failure shows it."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Literal
from urllib.parse import urlsplit

import attrs
from playwright.async_api import Browser, BrowserType, ConsoleMessage, Page, Request, Response, async_playwright, expect
from playwright.async_api import Error as PlaywrightError

from streamgate.testing.wait import eventually

NAMES = ("chromium", "chromium-browser", "google-chrome")
FLAGS = (
    "--no-sandbox",  # it runs as root in containers
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--autoplay-policy=no-user-gesture-required",
)
PATIENCE_S = 30.0
expect.set_options(timeout=PATIENCE_S * 1000)

# A violation is an event of the page; the console has it as well, but in words that change.
REPORT_VIOLATIONS = """
document.addEventListener("securitypolicyviolation",
    (event) => console.error(`policy violated: ${event.violatedDirective} by ${event.blockedURI || event.sample}`));
"""


class NoChromium(Exception):
    """There is none on this machine; `make test-browser` installs one."""


@attrs.define(slots=False)  # playwright keeps what it wraps on the object
class Tab:
    """A tab. `faults`: errors of scripts and of the console, and violations of the page's policy. `refused`:
    answers from 400 on, as `(status, path)`. `foreign`: requests to any other origin than the server's."""

    page: Page
    origin: str
    lines: list[str] = attrs.field(factory=list)
    faults: list[str] = attrs.field(factory=list)
    refused: list[tuple[int, str]] = attrs.field(factory=list)
    foreign: list[str] = attrs.field(factory=list)

    async def open(self, path: str = "/") -> None:
        await self.page.goto(self.origin + path, wait_until="load")

    async def until(self, condition: str, *, timeout_s: float = PATIENCE_S, what: str = "") -> None:
        """Asks for a JavaScript expression until it is true. (Playwright's own waiting needs `eval`, which the
        page's policy forbids.)

        Raises:
            TimeoutError: it was not in time.
        """

        async def holds() -> bool | None:
            return True if await self.page.evaluate(condition) else None

        await eventually(holds, timeout_s=timeout_s, what=what or condition)

    async def value(self, expression: str, argument: Any = None) -> Any:
        return await self.page.evaluate(expression, argument)

    # --- listening ----------------------------------------------------------------------------

    def hear(self) -> None:
        self.page.on("console", self._on_console)
        self.page.on("pageerror", lambda error: self._fault(f"uncaught: {error}"))
        self.page.on("crash", lambda _: self._fault("the tab crashed"))
        self.page.on("request", self._on_request)
        self.page.on("response", self._on_response)

    def _on_console(self, message: ConsoleMessage) -> None:
        said = f"{message.type}: {message.text}"
        # What the browser says of an answer from 400 on is in `refused`, and is no fault of the page.
        if message.type == "error" and not message.text.startswith("Failed to load resource"):
            self._fault(said)
        else:
            self.lines.append(said)

    def _fault(self, text: str) -> None:
        self.faults.append(text)
        self.lines.append(text)

    def _on_request(self, request: Request) -> None:
        if not request.url.startswith((self.origin, "blob:", "data:")):
            self.foreign.append(request.url)

    def _on_response(self, response: Response) -> None:
        path = urlsplit(response.url).path
        self.lines.append(f"{response.status} {response.request.method} {path}")
        if response.status >= 400:
            self.refused.append((response.status, path))

    async def story(self) -> str:
        """What happened in the tab, for people."""
        try:
            probe = await self.page.evaluate("() => window.probe ? JSON.stringify(window.probe.report()) : 'none'")
        except PlaywrightError as fault:
            probe = fault.message
        return "\n".join(["--- the tab", *self.lines[-60:], f"player: {probe}"])


def find_chromium() -> str:
    found = next((path for name in NAMES if (path := shutil.which(name))), None)
    if found is None:
        raise NoChromium("no Chromium on PATH: run `make test-browser`")
    return found


async def launched(kind: BrowserType) -> Browser:
    return await kind.launch(executable_path=find_chromium(), args=list(FLAGS))


_shared: list[Browser] = []


@asynccontextmanager
async def a_browser() -> AsyncIterator[Browser]:
    """The one that is shared, or one of one's own."""
    if _shared:
        if not _shared[0].is_connected():  # it crashed: that is one test's fault, and not that of all after it
            _shared[0] = await launched(_shared[0].browser_type)
        yield _shared[0]
        return
    async with async_playwright() as playwright:
        browser = await launched(playwright.chromium)
        try:
            yield browser
        finally:
            await browser.close()


@asynccontextmanager
async def shared_browser() -> AsyncIterator[None]:
    """One browser for all tabs inside the block, on this event loop: to start one takes a second of a core."""
    async with a_browser() as browser:
        _shared.append(browser)
        try:
            yield
        finally:
            await _shared.pop().close()


@asynccontextmanager
async def open_tab(
    origin: str, *, width_px: int = 1280, height_px: int = 800, colours: Literal["light", "dark"] = "light"
) -> AsyncIterator[Tab]:
    """A tab with an empty profile. A fault inside the block carries the tab's story as a note."""
    async with a_browser() as browser:
        context = await browser.new_context(
            viewport={"width": width_px, "height": height_px}, color_scheme=colours, locale="en-GB"
        )
        try:
            await context.add_init_script(REPORT_VIOLATIONS)
            tab = Tab(await context.new_page(), origin)
            tab.hear()
            try:
                yield tab
            except Exception as fault:
                fault.add_note(await tab.story())
                raise
        finally:
            await context.close()
