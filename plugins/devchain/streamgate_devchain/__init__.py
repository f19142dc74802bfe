"""A local EVM chain with a demo collection and a faucet; development only."""
