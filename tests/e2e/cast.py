"""The people of the hostile tests, what each of them owns, and credentials that are no good."""

from __future__ import annotations

import base64
import secrets
import sqlite3
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import asyncpg  # type: ignore[import-untyped]
import attrs
import httpx
import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from streamgate.sdk.secrets import MasterKey
from streamgate.testing.clips import ClipSpec, make_clip
from streamgate.testing.stacks import Stack
from streamgate.testing.wallets import SignedIn, Wallet, sign_in
from tests.e2e.client import Api

ROLES = ("viewer", "creator", "other", "admin")
WALLETS = {role: Wallet.named(f"hostile {role}") for role in ROLES}
ENVIRONMENT = {
    "STREAMGATE_AUTH__OPEN_CREATORS": "false",
    "STREAMGATE_AUTH__CREATORS": f"{WALLETS['creator'].address},{WALLETS['other'].address}",
    "STREAMGATE_AUTH__ADMINS": WALLETS["admin"].address,
    "STREAMGATE_AUTH__CONTRACT_REQUESTS_PER_MINUTE": "600",
    "STREAMGATE_LIMITS__ENABLED": "false",  # thousands of requests come from one address
}
_CLIP = ClipSpec(width_px=192, height_px=108, frames=50, key_frames=(0, 25))
_KEY_OF_AUTH = "SELECT wrapped, kid FROM auth_keys WHERE purpose = 'signing' ORDER BY generation DESC LIMIT 1"


@attrs.frozen(kw_only=True)
class Cast:
    """`ids`: what the creator owns, by the name of the field or parameter that takes it. `bad_tokens`: by what is
    wrong with each."""

    stack: Stack
    people: dict[str, SignedIn]
    ids: dict[str, Any]
    document: dict[str, Any]
    bad_tokens: dict[str, str]

    @property
    def url(self) -> str:
        return self.stack.url

    def headers(self, role: str) -> dict[str, str]:
        return self.people[role].headers if role else {}


async def gather(stack: Stack, folder: Path, *, with_video: bool = True) -> Cast:
    """Signs everybody in; the creator makes one of everything. With a video that plays, and its session's token."""
    async with Api.connect(stack.url) as api:
        people = {role: await sign_in(api.http, wallet) for role, wallet in WALLETS.items()}
        creator = attrs.evolve(api, token=people["creator"].access_token)
        ids = await _belongings(creator, WALLETS["creator"].address)
        if with_video:
            ids |= await _video(creator, folder)
        document = (await api.send("GET", "/openapi.json")).json()
        path_token = str(ids.get("token", ""))
    bad = await _bad_tokens(stack, people["creator"], path_token)
    return Cast(stack=stack, people=people, ids=ids, document=document, bad_tokens=bad)


async def _belongings(creator: Api, address: str) -> dict[str, Any]:
    chain = await creator.call("GET", "/api/v1/devchain/info")
    made = await creator.call("POST", "/api/v1/content", json={"title": "A title"})
    gate = {"erc721": {"chain": chain["chain"], "contract": chain["contract"]}}
    await creator.call("PUT", f"/api/v1/content/{made['content_id']}/gate", json=gate)
    wanted = {"filename": "file.bin", "size_bytes": 1000}
    shared = await creator.call("POST", "/api/v1/gates/collections", json={"name": "a collection", "gate": gate})
    addresses = {"name": "a list", "addresses": [address]}
    listed = await creator.call("POST", "/api/v1/gates/lists", json=addresses)
    upload = await creator.call("POST", "/api/v1/upload/init", json=wanted)
    await _twice(creator, "/api/v1/upload/tus", {"Tus-Resumable": "1.0.0", "Upload-Length": "5"})
    await _twice(creator, "/api/v1/devchain/faucet", json={"address": Wallet.named("a poor one").address})
    key = await creator.call("POST", "/api/v1/auth/api-keys", json={"name": "a key", "scopes": ["read"]})
    late = {
        "kind": "content.retranscode",
        "payload": {"content_id": made["content_id"]},
        "run_at": "2099-01-01T00:00:00Z",
    }
    job = await creator.call("POST", "/api/v1/jobs/submit", json=late)
    return {
        "content_id": made["content_id"],
        "upload_id": upload["upload_id"],
        "key_id": key["key_id"],
        "job_id": job["job_id"],
        "collection_id": shared["collection_id"],
        "list_id": listed["list_id"],
        "address": address,
        "chain": chain["chain"],
        "contract": chain["contract"],
        "index": 0,
        "token_id": "1",
        "title": "A title",
        "language": "en",
    }


