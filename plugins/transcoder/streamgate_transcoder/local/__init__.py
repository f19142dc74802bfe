"""A source made into a folder that players open: the same jobs in the same children, without a server."""
