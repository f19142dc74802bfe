"""The keys lie wrapped in the database, outlive a restart, and open to the right master key alone."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import attrs
import pytest

from streamgate.contracts.auth import AUTH
from streamgate.lifecycle import StartFailed
from streamgate.settings import Secret, SecretSettings
from streamgate.testing.house import house
from tests.plugins.auth.people import kernel_settings

NAMES = ["metadata", "auth"]


async def test_keys_outlive_a_restart(tmp_path: Path) -> None:
    settings = kernel_settings(tmp_path)
    async with house(tmp_path, NAMES, settings=settings) as one:
        before = await one.services.get(AUTH).jwks()
    async with house(tmp_path, NAMES, settings=settings) as two:
        assert await two.services.get(AUTH).jwks() == before


async def test_another_master_key_is_a_start_fault_that_says_so(tmp_path: Path) -> None:
    settings = kernel_settings(tmp_path)
    async with house(tmp_path, NAMES, settings=settings):
        pass
    other = attrs.evolve(settings, secrets=SecretSettings(master_key=Secret("A" * 43 + "=")))
    with pytest.raises(StartFailed, match="start with the master key this database was made with"):
        async with house(tmp_path, NAMES, settings=other):
            raise AssertionError


async def test_no_key_lies_open(tmp_path: Path) -> None:
    async with house(tmp_path, NAMES, settings=kernel_settings(tmp_path)) as home:
        keys = home.plugins["auth"].keys.keys
    secrets = [keys.signing[0].private.private_bytes_raw(), keys.challenge, keys.refresh]
    (file,) = [path for path in tmp_path.rglob("*.db") if _has_keys(path)]
    stored = file.read_bytes()
    assert not any(secret in stored for secret in secrets)


def _has_keys(path: Path) -> bool:
    with sqlite3.connect(path) as connection:
        found = connection.execute("SELECT count(*) FROM sqlite_master WHERE name = 'auth_keys'").fetchone()
    connection.close()
    return bool(found[0])
