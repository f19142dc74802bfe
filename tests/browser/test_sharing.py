"""The whole story by the page alone, as told by somebody who has read nothing: sign in, share, get a token, watch."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from eth_account import Account
from eth_account.messages import encode_defunct
from playwright.async_api import FilePayload, Page, Route, expect

from streamgate.testing.stacks import all_in_one
from tests.browser.chromium import Tab, open_tab
from tests.browser.stage import ENVIRONMENT, Stage
from tests.e2e.pictures import png

pytestmark = pytest.mark.timeout(200)

PLAYS = "video.currentTime > 1 && video.getVideoPlaybackQuality().totalVideoFrames > 10"
HAS_POSTER = """fetch(`/api/v1/content/${new URLSearchParams(location.search).get("v")}`)
    .then((answer) => answer.json()).then((content) => Boolean(content.poster_url))"""
READY_MS = 120_000

# A wallet as an extension brings one: it announces itself, and asks elsewhere for the signature.
WALLET = """
const provider = {
    async request({ method, params }) {
        if (method === "eth_requestAccounts" || method === "eth_accounts") return [ADDRESS];
        if (method === "eth_chainId") return "0x1";
        if (method === "personal_sign") return window.signElsewhere(params[0]);
        throw Object.assign(new Error("unknown"), { code: 4200 });
    },
};
const icon = "data:image/svg+xml,<svg xmlns='http://www.w3.org/2000/svg'/>";
const info = { uuid: "6f0a6b0c-0000-4000-8000-000000000001", name: "Fox of the tests", icon, rdns: "tests.fox" };
const detail = { info, provider };
const tell = () => window.dispatchEvent(new CustomEvent("eip6963:announceProvider", { detail }));
window.addEventListener("eip6963:requestProvider", tell);
"""


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """`--all` as somebody finds it who has just started it."""
    with all_in_one(tmp_path_factory.mktemp("empty"), environment=ENVIRONMENT) as stack:
        stage = Stage(stack)
        asyncio.run(stage.prepare())
        yield stage


async def sign_in(page: Page, wallet: str = "Throw-away wallet") -> None:
    await page.get_by_role("button", name="Sign in", exact=True).click()
    await page.locator("#wallets-list button").filter(has_text=wallet).click()
    await expect(page.locator("#sign-out")).to_be_visible()


async def share(page: Page, file: Path, title: str, *, is_encrypted: bool = False) -> None:
    await page.locator("#file").set_input_files(file)
    await page.get_by_label("Title").fill(title)
    await page.get_by_label("Encrypt it").set_checked(is_encrypted)
    await page.get_by_role("button", name="Share", exact=True).click()


async def tell_the_story(stage: Stage, clip: Path, *, width_px: int) -> None:
    title = f"Premiere at {width_px}"
    async with open_tab(stage.url, width_px=width_px) as tab:
        page = tab.page
        await tab.open()
        await expect(page.locator("#share")).to_be_hidden()
        await sign_in(page)
        await page.route("**/transcode/status?*", lambda route: route.fulfill(status=503), times=2)  # it goes on
        await share(page, clip, title, is_encrypted=width_px < 1000)  # it plays alike
        await expect(page.locator("#sending-words")).to_have_text("Ready.", timeout=READY_MS)
        assert await tab.value("document.getElementById('sending-bar').value") == 1
        await expect(page.get_by_role("heading", name=title)).to_be_visible()  # it came on by itself
        await tab.until(PLAYS, what="the owner's own video")
        await expect(page.locator("#catalogue li").filter(has_text=title)).to_contain_text("yours")
        await expect(page.locator("#demo")).to_contain_text("This video is yours")
        await give_a_poster(tab)
        assert await tab.value("document.documentElement.scrollWidth <= window.innerWidth"), "it fits the screen"

        if width_px < 1000:
            await steer_the_making(tab)

        # The same person comes as somebody else, with the other wallet that the page offers.
        notice = page.locator("#notice")
        await page.get_by_role("button", name="Sign out").click()
        await expect(notice).to_contain_text("For token holders")
        await expect(notice).to_contain_text(stage.chain["contract"])
        await notice.get_by_role("button", name="Sign in with a wallet").click()
        await page.locator("#wallets-list button").filter(has_text="visitor's wallet").click()
        await expect(notice).to_contain_text("The gate does not open")
        assert await tab.value("document.documentElement.scrollWidth <= window.innerWidth"), "it fits the screen"
        await notice.get_by_role("button", name="Get a demo token").click()
        await tab.until(PLAYS, what="playing after the token came")
        await expect(notice).to_be_hidden()
        await give_away_and_claim_again(tab)
        assert (tab.faults, tab.foreign) == ([], [])


async def give_a_poster(tab: Tab) -> None:
    """A picture of one's own is looked at, used, and taken back."""
    page, dialog = tab.page, tab.page.locator("#poster-dialog")
    card = page.locator("#catalogue a[aria-current=page] img.poster")
    await tab.until(HAS_POSTER, what="the poster of the film")
    await page.reload()
    await expect(card).to_have_js_property("naturalWidth", 640)
    await page.get_by_role("button", name="Poster").click()
    await expect(dialog.locator("#poster-state")).to_have_text("This is the poster now.")
    file = FilePayload(name="own.png", mimeType="image/png", buffer=png(64, 48))
    await dialog.get_by_label("Another picture").set_input_files(file)
    await expect(dialog.locator("#poster-state")).to_contain_text("It is not used yet")
    await expect(dialog.locator("#poster-now")).to_have_js_property("naturalWidth", 64)
    assert await dialog.evaluate("(it) => it.getBoundingClientRect().right <= innerWidth"), "it fits the screen"
    await dialog.get_by_role("button", name="Use it").click()
    await expect(dialog.locator("#poster-state")).to_have_text("This is the poster now.")
    await expect(dialog.locator("#poster-now")).to_have_js_property("naturalWidth", 64)
    await dialog.get_by_role("button", name="Close").click()
    await expect(card).to_have_js_property("naturalWidth", 64)
    await page.get_by_role("button", name="Poster").click()
    torn = FilePayload(name="torn.png", mimeType="image/png", buffer=png(64, 48)[:60])
    await dialog.get_by_label("Another picture").set_input_files(torn)
    await dialog.get_by_role("button", name="Use it").click()
    await expect(dialog.get_by_role("alert")).to_contain_text("not used: the picture cannot be decoded")
    await dialog.get_by_role("button", name="Take one of the film").click()
    await expect(dialog.locator("#poster-now[src]:not([hidden])")).not_to_have_js_property("naturalWidth", 64)
    await dialog.get_by_role("button", name="Close").click()
    await expect(dialog).to_be_hidden()
    await expect(card).to_be_visible()
    await expect(card).not_to_have_js_property("naturalWidth", 64)


