"""The keys under the master key, wrapped anew: everything, or of a plugin nothing; and as often as one likes."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from sqlalchemy import Table, insert, select

from streamgate.commands.keys import keys
from streamgate.plugins import PluginInfo, discover
from streamgate.sdk import rewrap
from streamgate.sdk.db import DatabaseFault
from streamgate.sdk.db.engine import database_url, open_engine
from streamgate.sdk.db.migrate import migrations_of, tables_of
from streamgate.sdk.rewrap import Rewrapped, rewrap_all, wrapped_columns
from streamgate.sdk.secrets import MasterKey, MasterKeyFault
from streamgate.settings import DatabaseSettings, KernelSettings, Secret

NAMES = ("auth", "streaming", "worker")
INFOS = {f.name: f.info for f in discover() if f.info is not None and f.name in NAMES}
OLD, NEW = bytes(range(32)), bytes(range(32, 64))
BEFORE, BOTH, AFTER = MasterKey(OLD), MasterKey(NEW, [OLD]), MasterKey(NEW)
TABLES = {name: tables_of(migrations_of(info).package.rpartition(".")[0]) for name, info in INFOS.items()}
ROWS: dict[str, list[dict[str, Any]]] = {
    "auth_keys": [
        {"kid": "k1", "purpose": "signing", "generation": 1, "created_at_ms": 1},
        {"kid": "k2", "purpose": "signing", "generation": 2, "created_at_ms": 2},
        {"kid": "c1", "purpose": "challenge", "generation": 1, "created_at_ms": 1},
    ],
    "streaming_keys": [{"purpose": "streaming.path", "key_id": "k1", "created_at_ms": 1}],
    "streaming_secrets": [{"content_id": "c_1", "media_version": 2, "key_period_s": 600.0, "created_at_ms": 1}],
    "worker_webhook_secrets": [
        {"owner": "p_1", "name": "hook", "previous_until_ms": 0, "created_at_ms": 1, "rotated_at_ms": 1}
    ],
}
KEYS = {"auth": 3, "streaming": 2, "worker": 1}  # the webhook secret has no former one: NULL


def purpose_of(table: str, row: dict[str, Any]) -> str:
    """As the plugins say it, by hand."""
    return {
        "auth_keys": f"auth.{row.get('purpose')}",
        "streaming_keys": str(row.get("purpose")),
        "streaming_secrets": f"streaming.content/{row.get('content_id')}/{row.get('media_version')}",
        "worker_webhook_secrets": f"worker.webhook:{row.get('owner')}/{row.get('name')}",
    }[table]


@pytest.fixture(params=["sqlite", "postgres"])
async def settings(request: pytest.FixtureRequest, tmp_path: Path) -> KernelSettings:
    """A database with keys of three plugins, wrapped by the old master key."""
    url = request.getfixturevalue("postgres_url") if request.param == "postgres" else ""
    settings = KernelSettings(data_dir=tmp_path, database=DatabaseSettings(url=Secret(url)))
    async with session_of(settings) as engine:
        for tables in TABLES.values():
            await engine.alter(tables.create_all)

        def fill(session: Any) -> None:
            for name, tables in TABLES.items():
                for column in wrapped_columns(tables):
                    table = column.table
                    assert isinstance(table, Table)
                    if column.nullable:
                        continue
                    for row in ROWS[table.name]:
                        made = {column.name: BEFORE.wrap(purpose_of(table.name, row), f"{name} {row}".encode())}
                        session.execute(insert(table).values({**row, **made}))

        await engine.write(fill, {})
    return settings


@asynccontextmanager
async def session_of(settings: KernelSettings) -> AsyncIterator[Any]:
    engine = open_engine(database_url(settings), pool_size=1)
    await engine.open()
    try:
        yield engine
    finally:
        await engine.close()


async def opens_with(settings: KernelSettings, master: MasterKey) -> dict[str, int]:
    """How many keys of each plugin open with it."""
    async with session_of(settings) as engine:

        def count(session: Any) -> dict[str, int]:
            found = dict.fromkeys(NAMES, 0)
            for name, tables in TABLES.items():
                for column in wrapped_columns(tables):
                    for row in session.execute(select(column.table).where(column.is_not(None))).mappings():
                        purpose = purpose_of(column.table.name, dict(row))  # type: ignore[attr-defined]
                        try:
                            master.unwrap(purpose, row[column.name])
                        except MasterKeyFault:
                            continue
                        found[name] += 1
            return found

        found: dict[str, int] = await engine.read(count)
        return found


NONE = dict.fromkeys(NAMES, 0)


async def test_afterwards_all_keys_open_without_the_old_one(settings: KernelSettings) -> None:
    assert await opens_with(settings, BEFORE) == KEYS
    assert await opens_with(settings, AFTER) == NONE
    done = await rewrap_all(settings, list(INFOS.values()), BOTH)
    assert {each.plugin: (each.keys, each.changed) for each in done} == {n: (KEYS[n], KEYS[n]) for n in NAMES}
    assert await opens_with(settings, AFTER) == KEYS
    assert await opens_with(settings, BEFORE) == NONE
    again = await rewrap_all(settings, list(INFOS.values()), AFTER)
    assert {each.plugin: each.changed for each in again} == NONE


async def test_a_dry_run_counts_and_changes_nothing(settings: KernelSettings) -> None:
    done = await rewrap_all(settings, [INFOS["auth"]], BOTH, dry_run=True)
    assert done == [Rewrapped(plugin="auth", keys=3, changed=3)]
    assert await opens_with(settings, BEFORE) == KEYS


async def test_a_crash_in_the_middle_leaves_whole_plugins_and_can_be_taken_up(
    settings: KernelSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    replaced, replace = list[str](), rewrap._replace

    def crashes(session: Any, table: Table, *rest: Any) -> None:
        if table.name == "auth_keys" and replaced.count("auth_keys") == 2:
            raise KeyboardInterrupt  # as a kill would: nothing of ours runs afterwards
        replaced.append(table.name)
        replace(session, table, *rest)

    monkeypatch.setattr(rewrap, "_replace", crashes)
    order = [INFOS["streaming"], INFOS["auth"], INFOS["worker"]]
    with pytest.raises((KeyboardInterrupt, Exception)):
        await rewrap_all(settings, order, BOTH)
    monkeypatch.undo()
    assert await opens_with(settings, AFTER) == {**NONE, "streaming": 2}
    assert await opens_with(settings, BOTH) == KEYS
    done = await rewrap_all(settings, order, BOTH)
    assert {each.plugin: each.changed for each in done} == {"streaming": 0, "auth": 3, "worker": 1}
    assert await opens_with(settings, AFTER) == KEYS


async def test_the_wrong_key_is_a_fault_that_names_the_table_and_changes_nothing(settings: KernelSettings) -> None:
    with pytest.raises(MasterKeyFault, match=r"auth_keys: .*does not open.*previous_master_keys"):
        await rewrap_all(settings, [INFOS["auth"]], MasterKey(b"x" * 32, [b"y" * 32]))
    assert await opens_with(settings, BEFORE) == KEYS


async def test_with_sqlite_a_running_server_is_in_the_way_and_with_postgresql_not(settings: KernelSettings) -> None:
    async with session_of(settings):
        if settings.is_embedded:
            with pytest.raises(DatabaseFault, match="open in another process"):
                await rewrap_all(settings, [INFOS["auth"]], BOTH)
        else:
            await rewrap_all(settings, [INFOS["auth"]], BOTH)
            assert (await opens_with(settings, AFTER))["auth"] == 3


async def test_a_plugin_without_tables_yet_has_no_keys(tmp_path: Path) -> None:
    done = await rewrap_all(KernelSettings(data_dir=tmp_path), [INFOS["auth"]], AFTER)
    assert done == [Rewrapped(plugin="auth", keys=0, changed=0)]


def test_every_plugin_with_a_master_key_declares_what_it_wraps() -> None:
    infos = [f.info for f in discover() if f.info is not None and f.is_builtin and f.info.needs_master_key]
    assert {"auth", "streaming"} <= {info.name for info in infos}
    assert [info.name for info in infos if not wrapped_columns(declared(info))] == []


def declared(info: PluginInfo) -> Any:
    return tables_of(migrations_of(info).package.rpartition(".")[0])


# --- the command ----------------------------------------------------------------------------------------


def test_the_command_does_it_with_the_keys_of_the_configuration(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = KernelSettings(data_dir=tmp_path / "data")

    async def one_key() -> None:
        async with session_of(settings) as engine:
            await engine.alter(TABLES["auth"].create_all)
            table = TABLES["auth"].tables["auth_keys"]
            row = {**ROWS["auth_keys"][0], "wrapped": BEFORE.wrap("auth.signing", b"secret")}
            await engine.write(lambda session: session.execute(insert(table).values(row)), {})

    asyncio.run(one_key())
    config = tmp_path / "config.yaml"
    config.write_text("{}\n")
    monkeypatch.setenv("STREAMGATE_DATA_DIR", str(settings.data_dir))
    old, new = (base64.b64encode(key).decode() for key in (OLD, NEW))
    key_file = tmp_path / "master.key"
    key_file.write_text(f"{new}\n{old}\n")
    monkeypatch.setenv("STREAMGATE_SECRETS__MASTER_KEY_FILE", str(key_file))
    runner = CliRunner()
    counted = runner.invoke(keys, ["rewrap", "--dry-run", "--config", str(config)])
    assert "auth         1 keys, 1 to wrap" in counted.output
    done = runner.invoke(keys, ["rewrap", "--config", str(config)])
    assert (done.exit_code, "auth         1 keys, 1 wrapped" in done.output) == (0, True), done.output
    key_file.write_text(f"{old}\n")
    wrong = runner.invoke(keys, ["rewrap", "--config", str(config)])
    assert wrong.exit_code == 2
    assert "does not open" in wrong.output
    assert old not in wrong.output


def test_a_generated_key_is_one() -> None:
    made = [CliRunner().invoke(keys, ["generate"]).output.strip() for _ in range(2)]
    assert made[0] != made[1]
    assert [len(base64.b64decode(each)) for each in made] == [32, 32]
