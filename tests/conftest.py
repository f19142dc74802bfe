"""Fixtures of every test: the servers that come with the kernel's testing package."""

pytest_plugins = ["streamgate.testing.fixtures"]