async def steer_the_making(tab: Tab) -> None:
    """By the keyboard alone: an owner pauses, goes on, and tries again what could not be made. The transcoder's part is
    played here: what it really answers is tried elsewhere."""
    asked: list[tuple[str, object]] = []
    rendition = {"id": "v720", "name": "720p", "kind": "video", "status": "failed"}
    task = {"task_id": "t_1", "status": "running", "progress": 0.4, "eta_s": 300, "renditions": [rendition]}

    async def answer(route: Route) -> None:
        if route.request.method == "POST":
            verb = route.request.url.rsplit("/", 1)[1]
            asked.append((verb, route.request.post_data_json))
            task["status"] = {"pause": "paused", "resume": "running", "retry": "done"}[verb]
            rendition["status"] = "ready" if verb == "retry" else "failed"
        await route.fulfill(json=task)

    page, making = tab.page, tab.page.locator("#making")
    await page.route("**/api/v1/transcode/*", answer)
    await page.reload()
    await expect(making).to_contain_text("Being prepared: 40 % · 5 min left")
    await expect(making).to_contain_text("720p could not be made.")
    assert await tab.value("document.documentElement.scrollWidth <= window.innerWidth"), "it fits the screen"
    await making.get_by_role("button", name="Pause").focus()
    await page.keyboard.press("Enter")
    await expect(making).to_contain_text("Paused at 40 %")
    await expect(making.get_by_role("button", name="Continue")).to_be_focused()
    await page.keyboard.press("Enter")
    await expect(making).to_contain_text("Being prepared")
    await making.get_by_role("button", name="Try again to make 720p").focus()
    await page.keyboard.press("Enter")
    await expect(making).to_be_hidden()
    await expect(page.locator("#player-title")).to_be_focused()
    once = {"task_id": "t_1"}
    assert asked == [("pause", once), ("resume", once), ("retry", {**once, "rendition_id": "v720"})]
    await page.unroute("**/api/v1/transcode/*", answer)


