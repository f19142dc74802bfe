"""What is served, read by programs that others wrote: hls-parser and mpd-parser (strict), mp4box.js, Shaka Packager.

Of a session it takes every text and every segment. Each reader says what it found; all of them have to say the same, of
the same files, and no segment may begin more than a millisecond beside where the one before it ends.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Mapping, Sequence
from itertools import groupby, pairwise
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import attrs
import av
import pytest
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES128
from cryptography.hazmat.primitives.ciphers.modes import CBC
from cryptography.hazmat.primitives.padding import PKCS7

from tests.e2e.client import Api
from tests.js.readers import read_segments, read_texts, repackage

MOST_BESIDE_S = 0.001
AAC_BESIDE_S = 0.5 * 1024 / 44_100 + MOST_BESIDE_S
"""Sound is cut at its own frames, half of one beside the picture's cuts at most."""


@attrs.frozen(kw_only=True)
class Found:
    """A rendition as one kind of manifest has it; `groups` are its segments by the init segment they belong to."""

    name: str
    kind: str
    starts_s: tuple[float, ...]
    lengths_s: tuple[float, ...]
    groups: tuple[tuple[Path, tuple[Path, ...]], ...]
    urls: tuple[str, ...]
    key_frames: tuple[int, ...] = ()  # bytes of each segment up to the end of its first frame, where HLS lists them

    @property
    def rates_bps(self) -> list[float]:
        sizes = [path.stat().st_size for _, segments in self.groups for path in segments]
        return [8 * size / length_s for size, length_s in zip(sizes, self.lengths_s, strict=True)]

    @property
    def average_bps(self) -> float:
        return sum(rate * s for rate, s in zip(self.rates_bps, self.lengths_s, strict=True)) / sum(self.lengths_s)


@attrs.frozen(kw_only=True)
class Read:
    """`multivariant`, `manifest`: as the parsers give them. `samples`: of each rendition."""

    multivariant: Mapping[str, Any]
    manifest: Mapping[str, Any]
    samples: Mapping[str, int]


async def read_by_others(api: Api, session: Mapping[str, Any], folder: Path) -> Read:
    """Raises AssertionError where one of them does not agree. `session` has absolute addresses."""
    files = _Files(api, folder, {})
    hls_url, dash_url = session["hls_url"], session["dash_url"]
    text, manifest_text = (await api.get(hls_url)).text, (await api.get(dash_url)).text
    multivariant, manifest = read_texts([("hls", text), ("dash", manifest_text)], dash_url)
    assert manifest["warnings"] == [], manifest["warnings"]
    by_hls = await _renditions_of_hls(files, hls_url, multivariant)
    by_dash = [await _rendition_of_dash(files, kind, each) for kind in ("video", "audio") for each in manifest[kind]]
    assert {each.name for each in by_hls} == {each.name for each in by_dash}
    is_sealed = any("protection" in each for each in manifest["video"])
    if not is_sealed:
        assert {each.urls for each in by_hls} == {each.urls for each in by_dash}, "not the same files"
    groups = list({group: None for found in (*by_hls, *by_dash) for group in found.groups})
    measured = dict(zip(groups, await asyncio.to_thread(read_segments, groups), strict=True))
    samples: dict[str, int] = {}
    edges: dict[str, list[float]] = {}
    for found in (*by_hls, *by_dash):
        edges[found.name], count = _held_against(found, [measured[group] for group in found.groups])
        assert samples.setdefault(found.name, count) == count, f"{found.name} has other samples by DASH"
    reference = edges[by_hls[0].name]
    for found in by_hls:
        beside_s = MOST_BESIDE_S if found.kind == by_hls[0].kind else AAC_BESIDE_S
        # Sound may end before the picture does.
        assert edges[found.name][:-1] == pytest.approx(reference[:-1], abs=beside_s, rel=0), found.name
    _rates_are_as_told(multivariant, {found.name: found for found in by_hls})
    packaged = by_dash if is_sealed else by_hls
    inits = [init.read_bytes() for found in packaged for init, _ in found.groups] if is_sealed else []
    keys = dict([await key_of(api, dash_url, init) for init in inits])
    await asyncio.to_thread(_repackage, packaged, keys)
    return Read(multivariant=multivariant, manifest=manifest, samples=samples)


