"""Section `web` of the configuration."""

from __future__ import annotations

import attrs

from streamgate.settings import config_field


@attrs.frozen(kw_only=True)
class WebConfig:
    media_origin: str = config_field(
        "",
        help="Where the page's player may fetch segments beside this server: the origin of streaming.cdn_url.",
        validator=attrs.validators.matches_re(r"(https?://[A-Za-z0-9.:\[\]-]+)?"),
    )
