"""The migrations of every plugin make exactly the tables its code uses, on both databases."""

from __future__ import annotations

import pytest

from streamgate.plugins import Found, discover
from streamgate.sdk.db.migrate import migrations_of, tables_of
from streamgate.testing.migrations import differences

WITH_TABLES = [found for found in discover() if found.info is not None and found.info.uses_database]


def package_of(found: Found) -> str:
    assert found.info is not None
    return migrations_of(found.info).package.rpartition(".")[0]


@pytest.mark.parametrize("found", WITH_TABLES, ids=lambda found: found.name)
async def test_migrations_are_the_models(found: Found, postgres_url: str) -> None:
    assert await differences(package_of(found)) == []
    assert await differences(package_of(found), postgres_url) == []


@pytest.mark.parametrize("found", WITH_TABLES, ids=lambda found: found.name)
def test_tables_bear_their_plugins_name_and_refer_to_no_others(found: Found) -> None:
    tables = tables_of(package_of(found)).tables
    assert [name for name in tables if not name.startswith(f"{found.name}_")] == []
    foreign = {key.column.table.name for table in tables.values() for key in table.foreign_keys}
    assert [name for name in foreign if not name.startswith(f"{found.name}_")] == []
