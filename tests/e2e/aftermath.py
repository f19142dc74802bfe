"""What must hold when the story is over, whatever was killed during it: nothing that was acknowledged is lost."""

from __future__ import annotations

import asyncio
import hashlib
from pathlib import Path
from typing import Any

from streamgate.testing.stacks import Stack
from streamgate.testing.wait import eventually
from tests.e2e.client import Api

RELAYED_S = 60.0  # an entry may wait for a process that was killed to come back


async def assert_source_is_whole(stack: Stack, api: Api, upload_id: str, clip: Path) -> str:
    """Every acknowledged byte is there: by what the server says, and (where there is a bucket) by what lies in it."""
    wanted = await asyncio.to_thread(_sha256_of, clip)
    state = await api.is_verified(upload_id)
    assert (state["sha256"], state["status"]) == (wanted, "complete"), state
    if stack.bucket is None:
        return "sha256 equal"
    store, name = stack.bucket.server, stack.bucket.name
    objects = await asyncio.to_thread(store.objects, name)
    same_size = [key for key, size in objects.items() if size == state["size_bytes"]]
    hashes = [hashlib.sha256(await asyncio.to_thread(store.read, name, key)).hexdigest() for key in same_size]
    assert wanted in hashes, same_size
    return f"sha256 equal, also in the bucket ({len(objects)} objects)"


def _sha256_of(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


async def assert_audited(admin: Api, *, creator: str, stranger: str, content_id: str) -> str:
    """The trail has the sign-in, the gate and the refusal."""

    async def line(what: str, **asked: str) -> dict[str, Any]:
        async def look() -> dict[str, Any] | None:
            page = await admin.call("GET", "/api/v1/monitor/audit", params={**asked, "limit": "200"})
            return next(iter(page["items"]), None)

        return await eventually(look, timeout_s=RELAYED_S, every_s=0.3, what=f"the audit entry of {what}")

    signed_in = await line("the sign-in", act="auth.signed_in", address=creator)
    assert (signed_in["outcome"], signed_in["client"]) == ("done", "127.0.0.1"), signed_in
    gate = await line("the gate", act="gate.set", subject_id=f"content:{content_id}")
    assert gate["address"].lower() == creator.lower(), gate
    refusal = await line("the refusal", act="http", outcome="refused", address=stranger)
    assert refusal["code"] == "gate.refused", refusal
    return "sign-in, gate and refusal are in the audit trail"


async def dead_letters(admin: Api) -> set[str]:
    """Jobs and events that were given up on."""
    jobs = await admin.call("GET", "/api/v1/jobs/dead", params={"limit": "100"})
    events = await admin.call("GET", "/api/v1/jobs/dead/events")
    assert not jobs["next_cursor"], "more than fit a page"
    return {f"{each['kind']} {each['job_id']}" for each in jobs["items"]} | {str(each) for each in events["items"]}


async def assert_no_dead_letters(admin: Api, before: set[str]) -> str:
    """No further job and no event was given up on."""
    assert await dead_letters(admin) - before == set()
    return "no dead letters"