async def key_of(api: Api, dash_url: str, init: bytes) -> tuple[str, str]:
    """Of what is sealed by CENC: the name of its key and the key, as a licence of Clear Key has it; hexadecimal."""
    kid = init[init.index(b"tenc") + 12 :][:16]
    asked = base64.urlsafe_b64encode(kid).rstrip(b"=").decode()
    url = dash_url.replace("manifest.mpd", "licence")
    answer = await api.send("POST", url, json={"kids": [asked], "type": "temporary"})
    assert answer.status_code == 200, answer.text
    assert answer.headers["cache-control"] == "private, no-store"
    [key] = [each["k"] for each in answer.json()["keys"] if each["kid"] == asked]
    return kid.hex(), base64.urlsafe_b64decode(key + "==").hex()


def unsealed(data: bytes, key: bytes, iv: str) -> bytes:
    """A whole file under AES-128, as HLS has it."""
    opener, unpadder = Cipher(AES128(key), CBC(bytes.fromhex(iv))).decryptor(), PKCS7(128).unpadder()
    padded = opener.update(data) + opener.finalize()
    return unpadder.update(padded) + unpadder.finalize()


@attrs.frozen
class _Files:
    """What was fetched, each once."""

    api: Api
    folder: Path
    known: dict[str, Path]

    async def get(self, url: str, key: tuple[bytes, str] | None = None) -> Path:
        if url not in self.known:
            answer = await self.api.get(url)
            assert answer.status_code == 200, (url, answer.text[:200])
            path = self.folder / f"{len(self.known)}.part"
            path.write_bytes(unsealed(answer.content, *key) if key else answer.content)
            self.known[url] = path
        return self.known[url]

    async def grouped(self, parts: Sequence[tuple[str, Path]]) -> tuple[tuple[Path, tuple[Path, ...]], ...]:
        """Segments by the addresses of their init segments."""
        runs = [(init, list(those)) for init, those in groupby(parts, key=lambda part: part[0])]
        return tuple([(await self.get(init), tuple(path for _, path in those)) for init, those in runs])


async def _renditions_of_hls(files: _Files, url: str, multivariant: Mapping[str, Any]) -> list[Found]:
    """The renditions of pictures and sound; lists of key frames and of captions are read on the way."""
    kinds = {each["uri"]: "video" if each["resolution"] else "audio" for each in multivariant["variants"]}
    kinds |= {each["uri"]: "audio" for variant in multivariant["variants"] for each in variant["audio"]}
    others = [each["uri"] for each in multivariant.get("iframes", ())]
    others += {each["uri"] for variant in multivariant["variants"] for each in variant.get("subtitles", ())}
    addresses = [urljoin(url, uri) for uri in (*kinds, *others)]
    texts = [(await files.api.get(address)).text for address in addresses]
    found, key_frames = [], dict[str, tuple[int, ...]]()
    for address, playlist in zip(addresses, read_texts([("hls", text) for text in texts]), strict=True):
        assert playlist["endlist"] is True, address
        assert round(max(each["duration"] for each in playlist["segments"])) <= playlist["targetDuration"], address
        uri = next(uri for uri in (*kinds, *others) if urljoin(url, uri) == address)
        name = address.rsplit("/", 2)[-2]
        if uri not in kinds:
            assert playlist.get("isIFrame", False) is address.endswith("iframes.m3u8")
            if playlist.get("isIFrame"):
                assert {each["byterange"]["offset"] for each in playlist["segments"]} == {0}
                key_frames[name] = tuple(each["byterange"]["length"] for each in playlist["segments"])
            continue
        keys: dict[str, bytes] = {}
        parts = []
        for segment in playlist["segments"]:
            if sealing := segment.get("key"):
                assert sealing["method"] == "AES-128"
                key_url = urljoin(address, sealing["uri"])
                keys[key_url] = keys.get(key_url) or (await files.api.get(key_url)).content
                path = await files.get(urljoin(address, segment["uri"]), (keys[key_url], sealing["iv"]))
            else:
                path = await files.get(urljoin(address, segment["uri"]))
            parts.append((urljoin(address, segment["map"]), path))
        lengths_s = tuple(each["duration"] for each in playlist["segments"])
        found.append(
            Found(
                name=name,
                kind=kinds[uri],
                starts_s=tuple(sum(lengths_s[:n]) for n in range(len(lengths_s))),
                lengths_s=lengths_s,
                groups=await files.grouped(parts),
                urls=tuple(urljoin(address, each["uri"]) for each in playlist["segments"]),
            )
        )
    return [attrs.evolve(each, key_frames=key_frames.get(each.name, ())) for each in found]


