"""The start contract: what must be true before a process starts, each fault named with its remedy."""

from __future__ import annotations

from collections.abc import Sequence

from streamgate.plugins import PluginInfo
from streamgate.settings import KernelSettings


class StartFault(Exception):
    """The process cannot start. `faults` are lines for a person, all at once."""

    def __init__(self, faults: Sequence[str]) -> None:
        super().__init__("\n".join(faults))
        self.faults = list(faults)


def check_start(settings: KernelSettings, chosen: Sequence[PluginInfo], *, run_all: bool) -> list[str]:
    """What contradicts the start contract; empty when the process may start."""
    faults: list[str] = []
    services = [info for info in chosen if info.kind == "service"]
    names = ", ".join(info.name for info in services)
    if not services:
        faults.append("nothing to run: no service is selected")
    if not run_all:
        if settings.bus.url.reveal().startswith("memory:"):
            faults.append(
                f"--only {names}: the bus is memory:, which reaches this process alone; "
                "set NATS_URL=nats://host:4222 (or STREAMGATE_BUS__URL), or run --all"
            )
        with_tables = [info.name for info in chosen if info.uses_database]
        if with_tables and settings.is_embedded:
            faults.append(
                f"--only {names}: {', '.join(with_tables)} would share SQLite between processes, which it cannot do; "
                "set STREAMGATE_DATABASE__URL=postgresql://user:password@host:5432/streamgate, or run --all"
            )
    with_keys = [info.name for info in chosen if info.needs_master_key]
    has_key = bool(settings.secrets.master_key) or bool(settings.secrets.master_key_file)
    if with_keys and not has_key and not (settings.is_embedded and run_all):
        faults.append(
            f"the master key is missing, for {', '.join(with_keys)}: set STREAMGATE_SECRETS__MASTER_KEY "
            "(32 bytes, base64: `openssl rand -base64 32`) or STREAMGATE_SECRETS__MASTER_KEY_FILE"
        )
    if settings.profile == "prod" and not settings.server.public_url:
        faults.append(
            "profile prod: set STREAMGATE_SERVER__PUBLIC_URL to the origin people use (https://video.example); "
            "sign-in is bound to it and the Host header is never believed"
        )
    return faults
