"""The kinds of this process as they are listed, with the schema of their parameters and an example."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import attrs
from loguru import logger

from streamgate.contracts.hooks import RequirementKind
from streamgate.errors import Invalid
from streamgate.web.schema import Schema, Schemas
from streamgate.web.structure import structure
from streamgate_auth.gate.forms import KindItem
from streamgate_auth.gate.nodes import SAME_AS, Requirement, to_rule

SAMPLES: Mapping[str, Any] = {
    "chain": "eip155:1",
    "contract": "0x52908400098527886E0F7030069857D2E4169EE7",
    "token_id": "7",
}
"""For kinds of tokens, whose parameters everybody calls so."""
_COLLECTION = {"chain": "solana:mainnet", "collection": "J1S9H3QjnRtBbbuD4HjPV6RpRhwuk4zKbxsnCHuTgh9w"}
EXAMPLES: Mapping[str, Mapping[str, Any]] = {
    "addresses": {"of": ["0x52908400098527886E0F7030069857D2E4169EE7"]},
    "time": {"from": "2026-12-24T20:00:00Z", "until": "2026-12-27T00:00:00Z"},
    "role": {"role": "creator"},
    "invitation": {"campaign": "friends"},
    "spl": {"chain": "solana:mainnet", "mint": "EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v", "min": "1500000"},
    "metaplex": _COLLECTION,
    "core": _COLLECTION,
    "compressed": _COLLECTION,
    SAME_AS: {"collection": "g_0123456789ABCDEFGHIJKL"},
}


def shown(kinds: Iterable[RequirementKind]) -> tuple[KindItem, ...]:
    return tuple(_item(kind) for kind in sorted(kinds, key=lambda kind: kind.name))


def example_of(kind: RequirementKind) -> dict[str, Any] | None:
    """A rule of this kind alone, as it is stored; None where nobody has thought of one."""
    required = [field.name for field in attrs.fields(kind.params) if field.init and field.default is attrs.NOTHING]
    given = EXAMPLES.get(kind.name) or {name: SAMPLES[name] for name in required if name in SAMPLES}
    try:
        sample = Requirement(kind, structure(kind.params, given, what="the example"))
    except Invalid:
        return None
    try:
        sample.require_sound()
    except Exception as fault:
        # A kind may be anybody's plugin: the others are listed all the same.
        logger.bind(kind=kind.name, error=repr(fault)).warning("requirement has no example")
        return None
    return to_rule(sample)


def _item(kind: RequirementKind) -> KindItem:
    return KindItem(
        name=kind.name,
        summary=kind.summary,
        cost=kind.cost,
        private=kind.is_private,
        schema=_schema(kind.params),
        example=example_of(kind),
    )


def _schema(params: type) -> Schema:
    """Of the parameters, whole: what it refers to stands in `$defs`."""
    schemas = Schemas()
    reference = schemas.of(params)["$ref"]
    own = schemas.components.pop(reference.rpartition("/")[2])
    return own if not schemas.components else {**own, "$defs": schemas.components}
