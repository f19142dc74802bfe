"""The media core: what runs in a transcoder's child process.

It imports `av`, attrs and the contracts, and nothing of the kernel's runtime, so that a child starts in a
fraction of a second and a hostile file meets as little of the program as possible.
"""
