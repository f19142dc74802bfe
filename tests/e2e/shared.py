"""The one split that the tests of a run share: starting a dozen processes is the slowest part of any of them.

Whoever needs a role, a setting or a plugin in it says so here. Tests that kill leave it whole again.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import attrs

from streamgate.testing.otlp import OtlpReceiver
from streamgate.testing.processes import free_port
from streamgate.testing.stacks import Stack
from tests.e2e import cast
from tests.e2e.story import Roles
from tests.e2e.wallet import Wallet

LEASE_S = 3.0
SHARED_ROLES = Roles()
WALK = {name: Wallet.new(name) for name in ("viewer", "creator", "other", "admin")}
GUESTS = {name: Wallet.new(name) for name in ("guest", "stranger", "banned", "creator")}
DISTRIBUTION = Path(__file__).parents[1] / "third_party_plugin"


@attrs.frozen
class SharedSplit:
    """`collector` has the traces of all its processes."""

    stack: Stack
    collector: OtlpReceiver


def walk_environment() -> dict[str, str]:
    """What the walk over all routes needs of a server of its own."""
    return {
        "STREAMGATE_AUTH__OPEN_CREATORS": "false",
        "STREAMGATE_AUTH__CREATORS": ",".join(WALK[name].address for name in ("creator", "other")),
        "STREAMGATE_AUTH__ADMINS": WALK["admin"].address,
        "STREAMGATE_API__GRPC_PORT": str(free_port()),
    }


def guest_environment(installed: Path) -> dict[str, str]:
    """What the outside plugin needs, with whom its lists name."""
    return {
        "PYTHONPATH": os.pathsep.join(filter(None, [str(installed), os.environ.get("PYTHONPATH", "")])),
        "STREAMGATE_AUTH__CREATORS": GUESTS["creator"].address,
        "STREAMGATE_GUESTLIST__GUESTS": f"{GUESTS['guest'].address},{GUESTS['banned'].address}",
        "STREAMGATE_GUESTLIST__BANNED": GUESTS["banned"].address,
    }


def shared_environment(installed: Path, collector: OtlpReceiver) -> dict[str, str]:
    """All of it at once."""
    all_of = (walk_environment(), guest_environment(installed), SHARED_ROLES.environment(), cast.ENVIRONMENT)
    merged = {name: value for each in all_of for name, value in each.items()}
    for name in ("STREAMGATE_AUTH__CREATORS", "STREAMGATE_AUTH__ADMINS"):
        merged[name] = ",".join(each[name] for each in all_of if name in each)
    return {
        **merged,
        "STREAMGATE_LIMITS__ENABLED": "true",  # in Redis, which may be away; the profile's limits are never met
        "STREAMGATE_STREAMING__LEASE_S": str(LEASE_S),
        "STREAMGATE_WORKER__LEASE_S": "12",  # what a killed transcoder had begun is begun again after that
        "STREAMGATE_UPLOAD__CHUNK_SIZE_BYTES": str(1024 * 1024),
        "STREAMGATE_TELEMETRY__OTLP_URL": collector.url,
    }


def install_outside_plugin(target: Path) -> None:
    """Builds and installs the stranger's distribution: with `target` on PYTHONPATH its entry point is found."""
    options = ["--quiet", "--no-deps", "--no-build-isolation", "--offline"]
    command = [sys.executable, "-m", "uv", "pip", "install", *options, "--target", str(target), str(DISTRIBUTION)]
    subprocess.run(command, check=True, timeout=60)
