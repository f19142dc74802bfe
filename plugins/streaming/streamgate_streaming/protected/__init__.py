"""Encrypted contents: one ciphertext for all viewers, made from the clear segments as it is asked for, and keys that
only a session is given. No digital rights management: whoever may watch can keep what they see."""
