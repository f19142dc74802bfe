"""A content that can be watched, for figures that need one: uploaded, transcoded and published over HTTP."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx

from streamgate.testing.wait import eventually
from streamgate.testing.wallets import SignedIn


async def publish(url: str, who: SignedIn, clip: Path) -> str:
    """Its id, when every rendition is made. Anybody may watch it.

    Raises:
        RuntimeError: the transcode failed.
    """
    async with httpx.AsyncClient(base_url=url, headers=who.headers, timeout=60, trust_env=False) as http:
        files = {"file": (clip.name, clip.read_bytes(), "video/mp4")}
        sent = await http.post("/api/v1/upload", files=files)
        content_id: str = sent.raise_for_status().json()["content_id"]

        async def is_over() -> dict[str, Any] | None:
            content: dict[str, Any] = (await http.get(f"/api/v1/content/{content_id}")).raise_for_status().json()
            return content if content["state"] in ("ready", "failed") else None

        content = await eventually(is_over, timeout_s=120, every_s=0.1, what="the transcode")
        if content["state"] == "failed":
            raise RuntimeError(f"the transcode failed: {content}")
        (await http.put(f"/api/v1/content/{content_id}/gate", json={"public": {}})).raise_for_status()
    return content_id
