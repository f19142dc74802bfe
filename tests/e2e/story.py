"""The main job, told once: by `make demo` to a person, by `test_story.py` to pytest, in either shape.

creator signs in → uploads, interrupted once → transcode → gate → stranger refused → holder watches by HLS and
DASH, every frame counted → the token is transferred → nothing is served any more → the new holder watches.

Split, one of every kind is killed with -9 at a moment that matters and comes back as a supervisor would bring it
back: people wait and ask again where a client may, and nothing that was acknowledged is lost.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import attrs
import httpx

from streamgate.testing.stacks import Stack
from streamgate.testing.wait import eventually
from tests.e2e.aftermath import assert_audited, assert_no_dead_letters, assert_source_is_whole, dead_letters
from tests.e2e.client import Api, ApiProblem
from tests.e2e.crashes import Crashes
from tests.e2e.pictures import check_pictures, give_poster
from tests.e2e.playback import Decoded, Track, count_frames, decode, fetch, read_dash, read_hls
from tests.e2e.wallet import Wallet

SERVED = 200
REFUSED = (403, 410)
PATIENCE_S = 60.0
"""How long people ask again while a part of a split is away. It is back within seconds, later on a busy machine."""
WAIT_S = 240.0


class StepFailed(Exception):
    """A step did not hold; the message says which and why."""


@attrs.frozen
class Step:
    name: str
    took_s: float
    detail: str


@attrs.frozen(kw_only=True)
class Roles:
    """Who needs more than a wallet. The server is told their addresses when it starts."""

    creator: Wallet = attrs.field(factory=lambda: Wallet.new("creator"))
    admin: Wallet = attrs.field(factory=lambda: Wallet.new("admin"))

    def environment(self) -> dict[str, str]:
        return {
            "STREAMGATE_AUTH__OPEN_CREATORS": "false",
            "STREAMGATE_AUTH__CREATORS": self.creator.address,
            "STREAMGATE_AUTH__ADMINS": self.admin.address,
        }


@attrs.define(slots=False)
class Story:
    """Runs the steps and remembers them. `tell` hears each as it ends.

    `keeps_connections`: no, where each request shall be a new draw of a balancer.
    """

    stack: Stack
    clip: Path
    lease_s: float
    roles: Roles
    tell: Callable[[Step], None] = lambda step: None
    keeps_connections: bool = True
    steps: list[Step] = attrs.field(factory=list)
    watched: list[Decoded] = attrs.field(factory=list)

    @cached_property
    def crashes(self) -> Crashes:
        return Crashes(self.stack)

    @asynccontextmanager
    async def _step(self, name: str) -> AsyncIterator[list[str]]:
        began = time.monotonic()
        details: list[str] = []
        try:
            yield details
        except (ApiProblem, AssertionError, TimeoutError, httpx.HTTPError, RuntimeError) as fault:
            raise StepFailed(f"{name}: {type(fault).__name__}: {fault}") from fault
        step = Step(name, time.monotonic() - began, "; ".join(filter(None, details)))
        self.steps.append(step)
        self.tell(step)

    async def run(self) -> None:
        """All steps in order.

        Raises:
            StepFailed: at the first one that does not hold.
        """
        async with AsyncExitStack() as cleanup:
            await cleanup.enter_async_context(self.crashes.in_the_end_all_return())

            async def person() -> Api:
                patience_s = PATIENCE_S if self.crashes.are_meant else 0.0
                api = Api.connect(self.stack.url, patience_s=patience_s, keeps_connections=self.keeps_connections)
                return await cleanup.enter_async_context(api)

            creator_api, admin_api = await person(), await person()
            stranger, stranger_api = Wallet.new("stranger"), await person()
            holder, holder_api = Wallet.new("holder"), await person()
            buyer, buyer_api = Wallet.new("buyer"), await person()

            await admin_api.sign_in(self.roles.admin)
            dead_before = await dead_letters(admin_api)
            await self._sign_in(creator_api)
            begun = await self._upload(creator_api)
            content_id = str(begun["content_id"])
            await self._transcode(creator_api, content_id)
            chain = await self._gate(creator_api, content_id, holder)
            await self._refuse_stranger(stranger, stranger_api, content_id)
            session = await self._watch(holder, holder_api, content_id)
            async with self._step("the creator gives it another poster") as said:
                said.append(await give_poster(creator_api, content_id))
            await self._transfer(chain, holder, buyer, holder_api, session)
            await self._watch_lowest(buyer, buyer_api, content_id)
            async with self._step("nothing acknowledged is lost") as said:
                await admin_api.sign_in(self.roles.admin)
                said.append(await assert_source_is_whole(self.stack, creator_api, begun["upload_id"], self.clip))
                addresses = {"creator": self.roles.creator.address, "stranger": stranger.address}
                said.append(await assert_audited(admin_api, content_id=content_id, **addresses))
                said.append(await assert_no_dead_letters(admin_api, dead_before))
                if self.crashes.are_meant:
                    people = (creator_api, stranger_api, holder_api, buyer_api, admin_api)
                    said.append(f"longest wait {max(api.longest_wait_s for api in people):.1f} s")
            await self._bad_file(creator_api)

    # --- the steps ----------------------------------------------------------------------------

    async def _sign_in(self, api: Api) -> None:
        async with self._step("creator signs in with a wallet") as said:
            said.append(self.roles.creator.address)

            async def crash() -> None:
                said.append(await self.crashes.kill("auth", when="between challenge and answer"))

            await api.sign_in(self.roles.creator, before_answer=crash)

    async def _upload(self, api: Api) -> dict[str, Any]:
        async with self._step("upload in chunks, interrupted, resumed") as said:
            begun = await api.begin_upload(self.clip)
            chunks = begun["chunks"]
            half = max(1, chunks // 2)
            # Out of order, then a stop in the middle: the client forgets everything but the upload's id.
            await asyncio.gather(*(api.send_chunk(begun, self.clip, index) for index in reversed(range(half))))
            said.append(await self.crashes.kill("upload", "s3", when="between chunks"))
            done = await api.resume_upload(begun, self.clip)
            said.append(await self.crashes.kill("upload", "metadata", when="when it was acknowledged"))
            assert done["size_bytes"] == self.clip.stat().st_size, done
            said.append(f"{done['size_bytes'] / 1e6:.1f} MB in {chunks} chunks, {half} before the break")
        return begun

    async def _transcode(self, api: Api, content_id: str) -> None:
        async with self._step("transcode to 720, 480, 360, 240 and audio") as said:
            seen: list[float] = []
            if self.crashes.are_meant:
                said.append(await self._crash_while_encoding(api, content_id))

            async def watch_progress() -> None:
                tasks = await self._task_of(api, content_id)
                if tasks:
                    seen.append(tasks["progress"])

            async def is_over() -> dict[str, Any] | None:
                content: dict[str, Any] = await api.call("GET", f"/api/v1/content/{content_id}", patience_s=20)
                await watch_progress()
                return content if content["state"] in ("ready", "failed") else None

            content = await eventually(is_over, timeout_s=WAIT_S, every_s=0.25, what="the transcode")
            assert content["state"] == "ready", content
            assert content["playable"] is True, content
            assert seen == sorted(seen), f"progress went backwards: {seen}"  # through attempts that were lost, too
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

    async def _crash_while_encoding(self, api: Api, content_id: str) -> str:
        """Once encoding has begun: who encodes, who hands out the work, who carries messages, who takes results."""

        async def has_begun() -> dict[str, Any] | None:
            task = await self._task_of(api, content_id)
            return task if task and task["renditions"] and 0 < task["progress"] < 1 else None

        task = await eventually(has_begun, timeout_s=WAIT_S, every_s=0.1, what="encoding to begin")
        steered = {"task_id": task["task_id"]}
        paused = await api.call("POST", "/api/v1/transcode/pause", json=steered, patience_s=20)
        assert paused["status"] in ("paused", "done"), paused  # the last chunk may have come meanwhile
        said = [await self.crashes.kill("transcoder", "worker", when=f"at {task['progress']:.0%}, {paused['status']}")]
        said.append(await self.crashes.kill("nats", "streaming", when="thereafter"))
        now = await api.call("GET", "/api/v1/transcode/status", params=steered, patience_s=20)
        assert (now["status"], now["eta_s"]) in (("paused", None), ("done", 0.0)), now
        assert now["progress"] >= task["progress"]
        resumed = await api.call("POST", "/api/v1/transcode/resume", json=steered, patience_s=20)
        assert resumed["status"] in ("queued", "running", "done"), resumed
        return "; ".join(said)

    async def _gate(self, api: Api, content_id: str, holder: Wallet) -> dict[str, Any]:
        async with self._step("token minted, gate set to its contract") as said:
            said.append(await self.crashes.kill("api", "web", "cache", "redis", when="before it"))
            where = f"{self.stack.chain_url}/api/v1/devchain"
            chain: dict[str, Any] = await api.call("GET", f"{where}/info", patience_s=20)
            address = {"address": holder.address}
            await api.call("POST", f"{where}/faucet", json=address, creates=True)
            minted = await api.call("POST", f"{where}/mint", json=address, creates=True)
            chain["token_id"] = int(minted["token_id"])
            rule = {"any": [{"erc721": {"chain": chain["chain"], "contract": chain["contract"]}}]}
            await api.call("PUT", f"/api/v1/content/{content_id}/gate", json=rule)
            stored = await api.call("GET", f"/api/v1/content/{content_id}/gate")
            said.append(stored["text"])
        return chain

    async def _refuse_stranger(self, stranger: Wallet, api: Api, content_id: str) -> None:
        async with self._step("a stranger is refused, with the reason") as said:
            said.append(await self.crashes.kill("monitor", when="before it"))
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
            hls, dash = await read_hls(api, hls_url), await read_dash(api, dash_url)
            assert {t.name for t in hls} == {t.name for t in dash}, (hls, dash)
            wanted = await asyncio.to_thread(count_frames, str(self.clip))
            moments = iter([("streaming", "s3"), ("auth", "postgres")])
            for track in (*hls, *dash):
                killed = next(moments, ())
                self.watched.append(await self._check_track(api, track, wanted, killed=killed))
                if killed and self.crashes.are_meant:
                    said.append(self.crashes.told[-1])
            rungs = sorted({d.height_px for d in self.watched if d.kind == "video"}, reverse=True)
            said.append(f"{wanted} frames in each of {rungs}, audio {self._audio_s():.2f} s")
        async with self._step("poster and storyboard are there, and as their index says") as said:
            said.append(await check_pictures(api, self.stack.url, content_id))
        return session

    async def _watch_lowest(self, wallet: Wallet, api: Api, content_id: str) -> None:
        async with self._step("the new holder signs in and watches") as said:
            await api.sign_in(wallet)
            asked = {"content_id": content_id}
            session = await api.call("POST", "/api/v1/stream/session", json=asked, patience_s=10)
            tracks = await read_hls(api, urljoin(self.stack.url, session["hls_url"]))
            lowest = min(self.watched, key=lambda d: (d.kind != "video", d.height_px))
            decoded = await self._check_track(api, next(t for t in tracks if t.name == lowest.name), lowest.frames)
            said.append(f"{decoded.name}: {decoded.frames} frames")

    async def _check_track(self, api: Api, track: Track, wanted: int, *, killed: tuple[str, ...] = ()) -> Decoded:
        async def crash(number: int) -> None:
            if number == 1 and killed:
                await self.crashes.kill(*killed, when=f"while {track.name} was played")

        data = await fetch(api, track, before_segment=crash)
        decoded = await asyncio.to_thread(decode, track.name, data)
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
            await self.crashes.all_returned()
            tracks = await read_hls(api, hls_url)
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
