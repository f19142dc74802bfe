"""Metaplex' accounts as its own libraries serialised them: `fixtures/make.mjs` made them, of the addresses that
`cluster.address` names. Written into the cluster as they are; the mints and what is held of them are real."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

from solders.keypair import Keypair
from solders.pubkey import Pubkey

from tests.plugins.auth.solana.cluster import CORE, METADATA, SPL, Cluster, address, metadata_address

FOLDER = Path(__file__).parent / "fixtures"
ACCOUNTS: dict[str, dict[str, Any]] = json.loads((FOLDER / "accounts.json").read_text())
COLLECTION, CORE_COLLECTION = address("collection"), address("core collection")


def nft(
    cluster: Cluster, name: str, owner: Keypair, *, amount: int = 1, decimals: int = 0, program: Pubkey = SPL
) -> Pubkey:
    """A mint, so many of it in the wallet, and what the fixture says of it."""
    mint = cluster.mint(f"nft {name}", decimals=decimals, program=program)
    made = ACCOUNTS["metadata"][name]
    assert made["mint"] == str(mint)
    cluster.mint_to(owner.pubkey(), mint, amount)
    cluster.put(metadata_address(mint), METADATA, base64.b64decode(made["data"]))
    return mint


def core(cluster: Cluster, name: str, where: Pubkey | None = None) -> str:
    """One of the fixture's Core accounts."""
    at = where or Keypair().pubkey()
    cluster.put(at, CORE, base64.b64decode(ACCOUNTS["core"][name]))
    return str(at)


def compressed(owner: str, number: int, **other: Any) -> dict[str, Any]:
    """An asset as the specification of the Digital Asset Standard API shows them, shortened."""
    group = {"group_key": "collection", "group_value": COLLECTION, "verified": True}
    return {
        "interface": "V1_NFT",
        "id": address(f"asset {number}"),
        "content": {"metadata": {"name": f"Drop #{number}"}},
        "compression": {"eligible": False, "compressed": True, "tree": address("tree"), "leaf_id": number},
        "grouping": [group],
        "ownership": {"frozen": False, "delegated": False, "ownership_model": "single", "owner": owner},
        "mutable": True,
        "burnt": False,
        **other,
    }
