"""The requirement kinds that ask Solana."""

from __future__ import annotations

from streamgate.contracts.hooks import RequirementKind
from streamgate_auth.solana.chains import SolanaChains
from streamgate_auth.solana.compressed import CompressedReader
from streamgate_auth.solana.core import CoreReader
from streamgate_auth.solana.metaplex import MetaplexReader
from streamgate_auth.solana.spl import SplReader


def solana_kinds(chains: SolanaChains) -> tuple[RequirementKind, ...]:
    return (
        SplReader(chains).kind(),
        MetaplexReader(chains).kind(),
        CoreReader(chains).kind(),
        CompressedReader(chains).kind(),
    )
