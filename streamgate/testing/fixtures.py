"""Servers as pytest fixtures: `pytest_plugins = ["streamgate.testing.fixtures"]` in a root conftest.

They are processes, so tests of any event loop share them. A run starts a server when the first test asks for
it, and once. A test that kills or restarts one takes one of its own (`own_nats_server`).
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from streamgate.testing.devchain import ChainClient, DevchainServer
from streamgate.testing.s3_server import S3Bucket, S3Server
from streamgate.testing.servers import NatsServer, PostgresServer, RedisServer


@pytest.fixture(scope="session")
def nats_server() -> Iterator[NatsServer]:
    """One NATS with JetStream for the run: use subjects of your own."""
    with NatsServer() as server:
        yield server


@pytest.fixture
def own_nats_server() -> Iterator[NatsServer]:
    """A NATS of this test's own, to be killed and restarted."""
    with NatsServer() as server:
        yield server


@pytest.fixture(scope="session")
def redis_server() -> Iterator[RedisServer]:
    """One Redis for the run: use keys of your own."""
    with RedisServer() as server:
        yield server


@pytest.fixture
def own_redis_server() -> Iterator[RedisServer]:
    """A Redis of this test's own, to be killed and restarted."""
    with RedisServer() as server:
        yield server


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """One PostgreSQL for the run."""
    with PostgresServer() as server:
        yield server


@pytest.fixture
def postgres_url(postgres_server: PostgresServer) -> str:
    """A new, empty database for this test: `postgresql://…`."""
    return postgres_server.create_database()


@pytest.fixture(scope="session")
def s3_server() -> Iterator[S3Server]:
    """One S3 server for the run: use buckets of your own."""
    with S3Server() as server:
        yield server


@pytest.fixture
def own_s3_server() -> Iterator[S3Server]:
    """An S3 server of this test's own, to be killed and restarted."""
    with S3Server() as server:
        yield server


@pytest.fixture
def s3_bucket(s3_server: S3Server) -> S3Bucket:
    """A new, empty bucket for this test."""
    return S3Bucket(name=s3_server.create_bucket(), server=s3_server)


@pytest.fixture(scope="session")
def devchain() -> Iterator[ChainClient]:
    """One local chain for the run, with the demo collection: mint tokens and use wallets of your own."""
    with DevchainServer() as server, server.client() as chain:
        yield chain


@pytest.fixture
def own_devchain() -> Iterator[DevchainServer]:
    """A local chain of this test's own, to be killed and restarted."""
    with DevchainServer() as server:
        yield server
