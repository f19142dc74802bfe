"""A plain HTTP client of the public API: what a developer would write first."""

from __future__ import annotations

import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
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


def _is_being_answered(answer: httpx.Response) -> bool:
    return answer.status_code == 409 and '"request.idempotency_in_progress"' in answer.text


def size_of(path: Path) -> int:
    return path.stat().st_size


@attrs.define
class Api:
    """One person's view of the server: anonymous until `sign_in`. `patience_s`: how long it goes on asking a server
    that is away; a call may have more."""

    http: httpx.AsyncClient
    token: str = ""
    patience_s: float = 0.0
    longest_wait_s: float = 0.0  # until an answer came, of all calls

    @classmethod
    @asynccontextmanager
    async def connect(cls, url: str, *, patience_s: float = 0.0, keeps_connections: bool = True) -> AsyncIterator[Api]:
        limits = httpx.Limits(max_keepalive_connections=None if keeps_connections else 0)
        async with httpx.AsyncClient(base_url=url, timeout=30.0, trust_env=False, limits=limits) as http:
            yield cls(http, patience_s=patience_s)

    async def call(
        self, method: str, path: str, *, patience_s: float = 0.0, creates: bool = False, **kwargs: Any
    ) -> Any:
        """The JSON answer. With patience, a 502, 503, 504 or broken connection is asked again.

        Args:
            creates: twice would be two of them, so the request carries an Idempotency-Key.
        """
        if creates:
            kwargs["headers"] = {**kwargs.get("headers", {}), "Idempotency-Key": str(uuid.uuid4())}
        response = await self._patiently(lambda: self.send(method, path, **kwargs), patience_s)
        if response.status_code >= 400:
            raise ApiProblem(response)
        return response.json() if response.content else None

    async def get(self, url: str) -> httpx.Response:
        """As a player asks: without credentials, with this person's patience."""
        return await self._patiently(lambda: self.http.get(url), 0.0)

    async def _patiently(self, send: Callable[[], Awaitable[httpx.Response]], patience_s: float) -> httpx.Response:
        began = time.monotonic()
        ends_at = began + max(patience_s, self.patience_s)

        async def ask() -> httpx.Response | None:
            try:
                answer = await send()
            except httpx.TransportError:
                if time.monotonic() >= ends_at:
                    raise
                return None
            if time.monotonic() < ends_at and (answer.status_code in RETRIED or _is_being_answered(answer)):
                return None
            return answer

        found = await eventually(ask, timeout_s=max(patience_s, self.patience_s) + 60, every_s=0.2, what="an answer")
        self.longest_wait_s = max(self.longest_wait_s, time.monotonic() - began)
        return found

    async def send(self, method: str, path: str, **kwargs: Any) -> httpx.Response:
        headers = dict(kwargs.pop("headers", {}))
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        return await self.http.request(method, path, headers=headers, **kwargs)

    async def sign_in(
        self,
        wallet: Wallet,
        *,
        chain: str = "eip155:31337",
        before_answer: Callable[[], Awaitable[None]] | None = None,
    ) -> dict[str, Any]:
        asked = {"address": wallet.address, "chain": chain, "scheme": "siwe"}
        challenge = await self.call("POST", "/api/v1/auth/challenge", json=asked, patience_s=20)
        answer = {"challenge_id": challenge["challenge_id"], "signature": wallet.sign(challenge["message"])}
        if before_answer is not None:
            await before_answer()
        verified: dict[str, Any] = await self.call("POST", "/api/v1/auth/verify-signature", json=answer)
        self.token = verified["access_token"]
        return verified

    # --- uploading ----------------------------------------------------------------------------

    async def begin_upload(self, path: Path, *, content_id: str | None = None) -> dict[str, Any]:
        body: dict[str, Any] = {"filename": path.name, "size_bytes": size_of(path)}
        if content_id is not None:
            body["content_id"] = content_id
        begun: dict[str, Any] = await self.call("POST", "/api/v1/upload/init", json=body, creates=True, patience_s=20)
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

    async def is_verified(self, upload_id: str) -> dict[str, Any]:
        """The upload's state once its SHA-256 is computed."""

        async def look() -> dict[str, Any] | None:
            state: dict[str, Any] = await self.call("GET", "/api/v1/upload/status", params={"upload_id": upload_id})
            return state if state["sha256"] else None

        return await eventually(look, timeout_s=60, every_s=0.1, what=f"the SHA-256 of {upload_id}")

    # --- waiting ------------------------------------------------------------------------------

    async def wait_for_content(
        self, content_id: str, until: Callable[[dict[str, Any]], bool], *, timeout_s: float = 120.0
    ) -> dict[str, Any]:
        """The content once the fact holds. Raises TimeoutError when it does not in time."""

        async def look() -> dict[str, Any] | None:
            content: dict[str, Any] = await self.call("GET", f"/api/v1/content/{content_id}", patience_s=15)
            return content if until(content) else None

        return await eventually(look, timeout_s=timeout_s, every_s=0.1, what=f"content {content_id}")
