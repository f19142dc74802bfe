"""How often somebody may ask."""

from __future__ import annotations

import attrs

from streamgate.settings.fields import POSITIVE, Secret, config_field, url_of


@attrs.frozen(kw_only=True)
class LimitSettings:
    """Requests a minute, a minute's worth at once, and where they (and repeated requests) are counted."""

    enabled: bool = config_field(True, help="Whether requests are counted at all.", reload=True)
    url: Secret = config_field(
        Secret("memory:"),
        help="memory: (each process for itself) or redis://[user:password@]host:port[/db] (all together).",
        validator=url_of("memory", "redis", "rediss"),
    )
    address_per_minute: int = config_field(
        1_200, help="Requests of one address (IPv6: one /64).", validator=POSITIVE, reload=True
    )
    identity_per_minute: int = config_field(
        2_400, help="Requests of one person, wherever they come from.", validator=POSITIVE, reload=True
    )
    key_per_minute: int = config_field(2_400, help="Requests with one API key.", validator=POSITIVE, reload=True)
