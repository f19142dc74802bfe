"""The requirement kinds of this process: ours and those of other plugins, by name."""

from __future__ import annotations

from collections.abc import Mapping

import attrs
from loguru import logger

from streamgate.contracts.hooks import RequirementKind, collect_requirement_kinds
from streamgate.hooks import Hooks
from streamgate_auth.gate.parse import OPERATORS
from streamgate_auth.gate.policy import FIELDS

TAKEN = frozenset((*OPERATORS, *FIELDS))


@attrs.define(eq=False)
class Kinds:
    """Collected at the first use, when all plugins are there."""

    _hooks: Hooks
    _by_name: Mapping[str, RequirementKind] | None = None

    def by_name(self) -> Mapping[str, RequirementKind]:
        """A name that is taken, by the language or an earlier plugin, is left out and logged."""
        if self._by_name is None:
            found: dict[str, RequirementKind] = {}
            for tagged in self._hooks.collect(collect_requirement_kinds):
                name = tagged.value.name
                if name in TAKEN or name in found:
                    logger.bind(plugin=tagged.plugin, kind=name).error("requirement kind is taken; left out")
                else:
                    found[name] = tagged.value
            self._by_name = found
        return self._by_name
