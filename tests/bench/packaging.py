"""Ciphertext from clear segments, in one thread of this process: MB of clear media a second of CPU, so of a core.

Segments of 600 kB (1.2 Mbit/s for 4 s). The peer, by turns with ours in the same run: AES alone on the same bytes, by
the same library, without padding, parsing or describing.

- AES-128 (HLS): a whole segment in CBC mode, padded.
- CENC (DASH): 100 pictures in counter mode, described; sound in whole samples is less work.
"""

from __future__ import annotations

import os
import struct
import time
from collections.abc import Callable
from pathlib import Path

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES128
from cryptography.hazmat.primitives.ciphers.modes import CBC, CTR

from streamgate_streaming.protected import aes128, cenc
from streamgate_transcoder.media.fragments import Sample, write_segment
from tests.bench.figures import Figure, Row

PICTURES = 100
PICTURE_BYTES = 6_000
RUNS = 40
TURNS = 15
ASKED_MB_PER_S = 250.0
KEY, IV = os.urandom(16), os.urandom(16)


def measure(folder: Path) -> list[Row]:
    segment = _segment()
    peer = "AES alone"
    by_hls, alone = _by_turns(lambda: aes128.encrypt(KEY, IV, segment), lambda: _cbc(segment), len(segment))
    by_cenc, counted = _by_turns(lambda: _cenc(segment), lambda: _ctr(segment), len(segment))
    return [
        Figure(
            name="AES-128 packaging, of a core",
            unit="MB/s",
            ours=by_hls,
            peer=alone,
            peer_name=peer,
            higher_is_better=True,
            limit=ASKED_MB_PER_S,
        ),
        Figure(
            name="CENC packaging, of a core",
            unit="MB/s",
            ours=by_cenc,
            peer=counted,
            peer_name=peer,
            higher_is_better=True,
        ),
    ]


def _segment() -> bytes:
    """Pictures of one slice each."""
    samples = [
        Sample(pts_ticks=n, data=struct.pack(">IB", PICTURE_BYTES - 4, 5) + os.urandom(PICTURE_BYTES - 5))
        for n in range(PICTURES)
    ]
    return write_segment(1, samples, PICTURES)


def _cenc(segment: bytes) -> None:
    cenc.encrypted_segment(segment, key=KEY, first_counter=7, n=3, is_video=True)


def _cbc(data: bytes) -> None:
    encryptor = Cipher(AES128(KEY), CBC(IV)).encryptor()
    encryptor.update(data[: len(data) // 16 * 16])
    encryptor.finalize()


def _ctr(data: bytes) -> None:
    encryptor = Cipher(AES128(KEY), CTR(IV)).encryptor()
    encryptor.update(data)
    encryptor.finalize()


def _by_turns(
    ours: Callable[[], object], peer: Callable[[], object], size_bytes: int
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    pairs = [(_rate(ours, size_bytes), _rate(peer, size_bytes)) for _ in range(TURNS)]
    return tuple(pair[0] for pair in pairs), tuple(pair[1] for pair in pairs)


def _rate(work: Callable[[], object], size_bytes: int) -> float:
    """MB a second of CPU."""
    began_s = time.process_time()
    for _ in range(RUNS):
        work()
    return RUNS * size_bytes / 1e6 / (time.process_time() - began_s)
