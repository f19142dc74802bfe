"""Tables are brought up to date: by themselves on SQLite, by the operator elsewhere."""

from __future__ import annotations

import asyncio
import importlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest
from sqlalchemy import Column, Integer, inspect, text

from streamgate.lifecycle import StartFailed
from streamgate.plugins import PluginContext, PluginInfo
from streamgate.sdk.db import Database, DatabaseFault, upgrade_all
from streamgate.sdk.db.migrate import Migrations
from streamgate.settings import DatabaseSettings, KernelSettings, Secret
from streamgate.testing.context import plugin_context, running
from streamgate.testing.migrations import differences, write_next


def make_package(root: Path, name: str) -> Path:
    package = root / name
    (package / "migrations").mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "migrations" / "__init__.py").touch()
    (package / "tables.py").write_text(
        "from sqlalchemy import Column, ForeignKey, Integer, String, Table\n"
        "from streamgate.sdk.db import plugin_tables\n"
        "TABLES = plugin_tables('growing')\n"
        "owners = Table('growing_owners', TABLES, Column('owner_id', Integer, primary_key=True))\n"
        "things = Table('growing_things', TABLES, Column('thing_id', String(40), primary_key=True),"
        " Column('owner_id', ForeignKey('growing_owners.owner_id')))\n"
    )
    return package


