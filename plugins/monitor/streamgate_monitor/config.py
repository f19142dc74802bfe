"""Monitor's section of the configuration."""

from __future__ import annotations

import attrs

from streamgate.settings import config_field


@attrs.frozen(kw_only=True)
class MonitorConfig:
    service_timeout_s: float = config_field(
        3.0, help="Longest wait for one service's answer; one that says nothing by then is reported as not well."
    )
    reuse_s: float = config_field(1.0, help="A report is given again for so long, however many ask.")
