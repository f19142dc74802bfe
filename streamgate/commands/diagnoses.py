"""What the doctor looks at, a function a thing. Each answers findings and raises only by accident."""

from __future__ import annotations

import asyncio
import os
import platform
import shutil
import tempfile
from collections.abc import Sequence
from urllib.parse import urlsplit

from streamgate.bus import open_bus
from streamgate.engine.server import PortBusy, bind
from streamgate.health import Finding
from streamgate.ports import Listener
from streamgate.settings import KernelSettings

BUS_PATIENCE_S = 3.0
HEADROOM = 4  # times the reserve: below that the disk is worth a look
LOOPBACK = ("http://127.0.0.1", "http://localhost", "http://[::1]")


def of_python() -> Finding:
    said = f"{platform.python_version()} on {platform.system()} {platform.machine()}, {os.cpu_count()} cores"
    return Finding(level="good", subject="python", said=said)


def of_ports(listeners: Sequence[Listener]) -> list[Finding]:
    """Whether each port is free now. A server that runs already holds its own."""
    findings = []
    for each in listeners:
        try:
            bind(each.host, each.port).close()
        except PortBusy as fault:
            findings.append(
                Finding(
                    level="warning",
                    subject=f"port {each.name}",
                    said=f"{each.host}:{each.port} is taken: {os.strerror(fault.errno or 0)}",
                    remedy="this server runs already, or stop what holds it, or set SERVER_PORT",
                )
            )
        else:
            said = f"{each.host}:{each.port} is free ({each.origin})"
            findings.append(Finding(level="good", subject=f"port {each.name}", said=said))
    return findings


def of_public_url(settings: KernelSettings) -> list[Finding]:
    url = settings.public_url
    if not url:
        said = "none: this machine's own address is used, and nobody signs in from elsewhere"
        return [Finding(level="good", subject="public URL", said=said)]
    if url.startswith("http://") and not url.startswith(LOOPBACK):
        said = f"{url} is not https: wallets and browsers keep back what sign-in and playback need"
        remedy = "put a proxy with a certificate in front and set STREAMGATE_SERVER__PUBLIC_URL=https://…"
        return [Finding(level="warning", subject="public URL", said=said, remedy=remedy)]
    return [Finding(level="good", subject="public URL", said=url)]


async def of_data_directory(settings: KernelSettings) -> list[Finding]:
    folder = settings.data_dir
    existing = next(each for each in (folder.absolute(), *folder.absolute().parents) if each.exists())
    if not existing.is_dir() or not os.access(existing, os.W_OK | os.X_OK):
        remedy = "give this user the folder, or set STREAMGATE_DATA_DIR"
        said = f"{folder}: this user may not write below {existing}"
        return [Finding(level="fault", subject="data", said=said, remedy=remedy)]
    if folder.is_dir():
        with tempfile.TemporaryFile(dir=folder) as probe:
            probe.write(b"probe")
    free = shutil.disk_usage(existing).free
    said = f"{folder}: {free / 2**30:.1f} GiB free"
    if free < settings.blobs.reserve_bytes * HEADROOM:
        remedy = f"make room: uploads stop when {settings.blobs.reserve_bytes / 2**30:.1f} GiB are left"
        return [Finding(level="warning", subject="data", said=said, remedy=remedy)]
    return [Finding(level="good", subject="data", said=said)]


async def of_master_key(settings: KernelSettings) -> list[Finding]:
    from streamgate.sdk.secrets import FILE_NAME, MasterKeyFault, load_master_key

    given = bool(settings.secrets.master_key) or bool(settings.secrets.master_key_file)
    made = settings.data_dir / FILE_NAME
    if not given and not made.exists():
        if settings.is_embedded:
            return [Finding(level="good", subject="master key", said=f"will be made at the first start: {made}")]
        remedy = "set STREAMGATE_SECRETS__MASTER_KEY_FILE; `streamgate keys generate` prints a fresh key"
        return [Finding(level="fault", subject="master key", said="none is given", remedy=remedy)]
    try:
        load_master_key(settings)
    except MasterKeyFault as fault:
        return [Finding(level="fault", subject="master key", said=str(fault))]
    if not given and made.stat().st_mode & 0o077:
        said, remedy = f"{made} can be read by others", f"chmod 600 {made}"
        return [Finding(level="warning", subject="master key", said=said, remedy=remedy)]
    said = "given by the configuration" if given else str(made)
    return [Finding(level="good", subject="master key", said=said)]


async def of_bus(settings: KernelSettings) -> list[Finding]:
    url = settings.bus.url.reveal()
    if url.startswith("memory:"):
        return [Finding(level="good", subject="bus", said="in memory: one process, --all")]
    bus = open_bus(url, name="doctor")
    where = ", ".join(urlsplit(each).netloc.rpartition("@")[2] for each in url.split(","))
    try:
        async with asyncio.timeout(BUS_PATIENCE_S):
            await bus.start()
            await bus.ping()
    except Exception as fault:
        said = f"NATS at {where}: {str(fault) or 'no answer'}"
        remedy = "start NATS with JetStream (nats-server -js), or mend NATS_URL"
        return [Finding(level="fault", subject="bus", said=said, remedy=remedy)]
    finally:
        await bus.stop()
    return [Finding(level="good", subject="bus", said=f"NATS at {where} answers")]
