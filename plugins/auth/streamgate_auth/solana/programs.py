"""The programs whose accounts are read, and addresses that follow from others."""

from __future__ import annotations

from functools import lru_cache

SPL = "TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA"
SPL_2022 = "TokenzQdBNbLqP5VEhdkAS6EPFLC1PHnBqCXEpPxuEb"
TOKEN_PROGRAMS = (SPL, SPL_2022)
METADATA = "metaqbxxUerdq28cj1RbAWkYQm3ybzjb6a8bt518x1s"
CORE = "CoREENxT6tW1HoK8ypY1SxRMZTcVPm7R94rH4PZNhX7d"
TREES = ("cmtDvXumGCrqC1Age74AVPhSRVXJMd8PJS91L8KbNCK", "mcmt6YrQEMKw8Mw43FmpRLmf7BqRnFMKmAcbxE3xkAW")
"""Account compression: of the Solana Program Library, and of Metaplex (Bubblegum v2)."""


def to_text(key: bytes) -> str:
    """Base58."""
    from solders.pubkey import Pubkey

    return str(Pubkey(key))


def to_bytes(address: str) -> bytes:
    from solders.pubkey import Pubkey

    return bytes(Pubkey.from_string(address))


@lru_cache(maxsize=16_384)
def metadata_of(mint: str) -> str:
    """Where the Token Metadata program keeps what it says of a mint."""
    from solders.pubkey import Pubkey

    program = Pubkey.from_string(METADATA)
    seeds = [b"metadata", bytes(program), bytes(Pubkey.from_string(mint))]
    return str(Pubkey.find_program_address(seeds, program)[0])
