"""The table of the nine is where their ports and paths come from."""

from __future__ import annotations

import pytest

from streamgate.contracts.prefixes import SERVICES
from streamgate.plugins import discover


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_is_where_the_table_says(name: str) -> None:
    info = next(found.info for found in discover() if found.name == name)
    assert info is not None
    assert info.port is SERVICES[name].port  # the very object: not written down a second time
    assert info.prefixes is SERVICES[name].prefixes
