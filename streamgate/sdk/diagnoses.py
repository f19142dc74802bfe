"""What the doctor looks at of the stores that the SDK opens, a function a store; drivers are imported where used."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import unquote, urlsplit

from streamgate.bus import open_bus
from streamgate.events import Events
from streamgate.health import Finding
from streamgate.hooks import Hooks
from streamgate.plugins import Found, PluginContext
from streamgate.services import Services
from streamgate.settings import KernelSettings

PATIENCE_S = 6.0
"""For one store: less than the doctor has for one look, so that he can say what to do."""


async def of_database(settings: KernelSettings, found: Sequence[Found]) -> list[Finding]:
    from streamgate.sdk.db import DatabaseFault, DatabaseUnavailable
    from streamgate.sdk.db.engine import database_url
    from streamgate.sdk.db.migrate import behind

    if settings.is_embedded:
        told = _not_to_be_opened(Path(database_url(settings).database or ""))
        if told:
            return [Finding(level="good", subject="database", said=told)]
    where = "or mend STREAMGATE_DATABASE__URL"
    try:
        async with asyncio.timeout(PATIENCE_S):
            waiting = await behind(settings, [each.info for each in found if each.info is not None])
    except DatabaseFault as fault:
        remedy = f"start PostgreSQL, {where}" if isinstance(fault.__cause__, DatabaseUnavailable) else ""
        return [Finding(level="fault", subject="database", said=str(fault), remedy=remedy)]
    except TimeoutError:
        said = f"{database_url(settings).host}: no answer within {PATIENCE_S:g} s"
        return [Finding(level="fault", subject="database", said=said, remedy=f"see that it can be reached, {where}")]
    said = "SQLite, one process" if settings.is_embedded else "PostgreSQL answers"
    if not waiting:
        return [Finding(level="good", subject="database", said=f"{said}; every table is at its newest version")]
    said = f"{said}; the tables of {', '.join(waiting)} are behind"
    if settings.is_embedded:
        return [Finding(level="good", subject="database", said=f"{said} and come up at the next start")]
    return [Finding(level="fault", subject="database", said=said, remedy="run `streamgate db upgrade`")]


def _not_to_be_opened(path: Path) -> str:
    """Why not; "" where the file is there and nobody's."""
    from streamgate.sdk.db import DatabaseFault
    from streamgate.sdk.db.sqlite import FileLock

    if not path.exists():
        return "SQLite, made at the first start"
    lock = FileLock(path)
    try:
        lock.acquire()
    except DatabaseFault:
        return f"{path}: a running server has it"
    lock.release()
    return ""


async def of_blobs(settings: KernelSettings) -> list[Finding]:
    """Files are looked at from outside (opening that store tidies it up); another store is opened and asked."""
    url = urlsplit(settings.blobs.url)
    if url.scheme in ("", "file"):
        root = Path(unquote(url.path)) if url.path else settings.data_dir / "blobs"
        existing = next(each for each in (root.absolute(), *root.absolute().parents) if each.exists())
        if not os.access(existing, os.W_OK | os.X_OK):
            said = f"{root}: this user may not write below {existing}"
            return [Finding(level="fault", subject="blobs", said=said, remedy="give this user the folder")]
        return [Finding(level="good", subject="blobs", said=f"files below {root}")]
    from streamgate.sdk.blobs import open_blobs

    store = open_blobs(_context(settings))
    remedy = "start what is there, or mend STREAMGATE_BLOBS__URL and its keys"
    units = store.units("doctor")
    try:
        async with asyncio.timeout(PATIENCE_S):
            for unit in units:
                await unit.start()
            said = await store.check().probe() or "the store answers"
    except TimeoutError:
        said = f"{settings.blobs.url}: no answer within {PATIENCE_S:g} s"
        return [Finding(level="fault", subject="blobs", said=said, remedy=remedy)]
    except Exception as fault:
        return [Finding(level="fault", subject="blobs", said=f"{type(fault).__name__}: {fault}", remedy=remedy)]
    finally:
        for unit in units:
            await unit.stop()
    return [Finding(level="good", subject="blobs", said=said)]


async def of_limits(settings: KernelSettings) -> list[Finding]:
    url = settings.limits.url.reveal()
    if url.startswith("memory:"):
        return [Finding(level="good", subject="limits", said="counted in memory, by each process for itself")]
    return [await of_redis("limits", url, "STREAMGATE_LIMITS__URL", without="each process counts for itself")]


async def of_redis(subject: str, url: str, variable: str, *, without: str) -> Finding:
    """`variable`: where the URL comes from; `without`: what happens while Redis is away."""
    from redis.exceptions import RedisError

    from streamgate.sdk.redis import open_redis

    where = urlsplit(url).netloc.rpartition("@")[2]
    client = open_redis(url)
    try:
        told = await client.info("server")
    except (RedisError, OSError) as fault:
        said = f"Redis at {where} does not answer ({type(fault).__name__}): {without}"
        return Finding(level="warning", subject=subject, said=said, remedy=f"start it, or mend {variable}")
    finally:
        await client.aclose()
    return Finding(level="good", subject=subject, said=f"Redis {told.get('redis_version', '?')} at {where}")


def _context(settings: KernelSettings) -> PluginContext:
    """Enough of a process to open a store with."""
    bus = open_bus("memory:", name="doctor")
    return PluginContext(
        name="doctor",
        config=None,
        settings=settings,
        services=Services(bus, source="doctor"),
        events=Events(bus, source="doctor"),
        bus=bus,
        hooks=Hooks(),
        mode="all",
        selected=(),
    )
