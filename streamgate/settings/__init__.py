"""The kernel's own sections of the configuration. Plugins bring theirs; `streamgate.config` reads them all."""

from __future__ import annotations

from pathlib import Path

import attrs

from streamgate.settings.fields import POSITIVE, Secret, UrlParts, config_field, url_of
from streamgate.settings.limits import LimitSettings
from streamgate.settings.outgoing import OutgoingSettings
from streamgate.settings.process import LogSettings, PluginSettings, ServicesSettings, TelemetrySettings
from streamgate.settings.refusals import Matches
from streamgate.settings.server import ServerSettings
from streamgate.settings.stores import BlobSettings, BusSettings, DatabaseSettings, SecretSettings

__all__ = [
    "POSITIVE",
    "BlobSettings",
    "BusSettings",
    "DatabaseSettings",
    "KernelSettings",
    "LimitSettings",
    "LogSettings",
    "Matches",
    "OutgoingSettings",
    "PluginSettings",
    "Secret",
    "SecretSettings",
    "ServerSettings",
    "ServicesSettings",
    "TelemetrySettings",
    "UrlParts",
    "config_field",
    "url_of",
]


@attrs.frozen(kw_only=True)
class KernelSettings:
    """All kernel sections. `profile` is '' (none), dev, prod or test; the start decides it, no file does."""

    profile: str = ""
    data_dir: Path = config_field(Path("data"), help="Folder of everything the embedded default writes.")
    server: ServerSettings = attrs.field(factory=ServerSettings)
    limits: LimitSettings = attrs.field(factory=LimitSettings)
    database: DatabaseSettings = attrs.field(factory=DatabaseSettings)
    blobs: BlobSettings = attrs.field(factory=BlobSettings)
    bus: BusSettings = attrs.field(factory=BusSettings)
    secrets: SecretSettings = attrs.field(factory=SecretSettings)
    log: LogSettings = attrs.field(factory=LogSettings)
    telemetry: TelemetrySettings = attrs.field(factory=TelemetrySettings)
    services: ServicesSettings = attrs.field(factory=ServicesSettings)
    outgoing: OutgoingSettings = attrs.field(factory=OutgoingSettings)
    plugins: PluginSettings = attrs.field(factory=PluginSettings)

    @property
    def public_url(self) -> str:
        return self.server.public_url

    @property
    def is_embedded(self) -> bool:
        """The embedded default: SQLite and local files, one process."""
        return self.database.url.reveal() in ("",) or self.database.url.reveal().startswith("sqlite")
