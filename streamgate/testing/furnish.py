"""A plugin's tables without its migrations, again and again: they take longer than most tests.

What a process made once is copied: it is the same file that the start itself would make.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import attrs

from streamgate.plugins import PluginInfo
from streamgate.sdk.db import upgrade_all
from streamgate.settings import KernelSettings


@attrs.frozen
class _File:
    content: bytes
    mode: int

    @classmethod
    def all_in(cls, folder: Path) -> Mapping[str, _File]:
        return {path.name: cls(path.read_bytes(), path.stat().st_mode & 0o777) for path in folder.glob("*.db")}

    def lay(self, path: Path) -> None:
        if not path.exists():
            path.touch(self.mode)
            path.write_bytes(self.content)


_made: dict[tuple[str, ...], Mapping[str, _File]] = {}


async def furnish(settings: KernelSettings, infos: Sequence[PluginInfo]) -> None:
    """The tables of these plugins: on PostgreSQL they are migrated, in a data directory they are files that lie there
    unless there are some already. What else SQLite has is left to the start."""
    if not settings.is_embedded:
        await upgrade_all(settings, infos)
    elif not settings.database.url.reveal() and settings.data_dir.is_dir():
        for name, file in (await _files(infos)).items():
            file.lay(settings.data_dir / name)


async def _files(infos: Sequence[PluginInfo]) -> Mapping[str, _File]:
    names = tuple(info.name for info in infos if info.uses_database)
    if names not in _made:
        with tempfile.TemporaryDirectory(prefix="streamgate-tables-") as folder:
            await upgrade_all(KernelSettings(profile="test", data_dir=Path(folder)), infos)
            _made[names] = _File.all_in(Path(folder))
    return _made[names]
