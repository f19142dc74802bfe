"""Values to bytes and back, by their types alone.

Two converters: `tolerant` ignores unknown fields (services and events: an older process must
understand a newer one), `strict` refuses them (HTTP bodies: a misspelt field is a mistake).
Both speak JSON by orjson. uint256 values never travel as numbers: contracts type them as `str`.
"""

from __future__ import annotations

from typing import Any, TypeVar

from cattrs.preconf.orjson import OrjsonConverter, make_converter

T = TypeVar("T")


def _make(*, forbid_extra_keys: bool) -> OrjsonConverter:
    return make_converter(forbid_extra_keys=forbid_extra_keys, detailed_validation=forbid_extra_keys)


tolerant = _make(forbid_extra_keys=False)
strict = _make(forbid_extra_keys=True)


def encode(value: Any, unstructure_as: Any = None) -> bytes:
    return tolerant.dumps(value, unstructure_as=unstructure_as)


def decode(kind: type[T], payload: bytes) -> T:
    return tolerant.loads(payload, kind)


def to_plain(value: Any) -> Any:
    """JSON-able form of a contract value (dicts, lists, str, int, float, bool, None)."""
    return tolerant.unstructure(value)


def from_plain(kind: type[T], plain: Any) -> T:
    return tolerant.structure(plain, kind)
