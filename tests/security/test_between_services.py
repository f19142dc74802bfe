"""Rows about the ways between processes."""

from __future__ import annotations

import asyncio

import httpx
import pytest

from streamgate.testing.attacks import attack
from tests.e2e.cast import Cast

pytestmark = pytest.mark.timeout(180)  # the first one may start the servers

CONNECT = b'CONNECT {"verbose":true,"pedantic":false,"lang":"x","version":"1","protocol":1%s}\r\n'
LOGINS = (b"", b',"user":"auth","pass":"auth"', b',"auth_token":"x"', b',"jwt":"x","sig":"x"')
INSIDE = ("/_bus", "/internal/auth/decide", "/api/v1/internal/decide", "/rpc/auth.decide", "/services/auth/decide")


@attack("B43")
async def test_b43_on_the_bus_without_a_role(cast: Cast, http: httpx.AsyncClient) -> None:
    """Connect to NATS and ask a service there, or listen → nobody is let on without a role's own login."""
    for path in INSIDE:
        assert (await http.post(path, json={})).status_code in (404, 405), path
    if cast.stack.mode == "all":
        assert cast.stack.servers == {}  # its bus is in its memory
        return
    port = cast.stack.servers["nats"].port
    for login in LOGINS:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            assert b'"auth_required":true' in await reader.readline()
            writer.write(CONNECT % login + b"SUB > 1\r\nPING\r\n")
            said = await asyncio.wait_for(reader.read(), 5)
        finally:
            writer.close()
        assert b"Authorization" in said, said
        assert not {b"PONG", b"MSG"} & set(said.split())
