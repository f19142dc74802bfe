"""Worker's section of the configuration."""

from __future__ import annotations

import attrs

from streamgate.contracts.jobs import LEASE_S
from streamgate.settings import config_field


@attrs.frozen(kw_only=True)
class WorkerConfig:
    lease_s: float = config_field(
        LEASE_S,
        help="How long a runner may be silent before its job goes to another one. Runners report at least "
        "three times in it, and every 10 s.",
        validator=attrs.validators.ge(1),
    )
    sweep_every_s: float = config_field(
        2.0,
        help="How often leases that ran out and jobs whose time has come are looked for.",
        validator=attrs.validators.ge(0.05),
    )
    retry_base_s: float = config_field(
        2.0, help="Pause before the second attempt; doubled for each further one.", validator=attrs.validators.ge(0)
    )
    retry_max_s: float = config_field(300.0, help="Longest pause between attempts.", validator=attrs.validators.ge(0))
    max_waiting_per_owner: int = config_field(
        1000,
        help="Jobs of one person that may wait or run at once, counted when one is submitted; the work of transcodes "
        "counts as one job each.",
        validator=attrs.validators.ge(1),
    )
    keep_ended_days: float = config_field(
        90.0,
        help="How long jobs that have ended are kept, with their results and idempotency keys; dead ones stay until "
        "somebody puts them aside.",
        validator=attrs.validators.ge(1),
    )
    leader_s: float = config_field(
        15.0,
        help="How long schedules stand still after the replica that led them was killed.",
        validator=attrs.validators.ge(1),
    )
