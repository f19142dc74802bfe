"""What a process says, and what it loads."""

from __future__ import annotations

from typing import Literal

import attrs

from streamgate.settings.fields import config_field


@attrs.frozen(kw_only=True)
class LogSettings:
    """What is written to standard error, and how."""

    level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = config_field(
        "INFO", help="The least that is written.", reload=True
    )
    format: Literal["console", "json"] = config_field(
        "console", help="console for people, json for machines.", reload=True
    )


@attrs.frozen(kw_only=True)
class ServicesSettings:
    """Calls between services."""

    wire_local: bool = config_field(False, help="Send local service calls through their wire form too (tests).")


@attrs.frozen(kw_only=True)
class PluginSettings:
    """Which installed plugins count."""

    disabled: tuple[str, ...] = config_field((), help="Installed plugins that must not be loaded.")
    required: tuple[str, ...] = config_field((), help="Third-party plugins without which the start fails.")
