"""Monitor's section of the configuration."""

from __future__ import annotations

import attrs

from streamgate.settings import POSITIVE, config_field


@attrs.frozen(kw_only=True)
class MonitorConfig:
    service_timeout_s: float = config_field(
        3.0, help="Longest wait for one service's answer; one that says nothing by then is reported as not well."
    )
    reuse_s: float = config_field(1.0, help="A report is given again for so long, however many ask.")
    health_every_s: float = config_field(
        15.0, help="How often the health of all services is noted in its history.", validator=POSITIVE
    )
    alerts_every_s: float = config_field(5.0, help="How often alert rules are looked at.", validator=POSITIVE)
    audit_days: int = config_field(365, help="How long audit entries are kept.", validator=POSITIVE)
    log_days: int = config_field(7, help="How long log lines are kept.", validator=POSITIVE)
    log_lines: int = config_field(1_000_000, help="Log lines kept at most; the oldest go first.", validator=POSITIVE)
    metric_days: int = config_field(7, help="How long the history of metrics is kept.", validator=POSITIVE)
    alert_days: int = config_field(365, help="How long alerts are kept after they are over.", validator=POSITIVE)
    health_days: int = config_field(30, help="How long the history of health is kept.", validator=POSITIVE)
