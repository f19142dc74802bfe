"""What the browser finds on the server: contents that were really uploaded, transcoded, gated and listed."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import attrs

from streamgate.testing.clips import ClipSpec
from streamgate.testing.stacks import Stack
from tests.e2e.client import Api
from tests.e2e.wallet import Wallet

CLIP_S = 16
CLIP = ClipSpec(  # key frames lie where they do not fit the segments
    width_px=1280,
    height_px=720,
    frames=CLIP_S * 25,
    key_frames=(0, 75, 160, 240, 330),
    options={"crf": "30"},
    audio_codec="aac",
    audio_s=float(CLIP_S),
)
SMALL_S = 12
SMALL = ClipSpec(
    width_px=640,
    height_px=360,
    frames=SMALL_S * 25,
    key_frames=(0, 100, 170),
    audio_codec="aac",
    audio_s=float(SMALL_S),
)
LADDER_PX = (240, 360, 480, 720)
LEASE_S = 3.0
ENVIRONMENT = {
    "STREAMGATE_STREAMING__LEASE_S": str(LEASE_S),
    "STREAMGATE_STREAMING__KEY_PERIOD_S": "7",  # so that there are several in a short video
}

PUBLIC: dict[str, Any] = {"public": {}}
HOSTILE = "<img src=x onerror=\"document.title='taken'\"><script>document.title='taken'</script>"


@attrs.frozen(kw_only=True)
class Held:
    """A wallet and the token it holds."""

    wallet: Wallet
    token_id: int


@attrs.define
class Stage:
    """A running server and its creator. Contents by what they are for."""

    stack: Stack
    creator: Wallet = attrs.field(factory=lambda: Wallet.new("creator"))
    chain: dict[str, Any] = attrs.field(factory=dict)
    contents: dict[str, str] = attrs.field(factory=dict)

    @property
    def url(self) -> str:
        return self.stack.url

    @property
    def gate(self) -> dict[str, Any]:
        """Any token of the demo collection."""
        return {"erc721": {"chain": self.chain["chain"], "contract": self.chain["contract"]}}

    async def prepare(self) -> None:
        async with Api.connect(self.url) as api:
            await api.sign_in(self.creator)
            self.chain = await api.call("GET", "/api/v1/devchain/info", patience_s=20)

    async def put(
        self, title: str, rule: dict[str, Any], *, description: str = "", file: Path | None = None, listed: bool = True
    ) -> str:
        """A content with a gate; with `file`, uploaded and waited for. Its id."""
        async with Api.connect(self.url) as api:
            await api.sign_in(self.creator)
            visibility = "listed" if listed else "unlisted"
            new = {"title": title, "description": description, "visibility": visibility, "gate": rule}
            content_id = str((await api.call("POST", "/api/v1/content", json=new, patience_s=20))["content_id"])
            if file is not None:
                await self.upload(api, content_id, file)
                await api.wait_for_content(content_id, lambda content: content["state"] in ("ready", "failed"))
            return content_id

    async def upload(self, api: Api, content_id: str, file: Path) -> None:
        await api.resume_upload(await api.begin_upload(file, content_id=content_id), file)

    async def protect(self, content_id: str, protection: str) -> None:
        async with Api.connect(self.url) as api:
            await api.sign_in(self.creator)
            await api.call("PUT", f"/api/v1/content/{content_id}", json={"protection": protection})

    async def set_gate(self, content_id: str, rule: dict[str, Any]) -> None:
        async with Api.connect(self.url) as api:
            await api.sign_in(self.creator)
            await api.call("PUT", f"/api/v1/content/{content_id}/gate", json=rule)

    async def new_holder(self) -> Held:
        wallet = Wallet.new("holder")
        async with Api.connect(self.url) as api:
            await api.call("POST", "/api/v1/devchain/faucet", json={"address": wallet.address})
            minted = await api.call("POST", "/api/v1/devchain/mint", json={"address": wallet.address})
        return Held(wallet=wallet, token_id=int(minted["token_id"]))

    async def take_away(self, held: Held) -> None:
        """The token goes to somebody else."""
        to = Wallet.new("buyer").address
        await held.wallet.transfer(self.chain["rpc_url"], self.chain["contract"], held.token_id, to)

    async def session(self, wallet: Wallet, content_id: str) -> dict[str, Any]:
        """A playback session; its addresses are absolute."""
        async with Api.connect(self.url) as api:
            await api.sign_in(wallet)
            asked = {"content_id": content_id}
            session: dict[str, Any] = await api.call("POST", "/api/v1/stream/session", json=asked, patience_s=10)
        return {**session, **{key: urljoin(self.url, session[key]) for key in ("hls_url", "dash_url")}}
