"""From the last byte of a film to its first segment, over HTTP: one `--all` process on uvicorn. Seconds from the last
acknowledged chunk (so that `complete`, the plan, the session and the texts are within) until the first segment's bytes
are here; asked again every 20 ms.

- H.264/AAC, which is played as it is: 1, 10 and 60 minutes at 720 lines, one encoder. Beside it: `ffmpeg -c copy` that
  cuts all of the same file for HLS, which is what a server does that packages before it plays.
- MPEG-4 Part 2 in Matroska, which no browser plays: 1 and 10 minutes at 360 lines, encoded on all cores. It is played
  once its lowest rung is whole, so that this grows with the film.
"""

from __future__ import annotations

import asyncio
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import attrs
import av

from streamgate.testing.clips import ClipSpec, make_clip
from streamgate.testing.processes import StreamgateProcess
from streamgate.testing.wait import eventually
from streamgate.testing.wallets import SignedIn
from tests.bench.figures import Figure, Row
from tests.bench.processes import UNLIMITED, person, running
from tests.e2e.client import Api

ROUND_S = 64
"""3,000 packets of sound at 48 kHz: rounds join without a seam."""
ASKED_EVERY_S = 0.02
ROUND = ClipSpec(
    width_px=1280,
    height_px=720,
    frames=ROUND_S * 25,
    key_frames=tuple(range(0, ROUND_S * 25, 100)),
    options={"crf": "36"},
    audio_codec="aac",
    audio_s=float(ROUND_S),
)
FFMPEG = shutil.which("ffmpeg")


@attrs.frozen(kw_only=True)
class _Kind:
    """Films of one kind. `encoders`: 0 for all cores; `limit_s` and `aim_s` as of a figure."""

    name: str
    round_of: ClipSpec
    minutes: tuple[int, ...]
    rounds: int
    encoders: int
    limit_s: float = 0.0
    aim_s: float = 0.0
    is_cut: bool = False


CUT = _Kind(name="", round_of=ROUND, minutes=(1, 10, 60), rounds=5, encoders=1, limit_s=0.5, is_cut=True)
ENCODED = _Kind(
    name="MPEG-4 in MKV, ",
    round_of=attrs.evolve(ROUND, codec="mpeg4", options={"b": "1M"}, container="matroska"),
    minutes=(1, 10, 60),
    rounds=2,
    encoders=0,
    limit_s=3.0,
)


def longer(round_of: Path, path: Path, minutes: int, container: str = "mp4") -> Path:
    """The same round again and again, at least so many minutes: its packets, one round after the other."""
    with av.open(str(path), "w", format=container) as out:
        tracks: dict[int, Any] = {}
        for turn in range(-(-minutes * 60 // ROUND_S)):
            with av.open(str(round_of)) as source:
                for stream in source.streams:
                    if stream.index not in tracks:
                        tracks[stream.index] = out.add_stream_from_template(stream)
                for packet in source.demux():
                    if packet.pts is None or packet.dts is None or (turn and packet.pts < 0):
                        continue
                    if packet.pts * packet.time_base >= ROUND_S:
                        continue  # the coder's last packet of sound runs over the end
                    shift = round(turn * ROUND_S / packet.time_base)
                    packet.pts, packet.dts = packet.pts + shift, packet.dts + shift
                    packet.stream = tracks[packet.stream.index]
                    out.mux(packet)
    return path


async def _first_segment_s(server: StreamgateProcess, who: SignedIn, film: Path) -> float:
    async with Api.connect(server.base_url) as api:
        api.token = who.access_token
        begun = await api.begin_upload(film)
        for index in range(begun["chunks"]):
            await api.send_chunk(begun, film, index)
        began = time.perf_counter()
        await api.call("POST", "/api/v1/upload/complete", json={"upload_id": begun["upload_id"]})
        while True:
            asked = await api.send("POST", "/api/v1/stream/session", json={"content_id": begun["content_id"]})
            if asked.status_code == 201:
                break
            await asyncio.sleep(ASKED_EVERY_S)
        master = urljoin(server.base_url, asked.json()["hls_url"])
        found = re.search(r"^v\d+/", (await api.get(master)).text, re.MULTILINE)
        if found is None:
            raise RuntimeError("the film has no picture")
        for name in ("playlist.m3u8", "init.mp4", "0.m4s"):
            answer = await api.get(urljoin(master, found[0] + name))
            answer.raise_for_status()
        took_s = time.perf_counter() - began
        await _rest(api, begun["content_id"])
    return took_s


async def _rest(api: Api, content_id: str) -> None:
    """What is left to encode is given up, so that the next film has the machine for itself."""
    info = await api.call("GET", "/api/v1/stream/info", params={"content_id": content_id})
    await api.call("POST", "/api/v1/transcode/cancel", json={"task_id": info["task_id"]})

    async def is_idle() -> bool | None:
        figures = await api.call("GET", "/api/v1/transcode/metrics")
        return True if figures["workers"]["busy"] == 0 else None

    await eventually(is_idle, timeout_s=60, every_s=0.05, what="idleness")


def _ffmpeg_s(film: Path, folder: Path) -> float:
    folder.mkdir(exist_ok=True)
    command = [str(FFMPEG), "-v", "error", "-y", "-i", str(film), "-c", "copy", "-f", "hls", "-hls_time", "4"]
    command += ["-hls_segment_type", "fmp4", "-hls_playlist_type", "vod", str(folder / "film.m3u8")]
    began = time.perf_counter()
    subprocess.run(command, check=True, timeout=600)
    return time.perf_counter() - began


async def _rounds(server: StreamgateProcess, film: Path, rounds: int) -> tuple[float, ...]:
    who = await person(server.base_url)
    return tuple([await _first_segment_s(server, who, film) for _ in range(rounds)])


def measure(folder: Path) -> list[Row]:
    return [row for kind in (CUT, ENCODED) for row in _measured(folder, kind)]


def _measured(folder: Path, kind: _Kind) -> Iterator[Row]:
    container = kind.round_of.container
    round_of = make_clip(folder / f"round.{container}", kind.round_of)
    for minutes in kind.minutes:
        film = longer(round_of, folder / f"film.{container}", minutes, container)
        encoders = str(kind.encoders)
        environment = {"STREAMGATE_STREAMING__LEASE_S": "600", "STREAMGATE_TRANSCODER__ENCODERS": encoders, **UNLIMITED}
        arguments = ["--all", "--profile", "dev", "--engine", "uvicorn"]
        with running(folder, f"all-{container}-{minutes}", arguments, environment) as server:
            took = asyncio.run(_rounds(server, film, kind.rounds))
        peer = (_ffmpeg_s(film, folder / "hls"),) if FFMPEG and kind.is_cut else ()
        yield Figure(
            name=f"last byte to first segment, {kind.name}{minutes} min",
            unit="s",
            ours=took,
            peer=peer,
            peer_name="ffmpeg -c copy, all of it" if peer else "",
            limit=kind.limit_s,
            aim=kind.aim_s,
        )