@pytest.fixture
def package(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[str]:
    """The name of a package of this test's own, importable."""
    name = f"growing_{abs(hash(request.node.nodeid))}"
    make_package(tmp_path, name)
    sys.path.insert(0, str(tmp_path))
    importlib.invalidate_caches()
    yield name
    sys.path.remove(str(tmp_path))


def add_column(package: str) -> None:
    """The plugin grows, and its author writes the next migration."""
    things = importlib.import_module(f"{package}.tables").things
    things.append_column(Column("size_bytes", Integer, nullable=False, server_default="7"))


def database_of(package: str, folder: Path, url: str = "") -> Database:
    tables = importlib.import_module(f"{package}.tables").TABLES
    ctx = plugin_context("growing", data_dir=folder, database_url=url)
    return Database.for_plugin(ctx, tables, migrations=f"{package}.migrations")


def info_of(package: str) -> PluginInfo:
    def build(ctx: PluginContext) -> object:
        return ctx

    build.__module__ = f"{package}.plugin"
    return PluginInfo(name="growing", summary="", build=build, uses_database=True)


async def test_tables_grow_with_their_rows(package: str, tmp_path: Path) -> None:
    assert await write_next(package, "first tables") is not None
    db = database_of(package, tmp_path)
    async with running(db.units()[0]):
        await db.write(lambda session: session.execute(text("INSERT INTO growing_owners VALUES (1)")) and None)
        await db.write(lambda session: session.execute(text("INSERT INTO growing_things VALUES ('a', 1)")) and None)
    add_column(package)
    path = await write_next(package, "Add a size!")
    assert path is not None
    assert path.name == "v0002_add_a_size.py"
    db = database_of(package, tmp_path)
    async with running(db.units()[0]):
        found = await db.read(lambda session: session.execute(text("SELECT * FROM growing_things")).all())
    assert found == [("a", 1, 7)]


async def test_tool_finds_nothing_when_all_is_written(package: str, postgres_url: str) -> None:
    await write_next(package, "first tables")
    assert await write_next(package, "again") is None
    assert await differences(package) == []
    assert await differences(package, postgres_url) == []


async def test_forgotten_migration_is_noticed(package: str) -> None:
    await write_next(package, "first tables")
    add_column(package)
    assert [difference[0] for difference in await differences(package)] == ["add_column"]


async def test_failing_migration_changes_nothing(package: str, tmp_path: Path) -> None:
    await write_next(package, "first tables")
    db = database_of(package, tmp_path)
    async with running(db.units()[0]):
        pass
    (tmp_path / package / "migrations" / "versions" / "v0002_bad.py").write_text(
        "from alembic import op\nrevision = '0002'\ndown_revision = '0001'\n"
        "def upgrade():\n    op.execute('DROP TABLE growing_things')\n    op.execute('no such statement')\n"
    )
    with pytest.raises(StartFailed, match="no such statement"):
        async with running(database_of(package, tmp_path).units()[0]):
            pass
    (tmp_path / package / "migrations" / "versions" / "v0002_bad.py").unlink()
    async with running(db.units()[0]):
        assert await db.read(lambda session: inspect(session.connection()).has_table("growing_things"))


async def test_newer_tables_than_the_program_are_refused(package: str, tmp_path: Path) -> None:
    await write_next(package, "first tables")
    db = database_of(package, tmp_path)
    async with running(db.units()[0]):
        await db.write(
            lambda session: session.execute(text("UPDATE alembic_version_growing SET version_num = '0099'")) and None
        )
    with pytest.raises(StartFailed, match=r"'0099'.*newer version"):
        async with running(db.units()[0]):
            pass


async def test_operator_upgrades_postgresql(package: str, tmp_path: Path, postgres_url: str) -> None:
    await write_next(package, "first tables")
    settings = KernelSettings(data_dir=tmp_path, database=DatabaseSettings(url=Secret(postgres_url)))
    (done,) = await upgrade_all(settings, [info_of(package)])
    assert (done.plugin, done.before, done.after) == ("growing", None, "0001")
    add_column(package)
    await write_next(package, "grow")
    (done,) = await upgrade_all(settings, [info_of(package)])
    assert (done.before, done.after) == ("0001", "0002")
    db = database_of(package, tmp_path, postgres_url)
    async with running(db.units()[0]):
        assert await db.read(lambda session: session.execute(text("SELECT * FROM growing_things")).all()) == []


async def test_two_upgrades_at_once_take_turns(package: str, tmp_path: Path, postgres_url: str) -> None:
    await write_next(package, "first tables")
    settings = KernelSettings(data_dir=tmp_path, database=DatabaseSettings(url=Secret(postgres_url)))
    done = await asyncio.gather(*(upgrade_all(settings, [info_of(package)]) for _ in range(3)))
    assert sorted(str(each.before) for (each,) in done) == ["0001", "0001", "None"]


async def test_plugins_have_lines_of_their_own(package: str, sample: ModuleType, tmp_path: Path) -> None:
    await write_next(package, "first tables")
    sample_db = Database.for_plugin(
        plugin_context("sample", data_dir=tmp_path), sample.tables.TABLES, migrations="sample_plugin.migrations"
    )
    async with running(sample_db.units()[0]):
        pass
    db = database_of(package, tmp_path)
    async with running(db.units()[0]):
        names = await db.read(lambda session: set(inspect(session.connection()).get_table_names()))
    assert {"alembic_version_growing", "alembic_version_sample", "growing_things", "sample_things"} <= names


async def test_start_on_finished_tables_does_not_load_alembic(
    tmp_path: Path, sample: ModuleType, child_code: Callable[[str], list[str]]
) -> None:
    code = """
import asyncio, sys
from pathlib import Path
from sample_plugin.tables import TABLES
from streamgate.sdk.db import Database
from streamgate.testing.context import plugin_context, running

async def main():
    ctx = plugin_context("sample", data_dir=Path("."))
    db = Database.for_plugin(ctx, TABLES, migrations="sample_plugin.migrations")
    async with running(db.units()[0]):
        print("alembic" in sys.modules)

asyncio.run(main())
"""
    said = []
    for _ in range(2):
        child = await asyncio.create_subprocess_exec(*child_code(code), cwd=tmp_path, stdout=asyncio.subprocess.PIPE)
        said.append((await child.communicate())[0].decode().strip())
    assert said == ["True", "False"]


@pytest.mark.parametrize(
    ("files", "fault"),
    [
        ({"a": ("0001", None), "b": ("0002", None)}, "both follow None"),
        ({"a": ("0001", None), "b": ("0003", "'0002'")}, "0003 follow"),
    ],
)
def test_line_that_is_none_is_a_fault(
    tmp_path: Path, package: str, files: dict[str, tuple[str, str | None]], fault: str
) -> None:
    versions = tmp_path / package / "migrations" / "versions"
    versions.mkdir()
    for name, (revision, down) in files.items():
        (versions / f"{name}.py").write_text(f"revision = '{revision}'\ndown_revision = {down}\n")
    with pytest.raises(DatabaseFault, match=fault):
        Migrations("growing", f"{package}.migrations").line()
