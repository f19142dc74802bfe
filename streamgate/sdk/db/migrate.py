"""Each plugin's tables have their own line of Alembic revisions and their own version table.

Revisions are files in `<package>/migrations/versions/`, in one line without branches. Whether the tables are up
to date is read from the files' text, because importing Alembic costs a third of a second.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Sequence
from pathlib import Path

import attrs
from sqlalchemy import Connection, MetaData, inspect, text

from streamgate.plugins import PluginInfo
from streamgate.sdk.db.engine import DatabaseFault, database_url, open_engine
from streamgate.sdk.db.tables import OWN_FILE
from streamgate.settings import KernelSettings

_REVISION = re.compile(r"^revision\s*(?::\s*str)?\s*=\s*[\"']([^\"']+)[\"']", re.MULTILINE)
_DOWN = re.compile(r"^down_revision\s*(?::[^=]+)?=\s*(?:None|[\"']([^\"']+)[\"'])", re.MULTILINE)


@attrs.frozen
class Upgraded:
    """What `upgrade_all` did for one plugin; `before` None: there were no tables."""

    plugin: str
    before: str | None
    after: str | None


@attrs.frozen
class Migrations:
    """The revisions of one plugin.

    Args:
        package: name of the package that holds `versions/`, e.g. `streamgate_upload.migrations`.
    """

    plugin: str
    package: str

    @property
    def versions(self) -> Path:
        folder = importlib.import_module(self.package).__file__
        if folder is None:
            raise DatabaseFault(f"{self.package} has no folder; give it an __init__.py")
        return Path(folder).parent / "versions"

    @property
    def version_table(self) -> str:
        return f"alembic_version_{self.plugin}"

    def line(self) -> list[str]:
        """All revisions, first to last.

        Raises:
            DatabaseFault: the files do not make one line.
        """
        after: dict[str | None, str] = {}
        for path in sorted(self.versions.glob("*.py")):
            source = path.read_text(encoding="utf-8")
            revision, down = _REVISION.search(source), _DOWN.search(source)
            if revision is None or down is None:
                continue
            if down[1] in after:
                raise DatabaseFault(f"{self.package}: {after[down[1]]} and {revision[1]} both follow {down[1]}")
            after[down[1]] = revision[1]
        line: list[str] = []
        while (following := after.pop(line[-1] if line else None, None)) is not None:
            line.append(following)
        if after:
            raise DatabaseFault(
                f"{self.package}: {', '.join(sorted(after.values()))} follow a revision that is not there"
            )
        return line

    def current(self, connection: Connection) -> str | None:
        """The revision the tables are at; None where there are none yet."""
        if not inspect(connection).has_table(self.version_table):
            return None
        found: str | None = connection.scalar(text(f'SELECT version_num FROM "{self.version_table}"'))  # noqa: S608
        return found

    def is_current(self, connection: Connection) -> bool:
        """Raises DatabaseFault: the tables are newer than this program."""
        line, current = self.line(), self.current(connection)
        if current is not None and current not in line:
            raise DatabaseFault(
                f"the tables of {self.plugin} are at revision {current!r}, which this version does not know: "
                "a newer version has upgraded them; run that one"
            )
        return current == (line[-1] if line else None)

    def upgrade(self, connection: Connection) -> Upgraded:
        """Brings the tables to the last revision, inside the caller's transaction."""
        from alembic.operations import Operations
        from alembic.runtime.migration import MigrationContext
        from alembic.script import ScriptDirectory

        before = self.current(connection)
        scripts = ScriptDirectory(str(self.versions.parent), version_locations=[str(self.versions)])
        context = MigrationContext.configure(
            connection,
            opts={
                "version_table": self.version_table,
                "fn": lambda revision, _: scripts._upgrade_revs("head", revision),
            },
        )
        with Operations.context(context):
            context.run_migrations()
        return Upgraded(self.plugin, before, self.current(connection))


def migrations_of(info: PluginInfo) -> Migrations:
    """By convention: the package `migrations` beside the module that builds the plugin."""
    return Migrations(info.name, f"{info.build.__module__.partition('.')[0]}.migrations")


def tables_of(package: str) -> MetaData:
    """By convention: `TABLES` in `<package>.tables`."""
    tables = importlib.import_module(f"{package}.tables").TABLES
    if not isinstance(tables, MetaData):
        raise TypeError(f"{package}.tables.TABLES is no MetaData")
    return tables


async def upgrade_all(settings: KernelSettings, plugins: Sequence[PluginInfo]) -> list[Upgraded]:
    """`streamgate db upgrade`: the tables of all plugins that have some, each in one transaction.

    Raises:
        DatabaseFault: the database cannot be opened, or is newer than this program.
    """
    done: list[Upgraded] = []
    for info in plugins:
        if info.uses_database:
            migrations = migrations_of(info)
            own_file = tables_of(migrations.package.rpartition(".")[0]).info[OWN_FILE]
            engine = open_engine(database_url(settings, own_file), pool_size=1)
            await engine.open()
            try:
                await engine.alter(migrations.is_current)
                done.append(await engine.alter(migrations.upgrade))
            finally:
                await engine.close()
    return done


async def behind(settings: KernelSettings, plugins: Sequence[PluginInfo]) -> list[str]:
    """Plugins whose tables are not at their last revision; nothing is changed.

    Raises:
        DatabaseFault: as `upgrade_all`.
    """
    return [info.name for info in plugins if info.uses_database and not await _is_current(settings, info)]


async def _is_current(settings: KernelSettings, info: PluginInfo) -> bool:
    migrations = migrations_of(info)
    own_file = tables_of(migrations.package.rpartition(".")[0]).info[OWN_FILE]
    engine = open_engine(database_url(settings, own_file), pool_size=1)
    await engine.open()
    try:
        return await engine.read(lambda session: migrations.is_current(session.connection()))
    finally:
        await engine.close()
