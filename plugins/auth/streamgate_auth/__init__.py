"""Wallet sign-in, tokens, and the gate that decides who may watch."""
