"""The main job, told once: by `make demo` to a person, by `test_story.py` to pytest, in either shape.

creator signs in → uploads, interrupted once → transcode → gate → stranger refused → holder watches by HLS and
DASH, every frame counted → the token is transferred → nothing is served any more → the new holder watches.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import attrs
import httpx

from streamgate.testing.stacks import Stack
from streamgate.testing.wait import eventually
from tests.e2e.client import Api, ApiProblem
from tests.e2e.playback import Decoded, Track, count_frames, decode, fetch, read_dash, read_hls
from tests.e2e.wallet import Wallet

SERVED = 200
REFUSED = (403, 410)


class StepFailed(Exception):
    """A step did not hold; the message says which and why."""


@attrs.frozen
class Step:
    name: str
    took_s: float
    detail: str


@attrs.define
class Story:
    """Runs the steps and remembers them. `tell` hears each as it ends."""

    stack: Stack
    clip: Path
    lease_s: float
    tell: Callable[[Step], None] = lambda step: None
    kill_transcoder: bool = False
    steps: list[Step] = attrs.field(factory=list)
    watched: list[Decoded] = attrs.field(factory=list)

    @asynccontextmanager
    async def _step(self, name: str) -> AsyncIterator[list[str]]:
        began = time.monotonic()
        details: list[str] = []
        try:
            yield details
        except (ApiProblem, AssertionError, TimeoutError, httpx.HTTPError, RuntimeError) as fault:
            raise StepFailed(f"{name}: {type(fault).__name__}: {fault}") from fault
        step = Step(name, time.monotonic() - began, "; ".join(details))
        self.steps.append(step)
        self.tell(step)

    async def run(self) -> None:
        """All steps in order.

        Raises:
            StepFailed: at the first one that does not hold.
        """
        async with AsyncExitStack() as open_clients:

            async def person(name: str) -> tuple[Wallet, Api]:
                return Wallet.new(name), await open_clients.enter_async_context(Api.connect(self.stack.url))

            creator, creator_api = await person("creator")
            stranger, stranger_api = await person("stranger")
            holder, holder_api = await person("holder")
            buyer, buyer_api = await person("buyer")

            async with self._step("creator signs in with a wallet") as said:
                await creator_api.sign_in(creator)
                said.append(creator.address)
            content_id = await self._upload(creator_api)
            await self._transcode(creator_api, content_id)
            chain = await self._gate(creator_api, content_id, holder)
            await self._refuse_stranger(stranger, stranger_api, content_id)
            session = await self._watch(holder, holder_api, content_id)
            await self._transfer(chain, holder, buyer, holder_api, session)
            await self._watch_lowest(buyer, buyer_api, content_id)
            await self._bad_file(creator_api)

    # --- the steps ----------------------------------------------------------------------------

    async def _upload(self, api: Api) -> str:
        async with self._step("upload in chunks, interrupted, resumed") as said:
            begun = await api.begin_upload(self.clip)
            chunks = begun["chunks"]
            half = max(1, chunks // 2)
            # Out of order, then a stop in the middle: the client forgets everything but the upload's id.
            await asyncio.gather(*(api.send_chunk(begun, self.clip, index) for index in reversed(range(half))))
            done = await api.resume_upload(begun, self.clip)
            assert done["size_bytes"] == self.clip.stat().st_size, done
            said.append(f"{done['size_bytes'] / 1e6:.1f} MB in {chunks} chunks, {half} before the break")
        return str(begun["content_id"])

    async def _transcode(self, api: Api, content_id: str) -> None:
        async with self._step("transcode to 720, 480, 360 and audio") as said:
            seen: list[float] = []
            if self.kill_transcoder:
                said.append(await self._kill_one_transcoder(api, content_id))

            async def watch_progress() -> None:
                tasks = await self._task_of(api, content_id)
                if tasks:
                    seen.append(tasks["progress"])

            async def is_over() -> dict[str, Any] | None:
                content: dict[str, Any] = await api.call("GET", f"/api/v1/content/{content_id}", patience_s=20)
                await watch_progress()
                return content if content["state"] in ("ready", "failed") else None

            content = await eventually(is_over, timeout_s=240, every_s=0.25, what="the transcode")
            assert content["state"] == "ready", content
            assert content["playable"] is True, content
            if not self.kill_transcoder:  # what a killed transcoder had not handed in is really lost
                assert seen == sorted(seen), f"progress went backwards: {seen}"
            info = await api.call("GET", "/api/v1/stream/info", params={"content_id": content_id})
            names = [rendition["id"] for rendition in info["renditions"]]
            said.append(f"{', '.join(names)} of {info['duration_s']:.1f} s; progress told {len(set(seen))} values")

    async def _task_of(self, api: Api, content_id: str) -> dict[str, Any] | None:
        info = await api.send("GET", "/api/v1/stream/info", params={"content_id": content_id})
        if info.status_code != SERVED or not info.json().get("task_id"):
            return None
        status = await api.send("GET", "/api/v1/transcode/status", params={"task_id": info.json()["task_id"]})
        found: dict[str, Any] | None = status.json() if status.status_code == SERVED else None
        return found

    async def _kill_one_transcoder(self, api: Api, content_id: str) -> str:
        """Waits until encoding has begun, then kills a transcoder that works; the other one takes over."""

        async def has_begun() -> dict[str, Any] | None:
            task = await self._task_of(api, content_id)
            return task if task and task["renditions"] and 0 < task["progress"] < 1 else None

        task = await eventually(has_begun, timeout_s=60, every_s=0.1, what="encoding to begin")
        self.stack.processes["transcoder"].kill()
        return f"a transcoder was killed with -9 at {task['progress']:.0%}"

    async def _gate(self, api: Api, content_id: str, holder: Wallet) -> dict[str, Any]:
        async with self._step("token minted, gate set to its contract") as said:
            chain: dict[str, Any] = await api.call("GET", "/api/v1/devchain/info", patience_s=5)
            await api.call("POST", "/api/v1/devchain/faucet", json={"address": holder.address})
            minted = await api.call("POST", "/api/v1/devchain/mint", json={"address": holder.address})
            chain["token_id"] = int(minted["token_id"])
            rule = {"any": [{"erc721": {"chain": chain["chain"], "contract": chain["contract"]}}]}
            await api.call("PUT", f"/api/v1/content/{content_id}/gate", json=rule)
            stored = await api.call("GET", f"/api/v1/content/{content_id}/gate")
            said.append(stored["text"])
        return chain

    async def _refuse_stranger(self, stranger: Wallet, api: Api, content_id: str) -> None:
        async with self._step("a stranger is refused, with the reason") as said:
            nobody = await api.send("POST", "/api/v1/stream/session", json={"content_id": content_id})
            assert nobody.status_code == 401, nobody.text
            await api.sign_in(stranger)
            refused = await api.send("POST", "/api/v1/stream/session", json={"content_id": content_id})
            assert refused.status_code == 403, refused.text
            problem = refused.json()
            assert problem["code"] == "gate.refused", problem
            leaf = problem["explanation"]["parts"][0]
            assert (leaf["kind"], leaf["outcome"], leaf["held"]) == ("erc721", "does_not_hold", "0"), problem
            said.append(f"{leaf['text']}: holds {leaf['held']} at block {leaf['block_number']}")

    async def _watch(self, wallet: Wallet, api: Api, content_id: str) -> dict[str, Any]:
        async with self._step("the holder signs in and gets a session"):
            await api.sign_in(wallet)
            asked = {"content_id": content_id}
            session: dict[str, Any] = await api.call("POST", "/api/v1/stream/session", json=asked, patience_s=10)
            again = await api.call("POST", "/api/v1/stream/session", json=asked)
            assert again["hls_url"] == session["hls_url"], "the same viewer got another address"
        async with self._step("the holder plays every segment by HLS and DASH") as said:
            hls_url = urljoin(self.stack.url, session["hls_url"])
            dash_url = urljoin(self.stack.url, session["dash_url"])
            hls, dash = await read_hls(api.http, hls_url), await read_dash(api.http, dash_url)
            assert {t.name for t in hls} == {t.name for t in dash}, (hls, dash)
            wanted = await asyncio.to_thread(count_frames, str(self.clip))
            self.watched = [await self._check_track(api, track, wanted) for track in (*hls, *dash)]
            rungs = sorted({d.height_px for d in self.watched if d.kind == "video"}, reverse=True)
            said.append(f"{wanted} frames in each of {rungs}, audio {self._audio_s():.2f} s")
        return session

    async def _watch_lowest(self, wallet: Wallet, api: Api, content_id: str) -> None:
        async with self._step("the new holder signs in and watches") as said:
            await api.sign_in(wallet)
            asked = {"content_id": content_id}
            session = await api.call("POST", "/api/v1/stream/session", json=asked, patience_s=10)
            tracks = await read_hls(api.http, urljoin(self.stack.url, session["hls_url"]))
            lowest = min(self.watched, key=lambda d: (d.kind != "video", d.height_px))
            decoded = await self._check_track(api, next(t for t in tracks if t.name == lowest.name), lowest.frames)
            said.append(f"{decoded.name}: {decoded.frames} frames")

    async def _check_track(self, api: Api, track: Track, wanted: int) -> Decoded:
        decoded = await asyncio.to_thread(decode, track.name, await fetch(api.http, track))
        if decoded.kind == "video":
            assert decoded.frames == wanted, f"{track.name}: {decoded.frames} frames of {wanted}"
        assert decoded.first_pts_s == 0, f"{track.name} begins at {decoded.first_pts_s}"
        return decoded

    def _audio_s(self) -> float:
        return max((d.samples for d in self.watched if d.kind == "audio"), default=0) / 48_000

    async def _transfer(
        self, chain: dict[str, Any], holder: Wallet, buyer: Wallet, api: Api, session: dict[str, Any]
    ) -> None:
        async with self._step("the token is transferred; nothing is served any more") as said:
            hls_url = urljoin(self.stack.url, session["hls_url"])
            tracks = await read_hls(api.http, hls_url)
            files = [hls_url, urljoin(self.stack.url, session["dash_url"])]
            files += [url for track in tracks for url in (track.init, track.segments[0], track.segments[-1])]
            files += [urljoin(track.init, "playlist.m3u8") for track in tracks]
            await holder.transfer(chain["rpc_url"], chain["contract"], chain["token_id"], buyer.address)
            began = time.monotonic()

            async def is_refused() -> httpx.Response | None:
                answer = await api.http.get(files[2])
                return None if answer.status_code == SERVED else answer

            answer = await eventually(is_refused, timeout_s=self.lease_s + 5, what="the refusal")
            took_s = time.monotonic() - began
            assert answer.status_code in REFUSED, answer.text
            for url in files:
                after = await api.http.get(url)
                assert after.status_code in REFUSED, f"{url} → {after.status_code}"
            renewed = await api.send("POST", f"/api/v1/stream/session/{session['session_id']}/renew")
            assert renewed.status_code in REFUSED, renewed.text
            said.append(f"refused after {took_s:.1f} s, {len(files)} addresses tried; lease {self.lease_s:g} s")

    async def _bad_file(self, api: Api) -> None:
        async with self._step("a file that is no video ends in `failed`") as said:
            bad = self.clip.with_name("not-a-video.mp4")
            bad.write_bytes(b"#EXTM3U\n#EXT-X-TARGETDURATION:1\nfile:///etc/passwd\n" * 64)
            begun = await api.begin_upload(bad)
            await api.resume_upload(begun, bad)
            content = await api.wait_for_content(begun["content_id"], lambda c: c["state"] in ("failed", "ready"))
            assert content["state"] == "failed", content
            assert content["failure"] == "media.not_media", content
            said.append(f"{content['failure']}: {content['failure_detail']}")
