"""The section `devchain` of the configuration."""

from __future__ import annotations

import attrs

from streamgate.settings import config_field


@attrs.frozen(kw_only=True)
class DevchainConfig:
    """The local chain of the dev profile."""

    anvil: str = config_field("", help="Path of the anvil program. Default: the one `make install` brought, or PATH.")
    port: int = config_field(
        0,
        help="Port of its JSON-RPC on loopback; 0 takes any free one.",
        validator=attrs.validators.and_(attrs.validators.ge(0), attrs.validators.le(65535)),
    )
