"""The page's keeping of who is signed in, by itself: signing out while an answer is on its way, or unheard."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import streamgate_web

SCRIPT = Path(streamgate_web.__file__).parent / "static" / "access.js"

# A browser as far as the script looks at it. `answer(path)` answers the oldest question for that path.
BROWSER = """
const waiting = [];
Object.defineProperty(globalThis, "navigator", { value: {} }); // no locks: a page that did not come by https
globalThis.localStorage = { getItem: () => "1", setItem() {}, removeItem() {} };
globalThis.fetch = (path) => new Promise((resolve, reject) => waiting.push({ path, resolve, reject }));
const take = (path) => waiting.splice(waiting.findIndex((each) => each.path === path), 1)[0];
const tokens = { access_token: "new", user_id: "p_1", address: "0x1", roles: [] };
const answer = (path, status, body = {}) =>
  take(path).resolve({ ok: status < 300, status, json: async () => body });
const settled = () => new Promise((resolve) => setTimeout(resolve));
const { accessToken, renewAccess, signOut, signedIn } = await import("./access.mjs");
signedIn({ ...tokens, access_token: "old" });
"""


async def run(folder: Path, scene: str) -> Any:
    """What the scene's `found` is at its end."""
    (folder / "access.mjs").write_text(SCRIPT.read_text())
    (folder / "scene.mjs").write_text(f"{BROWSER}{scene}\nconsole.log(JSON.stringify(found));\n")
    node = await asyncio.create_subprocess_exec(
        "node", str(folder / "scene.mjs"), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    said, faults = await node.communicate()
    assert node.returncode == 0, faults.decode()
    return json.loads(said)


async def test_a_renewal_that_comes_after_signing_out_signs_nobody_in(tmp_path: Path) -> None:
    scene = """
        const renewing = renewAccess("old");
        await settled();
        const leaving = signOut();
        answer("/api/v1/auth/logout", 204);
        answer("/api/v1/auth/refresh", 200, tokens);
        const found = [await renewing, await leaving, accessToken()];
    """
    assert await run(tmp_path, scene) == [False, True, ""]


async def test_a_renewal_that_is_refused_after_signing_out_does_not_end_the_next_sign_in(tmp_path: Path) -> None:
    scene = """
        const renewing = renewAccess("old");
        await settled();
        const leaving = signOut();
        answer("/api/v1/auth/logout", 204);
        await leaving;
        signedIn(tokens);
        answer("/api/v1/auth/refresh", 401);
        const found = [await renewing, accessToken()];
    """
    assert await run(tmp_path, scene) == [False, "new"]


async def test_a_renewal_serves_all_who_ask(tmp_path: Path) -> None:
    """Chunks sent side by side find the token run out at once: the cookie sent twice would end the sign-in."""
    scene = """
        const renewing = [renewAccess("old"), renewAccess("old"), renewAccess("old")];
        await settled();
        const asked = waiting.length;
        answer("/api/v1/auth/refresh", 200, tokens);
        const found = [asked, await Promise.all(renewing), await renewAccess("old"), accessToken(), waiting.length];
    """
    assert await run(tmp_path, scene) == [1, [True, True, True], True, "new", 0]


async def test_signing_out_says_whether_the_server_was_told(tmp_path: Path) -> None:
    scene = """
        const found = [];
        for (const status of [204, 401, 429, 503, 0]) {
          signedIn(tokens);
          const leaving = signOut();
          if (status) answer("/api/v1/auth/logout", status);
          else take("/api/v1/auth/logout").reject(new TypeError("no network"));
          found.push([await leaving, accessToken()]);
        }
    """
    assert await run(tmp_path, scene) == [[True, ""], [True, ""], [False, ""], [False, ""], [False, ""]]
