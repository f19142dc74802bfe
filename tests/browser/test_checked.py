"""What plays in browsers, read by programs that no browser is made of: clear and encrypted, with captions."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.browser.stage import CLIP_S, LADDER_PX, Stage
from tests.browser.test_captions import SAID, said
from tests.e2e.client import Api
from tests.e2e.others import read_by_others
from tests.e2e.wallet import Wallet

pytestmark = pytest.mark.timeout(150)
FRAMES = CLIP_S * 25
FREE_S = 9.0


@pytest.mark.parametrize("protection", ["none", "encrypted"])
async def test_others_find_the_same(one_process: Stage, tmp_path: Path, protection: str) -> None:
    """Of a rendition that is copied and of those that are encoded, in more than one chunk."""
    content_id = one_process.contents["gated"]
    held = await one_process.new_holder()
    await one_process.protect(content_id, protection)
    try:
        async with said(one_process, content_id), Api.connect(one_process.url) as nobody:
            session = await one_process.session(held.wallet, content_id)
            read = await read_by_others(nobody, session, tmp_path)
    finally:
        await one_process.protect(content_id, "none")
    variants, pictures = read.multivariant["variants"], read.manifest["video"]
    assert [each["resolution"]["height"] for each in variants] == list(LADDER_PX)
    assert {each["range"] for each in variants} == {"SDR"}
    assert [read.samples[f"v{height_px}"] for height_px in LADDER_PX] == [FRAMES] * len(LADDER_PX)
    assert {each["language"] for variant in variants for each in variant["subtitles"]} == set(SAID)
    assert {each["language"] for each in read.manifest["subtitles"]} == set(SAID)
    assert len(read.multivariant.get("iframes", ())) == (len(LADDER_PX) if protection == "none" else 0)
    sealed = ["mp4protection"] if protection == "encrypted" else []
    assert [[*each.get("protection", ())][:1] for each in pictures] == [sealed] * len(LADDER_PX)


async def test_a_free_beginning_is_whole_as_far_as_it_goes(one_process: Stage, tmp_path: Path) -> None:
    content_id = one_process.contents["gated"]
    await one_process.set_gate(content_id, {"version": 1, "gate": one_process.gate, "preview_s": FREE_S})
    try:
        session = await one_process.session(Wallet.new("passer-by"), content_id)
        async with Api.connect(one_process.url) as nobody:
            read = await read_by_others(nobody, session, tmp_path)
    finally:
        await one_process.set_gate(content_id, one_process.gate)
    assert session["preview_s"] == FREE_S
    frames = {read.samples[f"v{height_px}"] for height_px in LADDER_PX}
    assert len(frames) == 1
    assert 0 < frames.pop() <= FREE_S * 25
    assert read.manifest["duration"] <= FREE_S
