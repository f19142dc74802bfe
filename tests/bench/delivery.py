"""Gated segments of about 600 kB, 16 connections from a client process that shares the cores: requests a second.

One `--all` process, by turns with nginx, one worker, that serves the same bytes as a file to anybody: on hypercorn, on
uvicorn, and behind nginx with each site file of `deploy/nginx` (X-Accel-Redirect; auth_request and a cache for all).
On uvicorn also beside what people build by hand: nginx that serves the file and asks the same gate at each request.
"""

from __future__ import annotations

import asyncio
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

import attrs
import httpx

from streamgate.testing.clips import ClipSpec, make_clip
from streamgate.testing.nginx import NGINX, NO_NGINX, Nginx
from streamgate.testing.processes import StreamgateProcess
from tests.bench.figures import Figure, LeftOut, Row
from tests.bench.films import publish
from tests.bench.load import connected, load
from tests.bench.processes import UNLIMITED, person, running

CLIP = ClipSpec(
    width_px=1280,
    height_px=720,
    frames=500,
    key_frames=(0, 100, 200, 300, 400),
    options={"b": "1200000", "minrate": "1200000", "maxrate": "1200000", "bufsize": "2400000", "nal-hrd": "cbr"},
)
LOADED, ROUNDS = 600, 4
SITES = Path(__file__).parents[2] / "deploy" / "nginx"
FILES = "server { listen 127.0.0.1:@PORT@; root files; }"
BY_HAND = """
upstream gate { server 127.0.0.1:%d; keepalive 64; }
server {
    listen 127.0.0.1:@PORT@;
    location / { auth_request /gate; root files; }
    location = /gate {
        internal; proxy_pass http://gate/api/v1/stream/admit; proxy_http_version 1.1;
        proxy_set_header Connection ""; proxy_set_header Stream-File $request_uri;
        proxy_pass_request_body off; proxy_set_header Content-Length "";
    }
}
"""


@attrs.frozen
class _Way:
    """How the bytes go, and what is asked of it beside nginx alone."""

    name: str
    engine: str
    ratio_limit: float
    site: str = ""
    environment: dict[str, str] = attrs.field(factory=dict)


WAYS = (
    _Way("hypercorn", "hypercorn", 0.35),
    _Way("uvicorn", "uvicorn", 0.7),
    _Way("behind nginx, accel.conf", "uvicorn", 0.95, "accel.conf", {"STREAMGATE_STREAMING__OFFLOAD": "accel"}),
    _Way("behind nginx, cache.conf", "uvicorn", 0.95, "cache.conf"),
)


async def _session(server: StreamgateProcess, port: int, clip: Path, content_ids: list[str]) -> tuple[str, bytes]:
    """The path of a segment, by a new session, and its bytes. The content is published by whoever comes first."""
    who = await person(server.base_url)
    if not content_ids:
        content_ids.append(await publish(server.base_url, who, clip))
    async with httpx.AsyncClient(base_url=server.base_url, headers=who.headers, timeout=30, trust_env=False) as http:
        asked = await http.post("/api/v1/stream/session", json={"content_id": content_ids[0]})
        folder = urlsplit(asked.raise_for_status().json()["hls_url"]).path.removesuffix("master.m3u8")
        master = (await http.get(f"{folder}master.m3u8")).raise_for_status().text
    variants = [line for line in master.splitlines() if not line.startswith("#")]
    path = folder + variants[-1].replace("playlist.m3u8", "1.m4s")  # the highest is last
    async with connected(port) as connection:
        return path, (await connection.ask("GET", path)).body


def _site(way: _Way, server: StreamgateProcess, folder: Path) -> str:
    text = (SITES / way.site).read_text(encoding="utf-8")
    text = text.replace("127.0.0.1:9090", f"127.0.0.1:{server.port}").replace("listen 8080", "listen 127.0.0.1:@PORT@")
    return text.replace("/srv/streamgate/blobs/", f"{folder}/all-data/blobs/").replace("/var/cache/nginx/", "@FOLDER@/")


def _beside(port: int, peer_port: int, path: str) -> tuple[tuple[float, ...], tuple[float, ...]]:
    rates = [
        (load(port, path, requests=LOADED).per_s, load(peer_port, path, requests=LOADED).per_s) for _ in range(ROUNDS)
    ]
    return tuple(ours for ours, _ in rates), tuple(peer for _, peer in rates)


def measure(folder: Path) -> list[Row]:
    if NGINX is None:
        return [LeftOut("gated segments beside nginx", NO_NGINX)]
    clip = make_clip(folder / "clip.mp4", CLIP)
    content_ids: list[str] = []
    rows: list[Row] = []
    for way in WAYS:
        arguments = ["--all", "--profile", "dev", "--engine", way.engine]
        environment = {"STREAMGATE_STREAMING__LEASE_S": "600", **UNLIMITED, **way.environment}
        with ExitStack() as opened:
            server = opened.enter_context(running(folder, "all", arguments, environment))
            port = server.port
            if way.site:
                port = opened.enter_context(Nginx(_site(way, server, folder), user="root")).port
            path, data = asyncio.run(_session(server, port, clip, content_ids))
            files = opened.enter_context(Nginx(FILES))
            _write(files, path, data)
            name = f"gated segment, {len(data) / 1e3:.0f} kB, {way.name}"
            ours, peer = _beside(port, files.port, path)
            rows.append(_figure(name, ours, peer, "nginx, the file", way.ratio_limit))
            if way.engine == "uvicorn" and not way.site:
                by_hand = opened.enter_context(Nginx(BY_HAND % server.port))
                _write(by_hand, path, data)
                ours, peer = _beside(port, by_hand.port, path)
                rows.append(_figure(name, ours, peer, "nginx, auth_request", 1.0))
    return rows


def _write(nginx: Nginx, path: str, data: bytes) -> None:
    file = nginx.directory / "files" / path.lstrip("/")
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(data)


def _figure(name: str, ours: tuple[float, ...], peer: tuple[float, ...], peer_name: str, limit: float) -> Figure:
    return Figure(
        name=name, unit="1/s", ours=ours, peer=peer, peer_name=peer_name, ratio_limit=limit, higher_is_better=True
    )
