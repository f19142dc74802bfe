"""What PostgreSQL cannot store is refused before it is asked."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

from streamgate.context import Actor
from streamgate.settings import DatabaseSettings, KernelSettings, Secret, SecretSettings
from streamgate.testing.house import house

ALICE = Actor(kind="user", user_id="u_alice", roles=("viewer", "creator"))
MASTER_KEY = Secret(base64.b64encode(b"m" * 32).decode())
CONTENT = "/api/v1/content"


async def test_nul_is_the_callers_fault_everywhere(tmp_path: Path, postgres_url: str) -> None:
    settings = KernelSettings(
        profile="test",
        data_dir=tmp_path,
        database=DatabaseSettings(url=Secret(postgres_url)),
        secrets=SecretSettings(master_key=MASTER_KEY),
    )
    asked: list[tuple[str, str, Any]] = [
        ("PUT", f"{CONTENT}/a%00b", {}),
        ("GET", f"{CONTENT}/a%00b", None),
        ("GET", f"{CONTENT}/a%00b/gate", None),
        ("GET", f"{CONTENT}?owner=%00", None),
        ("GET", "/api/v1/metadata?content_id=a%00b", None),
        ("POST", CONTENT, {"title": "a", "description": "\0"}),
        ("POST", CONTENT, {"title": "a", "gate": {"any": [{"erc721": {"chain": "\0"}}]}}),
    ]
    async with house(tmp_path, ["metadata", "auth", "api"], settings=settings) as home, home.client(ALICE) as http:
        for method, path, body in asked:
            answer = await http.request(method, path, json=body)
            assert (answer.status_code, answer.json()["code"]) == (422, "request.invalid"), (method, path, answer.text)
            assert answer.json()["errors"], path
