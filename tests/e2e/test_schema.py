"""schemathesis over the running server's `/openapi.json`: no 5xx, and nothing that is not documented.

Each run is its command line in a process of its own, as anybody else would use it, always with the same seed. What
it leaves out would end the sign-in that it works with, and is tried by `tests/plugins/auth`: logging out and ending
single sign-ins (`test_refresh.py`, `test_account.py`; schemathesis learns their ids), and rotating the signing key
(`test_keys.py`). `test_every_endpoint.py` tries them with what is wrong.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from streamgate.testing.stacks import Stack
from tests.e2e.cast import Cast, gather
from tests.e2e.shared import SharedSplit

pytestmark = pytest.mark.timeout(300)

CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
)
ENDS_THE_RUN = "/auth/logout$|/auth/keys/rotate$|/auth/sessions/"
RUN_LIMIT_S = 240
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def one_process(shared_all: Stack, tmp_path_factory: pytest.TempPathFactory) -> Cast:
    return asyncio.run(gather(shared_all, tmp_path_factory.mktemp("schema")))


def explore(cast: Cast, folder: Path, role: str, *options: str) -> None:
    """Fails with all that schemathesis has to say."""
    command = [sys.executable, "-m", "schemathesis.cli", "run", f"{cast.url}/openapi.json"]
    command += ["--checks", ",".join(CHECKS), "--exclude-path-regex", ENDS_THE_RUN, "--seed", "1", "--no-color"]
    # One worker: hypothesis reads source code, and in Python 3.11 two threads cannot.
    command += ["--workers", "1", "--request-timeout", "30", "--warnings", "off", *options]
    for name, value in cast.headers(role).items():
        command += ["--header", f"{name}: {value}"]
    hooks = {"SCHEMATHESIS_HOOKS": "tests.e2e.schemathesis_hooks", "HOSTILE_IDS": json.dumps(cast.ids)}
    environment = {**os.environ, **hooks, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=RUN_LIMIT_S, check=False
    )
    assert done.returncode == 0, f"{done.stdout[-20_000:]}{done.stderr[-4_000:]}"
    assert " passed" in done.stdout, done.stdout


ADMINS, PUBLIC = "/x-streamgate-policy == admin", "/x-streamgate-policy == public"


def test_as_a_creator(one_process: Cast, tmp_path: Path) -> None:
    """Who may do most of what there is; what is the admins' alone is beside it. Chance is left to the split."""
    explore(one_process, tmp_path, "creator", "--phases", "coverage", "--exclude-by", ADMINS)


def test_as_an_admin(one_process: Cast, tmp_path: Path) -> None:
    explore(
        one_process, tmp_path, "admin", "--phases", "coverage,fuzzing", "--max-examples", "3", "--include-by", ADMINS
    )


def test_as_nobody(one_process: Cast, tmp_path: Path) -> None:
    explore(one_process, tmp_path, "", "--phases", "coverage", "--include-by", PUBLIC)


def test_split(shared_split: SharedSplit, tmp_path: Path) -> None:
    """The same routes behind the gateway: other requests, as a creator."""
    cast = asyncio.run(gather(shared_split.stack, tmp_path))
    explore(cast, tmp_path, "creator", "--phases", "fuzzing", "--max-examples", "3")
