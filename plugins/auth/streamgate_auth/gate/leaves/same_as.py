"""The requirement kind `same_as`: whatever the gate of a collection of contents says.

The collection's gate is put in the leaf's place before anything is read, so that its leaves are batched, explained and
watched like the content's own. What is left of the kind is a leaf whose collection is not there.
"""

from __future__ import annotations

import re
from typing import Any

import attrs

from streamgate.contracts.gate import Reading
from streamgate.contracts.hooks import Leaf, RequirementKind
from streamgate_auth.gate.nodes import SAME_AS

_COLLECTION = re.compile(r"g_[0-9A-Za-z]{22}", re.ASCII)


def _is_collection(_: Any, attribute: attrs.Attribute[Any], value: str) -> None:
    if not _COLLECTION.fullmatch(value):
        raise ValueError("must be the id of a collection: g_ and 22 letters or digits")


@attrs.frozen(kw_only=True)
class SameAsParams:
    """Parameters."""

    collection: str = attrs.field(validator=_is_collection)


def same_as_kind() -> RequirementKind:
    return RequirementKind(
        name=SAME_AS,
        summary="What the gate of a collection of contents says.",
        params=SameAsParams,
        describe=lambda params: f"passes the gate of the collection {params.collection}",
        read=_read,
        cost=0,
    )


async def _read(leaf: Leaf) -> Reading:
    return Reading(outcome="unknown", reason="the collection is not there")
