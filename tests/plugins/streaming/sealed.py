"""An encrypted film in the theatre, and what a player does with it."""

from __future__ import annotations

import base64
import re
from typing import Any
from urllib.parse import urljoin

import httpx
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES128
from cryptography.hazmat.primitives.ciphers.modes import CBC
from cryptography.hazmat.primitives.padding import PKCS7

from streamgate.contracts import events
from tests.plugins.streaming.theatre import Theatre

_KEY = re.compile(r'#EXT-X-KEY:METHOD=AES-128,URI="([^"]+)",IV=0x([0-9a-f]{32})')


async def play_sealed(theatre: Theatre, **shape: Any) -> None:
    """An encrypted film, ready, of which nobody has had a session."""
    theatre.metadata.protection["c_film"] = "encrypted"
    await theatre.play("c_film", **shape)


async def protect(theatre: Theatre, protection: Any, revision: int) -> None:
    """What metadata says when the owner has changed it."""
    theatre.metadata.protection["c_film"], theatre.metadata.revision = protection, revision
    body = events.ProtectionChanged(subject_id="c_film", revision=revision, protection=protection)
    await theatre.say(events.PROTECTION_CHANGED, body)


async def public(theatre: Theatre, path: str, method: str = "GET", **how: Any) -> httpx.Response:
    """What anybody gets, below the film's public addresses."""
    async with theatre.client() as http:
        return await http.request(method, urljoin("/api/v1/stream/m/c_film/", path), **how)


async def licence(theatre: Theatre, session: dict[str, Any], *kids: str) -> httpx.Response:
    return await theatre.fetch(session, "licence", method="POST", json={"kids": list(kids), "type": "temporary"})


async def kids_of(theatre: Theatre, session: dict[str, Any]) -> list[str]:
    """As the manifest names them, the way a player asks for them."""
    manifest = (await theatre.fetch(session, "manifest.mpd")).text
    found = dict.fromkeys(re.findall(r'cenc:default_KID="([^"]+)"', manifest))
    return [text(bytes.fromhex(each.replace("-", ""))) for each in found]


async def opened(theatre: Theatre, session: dict[str, Any], track: str) -> list[bytes]:
    """The segments of a rendition, as a player of HLS has them in the end."""
    playlist = (await theatre.fetch(session, f"{track}/playlist.m3u8")).text
    segments, key, iv = [], b"", b""
    for line in playlist.splitlines():
        if found := _KEY.fullmatch(line):
            answer = await theatre.fetch(session, f"{track}/{found[1]}")
            assert answer.status_code == 200, answer.text
            key, iv = answer.content, bytes.fromhex(found[2])
        elif line.endswith(".m4s"):
            answer = await public(theatre, line)
            assert answer.status_code == 200, answer.text
            segments.append(undone(answer.content, key, iv))
    return segments


def undone(sealed: bytes, key: bytes, iv: bytes) -> bytes:
    opener, unpadder = Cipher(AES128(key), CBC(iv)).decryptor(), PKCS7(128).unpadder()
    return unpadder.update(opener.update(sealed) + opener.finalize()) + unpadder.finalize()


def text(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()