async def _twice(creator: Api, path: str, headers: Mapping[str, str] | None = None, **sent: Any) -> httpx.Response:
    """As a client that heard no answer sends it, and has one of it."""
    keyed = {**(headers or {}), "Idempotency-Key": secrets.token_urlsafe()}  # suites share servers
    first, again = [await creator.send("POST", path, headers=keyed, **sent) for _ in range(2)]
    assert (first.status_code, again.headers.get("idempotency-replayed")) == (201, "true"), (first.text, again.text)
    assert "idempotency-replayed" not in first.headers
    assert (again.content, again.headers.get("location")) == (first.content, first.headers.get("location"))
    return first


async def _video(creator: Api, folder: Path) -> dict[str, Any]:
    """A small public one, transcoded; a session of it."""
    path = make_clip(folder / "clip.mp4", _CLIP)
    sent = await _twice(creator, "/api/v1/upload", files={"file": ("clip.mp4", path.read_bytes(), "video/mp4")})
    video_id = sent.json()["content_id"]
    await creator.call("PUT", f"/api/v1/content/{video_id}/gate", json={"public": {}})
    # Its pictures come last; from then on nothing about it moves by itself.
    await creator.wait_for_content(video_id, lambda content: content["state"] == "ready" and content["poster_url"])
    session = await creator.call("POST", "/api/v1/stream/session", json={"content_id": video_id})
    token = session["hls_url"].split("/stream/s/")[1].partition("/")[0]
    listed = await creator.call("GET", "/api/v1/transcode/list", params={"content_id": video_id})
    info = await creator.call("GET", "/api/v1/stream/info", params={"content_id": video_id})
    return {
        "video_id": video_id,
        "session_id": session["session_id"],
        "session": token,
        "token": token,
        "task_id": listed["items"][0]["task_id"],
        "rendition": info["renditions"][0]["name"],
        "number": 1,
    }


# --- credentials ------------------------------------------------------------------------------------


async def _bad_tokens(stack: Stack, person: SignedIn, path_token: str) -> dict[str, str]:
    """All name the creator, who could do much; none may be believed."""
    true_key, kid = await _signing_key(stack)
    claims = jwt.decode(person.access_token, options={"verify_signature": False})
    head = {"kid": kid, "typ": jwt.get_unverified_header(person.access_token)["typ"]}
    stranger = Ed25519PrivateKey.generate()
    now_s = int(time.time())

    def signed(key: Any, algorithm: str = "EdDSA", header: dict[str, str] | None = None, **more: Any) -> str:
        return jwt.encode({**claims, **more}, key, algorithm=algorithm, headers={**head, **(header or {})})

    return {
        "garbage": "garbage",
        "expired": signed(true_key, iat=now_s - 7200, exp=now_s - 3600),
        "of another audience": signed(true_key, aud="streamgate:playback"),
        "of another type": signed(true_key, header={"typ": "JWT"}),
        "signed by another key": signed(stranger),
        "of an unknown key": signed(stranger, header={"kid": "unknown"}),
        "made admin, signature kept": _with_payload(person.access_token, {**claims, "roles": ["admin"]}),
        "without signature": signed(None, "none"),
        "a refresh token": person.refresh_token,
        **({"a playback token": path_token} if path_token else {}),
    }


def _with_payload(token: str, claims: dict[str, Any]) -> str:
    head, _, signature = token.split(".")
    payload = jwt.encode(claims, "x" * 32, algorithm="HS256").split(".")[1]
    return f"{head}.{payload}.{signature}"


async def _signing_key(stack: Stack) -> tuple[Ed25519PrivateKey, str]:
    """As somebody would have it who holds the database and the master key: only so can a token be truly expired."""
    environment = (stack.processes.get("auth") or stack.processes["all"]).environment
    url = environment.get("STREAMGATE_DATABASE__URL", "")
    if url.startswith("postgresql"):
        connection = await asyncpg.connect(url)
        row = await connection.fetchrow(_KEY_OF_AUTH)
        await connection.close()
    else:
        with sqlite3.connect(stack.data_dir / "streamgate.db") as opened:
            row = opened.execute(_KEY_OF_AUTH).fetchone()
        opened.close()
    text = environment.get("STREAMGATE_SECRETS__MASTER_KEY") or (stack.data_dir / "master.key").read_text()
    raw = MasterKey(base64.b64decode(text)).unwrap("auth.signing", bytes(row[0]))
    return Ed25519PrivateKey.from_private_bytes(raw), str(row[1])