async def _rendition_of_dash(files: _Files, kind: str, read: Mapping[str, Any]) -> Found:
    segments = read["segments"]
    return Found(
        name=read["id"],
        kind=kind,
        starts_s=tuple(each["presentationTime"] for each in segments),
        lengths_s=tuple(each["duration"] for each in segments),
        groups=await files.grouped([(each["map"], await files.get(each["uri"])) for each in segments]),
        urls=tuple(each["uri"] for each in segments),
    )


def _held_against(found: Found, read: Sequence[Mapping[str, Any]]) -> tuple[list[float], int]:
    """Beginnings of all segments and the end of the last, and how many samples there are, by mp4box.js."""
    parts = [(each["timescale"], part) for each in read for part in each["segments"]]
    assert [(each["faults"], each["tracks"], each["isFragmented"]) for each in read] == [([], 1, True)] * len(read)
    for timescale, part in parts:
        assert part["beginsWithSync"], found.name
        assert part["syncs"] == part["samples"] or found.kind == "video", found.name
        assert part["shownFrom"] >= 0, found.name
        assert part["decodedTo"] - part["decodedFrom"] == pytest.approx(
            part["shownTo"] - part["shownFrom"], abs=MOST_BESIDE_S * timescale
        )
    if found.key_frames:
        assert tuple(part["firstEnds"] for _, part in parts) == found.key_frames, found.name
    for (timescale, before), (_, after) in pairwise(parts):
        assert before["decodedTo"] == after["decodedFrom"], found.name
        assert after["shownFrom"] == pytest.approx(before["shownTo"], abs=MOST_BESIDE_S * timescale, rel=0), found.name
    edges = [part["shownFrom"] / timescale for timescale, part in parts]
    lengths_s = [(part["shownTo"] - part["shownFrom"]) / timescale for timescale, part in parts]
    told = [at_s - found.starts_s[0] for at_s in found.starts_s]
    assert [at_s - edges[0] for at_s in edges] == pytest.approx(told, abs=MOST_BESIDE_S, rel=0), found.name
    assert lengths_s == pytest.approx(found.lengths_s, abs=MOST_BESIDE_S, rel=0), found.name
    return [*edges, edges[-1] + lengths_s[-1]], sum(part["samples"] for _, part in parts)


def _rates_are_as_told(multivariant: Mapping[str, Any], found: Mapping[str, Found]) -> None:
    """Average rates within a tenth of the bytes that came, and no segment of some length above the peak."""
    for variant in multivariant["variants"]:
        picture, *sounds = (found[each["uri"].split("/")[-2]] for each in (variant, *variant["audio"]))
        average_bps = picture.average_bps + max((each.average_bps for each in sounds), default=0)
        assert variant["averageBandwidth"] == pytest.approx(average_bps, rel=0.1), picture.name
        long = max(picture.lengths_s) / 2
        rates = [rate for rate, length_s in zip(picture.rates_bps, picture.lengths_s, strict=True) if length_s >= long]
        assert max(rates) <= variant["bandwidth"], picture.name


def _repackage(renditions: Sequence[Found], keys: Mapping[str, str]) -> None:
    """Shaka Packager writes the same samples at the same times."""
    jobs = []
    for found in renditions:
        for init, segments in found.groups:
            whole = init.with_suffix(".whole.mp4")
            whole.write_bytes(b"".join(path.read_bytes() for path in (init, *segments)))
            jobs.append((whole, found.kind, init.with_suffix(".theirs.mp4")))
    repackage(jobs, keys)
    for ours, _, theirs in jobs:
        assert _times(theirs) == _times(ours), ours


def _times(path: Path) -> list[float]:
    """In seconds, from the first: a period's own clock begins where the one before it ended."""
    with av.open(str(path)) as container:
        stream = container.streams[0]
        found = [packet.pts for packet in container.demux(stream) if packet.pts is not None]
        return [round(float((at - found[0]) * (stream.time_base or 0)), 6) for at in found]
