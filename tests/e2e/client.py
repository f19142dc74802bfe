"""A plain HTTP client of the public API: what a developer would write first."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import attrs
import httpx

from streamgate.testing.wait import eventually
from tests.e2e.wallet import Wallet

RETRIED = (502, 503, 504)


class ApiProblem(Exception):
    """An answer that was not the one expected."""

    def __init__(self, response: httpx.Response) -> None:
        super().__init__(
            f"{response.request.method} {response.request.url} → {response.status_code} {response.text[:800]}"
        )
        self.status = response.status_code
        self.body: dict[str, Any] = {}
        if response.headers.get("content-type", "").startswith("application/problem+json"):
            self.body = response.json()

    @property
    def code(self) -> str:
        return str(self.body.get("code", ""))


def size_of(path: Path) -> int:
    return path.stat().st_size


@attrs.define
class Api:
    """One person's view of the server: anonymous until `sign_in`."""

    http: httpx.AsyncClient
    token: str = ""

    @classmethod
    @asynccontextmanager
    async def connect(cls, url: str) -> AsyncIterator[Api]:
        async with httpx.AsyncClient(base_url=url, timeout=30.0, trust_env=False) as http:
            yield cls(http)

    async def call(self, method: str, path: str, *, patience_s: float = 0.0, **kwargs: Any) -> Any:
        """The JSON answer. With `patience_s`, a 502, 503 or 504 is asked again until then."""
        ends_at = time.monotonic() + patience_s

        async def ask() -> httpx.Response | None:
            answer = await self.send(method, path, **kwargs)
            return None if answer.status_code in RETRIED and time.monotonic() < ends_at else answer

        response = await eventually(ask, timeout_s=patience_s + 60, every_s=0.2, what=path)
        if response.status_code >= 400:
            raise ApiProblem(response)
        return response.json() if response.content else None

    async def send(self, method: str, path: str, **kwargs: Any) -> httpx.Response:
        headers = dict(kwargs.pop("headers", {}))
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        return await self.http.request(method, path, headers=headers, **kwargs)

    async def sign_in(self, wallet: Wallet, *, chain: str = "eip155:31337") -> dict[str, Any]:
        asked = {"address": wallet.address, "chain": chain, "scheme": "siwe"}
        challenge = await self.call("POST", "/api/v1/auth/challenge", json=asked, patience_s=5)
        answer = {"challenge_id": challenge["challenge_id"], "signature": wallet.sign(challenge["message"])}
        verified: dict[str, Any] = await self.call("POST", "/api/v1/auth/verify-signature", json=answer)
        self.token = verified["access_token"]
        return verified

    # --- uploading ----------------------------------------------------------------------------

    async def begin_upload(self, path: Path, *, content_id: str | None = None) -> dict[str, Any]:
        body: dict[str, Any] = {"filename": path.name, "size_bytes": size_of(path)}
        if content_id is not None:
            body["content_id"] = content_id
        begun: dict[str, Any] = await self.call("POST", "/api/v1/upload/init", json=body, patience_s=5)
        return begun

    async def send_chunk(self, begun: dict[str, Any], path: Path, index: int) -> None:
        size_bytes = begun["chunk_size_bytes"]
        with path.open("rb") as file:
            file.seek(index * size_bytes)
            data = file.read(size_bytes)
        await self.call(
            "POST",
            "/api/v1/upload/chunk",
            params={"upload_id": begun["upload_id"], "index": index},
            content=data,
            headers={"Content-Type": "application/octet-stream"},
            patience_s=10,
        )

    async def resume_upload(self, begun: dict[str, Any], path: Path) -> dict[str, Any]:
        """Asks what is missing, sends it, completes."""
        asked = {"upload_id": begun["upload_id"]}
        status = await self.call("GET", "/api/v1/upload/status", params=asked, patience_s=10)
        for index in status["missing_chunks"]:
            await self.send_chunk(begun, path, index)
        done: dict[str, Any] = await self.call("POST", "/api/v1/upload/complete", json=asked, patience_s=10)
        return done

    # --- waiting ------------------------------------------------------------------------------

    async def wait_for_content(
        self, content_id: str, until: Callable[[dict[str, Any]], bool], *, timeout_s: float = 120.0
    ) -> dict[str, Any]:
        """The content once the fact holds. Raises TimeoutError when it does not in time."""

        async def look() -> dict[str, Any] | None:
            content: dict[str, Any] = await self.call("GET", f"/api/v1/content/{content_id}", patience_s=15)
            return content if until(content) else None

        return await eventually(look, timeout_s=timeout_s, every_s=0.1, what=f"content {content_id}")
