"""SQL that is compiled once a process, for tests.

Each house opens engines of its own, and each engine compiles every statement anew: that was a tenth of the time of all
tests. What is compiled depends on the statement and on the dialect's class and options, which are the same for all of
ours; SQLAlchemy's key has the dialect itself.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy.dialects.postgresql.asyncpg import PGDialect_asyncpg
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite
from sqlalchemy.engine import Engine
from sqlalchemy.util import LRUCache

STATEMENTS = 5_000


def share_compiled_statements() -> None:
    """From now on, between all engines of this process."""
    shared: LRUCache[Any, Any] = LRUCache(STATEMENTS)
    begin = Engine.__init__

    def begin_with_shared(self: Engine, *args: Any, **options: Any) -> None:
        begin(self, *args, **options)
        self._compiled_cache = shared

    Engine.__init__ = begin_with_shared  # type: ignore[method-assign]
    for dialect in (SQLiteDialect_pysqlite, PGDialect_asyncpg):
        dialect.__eq__ = _are_alike  # type: ignore[method-assign]
        dialect.__hash__ = _hash_of_class  # type: ignore[method-assign]


def _are_alike(self: object, other: object) -> bool:
    return type(self) is type(other)


def _hash_of_class(self: object) -> int:
    return hash(type(self))
