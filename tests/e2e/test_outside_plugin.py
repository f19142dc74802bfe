"""A stranger's distribution, installed beside ours and exercised from outside: all that it adds."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from streamgate.testing.stacks import all_in_one
from tests.e2e.client import Api
from tests.e2e.shared import GUESTS, guest_environment


def listed(site: Path) -> str:
    command = [sys.executable, "-m", "streamgate.cli", "plugins"]
    environment = {**os.environ, "PYTHONPATH": str(site)}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=True, timeout=30).stdout


def test_it_is_listed_with_its_version(installed: Path) -> None:
    assert "guestlist    1.2.3" in listed(installed)
    assert "extends auth, transcoder" in listed(installed)


@pytest.mark.timeout(180)
@pytest.mark.parametrize("mode", ["all", "split"])
async def test_it_adds_a_route_a_requirement_and_a_veto(
    mode: str, installed: Path, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    guest, stranger, banned, creator = (GUESTS[name] for name in ("guest", "stranger", "banned", "creator"))
    async with AsyncExitStack() as cleanup:
        stack = (
            request.getfixturevalue("shared_split").stack
            if mode == "split"
            else cleanup.enter_context(all_in_one(tmp_path, environment=guest_environment(installed)))
        )
        creator_api, guest_api, stranger_api, banned_api = [
            await cleanup.enter_async_context(Api.connect(stack.url)) for _ in range(4)
        ]
        counted = await creator_api.call("GET", "/api/v1/guestlist", patience_s=10)
        assert counted == {"guests": 2, "banned": 1}

        await creator_api.sign_in(creator)
        profiles = {
            each["name"]: each for each in (await creator_api.call("GET", "/api/v1/transcode/profiles"))["items"]
        }
        assert {"web", "audio", "premiere"} <= set(profiles)
        assert [rung["name"] for rung in profiles["premiere"]["rungs"]] == ["2160p"]
        content = await creator_api.call("POST", "/api/v1/content", json={"title": "Premiere"})
        gate_url = f"/api/v1/content/{content['content_id']}/gate"
        await creator_api.call("PUT", gate_url, json={"guestlist": {"event": "premiere"}})
        assert "guest list of premiere" in (await creator_api.call("GET", gate_url))["text"]

        for api, wallet, outcome in (
            (guest_api, guest, "holds"),
            (stranger_api, stranger, "does_not_hold"),
            (banned_api, banned, "holds"),  # a check explains the rule alone; the veto comes with the decision
        ):
            await api.sign_in(wallet)
            checked = await api.call("POST", f"{gate_url}/check", json={})
            assert (wallet.name, checked["outcome"]) == (wallet.name, outcome)
        asked = {"content_id": content["content_id"]}
        vetoed = await banned_api.send("POST", "/api/v1/stream/session", json=asked)
        assert (vetoed.status_code, vetoed.json()["code"]) == (403, "gate.refused")
        assert "this wallet is banned" in vetoed.text
        unready = await guest_api.send("POST", "/api/v1/stream/session", json=asked)
        assert (unready.status_code, unready.json()["code"]) == (409, "stream.not_playable")


def test_a_plugin_that_does_not_import_is_named_and_left_out(tmp_path: Path) -> None:
    info = tmp_path / "broken_thing-0.1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: broken-thing\nVersion: 0.1\n")
    (info / "entry_points.txt").write_text("[streamgate.plugins]\nbroken = broken_thing:PLUGIN\n")
    (tmp_path / "broken_thing.py").write_text("import a_module_that_is_not_there\n")
    assert "BROKEN (broken-thing): ModuleNotFoundError: No module named 'a_module_that_is_not_there'" in listed(
        tmp_path
    )
    environment = {"PYTHONPATH": str(tmp_path)}
    with all_in_one(tmp_path, environment=environment) as stack:
        assert "left out  broken" in stack.processes["all"].log_tail()
