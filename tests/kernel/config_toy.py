"""A section with a key of each type, and the configuration read from it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import attrs
import pytest

from streamgate.config import Config, ConfigFaults, load_config
from streamgate.settings import Secret, UrlParts, config_field


@attrs.frozen(kw_only=True)
class Chain:
    rpc_urls: tuple[str, ...] = config_field(help="Endpoints.")
    confirmations: int = config_field(2, help="Blocks to wait.", validator=attrs.validators.ge(0))


@attrs.frozen(kw_only=True)
class Limits:
    per_hour: int = config_field(10, help="Requests.")
    burst: float = config_field(1.5, help="Factor.")


@attrs.frozen(kw_only=True)
class Toy:
    """A toy."""

    lease_s: float = config_field(60.0, help="Lease.", validator=attrs.validators.ge(2))
    colour: Literal["red", "green"] = config_field("red", help="Colour.")
    folder: Path = config_field(Path("toy"), help="Folder.")
    is_open: bool = config_field(False, help="Open.")
    nickname: str | None = config_field(None, help="Name.")
    pin: Secret = config_field(Secret(""), help="Pin.")
    tags: tuple[str, ...] = config_field(("a",), help="Tags.")
    limits: Limits = config_field(factory=Limits, help="Limits.")
    chains: dict[str, Chain] = config_field(factory=dict, help="Chains by CAIP-2 id.")
    labels: dict[str, str] = config_field(factory=dict, help="Labels.")
    url: Secret = config_field(
        Secret("memory:"),
        help="Store.",
        url_parts=UrlParts(scheme="redis", host="REDIS_HOST", port="REDIS_PORT", default_port=6379),
    )


def load(text: str = "", environment: Mapping[str, str] | None = None, **more: Any) -> Config:
    Path("config").mkdir(exist_ok=True)
    Path("config/config.yaml").write_text(text, encoding="utf-8")
    return load_config(sections={"toy": Toy}, environment=environment or {}, **more)


def faults(text: str = "", environment: Mapping[str, str] | None = None, **more: Any) -> list[str]:
    with pytest.raises(ConfigFaults) as caught:
        load(text, environment, **more)
    return [str(fault) for fault in caught.value.faults]


def toy(text: str = "", environment: Mapping[str, str] | None = None) -> Toy:
    section = load(text, environment).section("toy")
    assert isinstance(section, Toy)
    return section
