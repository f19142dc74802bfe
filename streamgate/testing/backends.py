"""What processes of one StreamGate share: NATS, PostgreSQL, Redis and an S3 server, and how a process is told of them.

with backends(folder, ("api", "auth", …)) as shared:
    shared.environment("auth")       # of the process that runs auth
    shared.servers["redis"].kill()
"""

from __future__ import annotations

import base64
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path

import attrs

from streamgate.testing.s3_server import S3Bucket, S3Server
from streamgate.testing.server_process import ServerProcess
from streamgate.testing.servers import NatsServer, PostgresServer, RedisServer


@attrs.frozen(kw_only=True)
class Backends:
    """Running servers by name: nats, postgres, redis, s3."""

    servers: Mapping[str, ServerProcess]
    bucket: S3Bucket
    identities: Path
    variables: Mapping[str, str]

    def environment(self, role: str) -> dict[str, str]:
        """For the process of this role (a service, or `all`)."""
        return {**self.variables, "STREAMGATE_BUS__IDENTITY": str(self.identities / f"{role}.json")}


@contextmanager
def backends(
    folder: Path, roles: Sequence[str], *, environment: Mapping[str, str] | None = None, profile: str = "dev"
) -> Iterator[Backends]:
    """All four, with identities for `roles`, a bucket and an upgraded database.

    Args:
        environment: what every process gets besides; it wins.
    """
    given = dict(environment or {})
    with ExitStack() as cleanup, ThreadPoolExecutor(1) as beside:
        issuing = beside.submit(issue_identities, folder, roles, given)
        # Acknowledged is durable here: processes are killed, and what PostgreSQL has committed must stay.
        postgres = cleanup.enter_context(PostgresServer(is_durable=True))
        variables = {
            "STREAMGATE_DATA_DIR": str(folder / "data"),
            "STREAMGATE_DATABASE__URL": postgres.create_database(),
            "STREAMGATE_SECRETS__MASTER_KEY": base64.b64encode(os.urandom(32)).decode(),
        }
        issuing.result()
        upgrading = beside.submit(upgrade_database, {**variables, **given}, folder, profile)
        redis = cleanup.enter_context(RedisServer())
        s3 = cleanup.enter_context(S3Server())
        bucket = S3Bucket(name=s3.create_bucket("media"), server=s3)
        config = (folder / "identity" / "nats.conf").read_text(encoding="utf-8")
        nats = cleanup.enter_context(NatsServer(config=config))
        variables |= {
            "STREAMGATE_BUS__URL": nats.url,
            "STREAMGATE_CACHE__URL": f"{redis.url}/0",
            "STREAMGATE_LIMITS__URL": f"{redis.url}/1",
            **bucket.environment(),
            **given,
        }
        upgrading.result()
        yield Backends(
            servers={"nats": nats, "postgres": postgres, "redis": redis, "s3": s3},
            bucket=bucket,
            identities=folder / "identity",
            variables=variables,
        )


def issue_identities(folder: Path, roles: Sequence[str], environment: Mapping[str, str]) -> None:
    """`streamgate identity issue`: a file for each role, and the NATS server's configuration, in `folder`/identity."""
    asked = [part for role in dict.fromkeys(roles) for part in ("--role", role)]
    run_command(["identity", "issue", *asked, "--out", str(folder / "identity")], environment, folder)


def upgrade_database(environment: Mapping[str, str], folder: Path, profile: str) -> None:
    """`streamgate db upgrade`, as the operator's first step."""
    run_command(["db", "upgrade", "--profile", profile], environment, folder)


def run_command(arguments: Sequence[str], environment: Mapping[str, str], folder: Path) -> str:
    """What `streamgate …` prints."""
    done = subprocess.run(
        [sys.executable, "-m", "streamgate.cli", *arguments],
        env={**os.environ, **environment},
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    if done.returncode != 0:
        raise RuntimeError(f"streamgate {' '.join(arguments)} failed:\n{done.stdout}{done.stderr}")
    return done.stdout
