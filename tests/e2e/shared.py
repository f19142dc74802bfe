"""The one process and the one split that the tests of a run share: starting is the slowest part of any of them.

Whoever needs a role, a setting or a plugin in them says so here. Tests that kill leave them whole again, and make what
they change for themselves.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import attrs
import httpx
import pytest

from streamgate.testing.nodes import FaultyNode
from streamgate.testing.otlp import OtlpReceiver
from streamgate.testing.processes import free_port
from streamgate.testing.stacks import Stack
from tests.e2e import cast
from tests.e2e.story import Roles
from tests.e2e.wallet import Wallet

LEASE_S = 3.0
DOUBTFUL_NUMBER = 31_338
DOUBTFUL_CONFIRMATIONS = 2
DELEGATE_REGISTRY = "0x00000000000000447e69651d841bD8D104Bed493"  # of delegate.xyz v2; tests put one of their own there
SHARED_ROLES = Roles()
WALK = {name: Wallet.new(name) for name in ("viewer", "creator", "other", "admin")}
GUESTS = {name: Wallet.new(name) for name in ("guest", "stranger", "banned", "creator")}
DISTRIBUTION = Path(__file__).parents[1] / "third_party_plugin"


class DoubtfulChain:
    """A second chain of the shared stacks, read by two nodes that must agree and that tests make misbehave.

    Behind both is the local chain, so that its contracts are on this one, too. It is well unless a test says otherwise.
    """

    name = f"eip155:{DOUBTFUL_NUMBER}"

    def __init__(self) -> None:
        self.nodes = (FaultyNode(""), FaultyNode(""))

    def __enter__(self) -> Self:
        for node in self.nodes:
            node.__enter__()
        return self

    def __exit__(self, *fault: Any) -> None:
        for node in self.nodes:
            node.__exit__(None, None, None)

    def environment(self) -> dict[str, str]:
        section = f"STREAMGATE_AUTH__CHAINS__EIP155_{DOUBTFUL_NUMBER}__"
        return {
            f"{section}RPC_URLS": ",".join(node.url for node in self.nodes),
            f"{section}QUORUM": "2",
            f"{section}CONFIRMATIONS": str(DOUBTFUL_CONFIRMATIONS),
            f"{section}DELEGATE_REGISTRY": DELEGATE_REGISTRY,
            "STREAMGATE_AUTH__WATCH_INTERVAL_S": "0.25",  # tests wait for what it tells
        }

    def stand_before(self, rpc_url: str) -> None:
        """Before this node, well."""
        for node in self.nodes:
            node.behave()
            node.upstream_url, node.chain_number = rpc_url, DOUBTFUL_NUMBER

    def stand_in(self, stack: Stack) -> None:
        """Before the local chain of a stack that has just begun."""
        found = httpx.get(f"{stack.url}/api/v1/devchain/info", trust_env=False).raise_for_status()
        self.stand_before(found.json()["rpc_url"])


@attrs.frozen
class SharedSplit:
    """`collector` has the traces of all its processes."""

    stack: Stack
    collector: OtlpReceiver


def shared_stack(request: pytest.FixtureRequest) -> Stack:
    """The one that the fixture's parameter names: `all` or `split`."""
    if request.param == "split":
        found: SharedSplit = request.getfixturevalue("shared_split")
        return found.stack
    stack: Stack = request.getfixturevalue("shared_all")
    return stack


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


def merged(*environments: Mapping[str, str]) -> dict[str, str]:
    """All at once; who has a role in one of them has it."""
    everything = {name: value for each in environments for name, value in each.items()}
    for name in ("STREAMGATE_AUTH__CREATORS", "STREAMGATE_AUTH__ADMINS"):
        everything[name] = ",".join(each[name] for each in environments if name in each)
    return everything


def all_environment() -> dict[str, str]:
    """Of the shared process."""
    return merged(walk_environment(), cast.ENVIRONMENT)


def shared_environment(installed: Path, collector: OtlpReceiver) -> dict[str, str]:
    """Of the shared split."""
    return {
        **merged(walk_environment(), guest_environment(installed), SHARED_ROLES.environment(), cast.ENVIRONMENT),
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