async def give_away_and_claim_again(tab: Tab) -> None:
    """What it is all for, by the keyboard alone: the token leaves, playback ends; it is there again, it goes on."""
    page, demo, notice = tab.page, tab.page.locator("#demo"), tab.page.locator("#notice")
    await expect(demo).to_contain_text("Development only")
    await expect(demo).to_contain_text("Your wallet holds a token of StreamGate Demo Pass")
    await demo.get_by_role("button", name="Give the token away").focus()
    before_s = await tab.value("video.currentTime")
    await page.keyboard.press("Enter")
    await expect(page.locator("#demo-words")).to_contain_text("Your token is somebody else’s now")
    assert await tab.value("document.documentElement.scrollWidth <= window.innerWidth"), "it fits the screen"
    await expect(notice).to_contain_text("Playback has ended")
    await expect(notice).to_contain_text("The gate no longer opens for the wallet 0x")
    await expect(notice).to_contain_text("Needed: a wallet that holds a token of 0x")
    await expect(demo).to_be_hidden()
    again = notice.get_by_role("button", name="Get a demo token")
    await expect(again).to_be_focused()
    assert await tab.value("video.paused && video.readyState === 0"), "nothing plays on from what was buffered"
    await page.keyboard.press("Enter")
    await tab.until(f"video.currentTime > {before_s} && !video.paused && video.readyState > 2", what="going on")
    await expect(notice).to_be_hidden()
    await expect(demo.get_by_role("button", name="Give the token away")).to_be_visible()


@pytest.mark.parametrize("width_px", [1280, 360])
async def test_the_whole_story_in_one_process(empty: Stage, small_clip: Path, width_px: int) -> None:
    await tell_the_story(empty, small_clip, width_px=width_px)


async def test_the_whole_story_split(many_processes: Stage, small_clip: Path) -> None:
    await tell_the_story(many_processes, small_clip, width_px=360)


async def test_a_wallet_of_the_browser_signs_in_and_stays_signed_in(empty: Stage) -> None:
    account = Account.create()

    def sign(message: str) -> str:
        text = bytes.fromhex(message[2:]).decode()
        assert empty.url.removeprefix("http://") in text.splitlines()[0]
        return f"0x{account.sign_message(encode_defunct(text=text)).signature.hex()}"

    async with open_tab(empty.url) as tab:
        page = tab.page
        await page.expose_function("signElsewhere", sign)
        await page.add_init_script(WALLET.replace("ADDRESS", f'"{account.address}"'))
        await tab.open()
        await sign_in(page, "Fox of the tests")
        short = f"{account.address[:6]}\u2060…\u2060{account.address[-4:]}"
        await expect(page.locator("#account-name")).to_have_text(short)
        cookies = {cookie["name"]: cookie for cookie in await page.context.cookies(f"{empty.url}/api/v1/auth/refresh")}
        assert cookies["streamgate_refresh"]["httpOnly"]
        await page.reload()
        await expect(page.locator("#account-name")).to_have_text(short)
        await page.get_by_role("button", name="Sign out").click()
        await expect(page.locator("#sign-in")).to_be_visible()
        await page.reload()
        await expect(page.locator("#sign-in")).to_be_visible()
        assert (tab.faults, tab.foreign) == ([], [])
        assert tab.refused == [(422, "/api/v1/auth/challenge")]  # its chain is unknown here: asked again without


async def test_a_wallet_that_does_not_sign_changes_nothing(empty: Stage) -> None:
    async with open_tab(empty.url) as tab:
        refuse = "window.signElsewhere = () => { throw Object.assign(new Error('no'), { code: 4001 }); };"
        await tab.page.add_init_script(refuse + WALLET.replace("ADDRESS", f'"{Account.create().address}"'))
        await tab.open()
        await tab.page.get_by_role("button", name="Sign in", exact=True).click()
        await tab.page.locator("#wallets-list button").filter(has_text="Fox of the tests").click()
        await expect(tab.page.locator("#wallets-fault")).to_have_text("The wallet did not sign. Nothing has changed.")
        await expect(tab.page.locator("#sign-in")).to_be_attached()
        assert tab.faults == []


DROP = """(zone) => {
  const dataTransfer = new DataTransfer();
  dataTransfer.items.add(new File(["this is no video".repeat(256)], "holiday_2024.mp4", { type: "video/mp4" }));
  const tell = (name) => zone.dispatchEvent(new DragEvent(name, { bubbles: true, cancelable: true, dataTransfer }));
  return ["dragenter", "dragover", "drop"].map(tell); // true: the browser would do what it does by itself
}"""
KEPT = [False] * 3


