"""Reading EVM chains: batched, failed over, pinned to a block, and honest about not knowing."""
