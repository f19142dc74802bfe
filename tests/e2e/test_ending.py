"""A token leaves the wallet by which somebody watches: they are out long before their lease would have ended it."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urljoin

import pytest

from streamgate.testing.clips import ClipSpec, make_clip
from streamgate.testing.stacks import Stack
from streamgate.testing.wait import eventually
from tests.e2e.client import Api
from tests.e2e.playback import read_hls
from tests.e2e.shared import WALK
from tests.e2e.wallet import Wallet

CLIP = ClipSpec(width_px=160, height_px=90, frames=50)
LONG_BEFORE_S = 20.0
"""The lease is 60 s, and decided anew by itself from its half on."""


@pytest.mark.timeout(120)
async def test_playback_ends_with_the_transfer_and_opens_with_it(tmp_path: Path, shared_all: Stack) -> None:
    clip = make_clip(tmp_path / "clip.mp4", CLIP)
    holder, buyer = Wallet.new("ending holder"), Wallet.new("ending buyer")
    async with Api.connect(shared_all.url) as creator, Api.connect(shared_all.url) as viewer:
        await creator.sign_in(WALK["creator"])
        begun = await creator.begin_upload(clip)
        await creator.resume_upload(begun, clip)
        content_id = begun["content_id"]
        info = await creator.call("GET", "/api/v1/devchain/info")
        address = {"address": holder.address}
        await creator.call("POST", "/api/v1/devchain/faucet", json=address)
        token_id = int((await creator.call("POST", "/api/v1/devchain/mint", json=address))["token_id"])
        rule = {"erc721": {"chain": info["chain"], "contract": info["contract"], "token_id": str(token_id)}}
        await creator.call("PUT", f"/api/v1/content/{content_id}/gate", json=rule)
        content = await creator.wait_for_content(content_id, lambda c: c["state"] in ("ready", "failed"))
        assert content["state"] == "ready", content

        await viewer.sign_in(holder)
        session = await viewer.call("POST", "/api/v1/stream/session", json={"content_id": content_id})
        [segment, *_] = (await read_hls(viewer, urljoin(shared_all.url, session["hls_url"])))[0].segments
        assert (await viewer.http.get(segment)).status_code == 200
        await holder.transfer(info["rpc_url"], info["contract"], token_id, buyer.address)

        async def refused() -> int | None:
            status = (await viewer.http.get(segment)).status_code
            return None if status == 200 else status

        assert await eventually(refused, timeout_s=LONG_BEFORE_S, what="the refusal") == 410
        await viewer.sign_in(buyer)
        opened = await viewer.call("POST", "/api/v1/stream/session", json={"content_id": content_id})
        assert await read_hls(viewer, urljoin(shared_all.url, opened["hls_url"]))