async def test_what_is_dropped_and_no_video_is_said_and_leaves_nothing_behind(empty: Stage) -> None:
    async with open_tab(empty.url) as tab:
        await tab.open()
        message = tab.page.locator("#message")
        await expect(tab.page.locator("#sign-in")).to_be_visible()
        assert await tab.page.locator("main").evaluate(DROP) == KEPT
        await expect(message).to_contain_text("Sign in first")
        await sign_in(tab.page)
        await expect(message).to_be_hidden()
        assert await tab.page.locator("#catalogue").evaluate(DROP) == KEPT
        await expect(message).to_contain_text("drop it below “Share a video”")
        assert await tab.page.locator("#captions-file").evaluate(DROP) == [True] * 3  # takes it by itself
        assert await tab.page.locator("#drop").evaluate(DROP) == KEPT
        await expect(message).to_be_hidden()
        await expect(tab.page.get_by_label("Title")).to_have_value("holiday 2024")
        await tab.page.get_by_role("button", name="Share", exact=True).click()
        await expect(tab.page.locator("#sending-words")).to_contain_text("It could not be shared")
        await expect(tab.page.get_by_label("Title")).to_be_visible()  # to try with another file
        await expect(tab.page.locator("#catalogue li").filter(has_text="holiday 2024")).to_have_count(0)
        assert tab.faults == []


async def test_an_upload_can_be_cancelled(empty: Stage, small_clip: Path) -> None:
    async with open_tab(empty.url) as tab:
        await tab.open()
        await sign_in(tab.page)
        await tab.page.route("**/api/v1/upload/chunk**", lambda route: None)  # it never arrives
        await share(tab.page, small_clip, "Never to be seen")
        await expect(tab.page.locator("#sending-words")).to_contain_text("Uploading")
        await tab.page.get_by_role("button", name="Cancel").click()
        await expect(tab.page.locator("#sending")).to_be_hidden()
        await expect(tab.page.get_by_label("Title")).to_have_value("Never to be seen")
        await expect(tab.page.locator("#catalogue li").filter(has_text="Never to be seen")).to_have_count(0)


async def test_a_contract_that_is_none_is_told_at_its_field(empty: Stage, small_clip: Path) -> None:
    async with open_tab(empty.url) as tab:
        await tab.open()
        await sign_in(tab.page)
        await tab.page.locator("#file").set_input_files(small_clip)
        contract = tab.page.locator("#share-gate").get_by_role("textbox", name="Contract")
        await contract.fill("0x12")
        await tab.page.get_by_role("button", name="Share", exact=True).click()
        told = "A contract is 0x and 40 hexadecimal digits."
        await expect(contract).to_have_js_property("validationMessage", told)
        await expect(tab.page.locator("#sending")).to_be_hidden()


async def test_an_owner_opens_a_video_for_all_and_deletes_it(empty: Stage, small_clip: Path) -> None:
    async with open_tab(empty.url) as tab, open_tab(empty.url) as other:
        page = tab.page
        await tab.open()
        await sign_in(page)
        await share(page, small_clip, "Mine for now")
        await expect(page.locator("#sending-words")).to_have_text("Ready.", timeout=READY_MS)
        await page.get_by_role("button", name="Who may watch").click()
        await expect(page.locator("#gate-now")).to_have_text(re.compile("^Now: .*holds"))
        await page.locator("#gate-fields").get_by_label("Everybody").check()
        await page.get_by_role("button", name="Save").click()
        await expect(page.locator("#gate-dialog")).to_be_hidden()

        await page.get_by_role("button", name="Captions").click()
        words, listed = page.locator("#captions-file"), page.locator("#captions-list li")
        await words.set_input_files({"name": "a.srt", "mimeType": "", "buffer": b"1\n00:00:01,000 -> 00:00:02,000\nHi"})
        await page.get_by_label("Language").fill("en")
        await page.get_by_role("button", name="Add").click()
        await expect(page.locator("#captions-fault")).to_contain_text("ine 2: a time like")
        await words.set_input_files(
            {"name": "a.srt", "mimeType": "", "buffer": b"1\n00:00:01,000 --> 00:00:02,000\nHi"}
        )
        await page.get_by_role("button", name="Add").click()
        await expect(listed).to_have_text(re.compile(r"^English \(en\) Delete$"))
        await page.get_by_role("button", name="Close").click()
        await expect(page.locator("#captions option")).to_have_text(["Off", "English"])
        await page.get_by_role("button", name="Captions").click()
        await page.get_by_role("button", name="Delete English").click()
        await expect(listed).to_have_count(0)
        await page.get_by_role("button", name="Close").click()
        await expect(page.locator("#captions")).to_be_hidden()

        await other.open()
        await other.page.locator("#catalogue a").filter(has_text="Mine for now").click()
        await other.until(PLAYS, what="a stranger's playing")
        await expect(other.page.locator("#owner-tools")).to_be_hidden()

        await page.get_by_role("button", name="Delete").click()
        await page.locator("#delete-dialog").get_by_role("button", name="Delete").click()
        await expect(page.locator("#player")).to_be_hidden()
        await expect(page.locator("#catalogue li").filter(has_text="Mine for now")).to_have_count(0)
        assert (tab.faults, other.faults) == ([], [])
