"""Solana: who holds what of SPL Token and Token-2022 mints, of Metaplex collections (verified ones alone), of Core
collections, and of compressed ones. Built upon `rpc/`; knows no EVM.

    chain = chains.get("solana:mainnet")
    answers = await chain.read([MintAccounts(wallet, mint), Accounts((mint,))], commitment="confirmed", min_slot=0)

- `reads.py`, `assets.py`: what can be asked, and what its answers mean. `layouts.py`: accounts' bytes.
- `chain.py`: reads gathered for a moment, one batch, any endpoint that can say, or as many as must agree.
- `counting.py`: from what was read to holds, does not hold, unknown.
- `spl.py`, `metaplex.py`, `core.py`, `compressed.py`: the requirement kinds.
"""
