"""Merkle trees of addresses as OpenZeppelin's `StandardMerkleTree` of `["address"]` makes them.

A leaf is hashed twice, so that no inner node can pass for one; the leaves are sorted, and so are the two halves of
each inner node, so that a proof is a list of hashes and nothing else.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from streamgate.sdk.evm import keccak256

MAX_PROOF_HASHES = 64
_HASH = re.compile(r"0x[0-9a-fA-F]{64}")


def is_hash(text: str) -> bool:
    """`0x` and 64 hexadecimal digits."""
    return _HASH.fullmatch(text) is not None


def leaf_of(address: bytes) -> bytes:
    """Of 20 bytes."""
    return keccak256(keccak256(address.rjust(32, b"\0")))


def root_of(addresses: Sequence[bytes]) -> bytes:
    """Of addresses of 20 bytes each, each once and at least one, in any order. Takes some microseconds an address."""
    leaves = sorted(map(leaf_of, addresses))
    tree = [b""] * (len(leaves) - 1) + leaves[::-1]
    for index in range(len(leaves) - 2, -1, -1):
        tree[index] = _parent(tree[2 * index + 1], tree[2 * index + 2])
    return tree[0]


def leads_to(root: str, address: str, proof: Sequence[str]) -> bool:
    """Whether the proof shows that the address is a leaf below the root. All are `0x` hex, of any case."""
    found = leaf_of(bytes.fromhex(address[2:]))
    for sibling in proof:
        found = _parent(found, bytes.fromhex(sibling[2:]))
    return found == bytes.fromhex(root[2:])


def _parent(one: bytes, other: bytes) -> bytes:
    return keccak256(min(one, other) + max(one, other))
