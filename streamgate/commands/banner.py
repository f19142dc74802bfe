"""What a person reads when a process has started: mode, plugins, ports and why, stores, addresses."""

from __future__ import annotations

from urllib.parse import urlsplit, urlunsplit

from streamgate import __version__
from streamgate.runtime import Process


def render_banner(process: Process) -> str:
    prepared, settings = process.prepared, process.settings
    mode = "one process" if prepared.options.only is None else f"only {', '.join(prepared.options.only)}"
    lines = [
        f"StreamGate {__version__} · {mode} · profile {settings.profile or 'none'}",
        "",
        "  plugins   " + ", ".join(info.name for info in prepared.chosen if info.name not in process.left_out),
    ]
    lines += [f"  left out  {name}: {fault}" for name, fault in sorted(process.left_out.items())]
    for listener in prepared.listeners:
        url = process.base_urls[listener.services[0]]
        lines.append(f"  http      {url}  ({listener.name}; {listener.origin})")
    lines += [
        f"  database  {_without_password(settings.database.url.reveal()) or _embedded(process, 'streamgate.db')}",
        f"  blobs     {settings.blobs.url or _embedded(process, 'blobs')}",
        f"  bus       {_without_password(settings.bus.url.reveal())}",
        "",
        f"  open {settings.server.public_url}",
    ]
    return "\n".join(lines)


def _embedded(process: Process, name: str) -> str:
    return str(process.settings.data_dir / name)


def _without_password(url: str) -> str:
    parts = urlsplit(url)
    if not parts.password:
        return url
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=f"{parts.username}:…@{host}"))
