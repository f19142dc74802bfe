"""Rows about playback: what an address opens, for whom, and until when."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from datetime import datetime

import httpx
import pytest

from streamgate.testing.attacks import attack
from streamgate.testing.wait import eventually
from streamgate_streaming.config import StreamingConfig
from tests.e2e.cast import Cast
from tests.e2e.shared import DOUBTFUL_CONFIRMATIONS, LEASE_S
from tests.security.stage import (
    SESSION,
    TheChain,
    becomes,
    gate,
    gated_video,
    holders,
    minted,
    new_wallet,
    newcomer,
    opened,
    told,
)

pytestmark = pytest.mark.timeout(180)  # the first one may start the servers

MAX_SESSIONS = StreamingConfig().max_sessions


async def addresses(http: httpx.AsyncClient, master_url: str) -> list[str]:
    """Every address of a session: playlists, manifest, inits, segments."""
    master = httpx.URL(master_url)
    found = [master, master.join("manifest.mpd")]
    for line in (await http.get(master_url)).text.splitlines():
        if line and not line.startswith("#"):
            playlist = master.join(line)
            found += [playlist, playlist.join("init.mp4")]
            listed = (await http.get(str(playlist))).text.splitlines()
            found += [playlist.join(each) for each in listed if each and not each.startswith("#")]
    return [str(each) for each in found]


@attack("B11")
async def test_b11_an_address_is_passed_on(cast: Cast, http: httpx.AsyncClient) -> None:
    """Share the playlist with the world → it dies with its session, and one person has so many sessions."""
    video_id = await gated_video(cast, http)
    _, person = await newcomer(http)
    await minted(http, person.address)
    begun = [await opened(http, video_id, person, client_id=str(number)) for number in range(MAX_SESSIONS)]
    assert {each.status_code for each in begun} == {201}
    assert told(await opened(http, video_id, person, client_id="more")) == (409, "stream.too_many")
    first = begun[0].json()
    shared = await addresses(http, first["hls_url"])
    assert {(await http.get(each)).status_code for each in shared} == {200}
    assert (await http.delete(f"{SESSION}/{first['session_id']}", headers=person.headers)).status_code == 204
    assert {(await http.get(each)).status_code for each in shared} == {410}
    stranger = await http.post(f"{SESSION}/{begun[1].json()['session_id']}/renew", headers=cast.headers("other"))
    assert stranger.status_code in (403, 404)


@attack("B12")
async def test_b12_media_without_a_session(cast: Cast, http: httpx.AsyncClient) -> None:
    """Guess or hot-link segments, as nobody and as somebody → every media address carries a session, or is refused."""
    video_id = await gated_video(cast, http)
    media = [path for path in cast.document["paths"] if path.startswith(("/api/v1/stream/", "/api/v1/streaming/"))]
    assert len(media) > 8
    _, person = await newcomer(http)
    true = cast.ids["token"]
    for path in media:
        if "get" not in cast.document["paths"][path]:
            continue
        for token in ("x", true[:-2] + "AA", cast.ids["session_id"]):
            query = {"content_id": video_id, "session": token, "rendition": cast.ids["rendition"], "number": "1"}
            places = {**query, "token": token, "path": "1.m4s", "session_id": token, "mode": "hls"}
            filled = path.format_map(defaultdict(lambda: "1", places))
            parameters = cast.document["paths"][path]["get"].get("parameters", ())
            wanted = {each["name"] for each in parameters if each["in"] == "query"}
            asked = {"Stream-File": f"/api/v1/stream/s/{token}/{query['rendition']}/1.m4s"}  # as nginx passes it on
            for headers in (asked, {**asked, **person.headers}):
                seen = await http.get(filled, params={k: v for k, v in query.items() if k in wanted}, headers=headers)
                if path.endswith("/info") or path.startswith("/api/v1/stream/captions/"):
                    assert "/s/" not in seen.text  # they describe, and give no address and no words away
                elif path.startswith("/api/v1/stream/poster/"):
                    assert seen.status_code in (200, 404)  # what is published shows its poster
                    assert seen.headers["content-type"] in ("image/jpeg", "application/problem+json")
                else:
                    assert seen.status_code in (401, 403, 404, 410), (filled, seen.status_code, seen.text[:200])
    yes = await http.get("/api/v1/stream/admit", headers={"Stream-File": f"/api/v1/stream/s/{true}/master.m3u8"})
    assert (yes.status_code, yes.headers["x-accel-expires"], yes.headers["cache-control"]) == (
        204,
        "1",
        "private, no-store",
    )
    assert yes.headers["stream-media"]


@attack("B13")
async def test_b13_side_files(cast: Cast, http: httpx.AsyncClient) -> None:
    """Posters, manifests, the original, what was uploaded → one gate for all; uploads cannot be read back."""
    video_id = await gated_video(cast, http)
    content = (await http.get(f"/api/v1/content/{video_id}", headers=cast.headers("viewer"))).text
    assert "/s/" not in content
    for path in (
        f"/api/v1/content/{video_id}/poster.jpg",
        f"/api/v1/content/{video_id}/original",
        f"/api/v1/stream/{video_id}/init.mp4",
        f"/api/v1/stream/s/{video_id}/master.m3u8",
        f"/api/v1/stream/s/{video_id}/storyboard.vtt",
        f"/api/v1/stream/s/{video_id}/storyboard/0.jpg",
        f"/api/v1/stream/poster/{video_id}/storyboard/0.jpg",
        f"/api/v1/stream/poster/{video_id}-0.jpg",
        f"/api/v1/upload/{cast.ids['upload_id']}",
        "/blobs",
        "/data/blobs",
        "/assets/..%2f..%2f..%2fdata",
        "/static/../data",
    ):
        for role in ("", "viewer", "creator"):
            assert (await http.get(path, headers=cast.headers(role))).status_code in (400, 404, 405), path
    tus = {"Tus-Resumable": "1.0.0"}
    sent = await http.post("/api/v1/upload/tus", headers={**cast.headers("creator"), **tus, "Upload-Length": "5"})
    where = sent.headers["location"]
    for role in ("", "viewer", "other"):
        seen = await http.get(where, headers={**cast.headers(role), **tus})
        assert seen.status_code in (401, 403, 404, 405), (role, seen.status_code)
    bytes_ = {**tus, "Upload-Offset": "0", "Content-Type": "application/offset+octet-stream"}
    assert (await http.patch(where, content=b"film", headers={**cast.headers("creator"), **bytes_})).is_success
    own = await http.get(where, headers={**cast.headers("creator"), **tus})
    assert b"film" not in own.content


@attack("B14")
async def test_b14_past_the_server_to_the_store(cast: Cast, http: httpx.AsyncClient) -> None:
    """Ask the bucket itself for a segment → it answers signed requests alone; local files have no address."""
    if cast.stack.bucket is None:
        for path in ("/blobs/", "/api/v1/blobs", "/api/v1/blobs/list", "/data/streamgate.db", "/..%2fstreamgate.db"):
            assert (await http.get(path)).status_code in (400, 404)
        return
    bucket = cast.stack.bucket
    (key, *_) = bucket.server.objects(bucket.name)
    async with httpx.AsyncClient(base_url=bucket.server.endpoint, trust_env=False) as store:
        for path in (f"/{bucket.name}/{key}", f"/{bucket.name}"):
            assert (await store.get(path)).status_code == 403, path
        assert (await store.put(f"/{bucket.name}/planted", content=b"x")).status_code == 403


@attack("B16")
async def test_b16_one_token_goes_round_among_friends(cast: Cast, http: httpx.AsyncClient, chain: TheChain) -> None:
    """One watches, gives the token on, the next watches, and so on → who has it takes over, who gave it is out."""
    friends = [await newcomer(http) for _ in range(2)]
    token_id = int(await minted(http, friends[0][1].address))
    video_id = await gate(cast, http, holders(cast))
    first = await opened(http, video_id, friends[0][1])
    assert told(first) == (201, "")
    assert told(await opened(http, video_id, friends[1][1])) == (403, "gate.refused")
    await asyncio.to_thread(chain.client.transfer, friends[0][0], friends[1][1].address, token_id)
    second = await becomes(http, video_id, friends[1][1], (201, ""))

    async def is_out() -> bool | None:
        seen = await http.get(first.json()["hls_url"])
        assert seen.status_code in (200, 403, 410)
        return True if seen.status_code != 200 else None

    await eventually(is_out, timeout_s=20, what="the end of who gave the token away")
    assert (await http.get(second.json()["hls_url"])).status_code == 200
    await becomes(http, video_id, friends[0][1], (403, "gate.refused"))


@attack("B16", "B25")
async def test_b16_one_vault_delegates_to_many(cast: Cast, http: httpx.AsyncClient, chain: TheChain) -> None:
    """Keep one token in a vault, delegate it to all friends → one of them watches at a time, and none after the end."""
    vault = new_wallet().address
    friends = [(await newcomer(http))[1] for _ in range(3)]
    await minted(http, vault)
    delegations = chain.registry()
    for friend in friends:
        delegations.delegate(vault, friend.address)
    chain.mine(DOUBTFUL_CONFIRMATIONS)
    video_id = await gate(cast, http, holders(cast, chain=chain.doubtful.name, delegated=True))
    first = await becomes(http, video_id, friends[0], (201, ""))
    for friend in friends[1:]:
        refused = await opened(http, video_id, friend)
        assert told(refused) == (409, "stream.too_many")
        assert vault.lower() not in refused.text.lower()
    session_id = first.json()["session_id"]
    assert (await http.delete(f"{SESSION}/{session_id}", headers=friends[0].headers)).status_code == 204
    assert told(await opened(http, video_id, friends[1])) == (201, "")
    delegations.revoke(vault, friends[1].address)
    await becomes(http, video_id, friends[1], (403, "gate.refused"))
    assert told(await opened(http, video_id, friends[2])) == (201, "")


@attack("B24")
async def test_b24_an_address_that_outlives_its_decision(cast: Cast, http: httpx.AsyncClient, chain: TheChain) -> None:
    """Between check and use things change → what is handed out is no longer good than the reading it rests on."""
    video_id = await gated_video(cast, http)
    _, person = await newcomer(http)
    await minted(http, person.address)
    asked_at_s = time.time()
    begun = (await opened(http, video_id, person)).json()
    lease_s = LEASE_S if cast.stack.mode == "split" else StreamingConfig().lease_s
    until_s = datetime.fromisoformat(begun["decided_until"]).timestamp()
    assert asked_at_s - 5 <= until_s - lease_s <= time.time() + 0.1
    assert begun["renew_after_s"] < lease_s
    assert (await http.get(begun["hls_url"])).status_code == 200
    await gate(cast, http, holders(cast, contract=chain.returning(0)))

    async def is_over() -> bool | None:
        return True if (await http.get(begun["hls_url"])).status_code in (403, 410) else None

    await eventually(is_over, timeout_s=20, what="the end of what another rule opened")
