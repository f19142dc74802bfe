"""Two identical copies of `--all` behind a balancer, over shared servers: what one begins the other goes on with."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urljoin

import pytest

from streamgate.testing.clips import ClipSpec, make_clip
from streamgate.testing.stacks import copies
from streamgate.testing.wait import eventually
from tests.e2e.client import Api
from tests.e2e.playback import count_frames, decode, fetch, read_dash, read_hls
from tests.e2e.story import REFUSED, Roles
from tests.e2e.wallet import Wallet

LEASE_S = 3.0
CLIP = ClipSpec(frames=100, key_frames=(0, 50), audio_codec="aac")


@pytest.mark.timeout(180)
async def test_what_one_copy_begins_the_other_goes_on_with(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "clip.mp4", CLIP)
    roles, holder, buyer = Roles(), Wallet.new("holder"), Wallet.new("buyer")
    environment = {
        **roles.environment(),
        "STREAMGATE_STREAMING__LEASE_S": str(LEASE_S),
        "STREAMGATE_UPLOAD__CHUNK_SIZE_BYTES": str(64 * 1024),
    }
    with copies(tmp_path, environment=environment) as stack:
        urls = [stack.processes[name].base_url for name in ("all", "all-2")]
        async with (
            Api.connect(urls[0]) as one,
            Api.connect(urls[1]) as other,
            Api.connect(stack.url, patience_s=10, keeps_connections=False) as either,
            Api.connect(stack.chain_url) as chain,
        ):
            # Signed in at one, uploading to both in turns, completed at the other.
            one.token = other.token = (await one.sign_in(roles.creator))["access_token"]
            begun = await one.begin_upload(clip)
            for index in range(begun["chunks"]):
                await (one, other)[index % 2].send_chunk(begun, clip, index)
            await other.resume_upload(begun, clip)
            content_id = begun["content_id"]
            info = await chain.call("GET", "/api/v1/devchain/info", patience_s=10)
            address = {"address": holder.address}
            await chain.call("POST", "/api/v1/devchain/faucet", json=address)
            token_id = int((await chain.call("POST", "/api/v1/devchain/mint", json=address))["token_id"])
            rule = {"any": [{"erc721": {"chain": info["chain"], "contract": info["contract"]}}]}
            await one.call("PUT", f"/api/v1/content/{content_id}/gate", json=rule)
            content = await other.wait_for_content(content_id, lambda c: c["state"] in ("ready", "failed"))
            assert content["state"] == "ready", content

            # The holder signs in somewhere; a session of one copy is watched at the other, whole.
            await either.sign_in(holder)
            one.token = other.token = either.token
            asked = {"content_id": content_id}
            session = await one.call("POST", "/api/v1/stream/session", json=asked)
            again = await other.call("POST", "/api/v1/stream/session", json=asked)
            assert (again["session_id"], again["hls_url"]) == (session["session_id"], session["hls_url"])
            hls = await read_hls(other, urljoin(urls[1], session["hls_url"]))
            dash = await read_dash(one, urljoin(urls[0], session["dash_url"]))
            wanted = count_frames(str(clip))
            for api, track in [(other, hls[0]), (one, dash[0])]:
                decoded = decode(track.name, await fetch(api, track))
                assert (decoded.kind, decoded.frames) == ("video", wanted), decoded

            # The token goes to somebody else: neither copy serves a byte more.
            await holder.transfer(info["rpc_url"], info["contract"], token_id, buyer.address)
            paths = [session["hls_url"], session["dash_url"], hls[0].segments[0].removeprefix(urls[1])]
            for url in urls:

                async def is_refused(url: str = url) -> int | None:
                    status = (await either.http.get(urljoin(url, paths[2]))).status_code
                    return None if status == 200 else status

                assert await eventually(is_refused, timeout_s=LEASE_S + 5, what="the refusal") in REFUSED
                for path in paths:
                    assert (await either.http.get(urljoin(url, path))).status_code in REFUSED, f"{url}{path}"

            # One copy dies; the balancer's people hardly notice.
            stack.crash("all")
            await either.sign_in(buyer)
            opened = await either.call("POST", "/api/v1/stream/session", json=asked)
            assert await read_hls(either, urljoin(stack.url, opened["hls_url"]))
